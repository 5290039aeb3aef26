/*
 * early_trap.c - a fault before the kernel's own IDT is up: print it, stop, never reboot.
 *
 * IDEA.  The IDT is filled with the addresses where the stubs really are, which before paging is
 * not where they are linked.  The handler prints the registers by the polled serial port and ends
 * with the panic code, so that a machine that dies this early says where.
 *
 * STATE.  early_idt, boot memory.
 *
 * CONTEXT.  From the first C instruction until idt_init().  Position-independent.
 *
 * NOT HERE.  Reports with symbols and page-table walks: trap.c.
 */
#include "io.h"
#include "x86.h"
#include <quarry/port.h>

#define EARLY_STUB_SIZE 16u

extern const char early_trap_stubs[];

__initbss struct gate early_idt[NR_EXCEPTIONS];

void early_trap(const struct trap_frame *f) __noreturn;

__init void early_trap_init(void)
{
	struct descriptor_ptr idtr = { sizeof(early_idt) - 1, (uint32_t)early_idt };

	for (uint32_t i = 0; i < NR_EXCEPTIONS; i++)
		early_idt[i] = gate_make((uint32_t)early_trap_stubs + i * EARLY_STUB_SIZE,
					 SEL_KERNEL_CODE, GATE_INTERRUPT);
	__asm__ volatile("lidt %0" ::"m"(idtr));
}

/* A fault in the report itself: the first one is out, as far as it could be. */
static __initbss bool reporting;

__init void early_trap(const struct trap_frame *f)
{
	if (reporting)
		port_stop(EXIT_CODE_PANIC);
	reporting = true;
	early_printk("panic: exception %u at eip=%08x before the kernel was up\n", f->vector,
		     f->eip);
	early_printk("error=%08x eflags=%08x cs=%04x cr0=%08x cr2=%08x cr3=%08x\n", f->error,
		     f->eflags, f->cs, read_cr0(), read_cr2(), read_cr3());
	early_printk("eax=%08x ebx=%08x ecx=%08x edx=%08x esi=%08x edi=%08x ebp=%08x esp=%08x\n",
		     f->eax, f->ebx, f->ecx, f->edx, f->esi, f->edi, f->ebp, (uint32_t)(f + 1));
	port_stop(EXIT_CODE_PANIC);
}
