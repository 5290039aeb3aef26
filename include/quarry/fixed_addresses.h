/*
 * Layer: contract
 * fixed_addresses.h - the pages of the fixmap by number: addresses that the compiler knows.
 *
 * The numbers ascend from FIXMAP_START.  The port has the first ones, for early_ioremap();
 * kmap_local_page() has the last; set_fixmap() is for those between.
 *
 *	FIXMAP_START                                                             FIXMAP_TOP
 *	| early_ioremap() | set_fixmap(): with a name ... spare | kmap_local, each CPU |
 */
#ifndef QUARRY_FIXED_ADDRESSES_H
#define QUARRY_FIXED_ADDRESSES_H

#include <quarry/asm/layout.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

/* Each _END is the number after the last. */
enum fixed_addresses {
	FIX_EARLY_FIRST = 0,
	FIX_EARLY_END = (FIX_MISC_START - FIXMAP_START) / PAGE_SIZE,
	FIX_MISC_FIRST = FIX_EARLY_END,
	FIX_LAPIC = FIX_MISC_FIRST, /* registers of the local APIC */
	FIX_VGA_TEXT,               /* the text screen */
	FIX_SPARE_FIRST,            /* nobody's: for a kernel around the library, and for tests */
	FIX_SPARE_END = (FIX_KMAP_LOCAL_START - FIXMAP_START) / PAGE_SIZE,
	FIX_MISC_END = FIX_SPARE_END,
	FIX_KMAP_LOCAL_FIRST = FIX_MISC_END,
	FIX_KMAP_LOCAL_END = FIX_KMAP_LOCAL_FIRST + NR_CPUS * KMAP_LOCAL_SLOTS,
	NR_FIXED_ADDRESSES = FIX_KMAP_LOCAL_END,
};

static_assert((unsigned int)FIX_SPARE_FIRST < (unsigned int)FIX_SPARE_END,
	      "the port leaves too few pages for set_fixmap()");
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

#endif
