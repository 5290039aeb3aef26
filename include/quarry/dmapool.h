/*
 * Layer: mm
 * dmapool.h - coherent memory in small blocks of one size: descriptors that a device walks.
 *
 * A pool is a slab cache whose pages its device reaches.  So a block costs what an object costs,
 * and what <quarry/kmem_cache.h> says of misuse and slab_debug= is true of blocks.
 */
#ifndef QUARRY_DMAPOOL_H
#define QUARRY_DMAPOOL_H

#include <quarry/dma.h>
#include <quarry/kmem_cache.h>
#include <quarry/list.h>

#define DMA_POOL_NAME_MAX 24u /* bytes, the final 0 included; the rest of a name is cut off */

/* Read it only; dma_pool.c writes. */
struct dma_pool {
	struct kmem_cache *cache;
	struct device *dev;
	size_t size, align, boundary; /* bytes, as the blocks have them */
	struct list_head link;
	char name[DMA_POOL_NAME_MAX];
};

/* What a request for a block may say besides: the zone follows from the device's mask. */
#define GFP_DMA_POOL_IGNORED (__GFP_DMA | __GFP_DMA32 | __GFP_HIGHMEM | __GFP_COMP)

/**
 * dma_pool_create - make a pool of blocks for @dev.
 * @name:     for reports; need not be unique.
 * @dev:      its coherent_dma_mask is that of the pool for ever.
 * @size:     bytes of a block, 1..SLAB_OBJECT_SIZE_MAX.
 * @align:    bytes, a power of two up to SLAB_ALIGN_MAX; 0: SLAB_MIN_ALIGN.
 * @boundary: bytes, a power of two, not less than @size; no block crosses a multiple of it.  0: any
 *            may.
 *
 * Other values are a BUG.
 * Return:  NULL when there is no memory.
 * Owner:   the caller, until dma_pool_destroy().
 * Context: a thread that may sleep.
 */
QAPI struct dma_pool *dma_pool_create(const char *name, struct device *dev, size_t size,
				      size_t align, size_t boundary) __must_check;

/**
 * dma_pool_destroy - give a pool back.
 * @pool: NULL is ignored.
 *
 * Return:  0; -EBUSY when blocks are still in use: they are reported, and the pool lives on.
 * Context: a thread that may sleep; nobody else uses the pool.
 */
QAPI int dma_pool_destroy(struct dma_pool *pool);

/**
 * dma_pool_alloc - take a block.
 * @gfp:    as kmem_cache_alloc(), but flags that name a zone are ignored.
 * @handle: set to its address for the device, if there is one.
 *
 * Return:  its address; NULL when there is no memory.  Contents are undefined unless __GFP_ZERO.
 * Owner:   the caller, until dma_pool_free() to the same pool.
 * Context: with __GFP_WAIT a thread that may sleep, otherwise a BUG on every call; without it any.
 * Cost:    as kmem_cache_alloc(), and the handle.
 */
static inline void *dma_pool_alloc(struct dma_pool *pool, gfp_t gfp, dma_addr_t *handle)
	__must_check;
static inline void *dma_pool_alloc(struct dma_pool *pool, gfp_t gfp, dma_addr_t *handle)
{
	void *va = kmem_cache_alloc(pool->cache, gfp & ~GFP_DMA_POOL_IGNORED);

	if (likely(va))
		*handle = va_to_pa(va);
	return va;
}

/**
 * dma_pool_zalloc - dma_pool_alloc() of a block of zeroes.
 */
static inline void *dma_pool_zalloc(struct dma_pool *pool, gfp_t gfp, dma_addr_t *handle)
	__must_check;
static inline void *dma_pool_zalloc(struct dma_pool *pool, gfp_t gfp, dma_addr_t *handle)
{
	return dma_pool_alloc(pool, gfp | __GFP_ZERO, handle);
}

/* @handle is not that of @va. */
QAPI void dma_pool_bad_handle(const struct dma_pool *pool, const void *va, dma_addr_t handle)
	__noreturn __cold;

/**
 * dma_pool_free - give a block back.
 *
 * A @handle that is not that of @va is a BUG; a @va that is no block of the pool, or is freed
 * twice, is one as of kmem_cache_free(). Context: any. Cost: as kmem_cache_free(), and a
 * comparison.
 */
static inline void dma_pool_free(struct dma_pool *pool, void *va, dma_addr_t handle)
{
	if (unlikely(handle != va_to_pa(va)))
		dma_pool_bad_handle(pool, va, handle);
	kmem_cache_free(pool->cache, va);
}

#endif
