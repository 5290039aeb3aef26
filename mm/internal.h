/*
 * Layer: mm
 * internal.h - what the files of mm/ share.  Nobody else includes it, but for tests/mm/white/.
 */
#ifndef MM_INTERNAL_H
#define MM_INTERNAL_H

#include <quarry/compiler.h>
#include <quarry/gfp.h>
#include <quarry/list.h>
#include <quarry/memblock.h>
#include <quarry/mm.h>
#include <quarry/percpu.h>
#include <quarry/pgtable.h>
#include <quarry/types.h>

/* A validator's finding: print it, count it, go on. */
#define BAD(nr_bad, ...)             \
	do {                         \
		pr_err(__VA_ARGS__); \
		(nr_bad)++;          \
	} while (0)

/* ---- memblock.c: the same operations on any pair of lists ------------------------------- */

QAPI void memblock_range_add(struct memblock *mb, struct memblock_type *type, phys_addr_t start,
			     phys_addr_t end, const char *name);
QAPI void memblock_range_remove(struct memblock *mb, struct memblock_type *type, phys_addr_t start,
				phys_addr_t end);
QAPI phys_addr_t memblock_find_in(const struct memblock *mb, phys_addr_t size, phys_addr_t align,
				  phys_addr_t start, phys_addr_t end);

/* memblock_alloc() without zeroing: for what is written in full anyway. */
QAPI void *memblock_alloc_raw(phys_addr_t size, phys_addr_t align, const char *name);

/* The next run of RAM pages at or above @pfn that no reservation touches; false at the end. */
QAPI bool memblock_next_free(pfn_t pfn, pfn_t *start, pfn_t *end);

/* Names of the reservations that are mm/'s own. */
#define NAME_PAGE_TABLES  "page tables"
#define NAME_STRUCT_PAGES "struct pages"
#define NAME_PAGEBLOCKS   "pageblock mobility"
#define NAME_MEMBLOCK     "memblock regions"

/* ---- memmap.c --------------------------------------------------------------------------- */

/* Make struct pages for [0, max_pfn) and hand every free run to its zone's buddy. */
/* Bytes of struct pages for the frames [0, end). */
QAPI size_t memmap_size(pfn_t end);

QAPI void memmap_alloc(void);
QAPI void memmap_init(void);

/* Mobility of the pageblock that @pfn lies in. */
extern unsigned char *pageblock_mobility;

static inline enum mobility pageblock_get(pfn_t pfn)
{
	return (enum mobility)pageblock_mobility[pfn >> PAGEBLOCK_ORDER];
}

static inline void pageblock_set(pfn_t pfn, enum mobility mob)
{
	pageblock_mobility[pfn >> PAGEBLOCK_ORDER] = (unsigned char)mob;
}

/* Give reserved pages [start, end) to the buddy: they become managed.  Returns how many. */
QAPI unsigned long memmap_release(pfn_t start, pfn_t end);

/* ---- page_alloc.c: the buddy of one zone ------------------------------------------------ */

#define PG_BLOCK_MASK (PG_ORDER_MASK | PG_MOBILITY_MASK)

/* Bits that no page may have that is given back: each is somebody's claim on it. */
#define PG_FREE_FORBIDDEN \
	(PG_reserved | PG_buddy | PG_slab | PG_head | PG_pgtable | PG_private | PG_kmalloc)

/*
 * A page's flags are its owner's to write, and while it is free, the zone's lock guards them.
 * Others may read them at any time, to see whether it is free: one store each, so that they never
 * see a PG_ bit or an order that nobody has written.
 */
static inline void page_flags_set(struct page *page, unsigned long bits)
{
	WRITE_ONCE(page->flags, page->flags | bits);
}

static inline void page_flags_clear(struct page *page, unsigned long bits)
{
	WRITE_ONCE(page->flags, page->flags & ~bits);
}

static inline unsigned int flags_order(unsigned long flags)
{
	return (unsigned int)(flags >> PG_ORDER_SHIFT);
}

static inline unsigned int block_order(const struct page *page)
{
	return flags_order(READ_ONCE(page->flags));
}

static inline enum mobility block_mobility(const struct page *page)
{
	return (enum mobility)((READ_ONCE(page->flags) & PG_MOBILITY_MASK) >> PG_MOBILITY_SHIFT);
}

/* Write order and mobility of the block that @page heads, and @bits; clear every other PG_ bit. */
static inline void block_mark_as(struct page *page, unsigned int order, enum mobility mob,
				 unsigned long bits)
{
	WRITE_ONCE(page->flags, (page->flags & PG_ZONE_MASK) | bits |
					((unsigned long)order << PG_ORDER_SHIFT) |
					((unsigned long)mob << PG_MOBILITY_SHIFT));
}

static inline void block_mark(struct page *page, unsigned int order, enum mobility mob)
{
	block_mark_as(page, order, mob, 0);
}

QAPI void zone_init(struct zone *z, enum zone_type type, const char *name, pfn_t start, pfn_t end);

/*
 * Take up to @nr blocks of 2^@order pages from @z, and no page below @floor free ones: the number
 * taken.  They are marked with @order and @mob, _count 0.
 */
QAPI unsigned int zone_take_blocks(struct zone *z, unsigned int order, enum mobility mob,
				   unsigned long floor, unsigned int nr, struct page **blocks);

/* The same of single pages, each with one reference. */
QAPI unsigned int zone_take_pages(struct zone *z, enum mobility mob, unsigned long floor,
				  unsigned int nr, struct page **pages);

/*
 * Take the highest free block of 2^@order pages that lies below @limit, more than z->start_pfn; as
 * above, with one block, NULL when there is none.  Cost: a look at each 2^@order-th frame below the
 * limit, a pageblock at a time under the lock.
 */
QAPI struct page *zone_take_below(struct zone *z, unsigned int order, enum mobility mob,
				  unsigned long floor, pfn_t limit);

/* Give @nr blocks back; each of the order that its head says; all of one zone. */
QAPI void zone_give_blocks(struct zone *z, unsigned int nr, struct page **blocks);

/* Is a block of 2^@order pages of any mobility there?  Without the lock: a hint. */
static inline bool zone_has_block(const struct zone *z, unsigned int order)
{
	unsigned int orders = 0;

	for (unsigned int mob = 0; mob < NR_MOBILITIES; mob++)
		orders |= READ_ONCE(z->nonempty[mob]);
	return orders >> order;
}

/* Pageblocks of the zone by mobility. */
QAPI void zone_count_blocks(struct zone *z, unsigned long nr[NR_MOBILITIES]);

/* ---- pcp.c: per-CPU lists --------------------------------------------------------------- */

#define PCP_ORDERS    4u /* orders 0..3 */
#define PCP_STACKS    64u
#define PCP_BATCH_MAX 31u

/* flags >> PG_MOBILITY_SHIFT: order, zone and mobility as one number. */
static inline unsigned int pcp_index(const struct page *page)
{
	return (unsigned int)(page->flags >> PG_MOBILITY_SHIFT);
}

#define PCP_INDEX(order, zone, mob) ((order) << 4 | (zone) << 2 | (mob))

static_assert(PG_ORDER_SHIFT - PG_MOBILITY_SHIFT == 4 && PG_ZONE_SHIFT - PG_MOBILITY_SHIFT == 2,
	      "PCP_INDEX() is what the flags hold");
static_assert(PCP_INDEX(PCP_ORDERS - 1, NR_ZONES - 1, NR_MOBILITIES - 1) < PCP_STACKS,
	      "every list has a stack");

DECLARE_PER_CPU(struct percpu_stack, pcp_stack[PCP_STACKS]);

/* Derive every CPU's limits from the sizes of the zones. */
QAPI void pcp_init(void);

/* Refill the list of (zone, order, mob) on this CPU; one block of the batch is the result. */
QAPI struct page *pcp_refill(struct zone *z, unsigned int order, enum mobility mob,
			     unsigned long floor);

/* The list of @page's block is full: move its oldest batch to the buddy, then take @page. */
QAPI void pcp_free_slow(struct page *page);

/* __free_pages() of a block whose list took no more: for zonelist.c itself. */
QAPI void pcp_free_full(struct page *page);

/* Empty this CPU's lists into the buddy. */
QAPI void pcp_drain_this_cpu(void);

/* Empty every CPU's lists into the buddy: a thread that may sleep. */
QAPI void pcp_drain_all(void);
QAPI unsigned long pcp_nr_pages(void);

/* Pages in a CPU's lists of one zone; the most that they hold; the pages moved at a time. */
QAPI void pcp_counts(unsigned int cpu, enum zone_type z, unsigned long *count, unsigned long *high,
		     unsigned long *batch);

/* Take every list out of use (debug options want to see every page), or back into use. */
QAPI void pcp_enable(bool on);

/* ---- zonelist.c ------------------------------------------------------------------------- */

QAPI void zonelist_init(void);

/* The highest zone that @gfp allows, and the mobility that it asks for. */
QAPI enum zone_type gfp_zone(gfp_t gfp);
QAPI enum mobility gfp_mobility(gfp_t gfp);

/* Everything that alloc_pages() does not do in its first lines. */
QAPI struct page *alloc_pages_slow(gfp_t gfp, unsigned int order) __must_check;

/* alloc_pages() of pages of lowmem that all lie below @limit; @gfp names no zone. */
QAPI struct page *alloc_pages_below(gfp_t gfp, unsigned int order, pfn_t limit) __must_check;

#define PFN_NO_LIMIT (~(pfn_t)0)

/* So many single pages that the way to the zone pays: fewer go by the per-CPU lists. */
#define MANY_PAGES 8u

/* So few that interrupts may be off until they are taken. */
#define MANY_PAGES_MAX 256u

/*
 * Up to @nr single pages, and no more than MANY_PAGES_MAX: what the per-CPU list has, and many from
 * zones that have them above their low watermarks.  How many: 0 says nothing about whether
 * alloc_page() has one.  Not for use while a debug option wants to see each page.
 */
QAPI unsigned long alloc_pages_many(gfp_t gfp, unsigned long nr, struct page **pages);

/* Give a block back whatever its order, PG_head included; reports misuse. */
QAPI void free_pages_slow(struct page *page, unsigned int order);

/* ---- page_bulk.c ------------------------------------------------------------------------ */

/* Fill all of @nr places, whatever they hold, as far as there are pages: how many. */
QAPI unsigned long alloc_pages_fill(gfp_t gfp, unsigned long nr, struct page **pages);

/* __free_page() of every page on a list, linked by lru; it is empty then. */
QAPI void free_pages_list(struct list_head *pages);

/* ---- reclaim.c -------------------------------------------------------------------------- */

/* One round: shrinkers, then every CPU's lists.  The number of pages freed. */
QAPI unsigned long reclaim_round(unsigned long nr, gfp_t gfp);

/* ---- describe.c -------------------------------------------------------------------------- */

/* Print the map of the kernel's address space, a range a line. */
QAPI void va_map_show(struct out *o);

/* ---- report.c --------------------------------------------------------------------------- */

/* Name @page, say what is wrong with it, stop. */
QAPI void page_bad(const struct page *page, const char *what) __noreturn __cold;

/* An allocation gives up: who, what, and how every zone stands. */
QAPI void alloc_failed(gfp_t gfp, unsigned int order) __cold;

/* ---- page_window.c: contents of any page ------------------------------------------------ */

/* Fill the contents of 2^@order pages, highmem included, with a word. */
QAPI void pages_fill(struct page *page, unsigned int order, uint32_t word);

/* Is every byte of the block @byte?  If not, *@offset is that of the first other one. */
QAPI bool pages_are_filled(struct page *page, unsigned int order, unsigned char byte,
			   unsigned long *offset);

/* ---- pgtable.c, paging.c ---------------------------------------------------------------- */

/* From now on the kernel's tables hang from @root. */
QAPI void pgtable_set_root(pte_t *root);
QAPI pte_t *pgtable_alloc_table(void);

/* Make every table that the pages of [@start, @end) need: 0, or -ENOMEM. */
QAPI int pgtable_add_tables(uintptr_t start, uintptr_t end) __must_check;

/* Build the direct map up to mm_layout.lowmem_end. */
QAPI void paging_init(void);

#endif
