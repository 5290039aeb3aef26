/*
 * Layer: mm
 * pgtable.h - the kernel's page tables: map, unmap, protect and walk any kernel range.
 */
#ifndef QUARRY_PGTABLE_H
#define QUARRY_PGTABLE_H

#include <quarry/compiler.h>
#include <quarry/port.h>
#include <quarry/types.h>

struct list_head;
struct out;
struct page;

/* Where a walk ended. */
struct pt_walk {
	pte_t *slot;        /* the last entry looked at */
	pte_t pte;          /* its value */
	unsigned int level; /* its level; 0 maps one page */
	bool present;       /* the address is mapped */
	phys_addr_t pa;     /* of the address itself, when present */
};

/**
 * pgtable_walk - follow the kernel's tables to @va.
 *
 * Context: any; the result is a snapshot.  Cost: PT_LEVELS loads.
 */
QAPI void pgtable_walk(uintptr_t va, struct pt_walk *w);

#define PFN_NONE ((pfn_t)-1)

/**
 * pgtable_pfn - the frame behind @va; PFN_NONE when it is not mapped.
 *
 * Context, cost: as pgtable_walk(), for who wants nothing else.
 */
QAPI pfn_t pgtable_pfn(uintptr_t va);

/**
 * pgtable_map - map [@va, @va + @size) to @pa.
 * @va, @pa, @size: multiples of PAGE_SIZE.
 * @prot:           PROT_*.
 * @large:          large pages may be used where both addresses are aligned.
 *
 * Return:  0; -EEXIST when a page of it is mapped already; -ENOMEM when a table cannot be had.  In
 *          both cases nothing of the range is mapped that was not before.
 * Context: boot, or a thread that may sleep; one user of a range at a time.
 */
QAPI int pgtable_map(uintptr_t va, phys_addr_t pa, size_t size, uint32_t prot, bool large)
	__must_check;

/**
 * pgtable_unmap - unmap every page of the range that is mapped, and flush it from the TLB.
 *
 * A large page that lies only partly inside is split first.  Tables are never freed.
 * Return:  0, or -ENOMEM when a split needs a table that cannot be had: nothing was unmapped.
 * Context: as pgtable_map().
 */
QAPI int pgtable_unmap(uintptr_t va, size_t size) __must_check;

/**
 * pgtable_map_pages - map @nr pages, wherever they are, at consecutive addresses from @va on.
 * @va: page-aligned; nothing of the range is mapped.
 *
 * Return:  0; -ENOMEM when a table cannot be had: then nothing is mapped.
 * Context: a thread that may sleep; one user of a range at a time.
 * Cost:    a few instructions a page.
 */
QAPI int pgtable_map_pages(uintptr_t va, struct page *const *pages, unsigned long nr, uint32_t prot)
	__must_check;

/**
 * pgtable_unmap_pages - unmap the single pages of a range, and leave the flush to the caller.
 * @va, @size: multiples of PAGE_SIZE; a large page in the range is a BUG.
 * @pages:     gets every page that was mapped, linked by lru; NULL if nobody wants them.
 *
 * Return:  pages that were mapped.
 * Context: any; one user of a range at a time.
 */
QAPI unsigned long pgtable_unmap_pages(uintptr_t va, size_t size, struct list_head *pages);

/**
 * pgtable_protect - change what mapped pages of the range allow; pages not mapped stay so.
 *
 * Return: as pgtable_unmap().
 */
QAPI int pgtable_protect(uintptr_t va, size_t size, uint32_t prot) __must_check;

/**
 * set_memory_ro, set_memory_rw, set_memory_np - read-only, writable, not present.
 * @va:       page-aligned, in the direct map.
 * @nr_pages: pages.
 *
 * set_memory_rw() makes pages that set_memory_np() took away present again.
 * Return:  0; -EINVAL for a range outside the direct map; -ENOMEM as above.
 */
QAPI int set_memory_ro(uintptr_t va, unsigned long nr_pages) __must_check;
QAPI int set_memory_rw(uintptr_t va, unsigned long nr_pages) __must_check;
QAPI int set_memory_np(uintptr_t va, unsigned long nr_pages) __must_check;

/**
 * pgtable_show - print the walk of @va, an entry a line.
 */
QAPI void pgtable_show(struct out *o, uintptr_t va);

/**
 * pgtable_nr_pages - page tables of the kernel range, the root included.  They are never freed.
 */
QAPI unsigned long pgtable_nr_pages(void);

#endif
