/*
 * early_ioremap.c - a few windows on physical memory, before there is anything to allocate with.
 *
 * IDEA.  The fixmap's page table exists from boot.  Its pages FIX_EARLY_FIRST..FIX_EARLY_END - 1
 * form FIX_EARLY_WINDOWS windows of FIX_EARLY_PAGES pages; a mapping is stores into that table and
 * a flush.
 *
 * STATE.  window_size[i]: bytes mapped in window i, 0 when it is free.
 *
 * INVARIANTS.  E1: the slots of a free window are not present.
 *
 * CONTEXT.  One user at a time, any context.
 */
#include <quarry/align.h>
#include <quarry/bug.h>
#include <quarry/fixed_addresses.h>
#include <quarry/port.h>

#define WINDOW_SIZE (FIX_EARLY_PAGES * PAGE_SIZE)

static_assert(FIX_EARLY_END - FIX_EARLY_FIRST == FIX_EARLY_WINDOWS * FIX_EARLY_PAGES,
	      "the windows are the fixmap's early pages");

static size_t window_size[FIX_EARLY_WINDOWS];

static uintptr_t window_start(unsigned int i)
{
	return __fix_to_virt(FIX_EARLY_FIRST + i * FIX_EARLY_PAGES);
}

static void set_slots(uintptr_t va, phys_addr_t pa, unsigned long nr_pages, bool present)
{
	for (unsigned long i = 0; i < nr_pages; i++) {
		uintptr_t page_va = va + i * PAGE_SIZE;
		pfn_t pfn = (pfn_t)(pa >> PAGE_SHIFT) + i;

		pte_set(port_fixmap_slot(page_va),
			present ? pte_make(pfn, PROT_READ | PROT_WRITE, 0) : pte_none());
		tlb_flush_page(page_va);
	}
}

QAPI void *early_ioremap(phys_addr_t pa, size_t size)
{
	size_t offset = (size_t)(pa & ~(phys_addr_t)PAGE_MASK);

	if (!size || size > WINDOW_SIZE - offset || pa >= PHYS_ADDR_LIMIT ||
	    pa + size > PHYS_ADDR_LIMIT)
		return NULL;
	for (unsigned int i = 0; i < FIX_EARLY_WINDOWS; i++) {
		if (window_size[i])
			continue;
		window_size[i] = size;
		set_slots(window_start(i), pa - offset, DIV_ROUND_UP(offset + size, PAGE_SIZE),
			  true);
		return (void *)(window_start(i) + offset);
	}
	return NULL;
}

QAPI void early_iounmap(void *va, size_t size)
{
	uintptr_t start = (uintptr_t)va & PAGE_MASK;
	unsigned int i = (unsigned int)((start - window_start(0)) / WINDOW_SIZE);
	size_t offset = (uintptr_t)va - start;

	if (i >= FIX_EARLY_WINDOWS || start != window_start(i) || !window_size[i])
		panic("early_iounmap: %p is in no window that is open", va);
	if (window_size[i] != size)
		panic("early_iounmap: window %u has %zu bytes, not %zu", i, window_size[i], size);
	set_slots(start, 0, DIV_ROUND_UP(offset + size, PAGE_SIZE), false);
	window_size[i] = 0;
}

QAPI unsigned int early_ioremap_nr_used(void)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < FIX_EARLY_WINDOWS; i++)
		nr += window_size[i] != 0;
	return nr;
}
