/*
 * Layer: port
 * pgtable.h - page tables that no hardware reads: three levels of 512 entries of 64 bits.
 *
 * Deliberately another shape than the x86 port's: what walks these tables is generic or broken.
 *
 *	63   32 31      12 11        3 2 1 0
 *	| zero  | frame     | prot      |L|P|	L: maps memory itself, P: present
 */
#ifndef QUARRY_ASM_PGTABLE_H
#define QUARRY_ASM_PGTABLE_H

#include <quarry/asm/layout.h>
#include <quarry/compiler.h>
#include <quarry/prot.h>
#include <quarry/types.h>

/* The library makes the tables of the direct map; nothing but the library reads them here. */
#define PORT_BUILDS_DIRECT_MAP 1

#define PT_LEVELS     3u
#define PT_INDEX_BITS 9u
#define PT_ENTRIES    (1u << PT_INDEX_BITS)

typedef struct {
	uint64_t raw;
} pte_t;

static_assert(sizeof(pte_t) * PT_ENTRIES == PAGE_SIZE, "a table fills a page");

#define PTE_PRESENT    0x1u
#define PTE_LEAF       0x2u
#define PTE_PROT_SHIFT 3u
#define PTE_PROT_MASK  (0x3fu << PTE_PROT_SHIFT)

static inline unsigned int pt_shift(unsigned int level)
{
	return PAGE_SHIFT + level * PT_INDEX_BITS;
}

/* The top level covers more than 32 bits: its index is what is left of the address. */
static inline unsigned int pt_index(uintptr_t va, unsigned int level)
{
	return (unsigned int)((uint64_t)va >> pt_shift(level)) & (PT_ENTRIES - 1);
}

/* Large pages at level 1 only: 2 MiB. */
static inline bool pt_leaf_possible(unsigned int level)
{
	return level <= 1;
}

static inline pte_t pte_make(pfn_t pfn, uint32_t prot, unsigned int level)
{
	(void)level;
	return (pte_t){ ((uint64_t)pfn << PAGE_SHIFT) | (prot << PTE_PROT_SHIFT) | PTE_PRESENT |
			PTE_LEAF };
}

static inline pte_t pte_make_table(phys_addr_t pa)
{
	return (pte_t){ pa | PTE_PRESENT };
}

/* A leaf of level 0 for the frame @nr behind that of @pte, another one. */
static inline pte_t pte_advance(pte_t pte, pfn_t nr)
{
	return (pte_t){ pte.raw + ((uint64_t)nr << PAGE_SHIFT) };
}

static inline pte_t pte_none(void)
{
	return (pte_t){ 0 };
}

static inline bool pte_is_none(pte_t pte)
{
	return pte.raw == 0;
}

static inline bool pte_present(pte_t pte)
{
	return pte.raw & PTE_PRESENT;
}

static inline bool pte_is_leaf(pte_t pte, unsigned int level)
{
	(void)level;
	return pte.raw & PTE_LEAF;
}

static inline pfn_t pte_pfn(pte_t pte)
{
	return (pfn_t)(pte.raw >> PAGE_SHIFT);
}

static inline uint32_t pte_prot(pte_t pte)
{
	return (uint32_t)(pte.raw & PTE_PROT_MASK) >> PTE_PROT_SHIFT;
}

static inline uint64_t pte_raw(pte_t pte)
{
	return pte.raw;
}

static inline pte_t pte_read(const pte_t *slot)
{
	return *slot;
}

static inline void pte_set(pte_t *slot, pte_t pte)
{
	*slot = pte;
}

static inline void tlb_flush_page_local(uintptr_t va)
{
	(void)va;
}

#endif
