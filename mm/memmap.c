/*
 * memmap.c - struct page: one for every frame from 0 to the end of RAM.
 *
 * THEORY.  mem_map is one flat array, so that frame number and struct page turn into each other by
 * arithmetic.  It reaches to the end of the last pageblock, so that the buddy of any frame in it
 * has a struct page too, and the allocator needs no bounds check: what is no RAM is PG_reserved.
 *
 * The hand-over walks frame numbers upwards, a run at a time: a run is a piece of one zone that is
 * wholly free or wholly not.  Each struct page is written once, with the value that it keeps, and
 * each free run goes to the buddy in blocks as large as alignment allows.
 *
 * STATE.  mem_map, max_pfn, pageblock_mobility (one byte a pageblock; all start movable).
 *
 * INVARIANTS.
 *   P1  pages of [0, ALIGN_UP(max_pfn, PAGEBLOCK_NR_PAGES)) exist; those that are no RAM or
 *       reserved have PG_reserved and count 0;
 *   P2  page->virtual is set for every lowmem page and NULL for every other one that is not mapped;
 *   P3  managed + reserved pages of RAM == RAM.
 *
 * CONTEXT.  Boot; memmap_release() in a thread.
 *
 * NOT HERE.  Which RAM is left out because its struct pages cost too much:
 * e820_limit_struct_pages().
 */
#include <quarry/align.h>
#include <quarry/bits.h>
#include <quarry/bug.h>
#include <quarry/mm.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#include "debug/page_owner.h"
#include "debug/page_poison.h"
#include "internal.h"

struct page *mem_map;
pfn_t max_pfn;
unsigned char *pageblock_mobility;

static pfn_t mem_map_end(void)
{
	return ALIGN_UP(max_pfn, PAGEBLOCK_NR_PAGES);
}

__init QAPI size_t memmap_size(pfn_t end)
{
	return ALIGN_UP(end, PAGEBLOCK_NR_PAGES) * sizeof(struct page);
}

__init QAPI void memmap_alloc(void)
{
	size_t size = memmap_size(max_pfn);
	size_t nr_blocks = mem_map_end() >> PAGEBLOCK_ORDER;

	mem_map = memblock_alloc_raw(size, PAGE_SIZE, NAME_STRUCT_PAGES);
	pageblock_mobility = memblock_alloc_raw(nr_blocks, sizeof(long), NAME_PAGEBLOCKS);
	if (!mem_map || !pageblock_mobility)
		panic("no room for the struct pages of %lu frames (%zu KiB)", max_pfn, size >> 10);
	memset(pageblock_mobility, MOB_MOVABLE, nr_blocks);
}

/*
 * Six stores a page and no load: every word is written once, 8 instructions a page in all.
 * @step is PAGE_SIZE, or 0.
 */
static __init_hot __noinline void write_pages(struct page *page, struct page *end,
					      unsigned long flags, uintptr_t virtual,
					      uintptr_t step)
{
#pragma GCC unroll 8
	for (; page != end; page++, virtual += step) {
		page->flags = flags;
		atomic_set(&page->_count, 0);
		page->virtual = (void *)virtual;
		page->lru.next = NULL;
		page->lru.prev = NULL;
		page->private = 0;
	}
}

static __init enum zone_type zone_of(pfn_t pfn)
{
	if (pfn >= mm_layout.lowmem_end >> PAGE_SHIFT)
		return ZONE_HIGHMEM;
	return pfn >= ZONE_DMA_LIMIT >> PAGE_SHIFT ? ZONE_NORMAL : ZONE_DMA;
}

/* First frame behind the zone that @pfn lies in. */
static __init pfn_t zone_limit(pfn_t pfn)
{
	pfn_t lowmem_end = (pfn_t)(mm_layout.lowmem_end >> PAGE_SHIFT);
	pfn_t dma_end = min((pfn_t)(ZONE_DMA_LIMIT >> PAGE_SHIFT), lowmem_end);

	return pfn < dma_end ? dma_end : pfn < lowmem_end ? lowmem_end : mem_map_end();
}

static __init void init_run(pfn_t start, pfn_t end, unsigned long pg_flags)
{
	while (start < end) {
		enum zone_type zone = zone_of(start);
		pfn_t piece_end = min(end, zone_limit(start));
		bool low = zone != ZONE_HIGHMEM;

		write_pages(pfn_to_page(start), pfn_to_page(piece_end),
			    pg_flags | (unsigned long)zone << PG_ZONE_SHIFT,
			    low ? (uintptr_t)pa_to_va((phys_addr_t)start << PAGE_SHIFT) : 0,
			    low ? PAGE_SIZE : 0);
		start = piece_end;
	}
}

/* Order of the largest block that can start at @pfn and end by @end. */
static unsigned int block_order_at(pfn_t pfn, pfn_t end)
{
	unsigned int order = min(bit_highest(end - pfn), MAX_ORDER - 1);

	return pfn ? min(order, bit_lowest(pfn)) : order;
}

static void zone_add_managed(struct zone *z, unsigned long nr_pages)
{
	unsigned long flags = spin_lock_irqsave(&z->lock);

	z->nr_managed += nr_pages;
	spin_unlock_irqrestore(&z->lock, flags);
}

/* Cut a run of free pages into blocks and give them to their zones. */
static unsigned long give_run(pfn_t start, pfn_t end)
{
	unsigned long nr = end - start;

	while (start < end) {
		struct page *page = pfn_to_page(start);
		struct zone *z = page_zone(page);
		pfn_t piece_end = min(end, zone_end_pfn(z));
		unsigned int order = block_order_at(start, piece_end);

		block_mark(page, order, pageblock_get(start));
		zone_add_managed(z, 1ul << order);
		page_poison_free(page, order);
		zone_give_blocks(z, 1, &page);
		start += 1ul << order;
	}
	return nr;
}

__init QAPI void memmap_init(void)
{
	pfn_t done = 0, start, end = 0;

	while (memblock_next_free(end, &start, &end)) {
		init_run(done, start, PG_reserved);
		init_run(start, end, 0);
		done = end;
	}
	init_run(done, mem_map_end(), PG_reserved);

	end = 0;
	while (memblock_next_free(end, &start, &end))
		give_run(start, end);
}

QAPI unsigned long memmap_release(pfn_t start, pfn_t end)
{
	for (pfn_t pfn = start; pfn < end; pfn++) {
		struct page *page = pfn_to_page(pfn);

		if (!(page->flags & PG_reserved))
			page_bad(page, "is released but not reserved");
		page_flags_clear(page, PG_reserved);
		page_owner_forget(page);
	}
	return start < end ? give_run(start, end) : 0;
}
