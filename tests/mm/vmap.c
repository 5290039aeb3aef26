/*
 * vmap.c - other people's pages at consecutive addresses.
 *
 * STATE.  The pages of a test.
 */
#include "helpers.h"

#include <quarry/errno.h>
#include <quarry/pgtable.h>
#include <quarry/port.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

#define NR  16u
#define TAG 0x77A90000u

static struct page *pages[NR];

/* Every second page twice as far away: not neighbours, and in no order. */
static bool take_pages(struct ktest *t)
{
	bool all = true;

	for (unsigned int i = 0; i < NR; i++) {
		pages[(i * 5) % NR] = alloc_page(GFP_KERNEL | __GFP_HIGHMEM);
		all &= pages[(i * 5) % NR] != NULL;
	}
	for (unsigned int i = 0; all && i < NR; i++)
		block_fill(pages[i], 0, TAG + i);
	EXPECT_TRUE(t, all);
	return all;
}

static void give_pages(struct ktest *t)
{
	for (unsigned int i = 0; i < NR; i++) {
		if (!pages[i])
			continue;
		EXPECT_EQ(t, 1, page_count(pages[i]));
		__free_page(pages[i]);
	}
}

static void expect_mapped(struct ktest *t, const char *va)
{
	for (unsigned int i = 0; i < NR; i++) {
		EXPECT_EQ(t, TAG + i, *(const uint32_t *)(va + i * PAGE_SIZE));
		EXPECT_EQ(t, pages[i], vmalloc_to_page(va + i * PAGE_SIZE));
	}
}

KTEST(vmap, pages_appear_side_by_side_in_the_order_given)
{
	unsigned long val;
	char *va;

	if (take_pages(t)) {
		va = vmap(pages, NR, VM_MAP, PROT_KERNEL);
		ASSERT_NE(t, NULL, va);
		EXPECT_TRUE(t, is_vmalloc_addr(va));
		expect_mapped(t, va);
		memset32((uint32_t *)(va + 3 * PAGE_SIZE), 0x1234, PAGE_SIZE / 4);
		EXPECT_TRUE(t, block_is_all(pages[3], 0, 0x1234));
		EXPECT_ERR(t, -EFAULT, probe_read(va + NR * PAGE_SIZE, &val));
		vunmap(va);
	}
	give_pages(t);
}

KTEST(vmap, the_pages_stay_the_callers)
{
	struct vm_counts before, c;
	unsigned long nr_before;
	void *va;

	if (take_pages(t)) {
		vm_count(&before);
		va = vmap(pages, NR, VM_MAP, PROT_KERNEL);
		ASSERT_NE(t, NULL, va);
		vm_count(&c);
		EXPECT_EQ(t, before.nr_areas + 1, c.nr_areas);
		EXPECT_EQ(t, before.nr_pages, c.nr_pages);
		nr_before = nr_available();
		for (unsigned int i = 0; i < NR; i++)
			EXPECT_EQ(t, 1, page_count(pages[i]));
		vunmap(va);
		EXPECT_EQ(t, nr_before, nr_available());
		for (unsigned int i = 0; i < NR; i++)
			EXPECT_TRUE(t, block_is_all(pages[i], 0, TAG + i));
	}
	give_pages(t);
}

KTEST(vmap, after_vunmap_nobody_reaches_the_pages)
{
	struct vm_counts c;
	unsigned long val;
	char *va;

	if (take_pages(t)) {
		va = vmap(pages, NR, VM_MAP, PROT_KERNEL);
		ASSERT_NE(t, NULL, va);
		expect_mapped(t, va);
		vunmap(va);
		for (unsigned int i = 0; i < NR; i++)
			EXPECT_ERR(t, -EFAULT, probe_read(va + i * PAGE_SIZE, &val));
		vm_count(&c);
		EXPECT_EQ(t, 0, c.nr_lazy_areas);
	}
	vunmap(NULL);
	give_pages(t);
}

KTEST(vmap, a_page_may_have_several_addresses)
{
	struct page *page = alloc_page(GFP_KERNEL), *both[2] = { page, page };
	uint32_t *va, *other;

	ASSERT_NE(t, NULL, page);
	va = vmap(both, 2, VM_MAP, PROT_KERNEL);
	other = vmap(both, 1, VM_MAP, PROT_KERNEL_RO);
	ASSERT_TRUE(t, va && other);
	va[1] = 99;
	EXPECT_EQ(t, 99, va[PAGE_SIZE / 4 + 1]);
	EXPECT_EQ(t, 99, other[1]);
	EXPECT_EQ(t, 99, ((uint32_t *)page_address(page))[1]);
	EXPECT_ERR(t, -EFAULT, probe_write(other, 1));
	vunmap(va);
	vunmap(other);
	__free_page(page);
}

KTEST(vmap, no_pages_and_too_many_are_refused)
{
	EXPECT_EQ(t, NULL, vmap(pages, 0, VM_MAP, PROT_KERNEL));
	EXPECT_EQ(t, NULL, vmap(pages, ~0u, VM_MAP, PROT_KERNEL));
	EXPECT_EQ(t, NULL, vm_map_ram(pages, 0, -1, PROT_KERNEL));
}

KTEST(vmap, vm_map_ram_maps_and_vm_unmap_ram_unmaps_in_its_own_time)
{
	struct vm_counts c;
	char *va;

	if (take_pages(t)) {
		vm_unmap_aliases();
		va = vm_map_ram(pages, NR, -1, PROT_KERNEL);
		ASSERT_NE(t, NULL, va);
		expect_mapped(t, va);
		vm_unmap_ram(va, NR);
		EXPECT_EQ(t, NULL, vmalloc_to_page(va));
		vm_count(&c);
		EXPECT_EQ(t, option_given("vmalloc_debug=1") ? 0 : 1, c.nr_lazy_areas);
		EXPECT_EQ(t, 0, c.nr_lazy_pages);
		vm_unmap_aliases();
		vm_count(&c);
		EXPECT_EQ(t, 0, c.nr_lazy_areas);
	}
	give_pages(t);
}
