/*
 * paging.c - the tables that stay: the direct map of lowmem, with the kernel image protected.
 *
 * IDEA.  The boot page tables map a window at the bottom of memory; that is enough to allocate and
 * write the first new tables.  The new direct map then grows upwards in steps of what one table of
 * pages covers, and memblock's limit with it, so that each further table comes from memory that was
 * mapped before and, top-down, from as high as possible.  The limit grows only when it can double:
 * where every step needs a table, these then stand together at the ends of a few powers of two,
 * instead of one in every step, which would leave no large block of lowmem whole.
 *
 *	0       image          window end                     lowmem_end
 *	| 4 KiB pages | large pages ...                        |
 *
 * Wherever a large page would contain a page of the image, small pages are used instead, so that
 * each part of the image has its own protection: text and rodata are read-only, guard pages absent.
 *
 * STATE.  None of its own.
 *
 * INVARIANTS.
 *   D1  every page of [0, lowmem_end) is mapped at PAGE_OFFSET + pa, but for guard pages;
 *   D2  nothing below PAGE_OFFSET is mapped once the new root is in force.
 *
 * CONTEXT.  Boot.
 *
 * NOT HERE.  A port whose kernel maps lowmem itself says so (PORT_BUILDS_DIRECT_MAP).
 */
#include <quarry/align.h>
#include <quarry/bug.h>
#include <quarry/mm.h>
#include <quarry/port.h>

#include "internal.h"

/* What one table of pages covers, and one large page, where there are any. */
#define STEP ((phys_addr_t)1 << (PAGE_SHIFT + PT_INDEX_BITS))

static __init void map(phys_addr_t start, phys_addr_t end, uint32_t prot, bool large)
{
	uintptr_t va = (uintptr_t)pa_to_va(start);

	if (start >= end)
		return;
	if (pgtable_map(va, start, (size_t)(end - start), prot, large))
		panic("paging: cannot map [%llx, %llx) of lowmem", start, end);
}

static __init phys_addr_t image_start(const struct port_image_part *parts)
{
	return va_to_pa(parts[0].start);
}

static __init phys_addr_t image_end(const struct port_image_part *parts, unsigned int nr)
{
	return va_to_pa(parts[nr - 1].end);
}

/* [start, end), within one step: small pages if the image touches it, each part as it asks. */
static __init void map_step(phys_addr_t start, phys_addr_t end)
{
	unsigned int nr;
	const struct port_image_part *parts = port_image(&nr);
	bool touched = nr && image_start(parts) < end && image_end(parts, nr) > start;

	for (unsigned int i = 0; touched && i < nr; i++) {
		phys_addr_t part_start = max(start, va_to_pa(parts[i].start));
		phys_addr_t part_end = min(end, va_to_pa(parts[i].end));

		if (part_start >= part_end)
			continue;
		map(start, part_start, PROT_KERNEL, false);
		map(part_start, part_end, parts[i].prot, false);
		start = part_end;
	}
	map(start, end, PROT_KERNEL, !touched);
}

static __init void remove_guard_pages(void)
{
	unsigned int nr;
	const void *const *guards = port_guard_pages(&nr);

	for (unsigned int i = 0; i < nr; i++) {
		if (set_memory_np((uintptr_t)guards[i], 1))
			panic("paging: cannot remove the guard page at %p", guards[i]);
	}
}

__init QAPI void paging_init(void)
{
	phys_addr_t end = mm_layout.lowmem_end, done = 0;
	pte_t *new_root;

	if (!PORT_BUILDS_DIRECT_MAP) {
		memblock.limit = end;
		return;
	}
	memblock.limit = min(end, (phys_addr_t)BOOT_WINDOW);
	new_root = pgtable_alloc_table();
	if (!new_root)
		panic("paging: no memory for a page table below %llx", memblock.limit);
	pgtable_set_root(new_root);
	port_install_fixed(new_root);
	for (; done < end; done = min(end, done + STEP)) {
		map_step(done, min(end, done + STEP));
		if (done + STEP == BOOT_WINDOW || (done < BOOT_WINDOW && done + STEP >= end))
			port_switch_root(new_root);
		if (done + STEP >= min(end, 2 * memblock.limit))
			memblock.limit = min(end, done + STEP);
	}
	remove_guard_pages();
}
