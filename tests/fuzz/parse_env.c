/*
 * parse_env.c - the environment of targets that need no machine: a console, and panics that end
 * the run.
 *
 * CONTEXT.  The fuzzer's process, or a child of it.
 */
#include "../../arch/hosted/host_ops.h"
#include "fuzz.h"
#include <quarry/panic.h>
#include <quarry/printk.h>

static QAPI void write_host(struct console *c, const char *s, size_t n)
{
	(void)c;
	host_write(s, n);
}

static struct console host_console = { .write = write_host };

static QAPI void stop_run(int code)
{
	host_exit(code);
}

static const struct panic_ops panic_ops = { .stop = stop_run };

void fuzz_setup(void)
{
	console_register(&host_console);
	panic_register(&panic_ops);
}

void fuzz_enter(const unsigned char *data, unsigned long size)
{
	fuzz_target.run(data, size);
}
