/*
 * boot_tables.c - the page tables that exist before mm/: the boot window, and the fixmap for good.
 *
 * IDEA.  What assembly code does on a real machine is done here by the bus, before anything touches
 * the window.  The boot tables map [0, BOOT_WINDOW) by large pages and go with the rest of boot
 * memory; the fixmap's are a part of the image that stays, and are entered into every root.
 *
 *	root ---> level 1 (boot) ---> 2 MiB pages of the boot window
 *	                         \--> fixmap, two tables of level 0
 *	later root ---> level 1 (fixed) --/     mm/ enters the direct map beside it
 *
 * CONTEXT.  Boot; port_fixmap_slot(): any.
 */
#include "hosted.h"
#include <quarry/port.h>

#define TABLE_SPAN   (1ul << (PAGE_SHIFT + PT_INDEX_BITS)) /* of a table of level 0 */
#define FIXED_BASE   (FIXMAP_START & ~(TABLE_SPAN - 1))
#define FIXED_TABLES 2u

static_assert(FIXED_BASE + FIXED_TABLES * TABLE_SPAN >= FIXMAP_TOP, "tables for all fixmap slots");
static_assert(IMAGE_FIXED + 1 + FIXED_TABLES <= IMAGE_PAGES, "they lie in the image");

static pte_t *by_bus(phys_addr_t pa)
{
	return (pte_t *)(bus + pa);
}

static void enter_fixmap(pte_t *level1)
{
	for (unsigned int i = 0; i < FIXED_TABLES; i++)
		pte_set(&level1[pt_index(FIXED_BASE + i * TABLE_SPAN, 1)],
			pte_make_table(IMAGE_PAGE_PA(IMAGE_FIXED + 1 + i)));
}

phys_addr_t boot_tables_make(void)
{
	phys_addr_t root = IMAGE_PAGE_PA(IMAGE_TABLES), level1 = IMAGE_PAGE_PA(IMAGE_TABLES + 1);

	for (phys_addr_t pa = 0; pa < BOOT_WINDOW; pa += TABLE_SPAN)
		pte_set(&by_bus(level1)[pt_index(PAGE_OFFSET + (uintptr_t)pa, 1)],
			pte_make((pfn_t)(pa >> PAGE_SHIFT), PROT_READ | PROT_WRITE, 1));
	enter_fixmap(by_bus(level1));
	enter_fixmap(by_bus(IMAGE_PAGE_PA(IMAGE_FIXED)));
	pte_set(&by_bus(root)[pt_index(PAGE_OFFSET, 2)], pte_make_table(level1));
	return root;
}

QAPI pte_t *port_fixmap_slot(uintptr_t va)
{
	pte_t *tables = pa_to_va(IMAGE_PAGE_PA(IMAGE_FIXED + 1));

	return &tables[(va - FIXED_BASE) >> PAGE_SHIFT];
}

QAPI void port_install_fixed(pte_t *root)
{
	pte_set(&root[pt_index(FIXMAP_START, 2)], pte_make_table(IMAGE_PAGE_PA(IMAGE_FIXED)));
}
