/*
 * Layer: port
 * x86.h - what the files of this port share; nobody else includes it.
 */
#ifndef ARCH_X86_X86_H
#define ARCH_X86_X86_H

#include <quarry/asm/layout.h>
#include <quarry/asm/pgtable.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

struct out;

/* Segment selectors: the same in every CPU's GDT. */
#define SEL_KERNEL_CODE 0x08u
#define SEL_KERNEL_DATA 0x10u
#define SEL_PERCPU      0x18u
#define SEL_TSS         0x20u
#define SEL_DF_TSS      0x28u
#define GDT_ENTRIES     6u

#define VEC_DEBUG        1u
#define VEC_NMI          2u
#define VEC_DOUBLE_FAULT 8u
#define VEC_GENERAL      13u
#define VEC_PAGE_FAULT   14u
#define NR_EXCEPTIONS    32u
#define VEC_IRQ_BASE     32u
#define NR_IRQS          16u
#define VEC_LAPIC_BASE   (VEC_IRQ_BASE + NR_IRQS)
#define NR_LAPIC_VECTORS 16u
#define VEC_SPURIOUS     (VEC_LAPIC_BASE + NR_LAPIC_VECTORS - 1) /* old CPUs want it to end in 15 */
#define NR_VECTORS       (VEC_LAPIC_BASE + NR_LAPIC_VECTORS)

/* What trap.asm and early_trap.asm push, lowest address first. */
struct trap_frame {
	uint32_t context; /* context_word before the trap */
	uint32_t edi, esi, ebp, esp_unused, ebx, edx, ecx, eax;
	uint32_t vector, error;
	uint32_t eip, cs, eflags; /* no stack switch: everything runs in ring 0 */
};

/* The 32-bit task-state segment. */
struct tss {
	uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3;
	uint32_t eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
	uint32_t es, cs, ss, ds, fs, gs, ldt;
	uint16_t trap, iomap;
};

struct descriptor_ptr {
	uint16_t limit;
	uint32_t base;
} __packed;

/* A gate of the IDT. */
struct gate {
	uint16_t offset_low, selector;
	uint16_t type, offset_high;
};

#define GATE_INTERRUPT 0x8e00u /* present, ring 0, interrupts off */
#define GATE_TASK      0x8500u

static inline struct gate gate_make(uint32_t handler, uint16_t selector, uint16_t type)
{
	return (struct gate){ (uint16_t)handler, selector, type, (uint16_t)(handler >> 16) };
}

/* serial_out.c: usable before paging. */
void serial_out_init(void);
void serial_out_write(const char *text, size_t len);

/* early_paging.c, early_trap.c */
void early_printk(const char *fmt, ...) __printf(1, 2);
void early_trap_init(void);
extern pte_t fixmap_table[PT_ENTRIES];
extern uint32_t cpu_features; /* CPUID leaf 1, EDX */
extern struct gate early_idt[NR_EXCEPTIONS];
extern uint64_t boot_gdt[];

/* cpu.c */
void cpu_init(void);

/* gdt.c */
void gdt_init(void);
void gdt_set_df_root(uint32_t root_pa);
const struct tss *gdt_interrupted_tss(void);

/* idt.c, trap.c */
void idt_init(void);
QAPI void trap_dispatch(struct trap_frame *f);
void double_fault(void) __noreturn;

/* Call @handler, with interrupts off, whenever the line @irq is raised; set it, then unmask it. */
typedef QAPI void (*irq_handler_t)(void);
void irq_set_handler(unsigned int irq, irq_handler_t handler);

/* restart.c: if @f was interrupted inside a restartable sequence, make it start again. */
void restart_init(void);
void restart_fixup(struct trap_frame *f);
bool restart_debug_trap(struct trap_frame *f);

/* pic.c */
void pic_init(void);
void pic_unmask(unsigned int irq);
void pic_ack(unsigned int irq);

/* lapic.c */
void lapic_interrupt(uint32_t vector);

/* serial.c */
#define SERIAL_IRQ 4u
void serial_console_init(void);
void serial_input_init(void);

/* backtrace.c */
void backtrace_show(struct out *o, uint32_t eip, uint32_t ebp);

/* probe.asm: the instructions that may fault, and where to go on when they do. */
extern const char probe_read_insn[], probe_write_insn[], probe_failed[];

/* image.c: the guard page below the boot CPU's stack and the stack's end. */
extern char boot_stack_guard[PAGE_SIZE], boot_stack[], boot_stack_top[];
extern char df_stack_guard[PAGE_SIZE];

#endif
