/*
 * Layer: mm
 * vmalloc.h - memory that is contiguous by address only; and other people's pages at new addresses.
 *
 * Areas lie between mm_layout.vmalloc_start and vmalloc_end, each followed by a page that is never
 * mapped.  Pages come from HIGHMEM first: they need no other address.
 *
 * LAZY UNMAPPING.  A freed area is unmapped at once, but other CPUs may remember its translations.
 * Telling them costs an interrupt each, so areas are told of in batches.  Until then neither the
 * addresses nor the pages of the area belong to anybody else.  vm_unmap_aliases() does it now;
 * vmalloc_debug=1 does it at every free, so that a stale access faults at once.
 */
#ifndef QUARRY_VMALLOC_H
#define QUARRY_VMALLOC_H

#include <quarry/compiler.h>
#include <quarry/gfp.h>
#include <quarry/mm.h>
#include <quarry/prot.h>
#include <quarry/types.h>

struct out;

/* What an area is. */
enum vm_flag {
	VM_IOREMAP = 0x1, /* physical memory that is no RAM */
	VM_ALLOC = 0x2,   /* vmalloc(): the pages are the area's */
	VM_MAP = 0x4,     /* vmap(), vm_map_ram(): they are somebody else's */
};

/**
 * vmalloc - memory of any size, in whole pages.
 * @size: bytes, at least 1.
 *
 * Return:  a page-aligned address; NULL when there are no pages or no addresses, with a report
 *          that says which.
 * Owner:   the caller, until vfree().
 * Context: a thread that may sleep.
 * Cost:    O(pages); O(log areas) to find the addresses.
 */
QAPI void *vmalloc(size_t size) __must_check;

/**
 * vzalloc - vmalloc() of memory that is all zeroes.
 */
QAPI void *vzalloc(size_t size) __must_check;

/**
 * vmalloc_32 - vmalloc() of pages below 4 GiB, zeroes not promised: here, of lowmem.
 */
QAPI void *vmalloc_32(size_t size) __must_check;

/**
 * __vmalloc - vmalloc() with a mask and a protection.
 * @gfp:  where pages come from; must allow waiting.  __GFP_ZERO and __GFP_NOWARN are understood.
 * @prot: PROT_*.
 */
QAPI void *__vmalloc(size_t size, gfp_t gfp, uint32_t prot) __must_check;

/**
 * vfree - give memory of vmalloc() back.
 * @va: NULL is ignored; what is no vmalloc() area's start is a BUG.
 *
 * Context: any; where sleeping is forbidden, the work is left to the next call that may.
 */
QAPI void vfree(const void *va);

/**
 * kvmalloc - kmalloc() if that is easy, otherwise vmalloc().
 *
 * Return, context: as vmalloc().  Owner: the caller, until kvfree().
 */
QAPI void *kvmalloc(size_t size, gfp_t gfp) __must_check;
QAPI void kvfree(const void *p);

/**
 * vmap - map pages at consecutive addresses.
 * @pages: @nr of them, all the caller's; one that is no page is a BUG.
 * @flags: VM_MAP.
 * @prot:  PROT_*.
 *
 * Return:  the address; NULL when there is no memory for tables, or there are no addresses.
 * Owner:   the caller, until vunmap(); the pages stay his.
 * Context: a thread that may sleep.
 */
QAPI void *vmap(struct page **pages, unsigned int nr, unsigned long flags, uint32_t prot)
	__must_check;

/**
 * vunmap - unmap what vmap() mapped; when it returns, nobody can reach the pages by it.
 *
 * Context: a thread that may sleep.
 */
QAPI void vunmap(const void *va);

/**
 * vm_map_ram - vmap() for short.
 */
QAPI void *vm_map_ram(struct page **pages, unsigned int nr, int node, uint32_t prot) __must_check;

/**
 * vm_unmap_ram - undo vm_map_ram(): lazily, so the pages may be reached until vm_unmap_aliases().
 */
QAPI void vm_unmap_ram(const void *va, unsigned int nr);

/**
 * vm_unmap_aliases - make every CPU forget all areas that were freed, and free what waited for it.
 *
 * Context: a thread that may sleep.
 */
QAPI void vm_unmap_aliases(void);

/**
 * vmalloc_to_page, vmalloc_to_pfn - the page behind an address of an area.
 *
 * Return:  NULL, 0 when nothing is mapped there.
 * Context: any, as long as the area lives.
 */
QAPI struct page *vmalloc_to_page(const void *va);
QAPI pfn_t vmalloc_to_pfn(const void *va);

/* Is @va between vmalloc_start and vmalloc_end? */
static inline bool is_vmalloc_addr(const void *va)
{
	return (uintptr_t)va - mm_layout.vmalloc_start <
	       mm_layout.vmalloc_end - mm_layout.vmalloc_start;
}

/**
 * ioremap - map device memory.
 * @pa:   bytes, any alignment.
 * @size: bytes, at least 1.
 *
 * ioremap() and ioremap_nocache() are uncached, ioremap_wc() combines writes where the CPU can.
 * Return:  the address of @pa; NULL when the range is RAM (with a warning), beyond what the port
 *          can address, or there is no memory for it.
 * Owner:   the caller, until iounmap().
 * Context: a thread that may sleep.
 */
QAPI void *ioremap(phys_addr_t pa, size_t size) __must_check;
QAPI void *ioremap_nocache(phys_addr_t pa, size_t size) __must_check;
QAPI void *ioremap_wc(phys_addr_t pa, size_t size) __must_check;
QAPI void iounmap(const void *va);

/* ---- seeing and checking ---------------------------------------------------------------- */

struct vm_counts {
	unsigned long nr_areas;
	unsigned long nr_pages;      /* of living vmalloc() areas */
	unsigned long nr_lazy_pages; /* of freed ones, waiting for the flush */
	unsigned long nr_lazy_areas;
	unsigned long lazy_bytes; /* of addresses that wait with them, guards included */
	unsigned long used_bytes; /* of addresses, guards and waiting areas included */
	unsigned long largest;    /* bytes: the largest request that would find addresses now */
};

/**
 * vm_count - the counts of one moment.  Context: any.
 */
QAPI void vm_count(struct vm_counts *counts);

/**
 * vmallocinfo_show - every area, a line each: the format of /proc/vmallocinfo.
 *
 * Context: a thread that may sleep.
 */
QAPI void vmallocinfo_show(struct out *o);

/**
 * vmalloc_check - verify every area against the page tables: the number of violations.
 *
 * Context: a thread that may sleep.
 */
QAPI unsigned int vmalloc_check(void);

#endif
