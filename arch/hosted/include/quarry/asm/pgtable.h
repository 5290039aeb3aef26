/*
 * Layer: port
 * pgtable.h - page-table entries of the hosted port: three levels of 512 entries of 64 bits.
 *
 *	level 2   root, entries of 1 GiB
 *	level 1   entries of 2 MiB: a table, or a large page
 *	level 0   entries of 4 KiB
 *
 *	63        12 11  9 8        3  2   1 0
 *	| frame     | zero | PROT_*  | 0 |L|P|	L: maps memory itself, P: present
 *
 * Another shape than the x86 port's on purpose: what walks these tables is generic or broken.  The
 * reader is a software TLB (tlb.c), which fetches an entry when an address is first touched.
 */
#ifndef QUARRY_ASM_PGTABLE_H
#define QUARRY_ASM_PGTABLE_H

#include <quarry/asm/layout.h>
#include <quarry/compiler.h>
#include <quarry/prot.h>
#include <quarry/types.h>

/* mm/paging.c builds the direct map of this port. */
#define PORT_BUILDS_DIRECT_MAP 1

#define PT_LEVELS     3u
#define PT_INDEX_BITS 9u
#define PT_ENTRIES    (1u << PT_INDEX_BITS)

typedef struct {
	uint64_t raw __aligned(8); /* one access, in 32 bits too */
} pte_t;

static_assert(sizeof(pte_t) * PT_ENTRIES == PAGE_SIZE, "a table fills a page");

enum pte_bit {
	PTE_PRESENT = 0x001,
	PTE_LEAF = 0x002,
	PTE_PROT_SHIFT = 3,
	PTE_PROT_MASK = 0x3f << PTE_PROT_SHIFT,
};

static inline unsigned int pt_shift(unsigned int level)
{
	return PAGE_SHIFT + level * PT_INDEX_BITS;
}

/* The root covers more than a 32-bit process has: its index is what is left of the address. */
static inline unsigned int pt_index(uintptr_t va, unsigned int level)
{
	return (unsigned int)((uint64_t)va >> pt_shift(level)) & (PT_ENTRIES - 1);
}

/* May an entry of @level map memory itself instead of pointing to a table? */
static inline bool pt_leaf_possible(unsigned int level)
{
	return level <= 1;
}

/* A leaf at @level; @pfn is aligned to what the level maps.  PROT_EXEC is implied. */
static inline pte_t pte_make(pfn_t pfn, uint32_t prot, unsigned int level)
{
	(void)level;
	return (pte_t){ ((uint64_t)pfn << PAGE_SHIFT) |
			((prot | PROT_READ | PROT_EXEC) << PTE_PROT_SHIFT) | PTE_PRESENT |
			PTE_LEAF };
}

/* An entry that points to the table at @pa. */
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
	return level == 0 || (pte.raw & PTE_LEAF);
}

/* The entry as it is stored, for reports. */
static inline uint64_t pte_raw(pte_t pte)
{
	return pte.raw;
}

/* First frame of a leaf, or the frame of the table that the entry points to. */
static inline pfn_t pte_pfn(pte_t pte)
{
	return (pfn_t)(pte.raw >> PAGE_SHIFT);
}

static inline uint32_t pte_prot(pte_t pte)
{
	return (uint32_t)(pte.raw & PTE_PROT_MASK) >> PTE_PROT_SHIFT;
}

/* Whoever reads an entry that leads to a table finds the table as it was when the entry was set. */
static inline pte_t pte_read(const pte_t *slot)
{
	return (pte_t){ __atomic_load_n(&slot->raw, __ATOMIC_ACQUIRE) };
}

static inline void pte_set(pte_t *slot, pte_t pte)
{
	__atomic_store_n(&slot->raw, pte.raw, __ATOMIC_RELEASE);
}

/* Forget @va, on this CPU only: for a mapping that no other CPU may use. */
QAPI void tlb_flush_page_local(uintptr_t va);

#endif
