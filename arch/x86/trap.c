/*
 * trap.c - exceptions and interrupts: what happened, where, and what is mapped there.
 *
 * IDEA.  Nothing here can be recovered from, except two things that are expected: a probe that
 * faults goes on at probe_failed, and a debug exception may belong to a test.  Everything else is
 * a report: the exception by name, the error code decoded, the registers, the page-table walk
 * of the faulting address, the region it lies in, a backtrace with symbols; then panic.
 *
 * The report may fault itself.  Its first lines are out by then (the serial port is written at
 * once); the nested fault prints one line and stops, so the first report is never lost.
 *
 * STATE.  reporting: a report is being made on this machine; region_hook; the handlers of
 * interrupts, each set before its line is unmasked.
 *
 * INVARIANTS.  X1: no path from here allocates, takes a lock or sleeps.
 *
 * CONTEXT.  Traps, interrupts off; double_fault() on its own task and stack.
 *
 * SOURCES.  Intel SDM vol. 3, section 6.15 (each exception) and 4.7 (page-fault error code).
 */
#include "io.h"
#include "x86.h"
#include <quarry/asm/context.h>
#include <quarry/bug.h>
#include <quarry/out.h>
#include <quarry/panic.h>
#include <quarry/port.h>
#include <quarry/printk.h>

#define PF_PRESENT  0x1u
#define PF_WRITE    0x2u
#define PF_USER     0x4u
#define PF_RESERVED 0x8u
#define PF_FETCH    0x10u

#define NAME_UNKNOWN "unknown exception"

static bool reporting;
static QAPI const char *(*region_hook)(uintptr_t va);
static irq_handler_t irq_handlers[NR_IRQS];

QAPI void port_set_region_hook(QAPI const char *(*describe)(uintptr_t va))
{
	region_hook = describe;
}

static const char *exception_name(uint32_t vector)
{
	static const char *const names[] = {
		"divide error",
		"debug exception",
		"NMI",
		"breakpoint",
		"overflow",
		"bound range exceeded",
		"invalid opcode",
		"device not available",
		"double fault",
		"coprocessor segment overrun",
		"invalid TSS",
		"segment not present",
		"stack-segment fault",
		"general protection fault",
		"page fault",
		NAME_UNKNOWN,
		"x87 floating-point error",
		"alignment check",
		"machine check",
		"SIMD floating-point error",
	};

	return vector < ARRAY_SIZE(names) ? names[vector] : NAME_UNKNOWN;
}

static void show_registers(const struct trap_frame *f)
{
	pr_emerg("eip=%08x cs=%04x eflags=%08x esp=%08x ebp=%08x\n", f->eip, f->cs, f->eflags,
		 (uint32_t)(f + 1), f->ebp);
	pr_emerg("eax=%08x ebx=%08x ecx=%08x edx=%08x esi=%08x edi=%08x\n", f->eax, f->ebx, f->ecx,
		 f->edx, f->esi, f->edi);
	pr_emerg("cr0=%08x cr2=%08x cr3=%08x cr4=%08x context=%08x\n", read_cr0(), read_cr2(),
		 read_cr3(), read_cr4(), f->context);
}

/* What the CPU saw: the directory entry, and the table entry below it. */
static void show_walk(uint32_t va)
{
	pte_t dir = pte_read(&port_root_table()[pt_index(va, 1)]);
	const pte_t *table;

	pr_emerg("walk: directory[%u]=%08x%s\n", pt_index(va, 1), dir.raw,
		 !pte_present(dir)   ? " not present" :
		 pte_is_leaf(dir, 1) ? " 4 MiB page" :
				       "");
	if (!pte_present(dir) || pte_is_leaf(dir, 1))
		return;
	table = pa_to_va((phys_addr_t)pte_pfn(dir) << PAGE_SHIFT);
	pr_emerg("walk: table[%u]=%08x%s\n", pt_index(va, 0), table[pt_index(va, 0)].raw,
		 pte_present(table[pt_index(va, 0)]) ? "" : " not present");
}

static void show_page_fault(const struct trap_frame *f)
{
	uint32_t va = read_cr2();

	pr_emerg("page fault: %s of %08x, %s%s%s\n",
		 f->error & PF_FETCH ? "fetch" :
		 f->error & PF_WRITE ? "write" :
				       "read",
		 va, f->error & PF_PRESENT ? "page is protected" : "page is not present",
		 f->error & PF_RESERVED ? ", reserved bit set" : "",
		 f->error & PF_USER ? ", from user mode" : "");
	if (region_hook)
		pr_emerg("page fault: %08x lies in %s\n", va, region_hook(va));
	show_walk(va);
}

static void begin_report(uint32_t vector, uint32_t eip)
{
	console_fresh_line();
	if (reporting) {
		pr_emerg("panic: nested fault in a report: %s at eip=%08x\n",
			 exception_name(vector), eip);
		port_stop(EXIT_CODE_PANIC);
	}
	reporting = true;
}

static __cold __noreturn void report(const struct trap_frame *f)
{
	begin_report(f->vector, f->eip);
	pr_emerg("fault: %s, error code %08x\n", exception_name(f->vector), f->error);
	show_registers(f);
	if (f->vector == VEC_PAGE_FAULT)
		show_page_fault(f);
	backtrace_show(&out_console, f->eip, f->ebp);
	pr_emerg("panic: %s at eip=%08x\n", exception_name(f->vector), f->eip);
	port_stop(EXIT_CODE_PANIC);
}

/* The two instructions that are allowed to fault. */
static bool probe_fixup(struct trap_frame *f)
{
	if (f->eip != (uint32_t)probe_read_insn && f->eip != (uint32_t)probe_write_insn)
		return false;
	f->eip = (uint32_t)probe_failed;
	return true;
}

void irq_set_handler(unsigned int irq, irq_handler_t handler)
{
	irq_handlers[irq] = handler;
}

static void irq_dispatch(uint32_t vector)
{
	unsigned int irq = vector - VEC_IRQ_BASE;

	if (vector >= VEC_LAPIC_BASE) {
		lapic_interrupt(vector);
		return;
	}
	if (irq_handlers[irq])
		irq_handlers[irq]();
	pic_ack(irq);
}

QAPI void trap_dispatch(struct trap_frame *f)
{
	if (f->vector >= VEC_IRQ_BASE) {
		irq_dispatch(f->vector);
		restart_fixup(f);
		return;
	}
	if (f->vector == VEC_DEBUG && restart_debug_trap(f))
		return;
	if ((f->vector == VEC_PAGE_FAULT || f->vector == VEC_GENERAL) && probe_fixup(f))
		return;
	report(f);
}

/* Is @esp so near a stack's lower end that the next push fell off? */
static bool in_guard(uint32_t esp)
{
	unsigned int nr;
	const void *const *guards = port_guard_pages(&nr);
	const uint32_t slack = sizeof(struct trap_frame);

	for (unsigned int i = 0; i < nr; i++) {
		if (esp - (uint32_t)guards[i] < PAGE_SIZE + slack)
			return true;
	}
	return false;
}

void double_fault(void)
{
	const struct tss *t = gdt_interrupted_tss();

	irq_save(); /* they are off by the gate: the context word has to know it */
	begin_report(VEC_DOUBLE_FAULT, t->eip);
	if (in_guard(t->esp))
		pr_emerg("fault: kernel stack overflow: esp=%08x is in a guard page\n", t->esp);
	else
		pr_emerg("fault: double fault\n");
	pr_emerg("eip=%08x eflags=%08x esp=%08x ebp=%08x cr2=%08x\n", t->eip, t->eflags, t->esp,
		 t->ebp, read_cr2());
	pr_emerg("eax=%08x ebx=%08x ecx=%08x edx=%08x esi=%08x edi=%08x\n", t->eax, t->ebx, t->ecx,
		 t->edx, t->esi, t->edi);
	backtrace_show(&out_console, t->eip, t->ebp);
	pr_emerg("panic: %s at eip=%08x\n",
		 in_guard(t->esp) ? "kernel stack overflow" : "double fault", t->eip);
	port_stop(EXIT_CODE_PANIC);
}
