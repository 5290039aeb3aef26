/*
 * panic.c - the end of the machine, and warnings short of it.
 *
 * THEORY.  The first line printed is the message: everything after it (the stack, the stop) may
 * itself fault.  A second panic, on whatever CPU, therefore prints its own line only and stops at
 * once, so that the first report is the one that is read.
 *
 * STATE.  nr_panics counts entries; panic_ops is what the environment registered.
 *
 * CONTEXT.  Any.
 *
 * NOT HERE.  Stack walks and power switches: the environment registers them (<quarry/panic.h>).
 */
#include <quarry/panic.h>

#include <quarry/bug.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#define PANIC_TEXT_MAX 256u

static const struct panic_ops *panic_ops;
static unsigned int nr_panics;

QAPI void panic_register(const struct panic_ops *ops)
{
	panic_ops = ops;
}

static void dump_stack(void)
{
	if (panic_ops && panic_ops->dump_stack)
		panic_ops->dump_stack(&out_console);
}

static void __noreturn stop(void)
{
	if (panic_ops)
		panic_ops->stop(PANIC_EXIT_CODE);
	for (;;)
		barrier();
}

void panic(const char *fmt, ...)
{
	unsigned int nr_before = __atomic_fetch_add(&nr_panics, 1u, __ATOMIC_RELAXED);
	char text[PANIC_TEXT_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(text))
		memcpy(text + sizeof(text) - sizeof(OUT_CUT), OUT_CUT, sizeof(OUT_CUT));
	else if (n > 0 && text[n - 1] == '\n')
		text[n - 1] = '\0';
	console_fresh_line();
	pr_emerg("panic: %s%s\n", text, nr_before ? " (during another panic)" : "");
	if (!nr_before)
		dump_stack();
	stop();
}

QAPI void bug_report(const char *cond, const char *file, int line)
{
	console_fresh_line();
	pr_emerg("BUG: %s at %s:%d\n", cond, file, line);
	panic("BUG at %s:%d", file, line);
}

QAPI void warn_report(const char *cond, const char *file, int line)
{
	console_fresh_line();
	pr_warn("WARNING: %s at %s:%d\n", cond, file, line);
	dump_stack();
}
