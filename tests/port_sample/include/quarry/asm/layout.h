/*
 * Layer: port
 * layout.h - the sample's address space: a window of 1 GiB in the middle of a process.
 *
 *	0xA0000000  end of the window
 *	            FIXMAP      a few named pages; four slots for pages that have no address
 *	            PKMAP       slots of kmap(), none of which is ever loaded from
 *	            VMALLOC     from a run-time address on
 *	            8 MiB hole
 *	            DIRECT MAP  physical 0 .. at most 512 MiB
 *	0x60000000  PAGE_OFFSET
 */
#ifndef QUARRY_ASM_LAYOUT_H
#define QUARRY_ASM_LAYOUT_H

#include <quarry/compiler.h>
#include <quarry/sizes.h>
#include <quarry/types.h>

#define PAGE_SHIFT 12u
#define PAGE_SIZE  (1ul << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1ul))

#define NR_CPUS 1u

#define PHYS_ADDR_LIMIT (4 * GiB)

#define PAGE_OFFSET    0x60000000ul
#define DIRECT_MAP_MAX (512 * MiB)
#define ZONE_DMA_LIMIT (16 * MiB)
#define BOOT_WINDOW    (16 * MiB)

#define WINDOW_END 0xA0000000ul

#define KMAP_LOCAL_SLOTS     4u
#define FIX_MISC_PAGES       8u
#define FIXMAP_TOP           WINDOW_END
#define FIXMAP_START         (FIXMAP_TOP - (FIX_MISC_PAGES + KMAP_LOCAL_SLOTS) * PAGE_SIZE)
#define FIX_MISC_START       FIXMAP_START
#define FIX_KMAP_LOCAL_START (FIX_MISC_START + FIX_MISC_PAGES * PAGE_SIZE)
#define PKMAP_NR_PAGES       512ul
#define PKMAP_START          (FIXMAP_START - PAGE_SIZE - PKMAP_NR_PAGES * PAGE_SIZE)

#define VMALLOC_END     (PKMAP_START - PAGE_SIZE)
#define VMALLOC_HOLE    (8 * MiB)
#define VMALLOC_DEFAULT (96 * MiB)
#define VMALLOC_MIN     (16 * MiB)

static_assert(PAGE_OFFSET + DIRECT_MAP_MAX + VMALLOC_HOLE + VMALLOC_DEFAULT <= VMALLOC_END,
	      "no room for vmalloc at full lowmem");

static inline void *pa_to_va(phys_addr_t pa)
{
	return (void *)((uintptr_t)pa + PAGE_OFFSET);
}

static inline phys_addr_t va_to_pa(const void *va)
{
	return (uintptr_t)va - PAGE_OFFSET;
}

#endif
