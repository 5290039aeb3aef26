/*
 * dma.c - rows of the benchmark: coherent memory, pools, mappings.
 *
 * NOT HERE.  What bouncing costs: Linux's figures have none.
 */
#include <quarry/dmapool.h>
#include <quarry/gfp.h>
#include <quarry/sizes.h>

#include "rows.h"

#define SLOWEST 31u

static struct device device = DEVICE_INIT("bench");
static dma_addr_t handle;
static struct dma_pool *pool;
static struct page *page;

#define COHERENT_PAIR(name, size, brackets)                                           \
	BENCH_PAIR("dma_alloc_coherent(" name ")", brackets, NULL, size,              \
		   obj = dma_alloc_coherent(&device, bench_arg, &handle, GFP_KERNEL), \
		   dma_free_coherent(&device, bench_arg, obj, handle))

COHERENT_PAIR("4K", 4 * KiB, BENCH_MANY);
COHERENT_PAIR("64K", 64 * KiB, BENCH_MANY);
COHERENT_PAIR("4M", 4 * MiB, SLOWEST);

static QAPI bool pool_up(unsigned long size)
{
	pool = dma_pool_create("bench", &device, size, 0, 0);
	return pool != NULL;
}

static QAPI void pool_down(void)
{
	(void)dma_pool_destroy(pool);
}

static const struct bench_stage pool_stage = { pool_up, pool_down };

BENCH_PAIR("dma_pool(64)", BENCH_MANY, &pool_stage, 64,
	   obj = dma_pool_alloc(pool, GFP_KERNEL, &handle), dma_pool_free(pool, obj, handle));

static QAPI bool page_up(unsigned long arg)
{
	(void)arg;
	page = alloc_page(GFP_KERNEL);
	return page != NULL;
}

static QAPI void page_down(void)
{
	__free_page(page);
}

static const struct bench_stage page_stage = { page_up, page_down };

BENCH_PAIR("dma_map_single(4K)", BENCH_MANY, &page_stage, 4 * KiB,
	   handle = dma_map_single(&device, page_address(page), bench_arg, DMA_BIDIRECTIONAL),
	   dma_unmap_single(&device, handle, bench_arg, DMA_BIDIRECTIONAL));
