/*
 * zonelist.c - the door to pages: which list, which zone, which watermark, and what when none
 * has any.
 *
 * THEORY.  A request names the highest zone that it can use; everything below will do too, but is
 * scarcer, so zones are tried downwards: HIGHMEM, NORMAL, DMA.  What a lower zone keeps from such
 * requests is its lowmem_reserve for the zone they could have used.  Three watermarks divide a
 * zone's free pages:
 *
 *	high    background reclaim may stop
 *	low     below: background reclaim is woken
 *	min     below: only urgent requests (__GFP_HIGH may take half of it, and a quarter of the
 *	        rest if it cannot wait), and whoever frees memory (__GFP_MEMALLOC: all of it)
 *
 * FAST PATH.  alloc_pages(): the five low bits of the mask give (zone, mobility) by one table
 * look-up, and with the order the index of this CPU's stack; one pop.  __free_pages(): one compare
 * checks that the order is right and no PG_ bit forbids it, one that the caller's reference is the
 * last; one push.  Blocks on the stacks are out of the zone's free count already, so no
 * watermark is looked at.  Whatever is not simply so is in the slow paths, out of line.
 *
 * STATE.  gfp_place[]: for each value of the low bits, zone * 4 + mobility of the first zone in the
 * list that has memory.  An index without a stack (mobility 3, or debugging) finds an empty one.
 *
 * INVARIANTS.  Z1: a request never gets a page of a zone above the one that it names, nor one at or
 * above its limit, if it has one (for devices that reach a part of a zone).
 *
 * LOCKING.  None here; zone->lock is taken and left by page_alloc.c.
 *
 * CONTEXT.  As the mask says; a mask that waits where sleeping is forbidden is a BUG on every call.
 *
 * NOT HERE.  Watermark values: init.c.  Reclaim itself: reclaim.c.
 */
#include <quarry/align.h>
#include <quarry/bits.h>
#include <quarry/env.h>
#include <quarry/mm.h>
#include <quarry/printk.h>

#include "debug/alloc_trace.h"
#include "debug/fault_inject.h"
#include "debug/page_owner.h"
#include "debug/page_poison.h"
#include "internal.h"

/* What the first lines of alloc_pages() do not handle at all; unknown bits are among it. */
#define GFP_NOT_FAST (__GFP_COLD | __GFP_NOFAIL | ~__GFP_ALL)

/* What is to be done to a block after it was found. */
#define GFP_PREPARE (__GFP_ZERO | __GFP_COMP)

#define MOB_CONFLICT     3u /* movable and reclaimable at once: no stack has it */
#define MIN_SHARE_HIGH   2u /* __GFP_HIGH: min is divided by this */
#define MIN_SHARE_NOWAIT 4u /* and lowered by a further part of itself, if it cannot wait */
#define RECLAIM_ROUNDS   2u /* of an ordinary request that may wait */

static unsigned char gfp_place[GFP_PLACE_MASK + 1];

QAPI enum zone_type gfp_zone(gfp_t gfp)
{
	if (gfp & __GFP_DMA)
		return ZONE_DMA;
	if (gfp & __GFP_DMA32)
		return ZONE_NORMAL;
	return gfp & __GFP_HIGHMEM ? ZONE_HIGHMEM : ZONE_NORMAL;
}

QAPI enum mobility gfp_mobility(gfp_t gfp)
{
	switch (gfp & (__GFP_MOVABLE | __GFP_RECLAIMABLE)) {
	case __GFP_MOVABLE:
		return MOB_MOVABLE;
	case __GFP_RECLAIMABLE:
		return MOB_RECLAIMABLE;
	default:
		return MOB_UNMOVABLE;
	}
}

QAPI void zonelist_init(void)
{
	const gfp_t both = __GFP_MOVABLE | __GFP_RECLAIMABLE;

	for (gfp_t gfp = 0; gfp <= GFP_PLACE_MASK; gfp++) {
		unsigned int zone = gfp_zone(gfp);
		unsigned int mob = (gfp & both) == both ? MOB_CONFLICT : gfp_mobility(gfp);

		while (zone > ZONE_DMA && !zones[zone].nr_managed)
			zone--;
		gfp_place[gfp] = (unsigned char)PCP_INDEX(0u, zone, mob);
	}
}

/* ---- preparing a block for its owner ---------------------------------------------------- */

static __noinline void prepare(struct page *page, unsigned int order, gfp_t gfp)
{
	if ((gfp & __GFP_COMP) && order)
		page_flags_set(page, PG_head);
	if (gfp & __GFP_ZERO)
		pages_fill(page, order, 0);
}

/* ---- watermarks ------------------------------------------------------------------------- */

/* How deep a request may reach into a zone. */
struct depth {
	enum zone_type highest; /* the zone that it names */
	enum watermark mark;
	bool high;    /* __GFP_HIGH */
	bool no_wait; /* cannot wait for reclaim */
	bool all;     /* no watermark at all */
	pfn_t limit;  /* all pages lie below */
};

/* Pages that must stay free in @z after the request is served. */
static unsigned long zone_floor(const struct zone *z, const struct depth *d)
{
	unsigned long floor = z->watermark[d->mark];

	if (d->all)
		return 0;
	if (d->high) {
		floor -= floor / MIN_SHARE_HIGH;
		if (d->no_wait)
			floor -= floor / MIN_SHARE_NOWAIT;
	}
	return floor + z->lowmem_reserve[d->highest];
}

static bool floor_allows(const struct zone *z, unsigned int order, unsigned long floor)
{
	return READ_ONCE(z->nr_free) >= floor + (1ul << order) && zone_has_block(z, order);
}

/* ---- one pass over the zones ------------------------------------------------------------ */

/* The fast path looked at the first zone's list only: a lower zone's may have blocks. */
static struct page *take_from(struct zone *z, gfp_t gfp, unsigned int order, unsigned long floor,
			      pfn_t limit)
{
	enum mobility mob = gfp_mobility(gfp);
	struct page *page = NULL;

	if (unlikely(limit < zone_end_pfn(z)))
		return zone_take_below(z, order, mob, floor, limit);

	if (order < PCP_ORDERS && !(gfp & __GFP_COLD)) {
		page = percpu_stack_pop(&pcp_stack[PCP_INDEX(order, z->type, mob)]);
		return page ? page : pcp_refill(z, order, mob, floor);
	}
	zone_take_blocks(z, order, mob, floor, 1, &page);
	return page;
}

static struct page *take_from_zones(gfp_t gfp, unsigned int order, const struct depth *d)
{
	for (int zone = (int)d->highest; zone >= 0; zone--) {
		struct zone *z = &zones[zone];
		unsigned long floor = zone_floor(z, d);
		struct page *page;

		if (z->start_pfn >= d->limit || !floor_allows(z, order, floor))
			continue;
		page = take_from(z, gfp, order, floor, d->limit);
		if (page)
			return page;
	}
	return NULL;
}

/* ---- the slow path ---------------------------------------------------------------------- */

static void check_request(gfp_t gfp, unsigned int order)
{
	const gfp_t both = __GFP_MOVABLE | __GFP_RECLAIMABLE;

	BUG_ON(gfp & ~__GFP_ALL);
	BUG_ON((gfp & __GFP_WAIT) && !env_can_sleep());
	BUG_ON((gfp & __GFP_NOFAIL) && (gfp & __GFP_NORETRY));
	BUG_ON((gfp & __GFP_NOFAIL) && !(gfp & __GFP_WAIT));
	BUG_ON((gfp & __GFP_NOFAIL) && order >= MAX_ORDER);
	WARN_ON_ONCE((gfp & both) == both);
}

/* May this request ignore every watermark? */
static bool may_take_all(gfp_t gfp)
{
	if (gfp & __GFP_NOMEMALLOC)
		return false;
	if (gfp & __GFP_MEMALLOC)
		return true;
	return !in_interrupt() && (env_current()->flags & PF_MEMALLOC);
}

/* Everything short of reclaim: the ordinary mark, then as deep as the mask allows. */
static struct page *take_without_waiting(gfp_t gfp, unsigned int order, pfn_t limit)
{
	struct depth d = { .highest = gfp_zone(gfp), .mark = WMARK_LOW, .limit = limit };
	struct page *page = take_from_zones(gfp, order, &d);

	if (page)
		return page;
	if (!(gfp & __GFP_THISNODE))
		env_wake_reclaim();
	d.mark = WMARK_MIN;
	d.high = gfp & __GFP_HIGH;
	d.no_wait = !(gfp & __GFP_WAIT);
	d.all = may_take_all(gfp);
	page = take_from_zones(gfp, order, &d);
	if (page)
		return page;
	/* What this CPU's lists hold may complete a block, or be all that is left. */
	pcp_drain_this_cpu();
	return take_from_zones(gfp, order, &d);
}

/* Reclaim, and try again; NULL when this round did not help. */
static struct page *take_after_reclaim(gfp_t gfp, unsigned int order, pfn_t limit,
				       unsigned long *progress)
{
	*progress = reclaim_round(1ul << order, gfp);
	return take_without_waiting(gfp, order, limit);
}

/* Nothing left to reclaim: is there a reason to try once more? */
static bool wait_or_kill(gfp_t gfp, unsigned int order)
{
	if (env_out_of_memory(gfp, order))
		return true;
	if (!(gfp & (__GFP_REPEAT | __GFP_NOFAIL)))
		return false;
	return env_wait_for_memory(GFP_WAIT_MS);
}

static struct page *take_waiting(gfp_t gfp, unsigned int order, pfn_t limit)
{
	unsigned int rounds = gfp & __GFP_NORETRY ? 1 :
			      gfp & __GFP_REPEAT  ? GFP_REPEAT_ROUNDS :
						    RECLAIM_ROUNDS;

	for (unsigned int i = 0; i < rounds || (gfp & __GFP_NOFAIL); i++) {
		unsigned long progress;
		struct page *page = take_after_reclaim(gfp, order, limit, &progress);

		if (page)
			return page;
		if (progress || (gfp & __GFP_NORETRY))
			continue;
		if (!wait_or_kill(gfp, order))
			break;
	}
	return NULL;
}

/* Nothing helped: report, unless that is not wanted; a request that may not fail ends here. */
static struct page *give_up(gfp_t gfp, unsigned int order)
{
	alloc_trace_pages(NULL, order, gfp);
	if (!(gfp & __GFP_NOWARN) || (gfp & __GFP_NOFAIL))
		alloc_failed(gfp, order);
	if (gfp & __GFP_NOFAIL)
		panic("out of memory: order %u may not fail, and there is nobody to wait for",
		      order);
	return NULL;
}

static struct page *finish(struct page *page, unsigned int order, gfp_t gfp)
{
	atomic_set(&page->_count, 1);
	page_poison_alloc(page, order);
	page_owner_alloc(page, order, gfp);
	alloc_trace_pages(page, order, gfp);
	if (gfp & GFP_PREPARE)
		prepare(page, order, gfp);
	return page;
}

/* A thread that is freeing memory must not wait for memory to be freed. */
static bool may_wait(gfp_t gfp)
{
	return (gfp & __GFP_WAIT) && !(env_current()->flags & PF_MEMALLOC);
}

static struct page *alloc_limited(gfp_t gfp, unsigned int order, pfn_t limit)
{
	struct page *page;

	check_request(gfp, order);
	if (WARN_ON_ONCE(order >= MAX_ORDER))
		return NULL;
	if (fault_page(gfp, order)) {
		alloc_trace_pages(NULL, order, gfp);
		return NULL;
	}
	page = take_without_waiting(gfp, order, limit);
	if (!page && may_wait(gfp))
		page = take_waiting(gfp, order, limit);
	return page ? finish(page, order, gfp) : give_up(gfp, order);
}

__noinline QAPI struct page *alloc_pages_slow(gfp_t gfp, unsigned int order)
{
	return alloc_limited(gfp, order, PFN_NO_LIMIT);
}

/* A limit at the end of a zone needs no search: the zones below it are asked for as such. */
QAPI struct page *alloc_pages_below(gfp_t gfp, unsigned int order, pfn_t limit)
{
	const struct zone *dma = &zones[ZONE_DMA];
	struct page *page;

	if (limit < mm_layout.lowmem_end_pfn &&
	    limit <= max(zone_end_pfn(dma), zones[ZONE_NORMAL].start_pfn))
		gfp |= __GFP_DMA;
	if (limit >= (gfp & __GFP_DMA ? zone_end_pfn(dma) : mm_layout.lowmem_end_pfn))
		page = alloc_pages(gfp, order);
	else
		page = alloc_limited(gfp, order, limit);
	BUG_ON(page && page_to_pfn(page) + (1ul << order) > limit);
	return page;
}

/* ---- many single pages ------------------------------------------------------------------ */

/* From this CPU's list, as far as it goes. */
static unsigned long pop_many(gfp_t gfp, unsigned long nr, struct page **pages)
{
	struct percpu_stack *template = &pcp_stack[gfp_place[gfp & GFP_PLACE_MASK]];
	unsigned long taken = 0;

	while (taken < nr && (pages[taken] = percpu_stack_pop(template)) != NULL)
		atomic_set(&pages[taken++]->_count, 1);
	return taken;
}

/* From the zones themselves, above the ordinary mark. */
static unsigned long take_many(gfp_t gfp, unsigned long nr, struct page **pages)
{
	const struct depth d = { .highest = gfp_zone(gfp), .mark = WMARK_LOW };
	unsigned long taken = 0;

	for (int zone = (int)d.highest; zone >= 0 && taken < nr; zone--) {
		struct zone *z = &zones[zone];
		unsigned long floor = zone_floor(z, &d);

		if (floor_allows(z, 0, floor))
			taken += zone_take_pages(z, gfp_mobility(gfp), floor,
						 (unsigned int)(nr - taken), pages + taken);
	}
	return taken;
}

QAPI unsigned long alloc_pages_many(gfp_t gfp, unsigned long nr, struct page **pages)
{
	unsigned long taken;

	check_request(gfp, 0);
	nr = min(nr, (unsigned long)MANY_PAGES_MAX);
	taken = gfp & __GFP_COLD ? 0 : pop_many(gfp, nr, pages);
	if (nr - taken >= MANY_PAGES)
		taken += take_many(gfp, nr - taken, pages + taken);
	for (unsigned long i = 0; (gfp & GFP_PREPARE) && i < taken; i++)
		prepare(pages[i], 0, gfp);
	return taken;
}

/* ---- the fast path ---------------------------------------------------------------------- */

QAPI struct page *alloc_pages(gfp_t gfp, unsigned int order)
{
	struct page *page;

	if (unlikely((gfp & GFP_NOT_FAST) || order >= PCP_ORDERS))
		return alloc_pages_slow(gfp, order);
	if (unlikely((gfp & __GFP_WAIT) && !env_can_sleep()))
		return alloc_pages_slow(gfp, order);
	page = percpu_stack_pop(&pcp_stack[gfp_place[gfp & GFP_PLACE_MASK] + (order << 4)]);
	if (unlikely(!page))
		return alloc_pages_slow(gfp, order);
	atomic_set(&page->_count, 1);
	if (unlikely(gfp & GFP_PREPARE))
		prepare(page, order, gfp);
	return page;
}

QAPI void __free_pages(struct page *page, unsigned int order)
{
	unsigned long flags = page->flags;

	if (unlikely((flags & (PG_ORDER_MASK | PG_FREE_FORBIDDEN)) != (unsigned long)order
									      << PG_ORDER_SHIFT ||
		     atomic_read(&page->_count) != 1 || order >= PCP_ORDERS)) {
		free_pages_slow(page, order);
		return;
	}
	atomic_set(&page->_count, 0);
	if (unlikely(!percpu_stack_push(&pcp_stack[flags >> PG_MOBILITY_SHIFT], page)))
		pcp_free_full(page);
}

/* ---- freeing, the slow path ------------------------------------------------------------- */

/*
 * The stack took no more, or has the page on top already, or takes nothing because a debug option
 * wants to see the page.
 */
__noinline QAPI void pcp_free_full(struct page *page)
{
	alloc_trace_pages_free(page);
	page_owner_free(page);
	page_poison_free(page, block_order(page));
	pcp_free_slow(page);
}

static void check_free(const struct page *page, unsigned int order)
{
	if (page < mem_map || page >= mem_map + max_pfn)
		panic("free of %p, which is no struct page", (const void *)page);
	if (page->flags & PG_reserved)
		page_bad(page, "is freed but reserved");
	if (page->flags & PG_buddy)
		page_bad(page, "is freed twice: it heads a free block");
	if (page->flags & (PG_slab | PG_pgtable | PG_private | PG_kmalloc))
		page_bad(page, "is freed while its flags say that it is in use");
	if (atomic_read(&page->_count) < 1)
		page_bad(page,
			 "is freed but has no reference: freed twice, or the tail of a block");
	if (atomic_read(&page->_count) > 1)
		page_bad(page, "is freed while still referenced");
	if (block_order(page) != order)
		page_bad(page, "is freed with the wrong order");
}

__noinline QAPI void free_pages_slow(struct page *page, unsigned int order)
{
	check_free(page, order);
	page_flags_clear(page, PG_head);
	atomic_set(&page->_count, 0);
	if (order < PCP_ORDERS) {
		pcp_free_full(page);
		return;
	}
	alloc_trace_pages_free(page);
	page_owner_free(page);
	page_poison_free(page, order);
	zone_give_blocks(page_zone(page), 1, &page);
}

/* ---- by address ------------------------------------------------------------------------- */

QAPI unsigned long __get_free_pages(gfp_t gfp, unsigned int order)
{
	struct page *page;

	BUG_ON(gfp & __GFP_HIGHMEM);
	page = alloc_pages(gfp, order);
	return page ? (unsigned long)page_address(page) : 0;
}

static __cold __noreturn void free_bad_address(unsigned long va)
{
	panic("free of %08lx, which is no page of lowmem%s", va,
	      va & ~PAGE_MASK ? " (not page-aligned)" : "");
}

QAPI void free_pages(unsigned long va, unsigned int order)
{
	if (!va)
		return;
	if (unlikely((va & ~PAGE_MASK) || !virt_addr_valid((const void *)va)))
		free_bad_address(va);
	__free_pages(virt_to_page((const void *)va), order);
}
