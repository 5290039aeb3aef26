/*
 * idt.c - the interrupt descriptor table: one for all CPUs.
 *
 * IDEA.  Every vector has a stub in trap.asm, all of one size, and an interrupt gate, so that
 * interrupts are off until the handler says otherwise.  The double fault has a task gate (gdt.c).
 *
 * STATE.  idt[], written once at boot.
 *
 * CONTEXT.  Boot.
 *
 * SOURCES.  Intel SDM vol. 3, section 6.11.
 */
#include "x86.h"

#define TRAP_STUB_SIZE 16u /* trap.asm aligns them so */

extern const char trap_stubs[];

static struct gate idt[NR_VECTORS];

__init void idt_init(void)
{
	struct descriptor_ptr idtr = { sizeof(idt) - 1, (uint32_t)idt };

	for (uint32_t i = 0; i < NR_VECTORS; i++)
		idt[i] = gate_make((uint32_t)trap_stubs + i * TRAP_STUB_SIZE, SEL_KERNEL_CODE,
				   GATE_INTERRUPT);
	idt[VEC_DOUBLE_FAULT] = gate_make(0, SEL_DF_TSS, GATE_TASK);
	__asm__ volatile("lidt %0" ::"m"(idtr));
}
