/*
 * Layer: port
 * pgtable.h - page-table entries of 32-bit x86 without PAE: two levels, 4 MiB large pages.
 *
 *	level 1   page directory, 1024 entries of 4 MiB: a table, or a large page (PSE)
 *	level 0   page table, 1024 entries of 4 KiB
 *
 * What mm/pgtable.c may use is listed in include/quarry/contract.txt.
 */
#ifndef QUARRY_ASM_PGTABLE_H
#define QUARRY_ASM_PGTABLE_H

#include <quarry/asm/layout.h>
#include <quarry/compiler.h>
#include <quarry/prot.h>
#include <quarry/types.h>

/* mm/paging.c builds the direct map of this port; 0 for a kernel that comes with its own. */
#define PORT_BUILDS_DIRECT_MAP 1

#define PT_LEVELS     2u
#define PT_INDEX_BITS 10u
#define PT_ENTRIES    (1u << PT_INDEX_BITS)

typedef struct {
	uint32_t raw;
} pte_t;

static_assert(sizeof(pte_t) * PT_ENTRIES == PAGE_SIZE, "a table fills a page");

/* An enum, because the debug information has no macros. */
enum pte_bit {
	PTE_PRESENT = 0x001,
	PTE_WRITE = 0x002,
	PTE_USER = 0x004,
	PTE_PWT = 0x008, /* alone: PAT entry 1, write-combining where there is a PAT (cpu.c) */
	PTE_PCD = 0x010,
	PTE_ACCESSED = 0x020,
	PTE_DIRTY = 0x040,
	PTE_LARGE = 0x080, /* at level 1 */
	PTE_GLOBAL = 0x100,
	PTE_PFN_MASK = 0xfffff000u,
};

/*
 * What the CPU supports, found before paging is on: PTE_LARGE and PTE_GLOBAL where it does, PTE_PWT
 * where that bit alone can mean write-combining.
 */
extern uint32_t pte_supported;

static inline unsigned int pt_shift(unsigned int level)
{
	return PAGE_SHIFT + level * PT_INDEX_BITS;
}

static inline unsigned int pt_index(uintptr_t va, unsigned int level)
{
	return (va >> pt_shift(level)) & (PT_ENTRIES - 1);
}

/* May an entry of @level map memory itself instead of pointing to a table? */
static inline bool pt_leaf_possible(unsigned int level)
{
	return level == 0 || (pte_supported & PTE_LARGE);
}

static inline uint32_t pte_bits(uint32_t prot)
{
	uint32_t bits = PTE_PRESENT | PTE_ACCESSED;

	if (prot & PROT_WRITE)
		bits |= PTE_WRITE | PTE_DIRTY;
	if (prot & PROT_UNCACHED)
		bits |= PTE_PCD | PTE_PWT;
	if (prot & PROT_WRITE_COMBINE)
		bits |= pte_supported & PTE_PWT ? PTE_PWT : PTE_PCD | PTE_PWT;
	if (prot & PROT_GLOBAL)
		bits |= pte_supported & PTE_GLOBAL;
	return bits;
}

/* A leaf at @level; @pfn is aligned to what the level maps.  PROT_EXEC is implied: no NX here. */
static inline pte_t pte_make(pfn_t pfn, uint32_t prot, unsigned int level)
{
	return (pte_t){ (uint32_t)(pfn << PAGE_SHIFT) | pte_bits(prot) | (level ? PTE_LARGE : 0) };
}

/* An entry that points to the table at @pa. */
static inline pte_t pte_make_table(phys_addr_t pa)
{
	return (pte_t){ (uint32_t)pa | PTE_PRESENT | PTE_WRITE | PTE_ACCESSED };
}

/* A leaf of level 0 for the frame @nr behind that of @pte, another one. */
static inline pte_t pte_advance(pte_t pte, pfn_t nr)
{
	return (pte_t){ pte.raw + (uint32_t)(nr << PAGE_SHIFT) };
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
	return level == 0 || (pte.raw & PTE_LARGE);
}

/* The entry as the hardware has it, for reports. */
static inline uint64_t pte_raw(pte_t pte)
{
	return pte.raw;
}

/* First frame of a leaf, or the frame of the table that the entry points to. */
static inline pfn_t pte_pfn(pte_t pte)
{
	return pte.raw >> PAGE_SHIFT;
}

static inline uint32_t pte_prot(pte_t pte)
{
	uint32_t prot = PROT_READ | PROT_EXEC;

	if (pte.raw & PTE_WRITE)
		prot |= PROT_WRITE;
	if (pte.raw & PTE_PCD)
		prot |= PROT_UNCACHED;
	else if (pte.raw & PTE_PWT)
		prot |= PROT_WRITE_COMBINE;
	if (pte.raw & PTE_GLOBAL)
		prot |= PROT_GLOBAL;
	return prot;
}

/* The CPU sets bits in entries by itself: every access is exactly one load or one store. */
static inline pte_t pte_read(const pte_t *slot)
{
	return (pte_t){ READ_ONCE(slot->raw) };
}

static inline void pte_set(pte_t *slot, pte_t pte)
{
	WRITE_ONCE(slot->raw, pte.raw);
}

/* Forget @va, on this CPU only: for a mapping that no other CPU may use. */
static inline void tlb_flush_page_local(uintptr_t va)
{
	__asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

#endif
