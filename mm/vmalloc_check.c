/*
 * vmalloc_check.c - the invariants of areas, verified: A1 to A3 of vmalloc.c, V1 to V5 of
 * va_range.c.
 *
 * IDEA.  A violation is printed and counted, and the check goes on.
 *
 * LOCKING.  vmap_lock is held while all areas and their page tables are walked; what is broken is
 * printed under it.  An area that somebody is making or unmapping at this moment maps a part only:
 * as with all validators, nobody does.
 *
 * CONTEXT.  A thread that may sleep.
 */
#include <quarry/mm.h>
#include <quarry/pgtable.h>
#include <quarry/printk.h>

#include "internal.h"
#include "vmalloc.h"

/* What a walk over all areas has counted. */
struct tally {
	unsigned long nr_areas, nr_pages;        /* of living ones */
	unsigned long nr_lazy_pages, lazy_bytes; /* of the two lists */
	unsigned long used_bytes;                /* of all areas */
};

/* A page of an area that lives: mapped, and to what it should be. */
static unsigned int check_mapped(const struct vm_area *area, uintptr_t va)
{
	unsigned int nr_bad = 0;
	struct pt_walk w;

	pgtable_walk(va, &w);
	if (!w.present || w.level) {
		BAD(nr_bad, "vmalloc_check: A1 broken: %p of area %p is not mapped\n",
		    (const void *)va, (const void *)area->range.start);
		return nr_bad;
	}
	if ((area->flags & VM_ALLOC) &&
	    atomic_read(&pfn_to_page((pfn_t)(w.pa >> PAGE_SHIFT))->_count) < 1)
		BAD(nr_bad, "vmalloc_check: A1 broken: %p is mapped to a free page\n",
		    (const void *)va);
	if ((area->flags & VM_IOREMAP) && w.pa != area->pa + (va - area->range.start))
		BAD(nr_bad, "vmalloc_check: A1 broken: %p is mapped to 0x%llx\n", (const void *)va,
		    w.pa);
	return nr_bad;
}

static unsigned int check_living(const struct vm_area *area, struct tally *t)
{
	unsigned int nr_bad = 0;

	t->nr_areas++;
	t->nr_pages += area->nr_pages;
	for (uintptr_t va = area->range.start; va != area->range.end; va += PAGE_SIZE)
		nr_bad += check_mapped(area, va);
	if (area->nr_pages != (area->flags & VM_ALLOC ? area->size >> PAGE_SHIFT : 0))
		BAD(nr_bad, "vmalloc_check: A3 broken: area %p of %zu bytes has %lu pages\n",
		    (const void *)area->range.start, area->size, area->nr_pages);
	return nr_bad;
}

/* Nothing is mapped between @start and @end: a lazy area, or a guard. */
static unsigned int check_unmapped(uintptr_t start, uintptr_t end)
{
	unsigned int nr_bad = 0;
	struct pt_walk w;

	for (uintptr_t va = start; va != end; va += PAGE_SIZE) {
		pgtable_walk(va, &w);
		if (w.present)
			BAD(nr_bad, "vmalloc_check: A2 broken: %p is mapped\n", (const void *)va);
	}
	return nr_bad;
}

/* A lazy area maps nothing, and begins where no other one ends. */
static unsigned int check_lazy(const struct vm_area *area, struct tally *t)
{
	unsigned int nr_bad = check_unmapped(area->range.start, area->range.end);
	const struct va_range *r = va_range_prev(&area->range);
	const struct vm_area *below = r ? container_of(r, const struct vm_area, range) : NULL;

	if (!area->freed || !area->lazy)
		BAD(nr_bad, "vmalloc_check: A2 broken: area %p waits, but is not freed\n",
		    (const void *)area->range.start);
	if (below && below->lazy && r->grip_end == area->range.start)
		BAD(nr_bad, "vmalloc_check: A2 broken: area %p and the one below it wait\n",
		    (const void *)area->range.start);
	t->lazy_bytes += area->range.grip_end - area->range.start;
	return nr_bad;
}

static unsigned int check_lazy_pages(const struct list_head *pages, struct tally *t)
{
	const struct page *page;
	unsigned int nr_bad = 0;

	list_for_each_entry(page, pages, lru) {
		t->nr_lazy_pages++;
		if (atomic_read(&page->_count) < 1)
			BAD(nr_bad, "vmalloc_check: A2 broken: pfn %#lx waits, but is free\n",
			    page_to_pfn(page));
	}
	return nr_bad;
}

static unsigned int check_areas(const struct vm_state *s, struct tally *t)
{
	const struct vm_area *area;
	unsigned int nr_bad = 0;

	for (const struct va_range *r = va_range_first(s->space); r; r = va_range_next(r)) {
		area = container_of(r, struct vm_area, range);
		if (area->size != r->end - r->start)
			BAD(nr_bad, "vmalloc_check: A1 broken: area %p has %zu bytes of %lu\n",
			    (const void *)r->start, area->size, (unsigned long)(r->end - r->start));
		nr_bad += check_unmapped(r->end, r->grip_end);
		t->used_bytes += r->grip_end - r->start;
		if (!area->freed)
			nr_bad += check_living(area, t);
	}
	list_for_each_entry(area, s->lazy, link)
		nr_bad += check_lazy(area, t);
	return nr_bad + check_lazy_pages(s->lazy_pages, t);
}

static unsigned int check_bytes(const struct tally *t, const struct vm_counts *c)
{
	unsigned int nr_bad = 0;

	if (t->used_bytes != c->used_bytes)
		BAD(nr_bad, "vmalloc_check: A3 broken: bytes %lu/%lu\n", t->used_bytes,
		    c->used_bytes);
	if (t->nr_lazy_pages != c->nr_lazy_pages || t->lazy_bytes != c->lazy_bytes)
		BAD(nr_bad, "vmalloc_check: A3 broken: lazy pages %lu/%lu bytes %lu/%lu\n",
		    t->nr_lazy_pages, c->nr_lazy_pages, t->lazy_bytes, c->lazy_bytes);
	return nr_bad;
}

QAPI unsigned int vmalloc_check(void)
{
	struct tally t = { 0 };
	unsigned int nr_bad;
	unsigned long flags;
	struct vm_state s;

	vm_state_get(&s);
	flags = spin_lock_irqsave(s.lock);
	nr_bad = va_range_check(s.space) + check_areas(&s, &t);
	if (t.nr_areas != s.counts->nr_areas || t.nr_pages != s.counts->nr_pages)
		BAD(nr_bad, "vmalloc_check: A3 broken: areas %lu/%lu pages %lu/%lu\n", t.nr_areas,
		    s.counts->nr_areas, t.nr_pages, s.counts->nr_pages);
	nr_bad += check_bytes(&t, s.counts);
	spin_unlock_irqrestore(s.lock, flags);
	return nr_bad;
}
