/*
 * check.c - the validators: every invariant of the page allocator, counted, never stopping.
 *
 * IDEA.  Tests call these after their steps, the monitor offers them.  A zone is checked under its
 * lock, in two passes that must agree: along the lists, and along the frames.
 *
 * STATE.  None.
 *
 * CONTEXT.  Any; interrupts are off for as long as a zone has pages.
 */
#include <quarry/align.h>
#include <quarry/bits.h>
#include <quarry/dma.h>
#include <quarry/highmem.h>
#include <quarry/mempool.h>
#include <quarry/mm.h>
#include <quarry/printk.h>
#include <quarry/vmalloc.h>

#include "debug/page_owner.h"
#include "internal.h"
#include "slab.h"

/* Blocks and pages that one pass found. */
struct tally {
	unsigned long nr_blocks, nr_pages;
};

static unsigned int check_block(const struct zone *z, const struct page *page, unsigned int order,
				unsigned int mob)
{
	pfn_t pfn = page_to_pfn(page);
	unsigned int nr_bad = 0;

	if (!(page->flags & PG_buddy) || block_order(page) != order || block_mobility(page) != mob)
		BAD(nr_bad, "zone_check: B2 broken: pfn %#lx on list %u/%u has flags %08lx\n", pfn,
		    order, mob, page->flags);
	if (page_zone(page) != z || !IS_ALIGNED(pfn, 1ul << order) || pfn < z->start_pfn ||
	    pfn + (1ul << order) > zone_end_pfn(z))
		BAD(nr_bad, "zone_check: B2 broken: pfn %#lx order %u outside zone %s\n", pfn,
		    order, z->name);
	if (pageblock_get(pfn) != mob)
		BAD(nr_bad, "zone_check: B2 broken: pfn %#lx on list %u, pageblock is %u\n", pfn,
		    mob, pageblock_get(pfn));
	return nr_bad;
}

static unsigned int check_list(struct zone *z, unsigned int order, unsigned int mob,
			       struct tally *t) __must_hold(z->lock)
{
	const struct free_area *area = &z->free_area[order];
	const struct page *page;
	unsigned long nr = 0;
	unsigned int nr_bad = 0;

	list_for_each_entry(page, &area->list[mob], lru) {
		nr_bad += check_block(z, page, order, mob);
		nr++;
	}
	if (nr != area->nr_blocks[mob])
		BAD(nr_bad, "zone_check: B3 broken: %s list %u/%u has %lu blocks, counted %lu\n",
		    z->name, order, mob, nr, area->nr_blocks[mob]);
	if (!(z->nonempty[mob] & (1u << order)) != !nr)
		BAD(nr_bad, "zone_check: B4 broken: %s list %u/%u\n", z->name, order, mob);
	t->nr_blocks += nr;
	t->nr_pages += nr << order;
	return nr_bad;
}

/* The head of a free block, found by its frame number. */
static unsigned int check_head(const struct zone *z, pfn_t pfn, struct tally *t)
{
	const struct page *page = pfn_to_page(pfn);
	unsigned int order = block_order(page), nr_bad = 0;
	const struct page *buddy = pfn_to_page(pfn ^ (1ul << order));

	t->nr_blocks++;
	t->nr_pages += 1ul << order;
	if (order < MAX_ORDER - 1 && page_zone(buddy) == z && (buddy->flags & PG_buddy) &&
	    block_order(buddy) == order)
		BAD(nr_bad, "zone_check: B1 broken: buddies %#lx and %#lx, order %u\n", pfn,
		    page_to_pfn(buddy), order);
	for (unsigned long i = 0; i < 1ul << order; i++) {
		unsigned long allowed = i ? 0 : PG_buddy;

		if ((page[i].flags & PG_MASK) != allowed || atomic_read(&page[i]._count))
			BAD(nr_bad, "zone_check: B5 broken: free pfn %#lx flags %08lx count %d\n",
			    pfn + i, page[i].flags, atomic_read(&page[i]._count));
	}
	return nr_bad;
}

static unsigned int check_frames(const struct zone *z, struct tally *t)
{
	unsigned int nr_bad = 0;

	for (pfn_t pfn = z->start_pfn; pfn < zone_end_pfn(z);) {
		const struct page *page = pfn_to_page(pfn);

		if (page_zone(page) != z)
			BAD(nr_bad, "zone_check: pfn %#lx does not know its zone %s\n", pfn,
			    z->name);
		if (!(page->flags & PG_buddy)) {
			pfn++;
			continue;
		}
		nr_bad += check_head(z, pfn, t);
		pfn += 1ul << block_order(page);
	}
	return nr_bad;
}

QAPI unsigned int zone_check(struct zone *z)
{
	struct tally lists = { 0 }, frames = { 0 };
	unsigned int nr_bad = 0;
	unsigned long flags = spin_lock_irqsave(&z->lock);

	for (unsigned int order = 0; order < MAX_ORDER; order++) {
		for (unsigned int mob = 0; mob < NR_MOBILITIES; mob++)
			nr_bad += check_list(z, order, mob, &lists);
	}
	nr_bad += check_frames(z, &frames);
	if (lists.nr_pages != z->nr_free)
		BAD(nr_bad, "zone_check: B3 broken: %s lists hold %lu pages, nr_free says %lu\n",
		    z->name, lists.nr_pages, z->nr_free);
	if (lists.nr_pages != frames.nr_pages || lists.nr_blocks != frames.nr_blocks)
		BAD(nr_bad,
		    "zone_check: B2 broken: %s lists %lu blocks, %lu pages; frames %lu, %lu\n",
		    z->name, lists.nr_blocks, lists.nr_pages, frames.nr_blocks, frames.nr_pages);
	spin_unlock_irqrestore(&z->lock, flags);
	return nr_bad;
}

/* One CPU's list of one index. */
static unsigned int check_stack(const struct percpu_stack *s, unsigned int index)
{
	unsigned int nr_bad = 0, nr = READ_ONCE(s->nr);

	if (nr > s->limit || s->limit > PERCPU_STACK_SLOTS || s->bottom)
		BAD(nr_bad, "pcp_check: L2 broken: list %u has %u of %u, bottom %p\n", index, nr,
		    s->limit, s->bottom);
	for (unsigned int i = 0; i < min(nr, PERCPU_STACK_SLOTS); i++) {
		const struct page *page = s->slot[i];

		if (pcp_index(page) != index || (page->flags & PG_MASK) ||
		    atomic_read(&page->_count))
			BAD(nr_bad,
			    "pcp_check: L1 broken: list %u, pfn %#lx flags %08lx count %d\n", index,
			    page_to_pfn(page), page->flags, atomic_read(&page->_count));
	}
	return nr_bad;
}

static QAPI void check_stacks_here(void *arg)
{
	unsigned int *nr_bad = arg;
	const struct percpu_stack *stacks = this_cpu_ptr(&pcp_stack[0]);

	for (unsigned int i = 0; i < PCP_STACKS; i++) {
		*nr_bad += check_stack(&stacks[i], i);
		if ((i & 3) >= NR_MOBILITIES || (i >> 2 & 3) >= NR_ZONES) {
			if (stacks[i].limit)
				BAD(*nr_bad, "pcp_check: L3 broken: list %u has a limit\n", i);
		}
	}
}

QAPI unsigned int mm_check_all(void)
{
	unsigned int nr_bad = memblock_check(&memblock);
	struct mm_account a;
	struct zone *z;

	for_each_zone(z)
		nr_bad += zone_check(z);
	env_for_each_cpu(check_stacks_here, &nr_bad);
	nr_bad += slab_check_all() + mempools_check() + vmalloc_check() + kmap_check();
	nr_bad += dma_check() + page_owner_check();
	mm_account(&a);
	if (a.nr_managed + a.nr_reserved != a.nr_ram)
		BAD(nr_bad, "mm_check: P3 broken: managed %lu + reserved %lu != RAM %lu\n",
		    a.nr_managed, a.nr_reserved, a.nr_ram);
	return nr_bad;
}
