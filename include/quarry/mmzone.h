/*
 * Layer: mm
 * mmzone.h - zones: physical memory by what can reach it.
 *
 *	ZONE_DMA       below 16 MiB: what an ISA device can drive
 *	ZONE_NORMAL    to the end of lowmem: always mapped
 *	ZONE_HIGHMEM   above: mapped on demand
 */
#ifndef QUARRY_MMZONE_H
#define QUARRY_MMZONE_H

#include <quarry/compiler.h>
#include <quarry/mm_types.h>
#include <quarry/spinlock.h>
#include <quarry/types.h>

/* Blocks of one mobility are kept together within areas of this size: the largest block. */
#define PAGEBLOCK_ORDER    (MAX_ORDER - 1u)
#define PAGEBLOCK_NR_PAGES (1ul << PAGEBLOCK_ORDER)

enum watermark { WMARK_MIN, WMARK_LOW, WMARK_HIGH, NR_WMARKS };

/* Free blocks of one order, by mobility. */
struct free_area {
	struct list_head list[NR_MOBILITIES];
	unsigned long nr_blocks[NR_MOBILITIES];
};

struct zone {
	/* Set at boot, then read without a lock. */
	const char *name; /* "DMA", "Normal", "HighMem" */
	enum zone_type type;
	pfn_t start_pfn;
	unsigned long nr_spanned; /* pages from start_pfn to the zone's end, holes included */
	unsigned long nr_present; /* pages that are RAM */

	/* Changed under lock, read without: a reader needs no exact instant. */
	unsigned long nr_managed; /* pages that were handed to the buddy */
	unsigned long watermark[NR_WMARKS];
	unsigned long lowmem_reserve[NR_ZONES]; /* by the zone the request could have used */

	spinlock_t lock;
	/* Guarded by lock. */
	unsigned long nr_free;                /* pages in free_area */
	unsigned int nonempty[NR_MOBILITIES]; /* bit k: free_area[k] has a block of it */
	struct free_area free_area[MAX_ORDER];

	/* Events since boot, guarded by lock. */
	unsigned long nr_steals;      /* blocks taken from another mobility */
	unsigned long nr_block_moves; /* pageblocks that changed their mobility */
};

extern struct zone zones[NR_ZONES];
extern struct page *mem_map; /* struct page of pfn 0 */
extern pfn_t max_pfn;        /* end of RAM that is in use; mem_map reaches to the next pageblock */

/* A run of zones that a request may use, best first: indices, ended by NR_ZONES. */
struct zonelist {
	unsigned char zone[NR_ZONES + 1];
};

#define for_each_zone(z) for ((z) = zones; (z) < zones + NR_ZONES; (z)++)

static inline pfn_t zone_end_pfn(const struct zone *z)
{
	return z->start_pfn + z->nr_spanned;
}

#endif
