/*
 * Layer: mm
 * dma.h - memory that a device reads and writes by itself.
 *
 *	dma_alloc_coherent()  memory for as long as a driver lives: rings, tables
 *	dma_pool_alloc()      the same in small blocks: <quarry/dmapool.h>
 *	dma_map_single()      memory that somebody has already, for one transfer
 *	dma_map_page()        the same by page: HighMem, too
 *	dma_map_sg()          the same of several pieces: <quarry/scatterlist.h>
 *
 * A device addresses memory by handles (dma_addr_t), which here are physical addresses; caches are
 * coherent.  It reaches what its mask says, and every handle that it is given is within.  So memory
 * that is mapped and lies within reach costs nothing but the question.  The rest is bounced: the
 * device is given a copy, and mapping, unmapping and synchronising copy.
 *
 * Between mapping and unmapping the memory is the device's.  Whoever looks at it meanwhile calls
 * dma_sync_...for_cpu() before and dma_sync_...for_device() after it.
 *
 * MISUSE is a BUG that names device and address: see each call.  Memory within reach is not
 * recorded, so a wrong dma_unmap_single() of it has no effect and is not found.
 *
 * Context: any; dma_alloc_coherent() as its mask says.
 */
#ifndef QUARRY_DMA_H
#define QUARRY_DMA_H

#include <quarry/compiler.h>
#include <quarry/mm.h>
#include <quarry/scatterlist.h>
#include <quarry/types.h>

struct out;

/* The largest address with @n bits, 1..64: the last byte that @n address lines reach. */
#define DMA_BIT_MASK(n) (~0ull >> (64 - (n)))

#define DMA_MAPPING_ERROR (~(dma_addr_t)0)

/* Bytes of one dma_alloc_coherent(), and of memory that can be bounced, at most. */
#define DMA_SIZE_MAX (PAGE_SIZE << (MAX_ORDER - 1))

/* A device, as far as its memory is concerned: part of a driver's own structure. */
struct device {
	const char *name;           /* for reports */
	uint64_t dma_mask;          /* the last address it reaches, for dma_map_...() */
	uint64_t coherent_dma_mask; /* the same for dma_alloc_coherent() and pools */
};

/* One of which nothing is known: 32 address lines. */
#define DEVICE_INIT(name_)                                \
	{                                                 \
		name_, DMA_BIT_MASK(32), DMA_BIT_MASK(32) \
	}

enum dma_data_direction { DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_NONE };

/* ---- what a device reaches --------------------------------------------------------------- */

/**
 * dma_set_mask, dma_set_coherent_mask, dma_set_mask_and_coherent - say which addresses @dev
 * reaches: for mappings, for dma_alloc_coherent(), for both.
 * @mask: DMA_BIT_MASK(n).
 *
 * Return:  0; -EINVAL when @mask has a gap; -EIO when no page of the allocator's lies within it.
 *          Then the device is as it was.
 */
QAPI int dma_set_mask(struct device *dev, uint64_t mask) __must_check;
QAPI int dma_set_coherent_mask(struct device *dev, uint64_t mask) __must_check;
QAPI int dma_set_mask_and_coherent(struct device *dev, uint64_t mask) __must_check;

/* ---- coherent memory --------------------------------------------------------------------- */

/**
 * dma_alloc_coherent - memory for the CPU and @dev at once.
 * @size:   bytes, 1..DMA_SIZE_MAX; whole pages are taken.
 * @handle: set to its address for the device: all of it is within coherent_dma_mask.
 * @gfp:    flags that name a zone are ignored, as are __GFP_COMP and __GFP_ZERO; __GFP_NOFAIL is a
 *          BUG.
 *
 * Return:  its address in the direct map: zeroes, aligned to the power of two that @size is rounded
 *          up to, or PAGE_SIZE.  NULL: no memory, or a @size that cannot be; reported once, unless
 *          __GFP_NOWARN.  A mask that ends within a zone is served from that zone, below the mask,
 *          then from ZONE_DMA.
 * Owner:   the caller, until dma_free_coherent() with the same four.
 * Context: with __GFP_WAIT a thread that may sleep, otherwise a BUG on every call; without it any.
 * Cost:    that of the pages and of clearing them; O(log n) in pieces.  A mask within a zone: the
 *          frames below it, in the worst case.
 */
QAPI void *dma_alloc_coherent(struct device *dev, size_t size, dma_addr_t *handle, gfp_t gfp)
	__must_check;

/**
 * dma_free_coherent - give it back.
 * @va: NULL is ignored.  What is no coherent memory, or was freed, or belongs to another device, or
 *      has another size or handle, is a BUG that says which.
 *
 * Cost: O(log n) in pieces, and the pages.
 */
QAPI void dma_free_coherent(struct device *dev, size_t size, void *va, dma_addr_t handle);

/* ---- mapping, what is out of line -------------------------------------------------------- */

/* Pieces of memory that are bounced now. */
extern unsigned long dma_nr_bounces;

/* Misuse, and what is out of reach. */
QAPI dma_addr_t dma_map_va_slow(struct device *dev, const void *va, size_t size,
				enum dma_data_direction dir);
QAPI dma_addr_t dma_map_pa_slow(struct device *dev, phys_addr_t pa, size_t size,
				enum dma_data_direction dir);
QAPI void dma_unmap_slow(struct device *dev, dma_addr_t handle, size_t size,
			 enum dma_data_direction dir);
QAPI void dma_sync_slow(struct device *dev, dma_addr_t handle, size_t size,
			enum dma_data_direction dir, bool for_cpu);

/* Does @dev reach all of @size bytes at @pa?  No for a @size of 0. */
static inline bool dma_reaches(const struct device *dev, phys_addr_t pa, size_t size)
{
	return likely(size) && pa + (size - 1) <= dev->dma_mask;
}

/* ---- mapping ----------------------------------------------------------------------------- */

/**
 * dma_map_single - give memory to @dev for a transfer.
 * @va:   in the direct map, all @size bytes; memory of vmalloc(), of kmap() and the like is a BUG.
 * @size: bytes, not 0, or BUG.
 * @dir:  who writes; DMA_NONE is a BUG.
 *
 * Return:  the handle; or DMA_MAPPING_ERROR, see dma_mapping_error(): there was no memory for a
 *          copy, or more than DMA_SIZE_MAX would have to be copied.
 * Owner:   the device, until dma_unmap_single() with the same handle, size and direction.
 * Cost:    within reach: some comparisons.  Otherwise an allocation and a copy: also from the
 *          device, so that what it does not write stays as it was.
 */
static inline dma_addr_t dma_map_single(struct device *dev, void *va, size_t size,
					enum dma_data_direction dir)
{
	uintptr_t start = (uintptr_t)va - PAGE_OFFSET, last = start + (size - 1);
	uintptr_t limit = mm_layout.high_memory - PAGE_OFFSET;

	if (unlikely(start > last || last >= limit || last > dev->dma_mask || dir >= DMA_NONE))
		return dma_map_va_slow(dev, va, size, dir);
	barrier();
	return va_to_pa(va);
}

/**
 * dma_map_page - dma_map_single() of @size bytes, @offset bytes behind the start of @page.
 *
 * What they reach of the following pages is RAM, too; if it has to be copied, or BUG.
 */
static inline dma_addr_t dma_map_page(struct device *dev, struct page *page, size_t offset,
				      size_t size, enum dma_data_direction dir)
{
	phys_addr_t pa = page_to_phys(page) + offset;

	if (unlikely(!dma_reaches(dev, pa, size) || dir >= DMA_NONE))
		return dma_map_pa_slow(dev, pa, size, dir);
	barrier();
	return pa;
}

/**
 * dma_mapping_error - did a mapping fail?
 *
 * Return: 0, or -ENOMEM: then there is nothing to unmap.
 */
QAPI int dma_mapping_error(struct device *dev, dma_addr_t handle) __must_check;

/**
 * dma_unmap_page - the transfer is over: the memory is the caller's again.
 *
 * Of bounced memory a wrong size, direction or device is a BUG, and an address within.
 * Cost: nothing bounced: a comparison.  Otherwise O(log n) in pieces, and a copy.
 */
static inline void dma_unmap_page(struct device *dev, dma_addr_t handle, size_t size,
				  enum dma_data_direction dir)
{
	barrier();
	if (unlikely(READ_ONCE(dma_nr_bounces)))
		dma_unmap_slow(dev, handle, size, dir);
}

/**
 * dma_unmap_single - the same, of what dma_map_single() mapped.
 */
static inline void dma_unmap_single(struct device *dev, dma_addr_t handle, size_t size,
				    enum dma_data_direction dir)
{
	dma_unmap_page(dev, handle, size, dir);
}

/**
 * dma_map_sg - dma_map_page() of each of @nr pieces; sg_dma_address() then has the handles.
 *
 * Return: @nr; 0 when one could not be mapped, or @nr is 0: then none is.
 */
QAPI unsigned int dma_map_sg(struct device *dev, struct scatterlist *sg, unsigned int nr,
			     enum dma_data_direction dir) __must_check;

/**
 * dma_unmap_sg - the end of dma_map_sg() with the same arguments.
 */
QAPI void dma_unmap_sg(struct device *dev, struct scatterlist *sg, unsigned int nr,
		       enum dma_data_direction dir);

/* ---- looking meanwhile ------------------------------------------------------------------- */

/**
 * dma_sync_single_for_cpu - the CPU's turn: what the device wrote can be read.
 * @handle, @size: of a mapping, or a part of it: beyond its end is a BUG.
 * @dir: as it was mapped; of a DMA_BIDIRECTIONAL one any.
 *
 * Cost: as unmapping.
 */
static inline void dma_sync_single_for_cpu(struct device *dev, dma_addr_t handle, size_t size,
					   enum dma_data_direction dir)
{
	barrier();
	if (unlikely(READ_ONCE(dma_nr_bounces)))
		dma_sync_slow(dev, handle, size, dir, true);
}

/**
 * dma_sync_single_for_device - the device's turn again: it reads what the CPU wrote.
 *
 * Arguments, cost: as dma_sync_single_for_cpu().
 */
static inline void dma_sync_single_for_device(struct device *dev, dma_addr_t handle, size_t size,
					      enum dma_data_direction dir)
{
	barrier();
	if (unlikely(READ_ONCE(dma_nr_bounces)))
		dma_sync_slow(dev, handle, size, dir, false);
}

/**
 * dma_sync_sg_for_cpu, dma_sync_sg_for_device - the same of each piece that dma_map_sg() mapped.
 */
QAPI void dma_sync_sg_for_cpu(struct device *dev, struct scatterlist *sg, unsigned int nr,
			      enum dma_data_direction dir);
QAPI void dma_sync_sg_for_device(struct device *dev, struct scatterlist *sg, unsigned int nr,
				 enum dma_data_direction dir);

/* ---- seeing and checking ----------------------------------------------------------------- */

/* What there is now. */
struct dma_counts {
	unsigned long nr_coherent, coherent_bytes; /* as they were asked for */
	unsigned long nr_bounces, bounce_bytes;
	unsigned long nr_failed; /* mappings since boot that found no memory for a copy */
};

/* Context: any. */
QAPI void dma_count(struct dma_counts *c);

/**
 * dma_show - coherent memory, bounced memory and pools, a line each, key=value; then the totals.
 */
QAPI void dma_show(struct out *o);

/**
 * dma_check - verify the records of coherent and bounced memory, and the pages of pools.
 *
 * Return:  the number of violations, each printed.
 * Context: any; holds the lock of the records throughout.
 */
QAPI unsigned int dma_check(void);

#endif
