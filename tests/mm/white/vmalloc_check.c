/*
 * vmalloc_check.c - the validator of areas: each invariant is broken, and found.
 *
 * THEORY.  A test has an area, changes one word of what is known about it, looks, and changes it
 * back.  Nothing takes or frees an area in between.  What is seen twice, by the area and by the
 * sum over all of them, is counted twice.
 *
 * CONTEXT.  A thread.
 */
#include "../areas.h"

#include <quarry/atomic.h>
#include <quarry/ktest.h>
#include <quarry/list.h>
#include <quarry/pgtable.h>

#include "../../../mm/internal.h"
#include "../../../mm/vmalloc.h"

#define DEVICE 0xF0000000ull /* no RAM on any machine */

/* What is only to be read there, to be written here. */
static struct vm_counts *counts(void)
{
	struct vm_state s;

	vm_state_get(&s);
	return (struct vm_counts *)(uintptr_t)s.counts;
}

static struct vm_area *area_at(const void *va)
{
	struct vm_state s;

	vm_state_get(&s);
	return container_of(va_range_find(s.space, (uintptr_t)va), struct vm_area, range);
}

KTEST(vmalloc_check, a_count_that_is_not_the_sum_over_all_areas_is_found)
{
	struct vm_counts *c = counts();
	unsigned long *const words[] = {
		&c->nr_areas, &c->nr_pages, &c->used_bytes, &c->nr_lazy_pages, &c->lazy_bytes,
	};

	EXPECT_EQ(t, 0, vmalloc_check());
	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		++*words[i];
		EXPECT_EQ(t, 1, vmalloc_check());
		--*words[i];
	}
	EXPECT_EQ(t, 0, vmalloc_check());
}

KTEST(vmalloc_check, an_area_of_another_size_than_its_record_says_is_found)
{
	void *va = vmalloc(3 * PAGE_SIZE);
	struct vm_area *area;

	ASSERT_NE(t, NULL, va);
	area = area_at(va);
	area->size += PAGE_SIZE;
	EXPECT_EQ(t, 2, vmalloc_check()); /* neither its addresses nor its pages */
	area->size -= PAGE_SIZE;
	area->nr_pages++;
	EXPECT_EQ(t, 2, vmalloc_check());
	area->nr_pages--;
	EXPECT_EQ(t, 0, vmalloc_check());
	vfree(va);
}

KTEST(vmalloc_check, a_page_that_is_missing_or_free_is_found)
{
	void *va = vmalloc(3 * PAGE_SIZE);
	uintptr_t middle = (uintptr_t)va + PAGE_SIZE;
	struct page *page;

	ASSERT_NE(t, NULL, va);
	page = vmalloc_to_page((void *)middle);
	atomic_set(&page->_count, 0);
	EXPECT_EQ(t, 1, vmalloc_check());
	atomic_set(&page->_count, 1);
	EXPECT_EQ(t, 0, pgtable_unmap(middle, PAGE_SIZE));
	EXPECT_EQ(t, 1, vmalloc_check());
	EXPECT_EQ(t, 0, pgtable_map_pages(middle, &page, 1, PROT_KERNEL));
	EXPECT_EQ(t, 0, vmalloc_check());
	vfree(va);
}

KTEST(vmalloc_check, a_guard_that_is_mapped_is_found)
{
	void *va = vmalloc(PAGE_SIZE);
	uintptr_t guard = (uintptr_t)va + PAGE_SIZE;
	struct page *page;

	ASSERT_NE(t, NULL, va);
	page = vmalloc_to_page(va);
	EXPECT_EQ(t, 0, pgtable_map_pages(guard, &page, 1, PROT_KERNEL));
	EXPECT_EQ(t, 1, vmalloc_check());
	EXPECT_EQ(t, 0, pgtable_unmap(guard, PAGE_SIZE));
	EXPECT_EQ(t, 0, vmalloc_check());
	vfree(va);
}

KTEST(vmalloc_check, a_device_that_lies_elsewhere_than_its_record_says_is_found)
{
	void *va = ioremap(DEVICE, 2 * PAGE_SIZE);

	ASSERT_NE(t, NULL, va);
	area_at(va)->pa += PAGE_SIZE;
	EXPECT_EQ(t, 2, vmalloc_check()); /* pages */
	area_at(va)->pa -= PAGE_SIZE;
	EXPECT_EQ(t, 0, vmalloc_check());
	iounmap(va);
}

KTEST(vmalloc_check, an_area_that_waits_and_is_not_freed_is_found)
{
	void *va = vmalloc(PAGE_SIZE);
	struct vm_area *area;
	struct page *page;

	ASSERT_NE(t, NULL, va);
	vm_unmap_aliases(); /* so that it becomes one with no other */
	area = area_at(va);
	page = vmalloc_to_page(va);
	vfree(va);
	if (flushes_at_once())
		return;
	EXPECT_EQ(t, 0, vmalloc_check());
	area->lazy = false;
	EXPECT_EQ(t, 1, vmalloc_check());
	area->lazy = true;
	atomic_set(&page->_count, 0);
	EXPECT_EQ(t, 1, vmalloc_check());
	atomic_set(&page->_count, 1);
	EXPECT_EQ(t, 0, vmalloc_check());
	vm_unmap_aliases();
}
