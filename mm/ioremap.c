/*
 * ioremap.c - device memory at addresses of the vmalloc range.
 *
 * IDEA.  An area whose pages are no RAM.  RAM is refused: it has an address already, or belongs to
 * somebody, and two mappings of one page with different caching are undefined on x86.
 *
 * CONTEXT.  A thread that may sleep.
 *
 * SOURCES.  Intel SDM vol. 3, section 12.12.4 (aliasing of memory types).
 */
#include <quarry/align.h>
#include <quarry/env.h>
#include <quarry/memblock.h>
#include <quarry/pgtable.h>
#include <quarry/printk.h>

#include "vmalloc.h"

static bool touches_ram(phys_addr_t start, phys_addr_t end)
{
	for (unsigned int i = 0; i < memblock.memory.nr; i++) {
		const struct memblock_region *r = &memblock.memory.region[i];

		if (start < r->end && r->start < end)
			return true;
	}
	return false;
}

static void *map_device(phys_addr_t pa, size_t size, uint32_t prot, const void *caller)
{
	phys_addr_t start = ALIGN_DOWN(pa, PAGE_SIZE), end = ALIGN_UP(pa + size, PAGE_SIZE);
	struct vm_area *area;

	might_sleep();
	if (!size || end <= start || end > PHYS_ADDR_LIMIT)
		return NULL;
	if (touches_ram(start, end)) {
		pr_warn("ioremap: 0x%llx-0x%llx is RAM, refused\n", pa, pa + size - 1);
		return NULL;
	}
	area = vm_area_get((size_t)(end - start), VM_IOREMAP, caller);
	if (!area)
		return NULL;
	area->pa = start;
	if (pgtable_map(area->range.start, start, area->size, prot, false)) {
		vm_area_put(area);
		return NULL;
	}
	return (char *)area->range.start + (pa - start);
}

QAPI void *ioremap(phys_addr_t pa, size_t size)
{
	return map_device(pa, size, PROT_KERNEL | PROT_UNCACHED, __builtin_return_address(0));
}

QAPI void *ioremap_nocache(phys_addr_t pa, size_t size)
{
	return map_device(pa, size, PROT_KERNEL | PROT_UNCACHED, __builtin_return_address(0));
}

QAPI void *ioremap_wc(phys_addr_t pa, size_t size)
{
	return map_device(pa, size, PROT_KERNEL | PROT_WRITE_COMBINE, __builtin_return_address(0));
}

QAPI void iounmap(const void *va)
{
	might_sleep();
	if (va)
		vm_area_retire(vm_area_take((const void *)((uintptr_t)va & PAGE_MASK), VM_IOREMAP,
					    "iounmap"));
}
