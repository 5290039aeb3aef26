/*
 * start.c - from main() to the kernel's entry, and the port's part of the boot order.
 *
 * IDEA.  The machine is made, the loader fills its RAM, and kernel_entry() is called as assembly
 * code calls it on x86.
 *
 * CONTEXT.  Boot, once.
 */
#include "host_ops.h"
#include "hosted.h"
#include <quarry/bootinfo.h>
#include <quarry/bug.h>
#include <quarry/panic.h>
#include <quarry/port.h>
#include <quarry/string.h>

#define MULTIBOOT1_MAGIC 0x2BADB002u
#define VGA_PA           0xa0000u
#define LOW_END          0x100000u

#define STATUS_NO_MACHINE 2 /* host_main.c lists them */

QAPI void kernel_entry(uint32_t magic, uint32_t info_pa) __noreturn;

static QAPI void stop(int code)
{
	smp_freeze();
	port_stop(code);
}

static const struct panic_ops panic_ops = { .dump_stack = backtrace_here, .stop = stop };

/* The console is not there yet. */
static __noreturn void refuse(const char *why)
{
	host_write(why, strlen(why));
	host_exit(STATUS_NO_MACHINE);
}

/* Any memory map may be booted with e820=, so there is memory wherever one may promise it. */
void hosted_start(const struct host_boot *boot)
{
	if (!smp_init(boot->nr_cpus, boot->at_once))
		refuse("hosted: this variant has one CPU\n");
	tlb_init(PHYS_ADDR_LIMIT);
	kernel_entry(MULTIBOOT1_MAGIC, loader_load(boot));
}

QAPI void port_early_init(void)
{
	console_init();
	panic_register(&panic_ops);
}

QAPI void port_late_init(void)
{
}

static void keep(struct bootinfo *bi, phys_addr_t start, phys_addr_t end, const char *name)
{
	BUG_ON(bi->nr_keep == BOOT_KEEP_MAX);
	bi->keep[bi->nr_keep++] =
		(struct boot_keep){ .start = start, .size = end - start, .name = name };
}

/* As on a PC: tests and maps expect that nobody is given these. */
QAPI void port_firmware_ranges(struct bootinfo *bi)
{
	keep(bi, 0, PAGE_SIZE, "page 0");
	keep(bi, VGA_PA, LOW_END, "VGA window and ROMs");
}
