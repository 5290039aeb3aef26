/*
 * early_ioremap.c - a few windows on physical memory, before there is anything to allocate with.
 *
 * IDEA.  The fixmap's page table exists from boot.  Its lowest slots form FIX_EARLY_WINDOWS
 * windows of FIX_EARLY_PAGES pages; a mapping is stores into that table and a flush.
 *
 *	FIXMAP_START                                                    FIXMAP_TOP
 *	| window 0 | window 1 | window 2 | window 3 | misc | kmap_local slots |
 *
 * STATE.  window_size[i]: bytes mapped in window i, 0 when it is free.
 *
 * INVARIANTS.  E1: the slots of a free window are not present.
 *
 * CONTEXT.  One user at a time, any context.
 */
#include <quarry/align.h>
#include <quarry/bug.h>
#include <quarry/port.h>

#define WINDOW_SIZE (FIX_EARLY_PAGES * PAGE_SIZE)

static size_t window_size[FIX_EARLY_WINDOWS];

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
		uintptr_t va = FIXMAP_START + i * WINDOW_SIZE;

		if (window_size[i])
			continue;
		window_size[i] = size;
		set_slots(va, pa - offset, DIV_ROUND_UP(offset + size, PAGE_SIZE), true);
		return (void *)(va + offset);
	}
	return NULL;
}

QAPI void early_iounmap(void *va, size_t size)
{
	uintptr_t start = (uintptr_t)va & PAGE_MASK;
	unsigned int i = (unsigned int)((start - FIXMAP_START) / WINDOW_SIZE);
	size_t offset = (uintptr_t)va - start;

	BUG_ON(i >= FIX_EARLY_WINDOWS || start != FIXMAP_START + i * WINDOW_SIZE);
	BUG_ON(window_size[i] != size);
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
