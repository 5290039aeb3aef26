/*
 * Layer: mm
 * memblock.h - memory before there are pages: two sorted lists of ranges.
 *
 * Everything here is for boot, on one CPU, with interrupts off.  After the hand-over to the page
 * allocator the lists stay readable (who reserved what), but nothing can be allocated.
 */
#ifndef QUARRY_MEMBLOCK_H
#define QUARRY_MEMBLOCK_H

#include <quarry/compiler.h>
#include <quarry/types.h>

struct memblock_region {
	phys_addr_t start;
	phys_addr_t end;  /* exclusive */
	const char *name; /* a reservation's; NULL for memory */
};

/* Sorted by start, disjoint; neighbours of one name are merged. */
struct memblock_type {
	struct memblock_region *region;
	unsigned int nr;
	unsigned int cap; /* doubles when full */
};

struct memblock {
	struct memblock_type memory;
	struct memblock_type reserved;
	phys_addr_t limit; /* allocations stay below: what is mapped so far */
	bool bottom_up;    /* direction of memblock_alloc(); top-down spares ZONE_DMA */
	bool closed;       /* handed over: allocation is a BUG */
};

extern struct memblock memblock;

#define MEMBLOCK_ANYWHERE (~(phys_addr_t)0)

/**
 * memblock_add - [@start, @start + @size) is RAM.  Overlaps merge.
 */
QAPI void memblock_add(phys_addr_t start, phys_addr_t size);

/**
 * memblock_remove - the range is no RAM after all; regions that it cuts are split.
 */
QAPI void memblock_remove(phys_addr_t start, phys_addr_t size);

/**
 * memblock_reserve - nobody may allocate from the range.
 * @name: whose it is: a string constant, or one that lives for ever.
 *
 * A range may cover what is no RAM.  Where it overlaps an older reservation, the older name stays.
 * Context: boot.
 */
QAPI void memblock_reserve(phys_addr_t start, phys_addr_t size, const char *name);

/**
 * memblock_free - take a reservation back, whole or in part.
 */
QAPI void memblock_free(phys_addr_t start, phys_addr_t size);

/**
 * memblock_find - a free range of RAM.
 * @size, @align: bytes; @align is a power of two.
 * @start, @end:  the result lies inside; @end is cut to memblock.limit.
 *
 * Return: its start: the highest possible, or the lowest with memblock.bottom_up; 0 when there is
 *         none (physical page 0 is always reserved, so 0 is no result).
 * Context: boot.
 */
QAPI phys_addr_t memblock_find(phys_addr_t size, phys_addr_t align, phys_addr_t start,
			       phys_addr_t end);

/**
 * memblock_alloc - find, reserve under @name and zero.
 *
 * Return:  its kernel address; NULL when there is no such range.
 * Owner:   the caller, for ever or until memblock_free().
 */
QAPI void *memblock_alloc(phys_addr_t size, phys_addr_t align, const char *name) __must_check;

/**
 * memblock_nr_pages - whole pages of RAM, and how many of them reservations touch.
 */
QAPI unsigned long memblock_nr_pages(void);
QAPI unsigned long memblock_nr_reserved_pages(void);

/**
 * memblock_check - verify order, disjointness and merging of both lists.
 *
 * Return: the number of violations, each printed.
 */
QAPI unsigned int memblock_check(const struct memblock *mb);

#endif
