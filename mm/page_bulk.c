/*
 * page_bulk.c - many single pages at a time, as an array or as a list.
 *
 * THEORY.  What a page costs on its way through the per-CPU lists is mostly the way.  So many are
 * taken from the zone itself once the list is empty, under one lock, in pieces of large blocks,
 * which lie side by side; of thousands some hundreds at a time, because interrupts are off under a
 * lock.  Freed together they are mostly side by side still: neighbours are collected into a run,
 * upwards or downwards, and the run goes to the buddy as a few large blocks, each of which needs no
 * merging within itself.
 *
 *	pages given    17 18 19 20 21 | 40 | 63 62 61 60 |
 *	blocks         17 18-19 20-21   40   60-63
 *
 * A few pages go by the per-CPU lists all the same: there they are warm.
 *
 * With a debug option that wants to see each page, none of this is done.
 *
 * STATE.  A run and a batch of blocks, on the stack of who frees.
 *
 * INVARIANTS.  G1: the pages of a run are checked, have count 0 and one zone; nobody else knows
 * them.  G2: a block ends at the end of its pageblock at the latest.
 *
 * LOCKING.  None here; zone->lock is taken and left by page_alloc.c, once for many blocks.
 *
 * CONTEXT.  Any.
 *
 * NOT HERE.  Zones and watermarks: zonelist.c.
 */
#include <quarry/align.h>
#include <quarry/bits.h>
#include <quarry/mm.h>

#include "debug/watch.h"
#include "internal.h"

#define BATCH_MAX 32u /* blocks that go to a zone at a time: on the stack */

/* ---- taking ----------------------------------------------------------------------------- */

/* Empty places at the start of @array. */
static unsigned long nr_empty(struct page *const *array, unsigned long nr)
{
	unsigned long i = 0;

	while (i < nr && !array[i])
		i++;
	return i;
}

QAPI unsigned long alloc_pages_fill(gfp_t gfp, unsigned long nr, struct page **pages)
{
	unsigned long taken = 0, more;

	do {
		more = 0;
		if (nr - taken >= MANY_PAGES && !pages_watched())
			more = alloc_pages_many(gfp, nr - taken, pages + taken);
		if (!more && taken < nr) {
			pages[taken] = alloc_page(gfp);
			more = pages[taken] != NULL;
		}
		taken += more;
	} while (more);
	return taken;
}

QAPI unsigned long alloc_pages_bulk_array(gfp_t gfp, unsigned long nr, struct page **array)
{
	unsigned long nr_filled = 0, place = 0, empty;
	bool more = true;

	while (place < nr) {
		empty = nr_empty(&array[place], nr - place);
		if (empty && more) {
			unsigned long taken = alloc_pages_fill(gfp, empty, &array[place]);

			more = taken == empty;
			nr_filled += taken;
		}
		for (place += empty; place < nr && array[place]; place++)
			nr_filled++;
	}
	return nr_filled;
}

/* ---- freeing ---------------------------------------------------------------------------- */

/* Pages side by side, checked, of one zone; empty at first. */
struct page_run {
	struct page *first, *end;
	unsigned long zone; /* PG_ZONE_MASK of each */
};

/* Blocks of one zone, marked with their orders. */
struct batch {
	unsigned int nr;
	struct page *blocks[BATCH_MAX];
};

static void hand_over(struct batch *b)
{
	if (b->nr)
		zone_give_blocks(page_zone(b->blocks[0]), b->nr, b->blocks);
	b->nr = 0;
}

/* Cut a run into blocks. */
static __noinline void end_run(struct batch *b, struct page *first, struct page *end)
{
	while (first != end) {
		pfn_t pfn = page_to_pfn(first);
		unsigned int order = bit_highest((unsigned long)(end - first));

		order = min(order, MAX_ORDER - 1u);
		if (pfn)
			order = min(order, bit_lowest(pfn));
		if (b->nr == BATCH_MAX || (b->nr && page_zone(b->blocks[0]) != page_zone(first)))
			hand_over(b);
		block_mark(first, order, block_mobility(first));
		b->blocks[b->nr++] = first;
		first += 1ul << order;
	}
}

/* __free_page(), to the run if it goes on there.  Inline, so that the run is in registers. */
static inline __always_inline void gather(struct batch *b, struct page_run *run, struct page *page)
{
	unsigned long flags = page->flags, zone = flags & PG_ZONE_MASK;

	if (unlikely((flags & (PG_ORDER_MASK | PG_FREE_FORBIDDEN)) ||
		     atomic_read(&page->_count) != 1)) {
		free_pages_slow(page, 0);
		return;
	}
	atomic_set(&page->_count, 0);
	if (page == run->end && zone == run->zone) {
		run->end++;
	} else if (page + 1 == run->first && zone == run->zone) {
		run->first--;
	} else {
		end_run(b, run->first, run->end);
		*run = (struct page_run){ page, page + 1, zone };
	}
}

QAPI void free_pages_list(struct list_head *pages)
{
	const bool watched = pages_watched();
	struct page_run run = { NULL, NULL, 0 };
	struct page *page, *next;
	struct batch b;

	b.nr = 0;
	list_for_each_entry_safe(page, next, pages, lru) {
		if (watched)
			__free_page(page);
		else
			gather(&b, &run, page);
	}
	end_run(&b, run.first, run.end);
	hand_over(&b);
	list_init(pages);
}

QAPI void free_pages_bulk_array(unsigned long nr, struct page **array)
{
	const bool few = nr < MANY_PAGES || pages_watched();
	struct page_run run = { NULL, NULL, 0 };
	struct batch b;

	b.nr = 0;
	for (unsigned long i = 0; i < nr; i++) {
		struct page *page = array[i];

		array[i] = NULL;
		if (page && few)
			__free_page(page);
		else if (page)
			gather(&b, &run, page);
	}
	end_run(&b, run.first, run.end);
	hand_over(&b);
}
