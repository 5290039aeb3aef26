/*
 * dma.c - crimes against memory that a device has.
 *
 * CONTEXT.  A thread, after boot.
 */
#include "death.h"

#include <quarry/dmapool.h>
#include <quarry/env.h>
#include <quarry/sizes.h>
#include <quarry/vmalloc.h>

static struct device one = DEVICE_INIT("one"), other = DEVICE_INIT("other");

/* It reaches 4 MiB, which no page that a crime is committed on lies in. */
static struct device near = { "near", 4 * MiB - 1, 4 * MiB - 1 };

static dma_addr_t handle;

/* ---- coherent memory --------------------------------------------------------------------- */

static char *coherent(void)
{
	return dma_alloc_coherent(&one, 2 * PAGE_SIZE, &handle, GFP_KERNEL);
}

static void dma_free_twice(void)
{
	char *va = coherent();

	dma_free_coherent(&one, 2 * PAGE_SIZE, va, handle);
	dma_free_coherent(&one, 2 * PAGE_SIZE, va, handle);
}

static void dma_free_wrong_size(void)
{
	char *va = coherent();

	dma_free_coherent(&one, PAGE_SIZE, va, handle);
}

static void dma_free_wrong_handle(void)
{
	char *va = coherent();

	dma_free_coherent(&one, 2 * PAGE_SIZE, va, handle + PAGE_SIZE);
}

static void dma_free_wrong_device(void)
{
	char *va = coherent();

	dma_free_coherent(&other, 2 * PAGE_SIZE, va, handle);
}

static void dma_free_inside(void)
{
	char *va = coherent();

	dma_free_coherent(&one, 2 * PAGE_SIZE, va + PAGE_SIZE, handle + PAGE_SIZE);
}

static void dma_free_ordinary_page(void)
{
	struct page *page = victim(GFP_KERNEL, 0);

	dma_free_coherent(&one, PAGE_SIZE, page_address(page), page_to_phys(page));
}

static void dma_free_vmalloc(void)
{
	dma_free_coherent(&one, PAGE_SIZE, vmalloc(PAGE_SIZE), 0);
}

static void dma_alloc_in_atomic(void)
{
	preempt_disable();
	pr_info("got %p\n", (void *)coherent());
}

static void dma_alloc_nofail(void)
{
	pr_info("got %p\n",
		dma_alloc_coherent(&one, PAGE_SIZE, &handle, GFP_KERNEL | __GFP_NOFAIL));
}

/* ---- mappings ---------------------------------------------------------------------------- */

static dma_addr_t bounced(void)
{
	return dma_map_page(&near, victim(GFP_KERNEL, 0), 0, 100, DMA_TO_DEVICE);
}

static void dma_unmap_wrong_size(void)
{
	dma_unmap_page(&near, bounced(), 99, DMA_TO_DEVICE);
}

static void dma_unmap_wrong_direction(void)
{
	dma_unmap_page(&near, bounced(), 100, DMA_FROM_DEVICE);
}

static void dma_unmap_wrong_device(void)
{
	dma_unmap_page(&one, bounced(), 100, DMA_TO_DEVICE);
}

static void dma_unmap_inside(void)
{
	dma_unmap_page(&near, bounced() + 1, 99, DMA_TO_DEVICE);
}

static void dma_sync_beyond_end(void)
{
	dma_sync_single_for_device(&near, bounced() + 90, 11, DMA_TO_DEVICE);
}

static void dma_sync_wrong_direction(void)
{
	dma_sync_single_for_cpu(&near, bounced(), 100, DMA_FROM_DEVICE);
}

static void dma_map_of_vmalloc(void)
{
	handle = dma_map_single(&one, vmalloc(PAGE_SIZE), 10, DMA_TO_DEVICE);
}

static void dma_map_beyond_lowmem(void)
{
	handle = dma_map_single(&one, hidden(mm_layout.high_memory - 10), 11, DMA_TO_DEVICE);
}

static void dma_map_nothing(void)
{
	handle = dma_map_single(&one, page_address(victim(GFP_KERNEL, 0)), 0, DMA_TO_DEVICE);
}

static void dma_map_without_direction(void)
{
	handle = dma_map_page(&one, victim(GFP_KERNEL, 0), 0, 10, DMA_NONE);
}

static void dma_map_of_no_ram(void)
{
	handle = dma_map_page(&near, pfn_to_page(max_pfn - 1), 0, PAGE_SIZE + 1, DMA_TO_DEVICE);
}

/* Between the lower RAM of a PC and the rest: it has a struct page, and device memory. */
static void dma_map_of_a_hole(void)
{
	struct device nearest = { "nearest", 512 * KiB - 1, 512 * KiB - 1 };

	handle = dma_map_page(&nearest, pfn_to_page(0xb8), 0, 10, DMA_TO_DEVICE);
}

static void dma_sg_of_vmalloc(void)
{
	struct scatterlist sg;

	sg_set_buf(&sg, vmalloc(PAGE_SIZE), 10);
}

/* ---- pools ------------------------------------------------------------------------------- */

static struct dma_pool *pool(void)
{
	return dma_pool_create("ring", &one, 64, 0, 0);
}

static void dma_pool_free_twice(void)
{
	struct dma_pool *p = pool();
	void *va = dma_pool_alloc(p, GFP_KERNEL, &handle);

	dma_pool_free(p, va, handle);
	dma_pool_free(p, va, handle);
}

static void dma_pool_free_wrong_handle(void)
{
	struct dma_pool *p = pool();
	void *va = dma_pool_alloc(p, GFP_KERNEL, &handle);

	dma_pool_free(p, va, handle + 64);
}

static void dma_pool_free_to_other_pool(void)
{
	struct dma_pool *p = pool(), *q = pool();
	void *va = dma_pool_alloc(p, GFP_KERNEL, &handle);

	dma_pool_free(q, va, handle);
}

static void dma_pool_free_coherent(void)
{
	struct dma_pool *p = pool();
	char *va = coherent();

	dma_pool_free(p, va, handle);
}

static void dma_pool_bad_boundary(void)
{
	pr_info("got %p\n", (void *)dma_pool_create("ring", &one, 64, 0, 96));
}

static void dma_pool_small_boundary(void)
{
	pr_info("got %p\n", (void *)dma_pool_create("ring", &one, 64, 0, 32));
}

static void dma_pool_alloc_in_atomic(void)
{
	struct dma_pool *p = pool();

	preempt_disable();
	pr_info("got %p\n", dma_pool_alloc(p, GFP_KERNEL, &handle));
}

/* ---- the table -------------------------------------------------------------------------- */

const struct death dma_deaths[] = {
	DEATH(dma_free_twice),
	DEATH(dma_free_wrong_size),
	DEATH(dma_free_wrong_handle),
	DEATH(dma_free_wrong_device),
	DEATH(dma_free_inside),
	DEATH(dma_free_ordinary_page),
	DEATH(dma_free_vmalloc),
	DEATH(dma_alloc_in_atomic),
	DEATH(dma_alloc_nofail),
	DEATH(dma_unmap_wrong_size),
	DEATH(dma_unmap_wrong_direction),
	DEATH(dma_unmap_wrong_device),
	DEATH(dma_unmap_inside),
	DEATH(dma_sync_beyond_end),
	DEATH(dma_sync_wrong_direction),
	DEATH(dma_map_of_vmalloc),
	DEATH(dma_map_beyond_lowmem),
	DEATH(dma_map_nothing),
	DEATH(dma_map_without_direction),
	DEATH(dma_map_of_no_ram),
	DEATH(dma_map_of_a_hole),
	DEATH(dma_sg_of_vmalloc),
	DEATH(dma_pool_free_twice),
	DEATH(dma_pool_free_wrong_handle),
	DEATH(dma_pool_free_to_other_pool),
	DEATH(dma_pool_free_coherent),
	DEATH(dma_pool_bad_boundary),
	DEATH(dma_pool_small_boundary),
	DEATH(dma_pool_alloc_in_atomic),
	{ NULL, NULL },
};
