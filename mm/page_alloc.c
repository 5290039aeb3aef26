/*
 * page_alloc.c - the buddy allocator: runs of 2^order page frames, naturally aligned.
 *
 * THEORY.  A zone's frames are cut into blocks.  A free block of order k starts at a pfn divisible
 * by 2^k; its buddy is the block at (pfn ^ 2^k).  Two free buddies of equal order never coexist:
 * freeing merges them at once (B1).  Alignment makes the buddy a pure function of the pfn, so no
 * block needs a header, and a free costs at most MAX_ORDER merges.  Only a block's head page is
 * ever looked at or written: the cost does not depend on the block's size.
 *
 * A zone may start and end anywhere.  mem_map has a struct page for every possible buddy, and a
 * buddy in another zone, in a hole or reserved does not carry this zone's number together with
 * PG_buddy and the right order, which is one compare.
 *
 * MOBILITY.  Unmovable pages scattered over all memory would make large blocks impossible for ever.
 * So each pageblock (the largest block) has a mobility, and its free blocks are on the lists of
 * that mobility.  A request takes from its own lists; when they are empty it steals: the
 * largest free block of another mobility, because then it will not have to come back soon.  If
 * that makes the thief own at least half of the pageblock, the whole pageblock, its other free
 * blocks included, changes its mobility.  The smallest possible block is stolen last.
 *
 * LIMITS.  A device may reach a part of a zone only.  Lists have no order by address, so a block
 * below a limit is searched for along the frames, from the limit down, a pageblock under one lock;
 * of a block that reaches beyond the limit the part below it is taken.
 *
 * STATE.  struct zone: free_area[order].list[mobility], nr_free, nonempty[mobility].  A free
 * block's head is linked by page->lru and carries PG_buddy, its order and the mobility of its list.
 *
 * INVARIANTS, all checked by zone_check():
 *   B1  no two free buddies of one order (except at the largest order);
 *   B2  PG_buddy is set if and only if the page heads a block on a list, of the order and mobility
 *       in its flags, which is the pageblock's mobility;
 *   B3  zone->nr_free is the sum over free blocks of 2^order, in pages, and nr_blocks counts them;
 *   B4  nonempty has exactly the bits of the lists that are not empty;
 *   B5  free pages have count 0 and no PG_ bit but their head's PG_buddy.
 *
 * LOCKING.  zone->lock (irq-safe, a leaf: no lock is taken under it) guards all of the above.
 *
 * CONTEXT.  Any.
 *
 * NOT HERE.  Zone choice and watermarks: zonelist.c.  Per-CPU lists: pcp.c.  Poisoning: debug/.
 *
 * SOURCES.  Knowlton, "A fast storage allocator", CACM 8(10), 1965; Knuth, TAOCP 1, sec. 2.5;
 * Gorman and Whitcroft, "Supporting the allocation of large contiguous regions of memory", OLS
 * 2007.
 */
#include <quarry/align.h>
#include <quarry/bits.h>
#include <quarry/mm.h>

#include "internal.h"

struct zone zones[NR_ZONES];

__init QAPI void zone_init(struct zone *z, enum zone_type type, const char *name, pfn_t start,
			   pfn_t end)
{
	z->name = name;
	z->type = type;
	z->start_pfn = start;
	z->nr_spanned = end > start ? end - start : 0;
	spin_lock_init(&z->lock);
	for (unsigned int order = 0; order < MAX_ORDER; order++) {
		for (unsigned int mob = 0; mob < NR_MOBILITIES; mob++)
			list_init(&z->free_area[order].list[mob]);
	}
}

/* ---- blocks on lists -------------------------------------------------------------------- */

static void block_link(struct zone *z, struct page *page, unsigned int order, enum mobility mob)
	__must_hold(z->lock)
{
	struct free_area *area = &z->free_area[order];

	block_mark_as(page, order, mob, PG_buddy);
	list_add(&page->lru, &area->list[mob]);
	area->nr_blocks[mob]++;
	WRITE_ONCE(z->nonempty[mob], z->nonempty[mob] | 1u << order);
}

static void block_unlink(struct zone *z, struct page *page, unsigned int order) __must_hold(z->lock)
{
	enum mobility mob = block_mobility(page);
	struct free_area *area = &z->free_area[order];

	list_del(&page->lru);
	page_flags_clear(page, PG_buddy);
	if (--area->nr_blocks[mob] == 0)
		WRITE_ONCE(z->nonempty[mob], z->nonempty[mob] & ~(1u << order));
}

/* ---- giving back ------------------------------------------------------------------------ */

/* Is the buddy of the block of @order at @pfn a free block of the same order in the same zone? */
static bool buddy_free(const struct zone *z, pfn_t pfn, unsigned int order, struct page **buddy)
{
	const unsigned long mask = PG_buddy | PG_ZONE_MASK | PG_ORDER_MASK;
	unsigned long want = PG_buddy | (unsigned long)z->type << PG_ZONE_SHIFT |
			     (unsigned long)order << PG_ORDER_SHIFT;

	*buddy = pfn_to_page(pfn ^ (1ul << order));
	return (READ_ONCE((*buddy)->flags) & mask) == want;
}

static void give(struct zone *z, struct page *page) __must_hold(z->lock)
{
	pfn_t pfn = page_to_pfn(page);
	unsigned int order = block_order(page);
	struct page *buddy;

	ADD_ONCE(z->nr_free, 1ul << order);
	while (order < MAX_ORDER - 1 && buddy_free(z, pfn, order, &buddy)) {
		block_unlink(z, buddy, order);
		pfn &= ~(1ul << order); /* the merged block starts at the lower half */
		order++;
	}
	block_link(z, pfn_to_page(pfn), order, pageblock_get(pfn));
}

QAPI void zone_give_blocks(struct zone *z, unsigned int nr, struct page **blocks)
{
	unsigned long flags = spin_lock_irqsave(&z->lock);

	for (unsigned int i = 0; i < nr; i++)
		give(z, blocks[i]);
	spin_unlock_irqrestore(&z->lock, flags);
}

/* ---- taking ----------------------------------------------------------------------------- */

/* The smallest sufficient block of @mob's lists, or NULL. */
static struct page *smallest_own(struct zone *z, unsigned int order, enum mobility mob)
	__must_hold(z->lock)
{
	unsigned int orders = z->nonempty[mob] >> order;

	if (!orders)
		return NULL;
	return list_first_entry(&z->free_area[order + bit_lowest(orders)].list[mob], struct page,
				lru);
}

/* Number of free pages in the pageblock at @start. */
static unsigned long pageblock_nr_free(pfn_t start)
{
	unsigned long nr = 0, step;

	for (pfn_t pfn = start; pfn < start + PAGEBLOCK_NR_PAGES; pfn += step) {
		unsigned long flags = READ_ONCE(pfn_to_page(pfn)->flags);
		bool free = flags & PG_buddy;

		step = free ? 1ul << flags_order(flags) : 1;
		nr += free ? step : 0;
	}
	return nr;
}

/* Move every free block of the pageblock at @start to the lists of @mob. */
static void pageblock_move(struct zone *z, pfn_t start, enum mobility mob) __must_hold(z->lock)
{
	unsigned long step;

	for (pfn_t pfn = start; pfn < start + PAGEBLOCK_NR_PAGES; pfn += step) {
		struct page *page = pfn_to_page(pfn);
		unsigned long flags = READ_ONCE(page->flags);
		unsigned int order = flags_order(flags);

		step = 1;
		if (!(flags & PG_buddy))
			continue;
		step = 1ul << order;
		block_unlink(z, page, order);
		block_link(z, page, order, mob);
	}
	pageblock_set(start, mob);
	z->nr_block_moves++;
}

/*
 * Make the pageblock around @page @mob's own if at least half of it is free.  One that two zones
 * share stays movable: its byte is not under one lock.
 */
static void claim_pageblock(struct zone *z, const struct page *page, enum mobility mob)
	__must_hold(z->lock)
{
	pfn_t start = ALIGN_DOWN(page_to_pfn(page), PAGEBLOCK_NR_PAGES);

	if (page_zone(pfn_to_page(start)) != z ||
	    page_zone(pfn_to_page(start + PAGEBLOCK_NR_PAGES - 1)) != z)
		return;
	if (pageblock_nr_free(start) >= PAGEBLOCK_NR_PAGES / 2)
		pageblock_move(z, start, mob);
}

/* Whom to steal from, in this order: unmovable and reclaimable pages hurt each other less. */
static const unsigned char victims[NR_MOBILITIES][NR_MOBILITIES - 1] = {
	[MOB_UNMOVABLE] = { MOB_RECLAIMABLE, MOB_MOVABLE },
	[MOB_RECLAIMABLE] = { MOB_UNMOVABLE, MOB_MOVABLE },
	[MOB_MOVABLE] = { MOB_RECLAIMABLE, MOB_UNMOVABLE },
};

/* The largest free block of another mobility that suffices, or NULL. */
static struct page *largest_victim(struct zone *z, unsigned int order, enum mobility mob)
	__must_hold(z->lock)
{
	int best = -1;
	enum mobility from = mob;

	for (unsigned int i = 0; i < NR_MOBILITIES - 1; i++) {
		unsigned int orders = z->nonempty[victims[mob][i]] >> order;

		if (orders && (int)bit_highest(orders) > best) {
			best = (int)bit_highest(orders);
			from = (enum mobility)victims[mob][i];
		}
	}
	if (best < 0)
		return NULL;
	return list_first_entry(&z->free_area[order + (unsigned int)best].list[from], struct page,
				lru);
}

/* The block to take from, still on its list; NULL when no mobility has a sufficient one. */
static struct page *choose(struct zone *z, unsigned int order, enum mobility mob)
	__must_hold(z->lock)
{
	struct page *page = smallest_own(z, order, mob);

	if (page)
		return page;
	page = largest_victim(z, order, mob);
	if (!page)
		return NULL;
	z->nr_steals++;
	claim_pageblock(z, page, mob);
	return page;
}

/* Link what is left of a block of order @have behind its first @used pages, cut into blocks. */
static void link_rest(struct zone *z, struct page *page, unsigned long used, unsigned int have,
		      enum mobility mob) __must_hold(z->lock)
{
	while (used < 1ul << have) {
		unsigned int order = bit_lowest(used);

		block_link(z, page + used, order, mob);
		used += 1ul << order;
	}
}

/*
 * Take @page, a block of at least @order, off its list and hand out up to @nr pieces of @order.
 * One after the other they would come from the same block, which is the smallest there is and
 * then what remains of it; together each costs a few instructions.
 */
static unsigned int hand_out(struct zone *z, struct page *page, unsigned int order,
			     enum mobility mob, unsigned long nr, struct page **blocks, int count)
	__must_hold(z->lock)
{
	const unsigned long step = 1ul << order;
	struct page *piece = page;
	unsigned int have = block_order(page);
	enum mobility list_mob = block_mobility(page);

	nr = min(nr, 1ul << (have - order));
	block_unlink(z, page, have);
	block_mark(page, order, mob);
	for (unsigned long i = 0, flags = page->flags; i < nr; i++) {
		blocks[i] = piece;
		WRITE_ONCE(piece->flags, flags); /* one zone, and no PG_ bit: B5 */
		atomic_set(&piece->_count, count);
		piece += step;
	}
	link_rest(z, page, nr << order, have, list_mob);
	ADD_ONCE(z->nr_free, -(nr << order));
	return (unsigned int)nr;
}

static unsigned int take(struct zone *z, unsigned int order, enum mobility mob, unsigned long floor,
			 unsigned int nr, struct page **blocks, int count)
{
	unsigned long flags = spin_lock_irqsave(&z->lock);
	unsigned int taken = 0;

	while (taken < nr && z->nr_free >= floor + (1ul << order)) {
		unsigned long room = (z->nr_free - floor) >> order;
		struct page *page = choose(z, order, mob);

		if (!page)
			break;
		room = min(room, (unsigned long)(nr - taken));
		taken += hand_out(z, page, order, mob, room, blocks + taken, count);
	}
	spin_unlock_irqrestore(&z->lock, flags);
	return taken;
}

QAPI unsigned int zone_take_blocks(struct zone *z, unsigned int order, enum mobility mob,
				   unsigned long floor, unsigned int nr, struct page **blocks)
{
	return take(z, order, mob, floor, nr, blocks, 0);
}

QAPI unsigned int zone_take_pages(struct zone *z, enum mobility mob, unsigned long floor,
				  unsigned int nr, struct page **pages)
{
	return take(z, 0, mob, floor, nr, pages, 1);
}

/* ---- taking below a limit ---------------------------------------------------------------- */

/*
 * The highest place for 2^@order pages below @limit that is free in the pageblock at @start; NULL:
 * none.  *@block is the free block that it is a part of, which may reach beyond the limit.  Free
 * pages of a whole aligned place are in one block (B1), whose head is a multiple of its order: so
 * looking at every multiple of 2^@order finds each.
 */
static struct page *highest_below(const struct zone *z, pfn_t start, unsigned int order,
				  pfn_t limit, struct page **block) __must_hold(z->lock)
{
	pfn_t end = min(start + PAGEBLOCK_NR_PAGES, limit), pfn = start;
	unsigned long nr = 1ul << order;
	struct page *found = NULL;

	while (pfn + nr <= end) {
		struct page *page = pfn_to_page(pfn);
		unsigned long flags = READ_ONCE(page->flags);
		unsigned int have = flags_order(flags);

		if ((flags & PG_buddy) && have >= order && page_zone(page) == z) {
			*block = page;
			pfn = ALIGN_DOWN(min(pfn + (1ul << have), end) - nr, nr);
			found = pfn_to_page(pfn);
		}
		pfn += nr;
	}
	return found;
}

/* Take the 2^@order pages at @page out of @block, of which they are a part, and link the rest. */
static void take_part(struct zone *z, struct page *block, struct page *page, unsigned int order,
		      enum mobility mob) __must_hold(z->lock)
{
	enum mobility list_mob = block_mobility(block);
	unsigned int have = block_order(block);

	block_unlink(z, block, have);
	while (have > order) {
		struct page *upper = block + (1ul << --have);
		bool in_upper = page >= upper;

		block_link(z, in_upper ? block : upper, have, list_mob);
		block = in_upper ? upper : block;
	}
	block_mark(page, order, mob);
	ADD_ONCE(z->nr_free, -(1ul << order));
}

static struct page *take_in_pageblock(struct zone *z, pfn_t start, unsigned int order,
				      enum mobility mob, pfn_t limit) __must_hold(z->lock)
{
	struct page *block, *page = highest_below(z, start, order, limit, &block);

	if (!page)
		return NULL;
	if (block_mobility(block) != mob) {
		z->nr_steals++;
		claim_pageblock(z, block, mob);
	}
	take_part(z, block, page, order, mob);
	return page;
}

QAPI struct page *zone_take_below(struct zone *z, unsigned int order, enum mobility mob,
				  unsigned long floor, pfn_t limit)
{
	pfn_t start = ALIGN_DOWN(min(limit, zone_end_pfn(z)) - 1, PAGEBLOCK_NR_PAGES);
	struct page *page = NULL;

	for (;;) {
		unsigned long flags = spin_lock_irqsave(&z->lock);
		bool enough = z->nr_free >= floor + (1ul << order);

		if (enough)
			page = take_in_pageblock(z, start, order, mob, limit);
		spin_unlock_irqrestore(&z->lock, flags);
		if (page || !enough || start <= z->start_pfn)
			return page;
		start -= PAGEBLOCK_NR_PAGES;
	}
}

/* ---- looking ---------------------------------------------------------------------------- */

QAPI void zone_count_blocks(struct zone *z, unsigned long nr[NR_MOBILITIES])
{
	pfn_t pfn = z->start_pfn;

	for (unsigned int mob = 0; mob < NR_MOBILITIES; mob++)
		nr[mob] = 0;
	while (pfn < zone_end_pfn(z)) {
		nr[pageblock_get(pfn)]++;
		pfn = ALIGN_DOWN(pfn, PAGEBLOCK_NR_PAGES) + PAGEBLOCK_NR_PAGES;
	}
}

QAPI unsigned long nr_free_pages(void)
{
	unsigned long nr = 0;
	struct zone *z;

	for_each_zone(z)
		nr += READ_ONCE(z->nr_free);
	return nr;
}
