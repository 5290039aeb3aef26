/*
 * Layer: port
 * layout.h - the address space of the hosted port: 511 MiB in the lower half of a process.
 *
 *	0x7FFF0000  end of the window
 *	            FIXMAP      compile-time slots: early_ioremap, named pages, kmap_local
 *	            PKMAP       kmap(): one page table of slots
 *	            guard
 *	            VMALLOC     vmalloc, vmap, ioremap; starts at a run-time address
 *	            8 MiB hole  catches runs off the end of the direct map
 *	            DIRECT MAP  physical 0 .. min(RAM, 384 MiB)
 *	0x60000000  PAGE_OFFSET
 *
 * This is the one range that a program at its linked address (-no-pie) finds free in 32 and 64
 * bits, under the address and the thread sanitizer, and under valgrind.  Lowmem is smaller than on
 * x86, so HIGHMEM begins lower.
 */
#ifndef QUARRY_ASM_LAYOUT_H
#define QUARRY_ASM_LAYOUT_H

#include <quarry/compiler.h>
#include <quarry/sizes.h>
#include <quarry/types.h>

#define PAGE_SHIFT 12u
#define PAGE_SIZE  (1ul << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1ul))

#define NR_CPUS          32u
#define KMAP_LOCAL_SLOTS 16u /* nesting depth of kmap_local, per CPU */

/* What the make-believe machine can have of RAM: page-table entries could hold more. */
#define PHYS_ADDR_LIMIT (64 * GiB)

#define PAGE_OFFSET    0x60000000ul /* pa 0 appears here */
#define WINDOW_END     0x7FFF0000ul
#define DIRECT_MAP_MAX (384 * MiB) /* lowmem at most; the rest is HIGHMEM */
#define ZONE_DMA_LIMIT (16 * MiB)

#define FIXMAP_TOP        WINDOW_END
#define FIX_EARLY_WINDOWS 4u  /* early_ioremap() mappings at a time */
#define FIX_EARLY_PAGES   32u /* pages each */
#define FIX_MISC_PAGES    32u /* enum fixed_addresses */
#define FIXMAP_NR_PAGES \
	(NR_CPUS * KMAP_LOCAL_SLOTS + FIX_EARLY_WINDOWS * FIX_EARLY_PAGES + FIX_MISC_PAGES)
#define FIXMAP_START         (FIXMAP_TOP - FIXMAP_NR_PAGES * PAGE_SIZE)
#define FIX_MISC_START       (FIXMAP_START + FIX_EARLY_WINDOWS * FIX_EARLY_PAGES * PAGE_SIZE)
#define FIX_KMAP_LOCAL_START (FIX_MISC_START + FIX_MISC_PAGES * PAGE_SIZE)

#define PKMAP_NR_PAGES 512ul /* one page table of kmap slots */
#define PKMAP_SPAN     (2 * MiB)
#define PKMAP_START    ((FIXMAP_START & ~(PKMAP_SPAN - 1)) - PKMAP_NR_PAGES * PAGE_SIZE)

#define VMALLOC_END     (PKMAP_START - 2 * PAGE_SIZE)
#define VMALLOC_HOLE    (8 * MiB)  /* unmapped: catches lowmem overruns */
#define VMALLOC_DEFAULT (96 * MiB) /* lowmem gives way to this much at least */
#define VMALLOC_MIN     (16 * MiB)

/* What the first page tables map of physical memory, from 0. */
#define BOOT_WINDOW (16 * MiB)

static_assert(PAGE_OFFSET + DIRECT_MAP_MAX + VMALLOC_HOLE + VMALLOC_DEFAULT <= VMALLOC_END,
	      "no room for vmalloc at full lowmem");
static_assert(PKMAP_START % PKMAP_SPAN == 0, "kmap slots must fill exactly one page table");
static_assert(PKMAP_START + PKMAP_NR_PAGES * PAGE_SIZE <= FIXMAP_START, "kmap runs into fixmap");
static_assert(ZONE_DMA_LIMIT <= DIRECT_MAP_MAX, "ZONE_DMA must be directly mapped");
static_assert(BOOT_WINDOW <= DIRECT_MAP_MAX, "the boot window is part of the direct map");

/* The direct map, both ways.  Defined for lowmem only; the caller knows that it is. */
static inline void *pa_to_va(phys_addr_t pa)
{
	return (void *)((uintptr_t)pa + PAGE_OFFSET);
}

static inline phys_addr_t va_to_pa(const void *va)
{
	return (uintptr_t)va - PAGE_OFFSET;
}

#endif
