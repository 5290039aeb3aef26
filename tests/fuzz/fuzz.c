/*
 * fuzz.c - steps written down.
 *
 * IDEA.  A target says what it is about to do, as C; only when a reduced input runs for the last
 * time does anybody listen.
 *
 * CONTEXT.  Any.
 */
#include "fuzz.h"
#include <stdarg.h>

#include <quarry/printk.h>

#define LINE_SIZE 400u

void fuzz_step(const char *fmt, ...)
{
	char line[LINE_SIZE];
	va_list args;

	if (!fuzz_tracing)
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	fuzz_trace_line(line);
}
