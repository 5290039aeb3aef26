/*
 * Layer: mm
 * fixmap.h - addresses that are known when the kernel is compiled, and what is mapped there later.
 */
#ifndef QUARRY_FIXMAP_H
#define QUARRY_FIXMAP_H

#include <quarry/asm/layout.h>
#include <quarry/compiler.h>
#include <quarry/prot.h>
#include <quarry/types.h>

struct out;

/*
 * A page of the fixmap has a number, ascending from FIXMAP_START.  The port's early_ioremap() has
 * the first ones, kmap_local_page() the last; those between have names, and set_fixmap() is theirs.
 */
enum fixed_addresses {
	FIX_EARLY_FIRST = 0,
	FIX_NAMED_FIRST = (FIX_MISC_START - FIXMAP_START) / PAGE_SIZE,
	FIX_LAPIC = FIX_NAMED_FIRST, /* registers of the local APIC */
	FIX_IOAPIC,
	FIX_VGA_TEXT, /* the text screen */
	FIX_TEST,     /* two pages for tests */
	FIX_TEST_LAST,
	FIX_NAMED_END,
	FIX_KMAP_LOCAL_FIRST = (FIX_KMAP_LOCAL_START - FIXMAP_START) / PAGE_SIZE,
	FIX_KMAP_LOCAL_END = FIX_KMAP_LOCAL_FIRST + NR_CPUS * KMAP_LOCAL_SLOTS,
	NR_FIXED_ADDRESSES = FIX_KMAP_LOCAL_END,
};

static_assert((unsigned int)FIX_NAMED_END <= (unsigned int)FIX_KMAP_LOCAL_FIRST,
	      "FIX_MISC_PAGES is too small for the named pages");
static_assert(FIXMAP_START + NR_FIXED_ADDRESSES * PAGE_SIZE == FIXMAP_TOP,
	      "every page of the fixmap has a number");

/* Defined nowhere: a call that is left over does not link. */
QAPI void __fix_index_out_of_range(void);

/**
 * __fix_to_virt - the address of a page whose number is not known to the compiler.
 * @index: 0..NR_FIXED_ADDRESSES - 1, which is not checked.
 */
static inline uintptr_t __fix_to_virt(unsigned int index)
{
	return FIXMAP_START + (uintptr_t)index * PAGE_SIZE;
}

/**
 * fix_to_virt - the address of a fixed page: a constant.
 * @index: a constant of enum fixed_addresses; one beyond it does not link.
 */
static inline __always_inline uintptr_t fix_to_virt(unsigned int index)
{
	if (index >= NR_FIXED_ADDRESSES)
		__fix_index_out_of_range();
	return __fix_to_virt(index);
}

/**
 * virt_to_fix - the number of the fixed page that @va lies in; outside the fixmap it is a BUG.
 */
QAPI unsigned int virt_to_fix(uintptr_t va);

/**
 * __set_fixmap - map physical memory, which need not be RAM, at a fixed page.
 * @index: one with a name: FIX_NAMED_FIRST..FIX_NAMED_END - 1, or BUG.
 * @pa:    a multiple of PAGE_SIZE below PHYS_ADDR_LIMIT, or BUG.
 * @prot:  PROT_*.
 *
 * What was mapped there is replaced.
 * Owner:   whoever the name is about, until clear_fixmap().
 * Context: boot, or a thread; one user of an index at a time.
 */
QAPI void __set_fixmap(unsigned int index, phys_addr_t pa, uint32_t prot);

/* Cached, read and write: RAM. */
static inline void set_fixmap(unsigned int index, phys_addr_t pa)
{
	__set_fixmap(index, pa, PROT_READ | PROT_WRITE);
}

/* The registers of a device. */
static inline void set_fixmap_nocache(unsigned int index, phys_addr_t pa)
{
	__set_fixmap(index, pa, PROT_READ | PROT_WRITE | PROT_UNCACHED);
}

/**
 * clear_fixmap - unmap a fixed page that is mapped, or BUG.
 *
 * Post: no CPU holds a translation of it.
 */
QAPI void clear_fixmap(unsigned int index);

/**
 * fixmap_show - one line for each fixed page that is mapped: number, user, address, frame.
 *
 * Context: any.
 */
QAPI void fixmap_show(struct out *o);

#endif
