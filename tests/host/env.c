/*
 * env.c - the environment of tests in a process: a console on standard output, panics that exit.
 *
 * This half is compiled as in the kernel; what a process can do comes from host_ops.h.  A process
 * has no zones, no RAM of its own and one CPU, so only tests that need none of that apply.
 */
#include "host_ops.h"
#include <quarry/ktest.h>
#include <quarry/panic.h>
#include <quarry/printk.h>

static QAPI void write_stdout(struct console *c, const char *s, size_t n)
{
	(void)c;
	host_write(s, n);
}

static struct console stdout_console = { .write = write_stdout };

static QAPI void no_stack(struct out *o)
{
	out_printf(o, "no backtrace in a process\n");
}

static QAPI void stop_process(int code)
{
	host_exit(code);
}

static const struct panic_ops panic_ops = { .dump_stack = no_stack, .stop = stop_process };

static QAPI bool applies_here(const struct ktest_needs *needs)
{
	return !needs->zones && !needs->ram_mib && !needs->lowmem_mib && needs->cpus <= 1 &&
	       !needs->features;
}

static struct ktest_hooks hooks = { .applies = applies_here };

unsigned int run_tests(const char *patterns, unsigned long long seed, unsigned long steps)
{
	console_register(&stdout_console);
	panic_register(&panic_ops);
	hooks.seed = seed;
	hooks.steps = steps;
	ktest_register_hooks(&hooks);
	return ktest_run(patterns);
}
