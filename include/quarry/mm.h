/*
 * Layer: mm
 * mm.h - page frames: numbers, addresses, references; starting and inspecting the subsystem.
 */
#ifndef QUARRY_MM_H
#define QUARRY_MM_H

#include <quarry/asm/layout.h>
#include <quarry/atomic.h>
#include <quarry/bug.h>
#include <quarry/cmdline.h>
#include <quarry/compiler.h>
#include <quarry/mm_types.h>
#include <quarry/mmzone.h>
#include <quarry/page_ref.h>
#include <quarry/types.h>

struct bootinfo;
struct mem_region;
struct out;

/* Decided at boot from the memory map, vmalloc= and highmem=. */
struct mm_layout {
	phys_addr_t lowmem_end;  /* pa: the direct map's end, ZONE_HIGHMEM's start */
	pfn_t lowmem_end_pfn;    /* of it */
	uintptr_t high_memory;   /* va of lowmem_end */
	uintptr_t vmalloc_start; /* va */
	uintptr_t vmalloc_end;   /* va */
};

extern struct mm_layout mm_layout;

/* ---- numbers ---------------------------------------------------------------------------- */

/**
 * pfn_valid - does @pfn have a struct page?  True for holes inside the map too: they are
 * PG_reserved.
 */
static inline bool pfn_valid(pfn_t pfn)
{
	return pfn < max_pfn;
}

static inline struct page *pfn_to_page(pfn_t pfn)
{
	return mem_map + pfn;
}

static inline pfn_t page_to_pfn(const struct page *page)
{
	return (pfn_t)(page - mem_map);
}

static inline phys_addr_t page_to_phys(const struct page *page)
{
	return (phys_addr_t)page_to_pfn(page) << PAGE_SHIFT;
}

/* Is @va in the direct map? */
static inline bool virt_addr_valid(const void *va)
{
	return (uintptr_t)va - PAGE_OFFSET < mm_layout.high_memory - PAGE_OFFSET;
}

/**
 * virt_to_page - the page at a direct-map address; @va must satisfy virt_addr_valid().
 */
static inline struct page *virt_to_page(const void *va)
{
	return pfn_to_page((pfn_t)(va_to_pa(va) >> PAGE_SHIFT));
}

/* The page at @va, or NULL: no lowmem.  In front of every kfree(), hence the care for registers. */
static inline struct page *lowmem_page(const void *va)
{
	pfn_t pfn = ((uintptr_t)va - PAGE_OFFSET) >> PAGE_SHIFT;
	uintptr_t page;

	if (unlikely(pfn >= mm_layout.lowmem_end_pfn))
		return NULL;
	page = pfn * sizeof(struct page);
	opaque(page); /* a product, then a sum: no scaled address, for which one is not enough */
	page += (uintptr_t)mem_map;
	opaque(page);
	if (!page)
		__builtin_unreachable(); /* spares the caller a second test */
	return (struct page *)page;
}

/**
 * page_address - the kernel address of a page's contents.
 *
 * Return:  NULL for a highmem page that is not mapped.
 * Cost:    one load.
 */
static inline void *page_address(const struct page *page)
{
	return page->virtual;
}

static inline enum zone_type page_zone_type(const struct page *page)
{
	return (enum zone_type)((READ_ONCE(page->flags) & PG_ZONE_MASK) >> PG_ZONE_SHIFT);
}

static inline struct zone *page_zone(const struct page *page)
{
	return &zones[page_zone_type(page)];
}

/* ---- the subsystem ---------------------------------------------------------------------- */

/**
 * mm_init - from a memory map to a working page allocator.
 * @bi:  the loader's data; modules and kept ranges become reservations by name.
 * @map: the sanitised map: sorted, disjoint, RAM in whole pages.
 * @nr:  its entries.
 *
 * Context: boot, once, interrupts off.  Panics when there is not enough memory to go on.
 */
QAPI void mm_init(const struct bootinfo *bi, const struct mem_region *map, unsigned int nr);

/**
 * mm_lowmem_max - the most that lowmem can be, after vmalloc= and highmem=.
 * @ram: bytes of RAM in the map.
 *
 * Return:  bytes from physical 0: what the struct pages must fit into.
 * Context: boot, after the options were parsed.
 */
QAPI unsigned long mm_lowmem_max(phys_addr_t ram);

/**
 * mm_free_init - hand the boot page tables and .init memory to the page allocator.
 *
 * Context: once, when no function in .init.text will run again.
 */
QAPI void mm_free_init(void);

/**
 * mm_release - hand a reserved range that boot needed to the page allocator.
 * @name: its reservation, as memblock_show() prints it: a module's name, "boot information", ...
 *
 * Return:  pages freed; 0 when no reservation has that name, when it has no whole page of RAM, or
 *          when it is what the kernel itself stands on (its image, page tables, struct pages).
 * Context: a thread that may sleep.
 */
QAPI unsigned long mm_release(const char *name);

/**
 * mm_quiesce - drain every per-CPU cache on every CPU into the free lists.
 *
 * Counts are comparable after it, as long as nobody allocates.
 * Context: a thread that may sleep.
 */
QAPI void mm_quiesce(void);

/* Boot options that mm/ understands, for cmdline_parse(). */
extern const struct boot_option mm_boot_options[];
extern const unsigned int nr_mm_boot_options;

/* ---- accounting ------------------------------------------------------------------------- */

struct mm_account {
	unsigned long nr_ram;      /* pages of RAM in the sanitised map that are in use */
	unsigned long nr_managed;  /* of these: handed to the page allocator */
	unsigned long nr_reserved; /* of these: reserved by name; managed + reserved == ram */
	unsigned long nr_mem_map;  /* of the reserved: struct pages */
	unsigned long nr_pgtable;  /* page tables of the kernel range, all of them */
	unsigned long nr_free;     /* in free lists now */
	unsigned long nr_pcp;      /* in per-CPU lists now */
};

/**
 * mm_account - where every page of RAM is.
 * @a: the result; the counts are of one moment only after mm_quiesce() with nobody allocating.
 *
 * Context: any.  Cost: one pass over memblock's lists.
 */
QAPI void mm_account(struct mm_account *a);

/* ---- reports: the text formats of Linux 6.1 where it has one ------------------------------ */

/**
 * buddyinfo_show - free blocks by zone and order: /proc/buddyinfo.
 *
 * Context: any.
 */
QAPI void buddyinfo_show(struct out *o);

/**
 * zoneinfo_show - each zone's counts, watermarks and per-CPU lists: /proc/zoneinfo.
 *
 * Context: a thread that may sleep.
 */
QAPI void zoneinfo_show(struct out *o);

/**
 * pagetypeinfo_show - free blocks and pageblocks by mobility: /proc/pagetypeinfo.
 *
 * Context: any.
 */
QAPI void pagetypeinfo_show(struct out *o);

/**
 * meminfo_show - the whole memory in a table: /proc/meminfo.
 *
 * Context: any.
 */
QAPI void meminfo_show(struct out *o);

/**
 * memblock_show - what is RAM and who reserved which part of it, a range a line.
 *
 * Context: any.
 */
QAPI void memblock_show(struct out *o);

/**
 * page_show - one line on one frame: pfn, address, zone, flags by name, count, order.
 *
 * Context: any.
 */
QAPI void page_show(struct out *o, const struct page *page);

/**
 * va_region - which part of the address space @va lies in.
 *
 * Return:  a string constant: "direct map", "fixmap", "unmapped (user)", ...
 * Context: any.
 */
QAPI const char *va_region(uintptr_t va);

/* ---- validators: count what is wrong, print each, never stop ------------------------------ */

/**
 * zone_check - verify every invariant of a zone's buddy lists.
 *
 * Return:  the number of violations, each printed.
 * Context: any; holds zone->lock throughout.  Cost: every free block and every page of the zone.
 */
QAPI unsigned int zone_check(struct zone *z);

/**
 * mm_check_all - every validator of mm/.
 */
QAPI unsigned int mm_check_all(void);

/* ---- limits ------------------------------------------------------------------------------ */

/**
 * mm_set_min_free - set min_free_kbytes and derive every zone's watermarks and reserves from it.
 * @kbytes: 0 for the value that the size of lowmem suggests.
 *
 * Return:  0, or -EINVAL when it is more than a quarter of lowmem.
 * Context: thread.
 */
QAPI int mm_set_min_free(unsigned long kbytes);
QAPI unsigned long mm_min_free_kbytes(void);

#endif
