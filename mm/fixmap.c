/*
 * fixmap.c - physical memory at addresses that the compiler knows.
 *
 * IDEA.  The page table of the fixmap is there from boot, so a mapping is one store and a flush: it
 * needs no memory and cannot fail.  What can be wrong is the caller, and that is a BUG that names
 * the index: two users of a page would take each other's mapping away.  Which index is whose:
 * <quarry/fixed_addresses.h>.
 *
 * STATE.  The page-table entries; whether one is set is whether it is present.
 *
 * INVARIANTS.  F1: a slot that is not present is in no TLB.
 *
 * CONTEXT.  One user of an index at a time; virt_to_fix() any.
 *
 * NOT HERE.  The slots of kmap_local_page(): highmem.c.  Reports: kmap_show.c.
 */
#include <quarry/align.h>
#include <quarry/bug.h>
#include <quarry/fixmap.h>
#include <quarry/port.h>

QAPI const char *fixmap_user(unsigned int index)
{
	if (index >= FIX_KMAP_LOCAL_FIRST)
		return index < FIX_KMAP_LOCAL_END ? "kmap_local" : "nobody";
	if (index >= FIX_SPARE_FIRST)
		return "spare";
	if (index == FIX_VGA_TEXT)
		return "vga_text";
	return index == FIX_LAPIC ? "lapic" : "early_ioremap";
}

static void check_index(const char *what, unsigned int index)
{
	if (index - FIX_MISC_FIRST >= FIX_MISC_END - FIX_MISC_FIRST) /* below it, too */
		panic("%s: index %u is %s's: not one of %u..%u", what, index, fixmap_user(index),
		      (unsigned int)FIX_MISC_FIRST, (unsigned int)FIX_MISC_END - 1);
}

QAPI unsigned int virt_to_fix(uintptr_t va)
{
	if (va < FIXMAP_START || va >= FIXMAP_TOP)
		panic("virt_to_fix: 0x%08lx is not in the fixmap", (unsigned long)va);
	return (unsigned int)((va - FIXMAP_START) >> PAGE_SHIFT);
}

static void set_slot(unsigned int index, pte_t pte)
{
	uintptr_t va = __fix_to_virt(index);

	pte_set(port_fixmap_slot(va), pte);
	tlb_flush_range(va, va + PAGE_SIZE);
}

QAPI void __set_fixmap(unsigned int index, phys_addr_t pa, uint32_t prot)
{
	check_index("set_fixmap", index);
	if (!IS_ALIGNED(pa, PAGE_SIZE) || pa >= PHYS_ADDR_LIMIT)
		panic("set_fixmap: index %u: 0x%llx is not the address of a page", index,
		      (unsigned long long)pa);
	set_slot(index, pte_make((pfn_t)(pa >> PAGE_SHIFT), prot, 0));
}

QAPI void clear_fixmap(unsigned int index)
{
	check_index("clear_fixmap", index);
	if (!pte_present(pte_read(port_fixmap_slot(__fix_to_virt(index)))))
		panic("clear_fixmap: index %u is not set", index);
	set_slot(index, pte_none());
}
