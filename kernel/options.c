/*
 * options.c - the kernel's own boot options.
 *
 * IDEA.  Each option only writes down what it was given; whoever needs it looks later, so that the
 * order of words on the command line does not matter, but for mem= and memmap=, whose order does.
 *
 * STATE.  kernel_options.
 *
 * CONTEXT.  Boot.
 */
#include <quarry/align.h>
#include <quarry/alloc_trace.h>
#include <quarry/errno.h>
#include <quarry/printk.h>
#include <quarry/string.h>
#include <quarry/tests.h>

#include "boot.h"

#define DEFAULT_SEED 20240229u /* any number: a run without seed= is repeatable too */

struct kernel_options kernel_options = { .seed = DEFAULT_SEED };

static __init int keep_text(char *to, const char *value, size_t size)
{
	return strlcpy(to, value, size) < size ? 0 : -E2BIG;
}

static __init int keep_number(uint64_t *to, const char *value)
{
	const char *end;
	int err = parse_u64(value, &end, to);

	return err ? err : *end ? -EINVAL : 0;
}

static __init QAPI int set_test(const char *value)
{
	kernel_options.test_given = true;
	return keep_text(kernel_options.test, value, sizeof(kernel_options.test));
}

static __init QAPI int set_death(const char *value)
{
	return keep_text(kernel_options.death, value, sizeof(kernel_options.death));
}

static __init QAPI int set_bench(const char *value)
{
	kernel_options.bench_given = true;
	return keep_text(kernel_options.bench, value, sizeof(kernel_options.bench));
}

static __init QAPI int set_alloc_trace(const char *value)
{
	const char *end;
	uint64_t size;
	int err = parse_size(value, &end, &size);

	if (err)
		return err;
	if (*end || !CONFIG_ALLOC_TRACE || size < ALLOC_TRACE_SIZE_MIN ||
	    size > ALLOC_TRACE_SIZE_MAX)
		return -EINVAL;
	kernel_options.alloc_trace = (size_t)size;
	return 0;
}

static __init QAPI int set_replay(const char *value)
{
	return keep_text(kernel_options.replay, value, sizeof(kernel_options.replay));
}

static __init QAPI int set_e820(const char *value)
{
	return keep_text(kernel_options.map_module, value, sizeof(kernel_options.map_module));
}

static __init int keep_edit(char kind, const char *value)
{
	char *edits = kernel_options.map_edits;
	size_t used = strlen(edits), room = sizeof(kernel_options.map_edits) - used;

	if (!*value || strchr(value, ' '))
		return -EINVAL;
	return scnprintf(edits + used, room, "%c%s ", kind, value) < (int)room - 1 ? 0 : -E2BIG;
}

static __init QAPI int set_mem(const char *value)
{
	return keep_edit('=', value);
}

static __init QAPI int set_memmap(const char *value)
{
	return keep_edit('+', value);
}

static __init QAPI int set_seed(const char *value)
{
	return keep_number(&kernel_options.seed, value);
}

static __init QAPI int set_steps(const char *value)
{
	uint64_t steps;
	int err = keep_number(&steps, value);

	if (err)
		return err;
	kernel_options.steps = (unsigned long)min(steps, (uint64_t)~0ul);
	return 0;
}

static __init QAPI int set_long(const char *value)
{
	if (strcmp(value, "0") && strcmp(value, "1"))
		return -EINVAL;
	kernel_options.may_take_long = *value == '1';
	return 0;
}

static __init QAPI int set_loglevel(const char *value)
{
	uint64_t level;
	int err = keep_number(&level, value);

	if (err)
		return err;
	if (level > CONSOLE_LOGLEVEL_MAX)
		return -EINVAL;
	console_loglevel = (int)level;
	return 0;
}

static __init QAPI int set_console(const char *value)
{
	static const char *const names[] = {
		[CONSOLE_BOTH] = "both", [CONSOLE_SERIAL] = "serial", [CONSOLE_VGA] = "vga"
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(value, names[i])) {
			kernel_options.console = (enum console_choice)i;
			return 0;
		}
	}
	return -EINVAL;
}

const struct boot_option kernel_boot_options[] = {
	{ "mem", set_mem },           { "memmap", set_memmap },
	{ "e820", set_e820 },         { "test", set_test },
	{ "death", set_death },       { "seed", set_seed },
	{ "steps", set_steps },       { "long", set_long },
	{ "loglevel", set_loglevel }, { "bench", set_bench },
	{ "console", set_console },   { "faults", faults_parse },
	{ "replay", set_replay },     { "alloc_trace", set_alloc_trace },
};
const unsigned int nr_kernel_boot_options = ARRAY_SIZE(kernel_boot_options);
