/*
 * out.c - text sinks: formatted lines to any of them, and the one that fills a buffer.
 *
 * THEORY.  A sink is one function.  out_printf() collects the pieces of vformat() in a line buffer
 * on the stack, so that a sink sees whole lines (a console then keeps them together) and still
 * gets texts of any length.
 *
 * STATE.  That of the caller's sink.  out_console and out_log are printk.c's.
 *
 * CONTEXT.  That of the sink's write().
 */
#include <quarry/out.h>

#include <quarry/align.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#define OUT_LINE_MAX 256u /* bytes that arrive in one write() */

struct line_sink {
	struct format_sink sink;
	struct out *out;
	size_t len;
	char line[OUT_LINE_MAX];
};

static void line_flush(struct line_sink *l)
{
	if (l->len)
		l->out->write(l->out, l->line, l->len);
	l->len = 0;
}

static QAPI void line_emit(struct format_sink *sink, const char *text, size_t n)
{
	struct line_sink *l = container_of(sink, struct line_sink, sink);

	while (n) {
		size_t fits = min(n, sizeof(l->line) - l->len);

		memcpy(l->line + l->len, text, fits);
		l->len += fits;
		text += fits;
		n -= fits;
		if (l->len == sizeof(l->line))
			line_flush(l);
	}
}

QAPI void out_vprintf(struct out *o, const char *fmt, va_list ap)
{
	struct line_sink l;

	l.sink.emit = line_emit;
	l.out = o;
	l.len = 0;
	vformat(&l.sink, fmt, ap);
	line_flush(&l);
}

void out_printf(struct out *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	out_vprintf(o, fmt, ap);
	va_end(ap);
}

/* The last bytes of what is kept say that it is not all; a line stays a line. */
static void mark_cut(struct out_buf *b, bool newline)
{
	const char *mark = newline ? OUT_CUT "\n" : OUT_CUT;
	size_t fits = min(strlen(mark), b->len);

	memcpy(b->buf + b->len - fits, mark + strlen(mark) - fits, fits);
}

static QAPI void out_buf_write(struct out *o, const char *text, size_t len)
{
	struct out_buf *b = container_of(o, struct out_buf, out);
	size_t fits = min(len, b->size - 1 - b->len);

	memcpy(b->buf + b->len, text, fits);
	b->len += fits;
	b->buf[b->len] = '\0';
	b->dropped += len - fits;
	if (fits < len)
		mark_cut(b, text[len - 1] == '\n');
}

QAPI void out_buf_init(struct out_buf *b, char *buf, size_t size)
{
	*b = (struct out_buf){ .out = { out_buf_write }, .buf = buf, .size = size };
	buf[0] = '\0';
}
