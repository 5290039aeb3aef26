/*
 * main.c - the order of the subsystems, in one screen.
 *
 * IDEA.  kernel_entry() runs on the boot page tables with interrupts off, and ends in run(), which
 * lies outside .init and so may free it.
 *
 * STATE.  boot_info: what the loader said; it stays.
 *
 * CONTEXT.  Boot, once.
 */
#include <quarry/align.h>
#include <quarry/alloc_trace.h>
#include <quarry/bench.h>
#include <quarry/bug.h>
#include <quarry/cmdline.h>
#include <quarry/env.h>
#include <quarry/errno.h>
#include <quarry/kernel.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/monitor.h>
#include <quarry/port.h>
#include <quarry/printk.h>
#include <quarry/replay.h>
#include <quarry/tests.h>

#include "boot.h"

#define MULTIBOOT1_MAGIC 0x2BADB002u
#define BANNER           "Quarry: a memory subsystem for 32-bit x86"

static struct bootinfo boot_info;
const struct bootinfo *kernel_bootinfo = &boot_info;

/* ---- reading what the loader left ------------------------------------------------------- */

struct window_reader {
	struct boot_reader reader;
	void *va;
	size_t size;
};

static __init QAPI const void *window_map(struct boot_reader *r, phys_addr_t pa, size_t size)
{
	struct window_reader *w = container_of(r, struct window_reader, reader);

	if (w->va)
		early_iounmap(w->va, w->size);
	w->va = early_ioremap(pa, size);
	w->size = size;
	return w->va;
}

static __init void read_bootinfo(uint32_t magic, phys_addr_t pa)
{
	struct window_reader w = { .reader = { .map = window_map } };
	int err = magic == MULTIBOOT1_MAGIC ? multiboot1_parse(&boot_info, &w.reader, pa) :
					      multiboot2_parse(&boot_info, &w.reader, pa);

	if (w.va)
		early_iounmap(w.va, w.size);
	/* What could not be read might be what forbids RAM: nothing of it is to be believed. */
	if (err)
		panic("boot: the %s information at 0x%llx cannot be used (%d)", boot_info.protocol,
		      pa, err);
	if (boot_info.nr_modules_dropped)
		pr_warn("boot: %u modules beyond the first %u have no name here\n",
			boot_info.nr_modules_dropped, BOOT_MODULES_MAX);
	pr_info("boot: %s, loader '%s', %u map entries, %u modules\n", boot_info.protocol,
		boot_info.loader, boot_info.nr_map, boot_info.nr_modules);
	pr_info("boot: command line '%s'%s\n", boot_info.cmdline,
		boot_info.cmdline_cut ? " (cut)" : "");
}

static __init void parse_options(void)
{
	const struct boot_option *const tables[] = { kernel_boot_options, mm_boot_options };
	const unsigned int nr[] = { nr_kernel_boot_options, nr_mm_boot_options };

	cmdline_parse(boot_info.cmdline, tables, nr, ARRAY_SIZE(tables));
}

/* ---- what the log says about memory ----------------------------------------------------- */

static void log_memory(void)
{
	struct mm_account a;

	memblock_show(&out_log);
	mm_account(&a);
	pr_info("mm: RAM %lu pages = %lu free + %lu reserved (%lu struct pages among them)\n",
		a.nr_ram, a.nr_managed, a.nr_reserved, a.nr_mem_map);
	pr_info("mm: lowmem to 0x%llx, vmalloc 0x%08lx-0x%08lx, %lu page tables, "
		"min_free_kbytes %lu\n",
		mm_layout.lowmem_end, (unsigned long)mm_layout.vmalloc_start,
		(unsigned long)mm_layout.vmalloc_end, a.nr_pgtable, mm_min_free_kbytes());
}

/* ---- after boot ------------------------------------------------------------------------- */

static __noreturn void run_tests(void)
{
	unsigned int nr_failed = ktest_run(kernel_options.test);

	port_stop(nr_failed ? EXIT_CODE_FAIL : EXIT_CODE_OK);
}

static __noreturn void run_bench(void)
{
	int err = bench_run(&out_console, kernel_options.bench);

	if (err == -ENOENT)
		pr_err("bench=%s: no row has such a name\n", kernel_options.bench);
	else if (err < 0)
		pr_err("bench: not enough free lowmem\n");
	port_stop(err ? EXIT_CODE_FAIL : EXIT_CODE_OK);
}

static __noreturn void run_replay(void)
{
	int err = replay_run(&out_console, kernel_options.replay);

	if (err == -ENOENT)
		pr_err("replay=%s: no boot module has that name\n", kernel_options.replay);
	else if (err < 0)
		pr_err("replay=%s: cannot be done (%d)\n", kernel_options.replay, err);
	port_stop(err ? EXIT_CODE_FAIL : EXIT_CODE_OK);
}

static void start_recording(void)
{
	if (kernel_options.alloc_trace && alloc_trace_start(kernel_options.alloc_trace))
		pr_err("alloc_trace: no memory for the ring\n");
}

static __noreturn __noinline void run(void)
{
	static const struct monitor_io io = { .getc = console_getc, .out = &out_console };
	const struct tests_setup setup = { .bi = &boot_info,
					   .seed = kernel_options.seed,
					   .steps = kernel_options.steps,
					   .may_take_long = kernel_options.may_take_long };

	mm_free_init();
	start_recording();
	tests_init(&setup);
	if (*kernel_options.death && death_commit(kernel_options.death) == -ENOENT)
		panic("death=%s: no crime has that name", kernel_options.death);
	if (kernel_options.test_given)
		run_tests();
	if (kernel_options.bench_given)
		run_bench();
	if (*kernel_options.replay)
		run_replay();
	monitor_run(&io);
	port_stop(EXIT_CODE_OK);
}

QAPI void kernel_entry(uint32_t magic, uint32_t info_pa) __noreturn;

__init QAPI void kernel_entry(uint32_t magic, uint32_t info_pa)
{
	port_early_init();
	port_set_region_hook(region_describe);
	pr_info(BANNER "\n");
	read_bootinfo(magic, info_pa);
	port_firmware_ranges(&boot_info);
	parse_options();
	devices_map_screen(&boot_info);
	boot_map_make(&boot_info);
	mm_init(&boot_info, kernel_map, kernel_map_nr);
	whatis_image_init();
	log_memory();
	port_late_init();
	devices_map_lapic();
	irq_enable();
	devices_map_pixels(&boot_info);
	run();
}
