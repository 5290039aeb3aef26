/*
 * cpu.c - the control bits of the CPU that runs this, and its per-CPU base.
 *
 * IDEA.  CR4 was cleared at entry.  Large pages are switched on before the first table uses them,
 * global pages only when paging is on, as the CPU manuals ask.  The per-CPU base is 0 for the boot
 * CPU: its copy of the per-CPU variables is the linked template itself.
 *
 * STATE.  percpu_offset[], percpu_this_offset, percpu_cpu_id, context_word.
 *
 * INVARIANTS.  C1: interrupts are off and context_word says so until the kernel enables them.
 *
 * CONTEXT.  Boot, each CPU once.
 *
 * SOURCES.  Intel SDM vol. 3, sections 2.5 and 4.10.2.4.
 */
#include "io.h"
#include "x86.h"
#include <quarry/asm/context.h>
#include <quarry/asm/percpu.h>

uintptr_t percpu_offset[NR_CPUS];
DEFINE_PER_CPU(uintptr_t, percpu_this_offset) = 0;
DEFINE_PER_CPU(unsigned int, percpu_cpu_id) = 0;
DEFINE_PER_CPU(unsigned int, context_word) = CONTEXT_IRQS_OFF;

__init void cpu_init(void)
{
	uint32_t cr4 = read_cr4();

	if (pte_supported & PTE_LARGE)
		cr4 |= CR4_PSE;
	if (pte_supported & PTE_GLOBAL)
		cr4 |= CR4_PGE;
	write_cr4(cr4);
}
