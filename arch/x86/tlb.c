/*
 * tlb.c - forgetting translations, and the kernel's root table.
 *
 * IDEA.  One page is forgotten by INVLPG, which takes global translations too.  Many pages cost
 * less by a full flush: writing CR3 keeps global translations (that is their purpose), so the full
 * flush switches CR4.PGE off and on, which drops everything.
 *
 * STATE.  root: what CR3 holds, as a kernel address.
 *
 * INVARIANTS.  T1: after each function here returns, this CPU holds no translation of the range.
 *
 * CONTEXT.  Any.  One CPU runs so far as this file is concerned: smp.c adds the others.
 *
 * SOURCES.  Intel SDM vol. 3, section 4.10.4.
 */
#include "io.h"
#include "x86.h"
#include <quarry/port.h>

/* Beyond this many pages a full flush is cheaper than one INVLPG each. */
#define FLUSH_ALL_PAGES 64u

static pte_t *root;

QAPI void tlb_flush_page(uintptr_t va)
{
	tlb_flush_page_local(va);
}

QAPI void tlb_flush_all(void)
{
	uint32_t cr4 = read_cr4();

	if (cr4 & CR4_PGE) {
		write_cr4(cr4 & ~CR4_PGE);
		write_cr4(cr4);
	} else {
		write_cr3(read_cr3());
	}
}

QAPI void tlb_flush_range(uintptr_t start, uintptr_t end)
{
	if ((end - start) >> PAGE_SHIFT > FLUSH_ALL_PAGES) {
		tlb_flush_all();
		return;
	}
	for (uintptr_t va = start; va != end; va += PAGE_SIZE)
		tlb_flush_page(va);
}

QAPI pte_t *port_root_table(void)
{
	return root ? root : pa_to_va(read_cr3());
}

QAPI void port_switch_root(pte_t *new_root)
{
	root = new_root;
	write_cr3((uint32_t)va_to_pa(new_root));
	tlb_flush_all();
	gdt_set_df_root((uint32_t)va_to_pa(new_root));
}

QAPI pte_t *port_fixmap_slot(uintptr_t va)
{
	return &fixmap_table[pt_index(va, 0)];
}

QAPI void port_install_fixed(pte_t *new_root)
{
	pte_set(&new_root[pt_index(FIXMAP_START, 1)], pte_make_table(va_to_pa(fixmap_table)));
}

/* One root table, used by everybody: there is nothing to copy to. */
QAPI void port_root_entry_added(uintptr_t va, pte_t pte)
{
	(void)va;
	(void)pte;
}
