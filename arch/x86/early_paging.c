/*
 * early_paging.c - from the loader's hand to paging: CPU check, boot page tables, a check of both.
 *
 * IDEA.  The boot page tables map a stated window, physical 0 .. BOOT_WINDOW, twice: at its own
 * address, so that the instruction after the one that sets CR0.PG can be fetched, and at
 * PAGE_OFFSET, where the kernel is linked.  They use 4 KiB pages only, in static memory: the same
 * on every CPU, and nothing has to be allocated.  The fixmap's table is linked in too, so that
 * early_ioremap() works at once.
 *
 * Before CR0.PG is set, the tables are walked in software for every address that must survive.  A
 * mistake here is otherwise a triple fault without a word.
 *
 * STATE.  boot_root, boot_tables (boot memory); fixmap_table (for ever); cpu_features and
 * pte_supported.
 *
 * INVARIANTS.  P1: the kernel image, its stack included, lies in the window (linker.ld asserts it).
 * P2: every address in the list of check_survivors() translates to the frame that it has now.
 *
 * CONTEXT.  Runs at the physical address, compiled position-independent: &symbol is where the
 * symbol is, not where it is linked.
 *
 * NOT HERE.  The tables that stay: mm/paging.c builds them.
 *
 * SOURCES.  Intel SDM vol. 3, sections 4.3 (32-bit paging) and 9.9.1 (switching to protected mode).
 */
#include "io.h"
#include "x86.h"
#include <quarry/align.h>
#include <quarry/port.h>
#include <quarry/printk.h>
#include <stdarg.h>

#define BOOT_TABLES (BOOT_WINDOW / (PT_ENTRIES * PAGE_SIZE))

#define MB1_LOADER_MAGIC 0x2BADB002u
#define MB2_LOADER_MAGIC 0x36d76289u

static pte_t boot_root[PT_ENTRIES] __aligned(PAGE_SIZE) __initbss;
static pte_t boot_tables[BOOT_TABLES][PT_ENTRIES] __aligned(PAGE_SIZE) __initbss;
pte_t fixmap_table[PT_ENTRIES] __aligned(PAGE_SIZE);
uint32_t pte_supported;
uint32_t cpu_features;

extern const char boot_high[];

uint32_t early_setup(uint32_t magic);

__init void early_printk(const char *fmt, ...)
{
	char line[256];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	serial_out_write(line, min((size_t)len, sizeof(line) - 1));
}

static __init void refuse(const char *why, uint32_t value)
{
	early_printk("panic: cannot boot: %s (%08x)\n", why, value);
	port_stop(EXIT_CODE_PANIC);
}

/* What the compiler was told to assume (i686 with CMOV), and what paging may use. */
static __init void check_cpu(void)
{
	uint32_t eax = 1, ebx, ecx = 0, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	if (!(edx & CPUID_CMOV))
		refuse("the CPU has no CMOV", edx);
	cpu_features = edx;
	if (edx & CPUID_PSE)
		pte_supported |= PTE_LARGE;
	if (edx & CPUID_PGE)
		pte_supported |= PTE_GLOBAL;
	if (edx & CPUID_MSR && edx & CPUID_PAT)
		pte_supported |= PTE_PWT;
}

static __init void build_tables(void)
{
	for (uint32_t i = 0; i < BOOT_TABLES; i++) {
		pte_t dir = pte_make_table((uint32_t)boot_tables[i]);

		for (uint32_t j = 0; j < PT_ENTRIES; j++)
			boot_tables[i][j] = pte_make(i * PT_ENTRIES + j, PROT_READ | PROT_WRITE, 0);
		boot_root[i] = dir;
		boot_root[pt_index(PAGE_OFFSET, 1) + i] = dir;
	}
	boot_root[pt_index(FIXMAP_START, 1)] = pte_make_table((uint32_t)fixmap_table);
}

/* The walk that the CPU will do, by physical addresses; false when @va is not mapped. */
static __init bool walk(const pte_t *root, uint32_t va, uint32_t *pa)
{
	pte_t dir = pte_read(&root[pt_index(va, 1)]);
	const pte_t *table = (const pte_t *)(uintptr_t)(pte_pfn(dir) << PAGE_SHIFT);
	pte_t pte;

	if (!pte_present(dir))
		return false;
	pte = pte_read(&table[pt_index(va, 0)]);
	*pa = (uint32_t)(pte_pfn(pte) << PAGE_SHIFT) | (va & ~(uint32_t)PAGE_MASK);
	return pte_present(pte);
}

static __init void check_one(const char *what, uint32_t va, uint32_t want)
{
	uint32_t pa = 0;

	if (walk(boot_root, va, &pa) && pa == want)
		return;
	early_printk("panic: boot page tables lose %s: va=%08x pa=%08x, needed %08x\n", what, va,
		     pa, want);
	port_stop(EXIT_CODE_PANIC);
}

/* An address that is used now and, PAGE_OFFSET higher, after the jump. */
static __init void check_both(const char *what, const void *now)
{
	check_one(what, (uint32_t)now, (uint32_t)now);
	check_one(what, (uint32_t)now + PAGE_OFFSET, (uint32_t)now);
}

static __init void check_survivors(void)
{
	uint32_t esp;

	__asm__("movl %%esp, %0" : "=r"(esp));
	check_both("EIP (early_setup)", (const void *)early_setup);
	check_both("EIP (boot_high)", boot_high);
	check_both("ESP", (const void *)esp);
	check_both("the IDT", early_idt);
	check_both("the GDT", boot_gdt);
	check_both("serial code", (const void *)serial_out_write);
	check_both("the page tables", boot_root);
	check_both("the fixmap table", fixmap_table);
}

/* Everything before paging; the result is what CR3 is to hold. */
__init uint32_t early_setup(uint32_t magic)
{
	serial_out_init();
	early_trap_init();
	if (magic != MB1_LOADER_MAGIC && magic != MB2_LOADER_MAGIC)
		refuse("not started by a multiboot loader: EAX", magic);
	check_cpu();
	build_tables();
	check_survivors();
	return (uint32_t)boot_root;
}
