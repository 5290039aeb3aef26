/*
 * Layer: mm
 * mm_types.h - struct page: what is known about each page frame.
 *
 *	flags   31   28 27   26 25     24 23                 0
 *	       | order | zone  | mobility | PG_*              |
 *
 * The zone never changes.  Order and mobility are those of the block that the page heads: written
 * when the block leaves the buddy allocator, and read when it is freed, so that one shift finds
 * its per-CPU list and one compare finds a wrong order.  In other pages of a block they are stale
 * and mean nothing.
 */
#ifndef QUARRY_MM_TYPES_H
#define QUARRY_MM_TYPES_H

#include <quarry/atomic.h>
#include <quarry/list.h>
#include <quarry/types.h>

#define MAX_ORDER 11u /* exclusive: the largest block has order 10, 4 MiB */

enum zone_type { ZONE_DMA, ZONE_NORMAL, ZONE_HIGHMEM, NR_ZONES };

/* What the owner of a page can do about it: the ground on which blocks are grouped. */
enum mobility { MOB_UNMOVABLE, MOB_RECLAIMABLE, MOB_MOVABLE, NR_MOBILITIES };

/* Bits of flags, then its fields: enums, because the debug information has no macros. */
enum page_flag {
	PG_reserved = 0x00000001, /* never the allocator's: firmware, kernel image, a hole */
	PG_buddy = 0x00000002,    /* heads a free block */
	PG_slab = 0x00000004,     /* belongs to a slab cache */
	PG_head = 0x00000008,     /* heads a compound page */
	PG_pgtable = 0x00000010,  /* is a page table */
	PG_private = 0x00000020,  /* the owner's: @private is in use */
	PG_kmalloc = 0x00000040,  /* heads a kmalloc() of whole pages */
};

enum page_flags_field {
	PG_MASK = 0x00ffffff,
	PG_MOBILITY_SHIFT = 24,
	PG_MOBILITY_MASK = 3 << PG_MOBILITY_SHIFT,
	PG_ZONE_SHIFT = 26,
	PG_ZONE_MASK = 3 << PG_ZONE_SHIFT,
	PG_ORDER_SHIFT = 28,
	PG_ORDER_MASK = 15u << PG_ORDER_SHIFT,
};

struct kmem_cache;

struct page {
	unsigned long flags; /* above */
	atomic_t _count;     /* references; 0: free */
	void *virtual;       /* kernel address; NULL for a highmem page that is not mapped */
	union {
		struct list_head lru; /* free: in its zone's free_area; else the owner's */
		struct {
			struct kmem_cache *slab_cache;
			void *slab;
		};
	};
	unsigned long private; /* the owner's */
};

static_assert(sizeof(struct page) <= 8 * sizeof(unsigned long), "paid once per 4 KiB frame");
static_assert(MAX_ORDER - 1 <= (PG_ORDER_MASK >> PG_ORDER_SHIFT), "an order fits its field");
static_assert(NR_ZONES <= 3 && NR_MOBILITIES <= 3, "two bits each; the value 3 means none");

#endif
