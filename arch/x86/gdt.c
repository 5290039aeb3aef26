/*
 * gdt.c - each CPU's descriptor table, task state, and the task that handles double faults.
 *
 * IDEA.  Segments are flat, except %fs, whose base is the CPU's per-CPU offset.  A double fault
 * means that an exception could not be delivered, most often because the stack ran into its guard
 * page.  The only entry that needs nothing from the old stack is a task gate: the CPU saves the
 * interrupted state in the main TSS and starts the second task on a stack of its own.
 *
 * STATE.  One struct cpu_tables a CPU.
 *
 * INVARIANTS.  G1: df_tss.cr3 is the kernel's current root table (gdt_set_df_root()).
 *
 * CONTEXT.  Boot, each CPU once; gdt_set_df_root() when the root changes.
 *
 * SOURCES.  Intel SDM vol. 3, sections 3.4.5, 6.12.2 and 7.2.1.
 */
#include "io.h"
#include "x86.h"
#include <quarry/asm/percpu.h>

struct cpu_tables {
	uint64_t gdt[GDT_ENTRIES];
	struct tss tss;
	struct tss df_tss;
};

static DEFINE_PER_CPU(struct cpu_tables, cpu_tables);

extern char df_stack_top[];
void double_fault_entry(void);

#define DESC_CODE       0x9bull  /* present, ring 0, code, readable, accessed */
#define DESC_DATA       0x93ull  /* present, ring 0, data, writable, accessed */
#define DESC_TSS        0x89ull  /* present, ring 0, available 32-bit TSS */
#define DESC_FLAT_FLAGS 0xcull   /* limit in pages, 32-bit */
#define DESC_FLAT_LIMIT 0xfffffu /* 4 GiB */

static __init uint64_t descriptor(uint32_t base, uint32_t limit, uint64_t type, uint64_t flags)
{
	uint64_t d = limit & 0xffff;

	d |= (uint64_t)(base & 0xffffff) << 16;
	d |= type << 40;
	d |= (uint64_t)((limit >> 16) & 0xf) << 48;
	d |= flags << 52;
	d |= (uint64_t)(base >> 24) << 56;
	return d;
}

static __init void load_segments(const struct descriptor_ptr *gdtr)
{
	__asm__ volatile("lgdt %0\n\t"
			 "ljmp %1, $1f\n"
			 "1:\n\t"
			 "movl %2, %%ds\n\t"
			 "movl %2, %%es\n\t"
			 "movl %2, %%ss\n\t"
			 "movl %2, %%gs\n\t"
			 "movl %3, %%fs\n\t"
			 "ltr %w4" ::"m"(*gdtr),
			 "i"(SEL_KERNEL_CODE), "r"(SEL_KERNEL_DATA), "r"(SEL_PERCPU), "r"(SEL_TSS)
			 : "memory");
}

static __init void df_tss_init(struct tss *t)
{
	t->eip = (uint32_t)double_fault_entry;
	t->esp = (uint32_t)df_stack_top;
	t->cr3 = read_cr3();
	t->eflags = 2; /* the bit that is always set; interrupts off */
	t->cs = SEL_KERNEL_CODE;
	t->ds = t->es = t->ss = t->gs = SEL_KERNEL_DATA;
	t->fs = SEL_PERCPU;
	t->iomap = sizeof(*t);
}

__init void gdt_init(void)
{
	struct cpu_tables *c = this_cpu_ptr(&cpu_tables);
	struct descriptor_ptr gdtr = { sizeof(c->gdt) - 1, (uint32_t)c->gdt };
	uint32_t tss_limit = sizeof(struct tss) - 1;

	c->gdt[0] = 0;
	c->gdt[SEL_KERNEL_CODE / 8] = descriptor(0, DESC_FLAT_LIMIT, DESC_CODE, DESC_FLAT_FLAGS);
	c->gdt[SEL_KERNEL_DATA / 8] = descriptor(0, DESC_FLAT_LIMIT, DESC_DATA, DESC_FLAT_FLAGS);
	c->gdt[SEL_PERCPU / 8] = descriptor(this_cpu_read(percpu_this_offset), DESC_FLAT_LIMIT,
					    DESC_DATA, DESC_FLAT_FLAGS);
	c->gdt[SEL_TSS / 8] = descriptor((uint32_t)&c->tss, tss_limit, DESC_TSS, 0);
	c->gdt[SEL_DF_TSS / 8] = descriptor((uint32_t)&c->df_tss, tss_limit, DESC_TSS, 0);
	c->tss.ss0 = SEL_KERNEL_DATA;
	c->tss.iomap = sizeof(c->tss);
	df_tss_init(&c->df_tss);
	load_segments(&gdtr);
}

void gdt_set_df_root(uint32_t root_pa)
{
	this_cpu_ptr(&cpu_tables)->df_tss.cr3 = root_pa;
}

const struct tss *gdt_interrupted_tss(void)
{
	return &this_cpu_ptr(&cpu_tables)->tss;
}
