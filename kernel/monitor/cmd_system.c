/*
 * cmd_system.c - commands about the machine and the kernel as a whole.
 *
 * THEORY.  What boot found out is data (<quarry/kernel.h>), the log is printk's, tests are ktest's:
 * a command here parses its words, calls one function and prints what that does not print itself.
 *
 * CONTEXT.  The monitor's thread.
 */
#include <quarry/bootinfo.h>
#include <quarry/errno.h>
#include <quarry/gfp.h>
#include <quarry/kernel.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/monitor.h>
#include <quarry/port.h>
#include <quarry/printk.h>
#include <quarry/string.h>
#include <quarry/tests.h>

#define HELP_COLUMN 31 /* where the explanations start */

static void help_line(struct out *o, const struct monitor_command *c)
{
	char call[128];

	scnprintf(call, sizeof(call), "%s %s", c->name, c->args);
	out_printf(o, "  %-*s %s\n", HELP_COLUMN, call, c->help);
}

static QAPI int cmd_help(struct out *o, int argc, char **argv)
{
	const struct monitor_command *c;

	if (argc > 2)
		return -EINVAL;
	if (argc == 2) {
		c = monitor_find(argv[1]);
		if (!c)
			return -ENOENT;
		help_line(o, c);
		return 0;
	}
	for (unsigned int n = 0; (c = monitor_command_nth(n)); n++)
		help_line(o, c);
	out_printf(
		o,
		"Tab completes names; arrows, ^A ^E ^K ^U ^W ^C ^L edit; up and down: history.\n");
	return 0;
}
MONITOR_COMMAND(help, "[command]", "list the commands, or explain one", cmd_help);

static const char *region_type_name(uint32_t type)
{
	switch (type) {
	case MEM_RAM:
		return "RAM";
	case MEM_RESERVED:
		return "reserved";
	case MEM_ACPI_RECLAIM:
		return "ACPI tables";
	case MEM_ACPI_NVS:
		return "ACPI NVS";
	case MEM_BAD:
		return "bad RAM";
	default:
		return "unknown type";
	}
}

/* Firmware may claim anything: an entry of size 0 has no last byte, and one may wrap. */
static void show_map(struct out *o, const struct mem_region *map, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		const struct mem_region *r = &map[i];

		out_printf(o, "  0x%012llx-0x%012llx  %10llu KiB  %s", (unsigned long long)r->start,
			   (unsigned long long)(r->size ? r->start + r->size - 1 : r->start),
			   (unsigned long long)(r->size >> 10), region_type_name(r->type));
		if (r->type < MEM_RAM || r->type > MEM_BAD)
			out_printf(o, " %u", (unsigned int)r->type);
		out_printf(o, "%s\n", r->size ? "" : " (empty)");
	}
}

static QAPI int cmd_e820(struct out *o, int argc, char **argv)
{
	const struct bootinfo *bi = kernel_bootinfo;

	(void)argv;
	if (argc != 1)
		return -EINVAL;
	out_printf(o, "firmware's map, %u entries:\n", bi->nr_map);
	show_map(o, bi->map, bi->nr_map);
	if (bi->nr_map_dropped)
		out_printf(o, "  and %u more, for which there was no room\n", bi->nr_map_dropped);
	out_printf(o, "sanitised map, %u entries:\n", kernel_map_nr);
	show_map(o, kernel_map, kernel_map_nr);
	return 0;
}
MONITOR_COMMAND(e820, "", "the memory map: the firmware's, and what was made of it", cmd_e820);

static void show_modules(struct out *o, const struct bootinfo *bi)
{
	out_printf(o, "modules:  %u\n", bi->nr_modules);
	for (unsigned int i = 0; i < bi->nr_modules; i++) {
		const struct boot_module *m = &bi->modules[i];

		out_printf(o, "  0x%08llx  %llu bytes  %s\n", (unsigned long long)m->start,
			   (unsigned long long)m->size, m->name);
	}
	if (bi->nr_modules_dropped)
		out_printf(o, "  and %u more, for which there was no room\n",
			   bi->nr_modules_dropped);
}

static QAPI int cmd_bootinfo(struct out *o, int argc, char **argv)
{
	const struct bootinfo *bi = kernel_bootinfo;

	(void)argv;
	if (argc != 1)
		return -EINVAL;
	out_printf(o, "protocol: %s\n", bi->protocol);
	out_printf(o, "loader:   %s\n", bi->loader[0] ? bi->loader : "(gave no name)");
	out_printf(o, "cmdline:  %s%s\n", bi->cmdline[0] ? bi->cmdline : "(empty)",
		   bi->cmdline_cut ? " (cut)" : "");
	if (bi->acpi_rsdp)
		out_printf(o, "ACPI:     RSDP at 0x%llx\n", (unsigned long long)bi->acpi_rsdp);
	else
		out_printf(o, "ACPI:     RSDP not given\n");
	show_modules(o, bi);
	return 0;
}
MONITOR_COMMAND(bootinfo, "", "what the boot loader said: command line, modules", cmd_bootinfo);

static QAPI int cmd_dmesg(struct out *o, int argc, char **argv)
{
	(void)argv;
	if (argc != 1)
		return -EINVAL;
	printk_log_show(o);
	return 0;
}
MONITOR_COMMAND(dmesg, "", "the kept messages of the kernel, of all levels", cmd_dmesg);

static QAPI int cmd_quiesce(struct out *o, int argc, char **argv)
{
	unsigned long before = nr_free_pages();

	(void)argv;
	if (argc != 1)
		return -EINVAL;
	mm_quiesce();
	out_printf(o, "free pages: %lu before, %lu after\n", before, nr_free_pages());
	return 0;
}
MONITOR_COMMAND(quiesce, "", "drain the per-CPU lists of every CPU", cmd_quiesce);

static QAPI int cmd_test(struct out *o, int argc, char **argv)
{
	bool list = argc > 1 && strcmp(argv[1], "list") == 0;

	if (argc > (list ? 2 : 3) || (argc == 3 && faults_parse(argv[2])))
		return -EINVAL;
	if (list)
		ktest_list(o);
	else
		ktest_run(argc > 1 ? argv[1] : NULL);
	return argc == 3 ? faults_parse("") : 0;
}
MONITOR_COMMAND(test, "[list | glob,... [faults]]",
		"run the tests of these names, or all (as with faults=); or list them", cmd_test);

static QAPI int cmd_reboot(struct out *o, int argc, char **argv)
{
	(void)o;
	(void)argv;
	if (argc != 1)
		return -EINVAL;
	port_reboot();
}
MONITOR_COMMAND(reboot, "", "reset the machine", cmd_reboot);

static QAPI int cmd_poweroff(struct out *o, int argc, char **argv)
{
	(void)o;
	(void)argv;
	if (argc != 1)
		return -EINVAL;
	port_stop(EXIT_CODE_OK);
}
MONITOR_COMMAND(poweroff, "", "end it all, cleanly", cmd_poweroff);
