/*
 * dma_map.c - bounced memory: what a device does not reach is copied where it does.
 *
 * THEORY.  Mapping memory that is within reach is a few comparisons, inline in <quarry/dma.h>, and
 * leaves no trace; here is the rest.  A copy is taken from pages that the device reaches, and the
 * device is given its address.  Contents move when the memory changes hands:
 *
 *	                to the copy                      back
 *	to-device       map, sync_for_device             -
 *	from-device     map                              unmap, sync_for_cpu
 *	both            map, sync_for_device             unmap, sync_for_cpu
 *
 * A from-device copy begins with the memory's own contents, too: the device may write less than it
 * said, and what comes back in the other places must be what was there, not somebody's old page.
 *
 * Whether a handle is a copy's is asked at each unmap.  While there is no copy at all, that is one
 * comparison; it is enough, because a copy is counted before its handle is given to anybody.
 *
 * STATE.  None: the records are dma.c's.
 *
 * LOCKING. None here. Contents are copied without a lock: between map and unmap a record is there,
 * and a driver that unmaps what it is just synchronising has lost already.
 *
 * CONTEXT.  Any: pages are taken with GFP_ATOMIC, contents copied through kmap_local_page().
 *
 * NOT HERE.  Devices that gather by themselves (an IOMMU): there is none.
 */
#include <quarry/align.h>
#include <quarry/bug.h>
#include <quarry/errno.h>
#include <quarry/gfp.h>
#include <quarry/highmem.h>
#include <quarry/memblock.h>

#include "dma.h"
#include "internal.h"

/* ---- contents ---------------------------------------------------------------------------- */

/* Between @size bytes of a copy at @at and what they are a copy of, a page of that at a time. */
static void copy_contents(const struct dma_mem *m, phys_addr_t at, size_t size, bool to_copy)
{
	phys_addr_t original = m->original + (at - m->pa);
	char *copy = pa_to_va(at);

	while (size) {
		size_t offset = (size_t)(original & (PAGE_SIZE - 1));
		size_t nr = min(size, PAGE_SIZE - offset);
		struct page *page = pfn_to_page((pfn_t)(original >> PAGE_SHIFT));

		if (to_copy)
			memcpy_from_page(copy, page, offset, nr);
		else
			memcpy_to_page(page, offset, copy, nr);
		original += nr;
		copy += nr;
		size -= nr;
	}
}

/* ---- mapping ----------------------------------------------------------------------------- */

/* Regions of memblock are merged: what is RAM altogether lies in one. */
static bool is_ram(phys_addr_t first, phys_addr_t last)
{
	for (unsigned int i = 0; i < memblock.memory.nr; i++) {
		const struct memblock_region *r = &memblock.memory.region[i];

		if (r->start <= first && last < r->end)
			return true;
	}
	return false;
}

static void check_request(const struct device *dev, phys_addr_t pa, size_t size,
			  enum dma_data_direction dir)
{
	if (!size)
		panic("dma_map(%s): 0x%llx, nothing of it", dev->name, pa);
	if (dir >= DMA_NONE)
		panic("dma_map(%s): 0x%llx without a direction", dev->name, pa);
	if (!is_ram(pa, pa + (size - 1)))
		panic("dma_map(%s): 0x%llx, %zu bytes, is no RAM", dev->name, pa, size);
}

static dma_addr_t map(struct device *dev, phys_addr_t pa, size_t size, enum dma_data_direction dir,
		      const void *caller)
{
	struct dma_mem *m = NULL;

	check_request(dev, pa, size, dir);
	if (dma_reaches(dev, pa, size))
		return pa;
	if (size <= DMA_SIZE_MAX)
		m = dma_mem_get(size, dev->dma_mask, GFP_ATOMIC);
	if (!m) {
		dma_mapping_failed();
		return DMA_MAPPING_ERROR;
	}
	m->kind = DMA_BOUNCE;
	m->dir = dir;
	m->original = pa;
	m->dev = dev;
	m->caller = caller;
	copy_contents(m, m->pa, size, true);
	dma_mem_insert(m);
	return m->pa;
}

QAPI dma_addr_t dma_map_pa_slow(struct device *dev, phys_addr_t pa, size_t size,
				enum dma_data_direction dir)
{
	return map(dev, pa, size, dir, __builtin_return_address(0));
}

QAPI dma_addr_t dma_map_va_slow(struct device *dev, const void *va, size_t size,
				enum dma_data_direction dir)
{
	const char *last = (const char *)va + (size ? size - 1 : 0);

	if (!virt_addr_valid(va) || !virt_addr_valid(last) || last < (const char *)va)
		panic("dma_map_single(%s): %p, %zu bytes, lies in %s: only the direct map can be "
		      "mapped",
		      dev->name, va, size, va_region((uintptr_t)va));
	return map(dev, va_to_pa(va), size, dir, __builtin_return_address(0));
}

QAPI int dma_mapping_error(struct device *dev, dma_addr_t handle)
{
	(void)dev;
	return handle == DMA_MAPPING_ERROR ? -ENOMEM : 0;
}

QAPI void dma_unmap_slow(struct device *dev, dma_addr_t handle, size_t size,
			 enum dma_data_direction dir)
{
	const struct dma_mem want = {
		.pa = handle, .size = size, .kind = DMA_BOUNCE, .dir = dir, .dev = dev
	};
	struct dma_mem *m = dma_mem_take(&want, "dma_unmap");

	if (!m)
		return;
	if (dir != DMA_TO_DEVICE)
		copy_contents(m, m->pa, size, false);
	dma_mem_put(m);
}

/* ---- looking meanwhile ------------------------------------------------------------------- */

static void check_sync(const struct dma_mem *m, const struct device *dev, dma_addr_t handle,
		       size_t size, enum dma_data_direction dir)
{
	const struct dma_mem want = {
		.pa = m->pa, .size = m->size, .kind = DMA_BOUNCE, .dir = dir, .dev = dev
	};

	if (size > m->size - (size_t)(handle - m->pa))
		panic("dma_sync(%s): 0x%llx, %zu bytes, ends behind the %zu at 0x%llx", dev->name,
		      handle, size, m->size, m->pa);
	if (m->dev != dev || (m->dir != dir && (m->dir != DMA_BIDIRECTIONAL || dir >= DMA_NONE)))
		dma_mem_mismatch(m, &want, "dma_sync");
}

QAPI void dma_sync_slow(struct device *dev, dma_addr_t handle, size_t size,
			enum dma_data_direction dir, bool for_cpu)
{
	const struct dma_mem *m = dma_bounce_find(handle);

	if (!m)
		return;
	check_sync(m, dev, handle, size, dir);
	if (dir != (for_cpu ? DMA_TO_DEVICE : DMA_FROM_DEVICE))
		copy_contents(m, handle, size, !for_cpu);
}

/* ---- in pieces --------------------------------------------------------------------------- */

QAPI unsigned int dma_map_sg(struct device *dev, struct scatterlist *list, unsigned int nr,
			     enum dma_data_direction dir)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sg(list, sg, nr, i)
	{
		sg->dma_address = dma_map_page(dev, sg->page, sg->offset, sg->length, dir);
		if (dma_mapping_error(dev, sg->dma_address)) {
			dma_unmap_sg(dev, list, i, dir);
			return 0;
		}
	}
	return nr;
}

QAPI void dma_unmap_sg(struct device *dev, struct scatterlist *list, unsigned int nr,
		       enum dma_data_direction dir)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sg(list, sg, nr, i) dma_unmap_page(dev, sg->dma_address, sg->length, dir);
}

QAPI void dma_sync_sg_for_cpu(struct device *dev, struct scatterlist *list, unsigned int nr,
			      enum dma_data_direction dir)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sg(list, sg, nr, i) dma_sync_single_for_cpu(dev, sg->dma_address, sg->length, dir);
}

QAPI void dma_sync_sg_for_device(struct device *dev, struct scatterlist *list, unsigned int nr,
				 enum dma_data_direction dir)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sg(list, sg, nr, i)
		dma_sync_single_for_device(dev, sg->dma_address, sg->length, dir);
}
