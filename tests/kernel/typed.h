/*
 * Layer: tests
 * typed.h - a line typed at the monitor, and what it prints.
 */
#ifndef TESTS_TYPED_H
#define TESTS_TYPED_H

#include <quarry/ktest.h>

/* What the last line printed. */
extern char typed_text[32768];

/* Run @line; what it prints has to fit.  Returns what the monitor does. */
QAPI int typed(struct ktest *t, const char *line);

#endif
