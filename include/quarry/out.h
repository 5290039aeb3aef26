/*
 * Layer: base
 * out.h - a sink for text: the console, the monitor, a test's buffer.
 */
#ifndef QUARRY_OUT_H
#define QUARRY_OUT_H

#include <quarry/compiler.h>
#include <quarry/types.h>

struct out {
	/* Take @len bytes of text; never fails, may drop. */
	QAPI void (*write)(struct out *o, const char *text, size_t len);
};

#define OUT_CUT "..." /* how a text ends of which something is missing */

/*
 * A sink that fills a caller's buffer, always NUL-terminated.  What does not fit is counted, and
 * what is kept ends in OUT_CUT then, and in a newline if what was written does.
 */
struct out_buf {
	struct out out;
	char *buf;
	size_t size;    /* bytes of @buf, the NUL included */
	size_t len;     /* bytes written, at most size - 1 */
	size_t dropped; /* bytes that did not fit */
};

/* The console (whatever printk writes to), without log levels. */
extern struct out out_console;

/* The log, as messages of level KERN_INFO: consoles that are registered later see them, too. */
extern struct out out_log;

/**
 * out_printf - format to @o.
 *
 * Context: any; a line longer than OUT_LINE_MAX bytes arrives in pieces, none is lost.
 */
void out_printf(struct out *o, const char *fmt, ...) __printf(2, 3);

/**
 * out_buf_init - make @b a sink over @buf of @size bytes (1 or more).
 */
QAPI void out_buf_init(struct out_buf *b, char *buf, size_t size);

#endif
