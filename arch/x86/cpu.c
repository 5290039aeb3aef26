/*
 * cpu.c - the control bits of the CPU that runs this, and its per-CPU base.
 *
 * IDEA.  CR4 was cleared at entry.  Large pages are switched on before the first table uses them,
 * global pages only when paging is on, as the CPU manuals ask.  The per-CPU base is 0 for the boot
 * CPU: its copy of the per-CPU variables is the linked template itself.
 *
 * The two cache bits of an entry, PCD and PWT, choose one of the first four entries of the PAT.
 * Entry 1 is made write-combining, which no other choice of these bits gives; it is write-through
 * after reset, for which nobody asks.  The upper four entries are never chosen: their bit is 7 in a
 * page's entry and 12 in a large page's, and errata of some CPUs lose it.
 *
 * STATE.  percpu_offset[], percpu_this_offset, percpu_cpu_id, context_word.
 *
 * INVARIANTS.  C1: interrupts are off and context_word says so until the kernel enables them.
 * C2: the PAT is the same on every CPU.
 *
 * CONTEXT.  Boot, each CPU once.
 *
 * SOURCES.  Intel SDM vol. 3, sections 2.5, 4.10.2.4, 11.11.8 and 11.12.
 */
#include "io.h"
#include "x86.h"
#include <quarry/asm/context.h>
#include <quarry/asm/percpu.h>
#include <quarry/port.h>

uintptr_t percpu_offset[NR_CPUS];
DEFINE_PER_CPU(uintptr_t, percpu_this_offset) = 0;
DEFINE_PER_CPU(unsigned int, percpu_cpu_id) = 0;
DEFINE_PER_CPU(unsigned int, context_word) = CONTEXT_IRQS_OFF;

/* By PTE_PCD << 1 | PTE_PWT: as after reset, but for entry 1. */
#define PAT_HALF    (MEMORY_WB | MEMORY_WT << 8 | MEMORY_UC_MINUS << 16 | MEMORY_UC << 24)
#define PAT_ENTRIES (PAT_HALF << 32 | (PAT_HALF & ~(0xffull << 8)) | MEMORY_WC << 8)

/* No line may stay cached under a type that it no longer has: the order is the manual's. */
static __init void pat_init(void)
{
	uint32_t cr0 = read_cr0();

	write_cr0(cr0 | CR0_CD);
	write_back_caches();
	tlb_flush_all();
	write_msr(MSR_PAT, PAT_ENTRIES);
	write_back_caches();
	tlb_flush_all();
	write_cr0(cr0);
}

__init void cpu_init(void)
{
	uint32_t cr4 = read_cr4();

	if (pte_supported & PTE_LARGE)
		cr4 |= CR4_PSE;
	if (pte_supported & PTE_GLOBAL)
		cr4 |= CR4_PGE;
	write_cr4(cr4);
	if (pte_supported & PTE_PWT)
		pat_init();
}
