/*
 * env.c - a foreign kernel in little: the contract, implemented by a 32-bit Linux process.
 *
 * IDEA.  The process is the machine.  Its physical memory is one mapping at PAGE_OFFSET, so the
 * direct map exists before anybody builds it; the page tables that the library builds all the same
 * are read by the library alone.  There is one thread, one CPU and no interrupt.  No libc: what
 * the library needs and nobody supplies is a link error.
 *
 * STATE.  The counters of sample.h; the root table; the depth of irq_save().
 *
 * CONTEXT.  The one thread.
 *
 * NOT HERE.  What the library is put through: main.c.
 */
#include <quarry/asm/context.h>
#include <quarry/asm/layout.h>
#include <quarry/env.h>
#include <quarry/port.h>
#include <quarry/printk.h>

#include "sample.h"

#define SYS_EXIT  1
#define SYS_WRITE 4
#define SYS_MMAP2 192

#define MAP_FLAGS 0x104022u /* fixed but not over anything, anonymous, private, not reserved */

unsigned int sample_atomic_depth;
unsigned int sample_nr_wakes, sample_nr_root_added, sample_nr_switches;

static struct env_task the_task = { .name = "main" };
static pte_t boot_root[PT_ENTRIES] __aligned(PAGE_SIZE);
static pte_t *root_table = boot_root;
static pte_t fixmap_slots[FIX_MISC_PAGES + KMAP_LOCAL_SLOTS];

/* ---- the process -------------------------------------------------------------------------- */

static long syscall(long nr, unsigned long a, unsigned long b, unsigned long c, unsigned long d,
		    unsigned long e)
{
	long result;

	__asm__ volatile("push %%ebp\n\txor %%ebp, %%ebp\n\tint $0x80\n\tpop %%ebp"
			 : "=a"(result)
			 : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory");
	return result;
}

void sample_exit(int status)
{
	for (;;)
		syscall(SYS_EXIT, (unsigned long)status, 0, 0, 0, 0);
}

bool sample_map_memory(uintptr_t va, size_t size)
{
	unsigned long prot = PROT_READ | PROT_WRITE; /* the numbers are Linux's, too */

	return syscall(SYS_MMAP2, va, size, prot, MAP_FLAGS, (unsigned long)-1) == (long)va;
}

static QAPI void console_write(struct console *c, const char *s, size_t n)
{
	(void)c;
	syscall(SYS_WRITE, 1, (unsigned long)s, n, 0, 0);
}

void sample_start_console(void)
{
	static struct console console = { .write = console_write };

	console_register(&console);
}

/* ---- env.h --------------------------------------------------------------------------------- */

QAPI struct env_task *env_current(void)
{
	return &the_task;
}

QAPI unsigned int env_nr_cpus(void)
{
	return 1;
}

QAPI void env_for_each_cpu(QAPI void (*fn)(void *arg), void *arg)
{
	unsigned long flags = irq_save();

	fn(arg);
	irq_restore(flags);
}

QAPI bool env_wait_for_memory(unsigned int ms)
{
	(void)ms;
	return false;
}

QAPI void env_wake_reclaim(void)
{
	sample_nr_wakes++;
}

QAPI bool env_out_of_memory(gfp_t gfp, unsigned int order)
{
	(void)gfp;
	(void)order;
	return false;
}

QAPI void env_dump_stack(void)
{
	printk("no backtrace here\n");
}

/* ---- port.h -------------------------------------------------------------------------------- */

QAPI pte_t *port_root_table(void)
{
	return root_table;
}

QAPI void port_switch_root(pte_t *root)
{
	root_table = root;
	sample_nr_switches++;
}

QAPI void port_root_entry_added(uintptr_t va, pte_t pte)
{
	(void)va;
	(void)pte;
	sample_nr_root_added++;
}

QAPI void port_install_fixed(pte_t *root)
{
	(void)root;
}

QAPI pte_t *port_fixmap_slot(uintptr_t va)
{
	return &fixmap_slots[(va - FIXMAP_START) >> PAGE_SHIFT];
}

/* The program is no part of the make-believe RAM; page 0 is kept, as the library wants it. */
QAPI const struct port_image_part *port_image(unsigned int *nr)
{
	static const struct port_image_part parts[] = {
		{ .name = "page 0",
		  .start = (const char *)PAGE_OFFSET,
		  .end = (const char *)(PAGE_OFFSET + PAGE_SIZE),
		  .prot = PROT_KERNEL_RO },
	};

	*nr = ARRAY_SIZE(parts);
	return parts;
}

QAPI const void *const *port_guard_pages(unsigned int *nr)
{
	*nr = 0;
	return NULL;
}

/* Nothing ever loads from the library's tables, so nothing has to be forgotten. */
QAPI void tlb_flush_range(uintptr_t start, uintptr_t end)
{
	(void)start;
	(void)end;
}

/* Who called is not to be had from a program that was built to omit its frames. */
QAPI unsigned int port_callers(const void **to, unsigned int nr)
{
	(void)to;
	(void)nr;
	return 0;
}

QAPI uint64_t clock_cycles(void)
{
	return __builtin_ia32_rdtsc();
}
