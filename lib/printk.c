/*
 * printk.c - messages to the log and to whatever consoles are registered.
 *
 * THEORY.  A message is formatted on the stack, a piece of at most PIECE_MAX bytes at a time.
 * Each piece becomes a record in the log, a ring of LOG_SIZE bytes that forgets its oldest text,
 * and is handed to the consoles, if its level lets it.  A record is
 *
 *	SOH  level digit  text
 *
 * and its end is the next SOH, so text that contains one loses it.  A reader that starts where the
 * ring has overwritten half a record skips to the next SOH.
 *
 * STATE.  The log, the list of consoles, and whether the consoles' line stands open.
 *
 *	log_head counts bytes ever logged; byte n lies at n % LOG_SIZE, and the kept ones are the
 *	last min(log_head, LOG_SIZE).  LOG_SIZE divides 2^32, so the count may wrap; log_full
 *	remembers that the ring is full even when the count starts over.
 *
 * LOCKING.  None: a panic must be able to print whatever it interrupted.  A record's place is
 * taken by one atomic addition, so records of several CPUs never mix in the log; on a console,
 * pieces of several CPUs may alternate, but none is torn.  The list of consoles changes only on
 * one CPU; an insertion is one store, so it may happen under printk.
 *
 * CONTEXT.  Any.
 *
 * NOT HERE.  Formatting: vsnprintf.c.  Devices: the ports register them.
 */
#include <quarry/printk.h>

#include <quarry/align.h>
#include <quarry/sizes.h>
#include <quarry/string.h>

#define LOG_SIZE  (64 * KiB)
#define PIECE_MAX 256u   /* bytes of a record, its level included */
#define SOH       '\001' /* KERN_SOH[0] */
#define LEVEL_LEN 2u     /* SOH and a digit */

#define DEFAULT_LEVEL '5' /* KERN_NOTICE[1] */

static_assert((LOG_SIZE & (LOG_SIZE - 1)) == 0, "the byte count must wrap at a multiple of it");

int console_loglevel = CONSOLE_LOGLEVEL_DEFAULT;

static char log_buf[LOG_SIZE];
static uint32_t log_head;
static bool log_full;

static struct console *consoles;
static bool line_open; /* the consoles' last byte was not a newline */

static void consoles_write(const char *text, size_t n)
{
	if (!n)
		return;
	for (struct console *c = READ_ONCE(consoles); c; c = c->next)
		c->write(c, text, n);
	line_open = text[n - 1] != '\n';
}

static QAPI void out_console_write(struct out *o, const char *text, size_t len)
{
	(void)o;
	consoles_write(text, len);
}

struct out out_console = { .write = out_console_write };

static QAPI void out_log_write(struct out *o, const char *text, size_t len)
{
	(void)o;
	pr_info("%.*s", (int)len, text);
}

struct out out_log = { .write = out_log_write };

QAPI void console_fresh_line(void)
{
	if (line_open)
		consoles_write("\n", 1);
}

/* Is a message of the level @digit for the consoles? */
static bool level_shown(char digit)
{
	int level = digit - '0';

	return level == 0 || level < console_loglevel;
}

static void log_append(const char *record, size_t n)
{
	uint32_t start = __atomic_fetch_add(&log_head, (uint32_t)n, __ATOMIC_RELAXED);

	for (size_t i = 0; i < n; i++)
		log_buf[(start + i) % LOG_SIZE] = record[i];
	if (start + n >= LOG_SIZE)
		log_full = true;
}

/* One message on its way through: its level is known once its first two bytes were seen. */
struct message {
	struct format_sink sink;
	bool level_known;
	size_t len;             /* bytes in @record, the level included */
	char record[PIECE_MAX]; /* SOH, digit, text */
};

static void message_flush(struct message *m)
{
	if (m->len <= LEVEL_LEN)
		return;
	log_append(m->record, m->len);
	if (level_shown(m->record[1]))
		consoles_write(m->record + LEVEL_LEN, m->len - LEVEL_LEN);
	m->len = LEVEL_LEN;
}

static void message_byte(struct message *m, char c)
{
	m->record[m->len++] = c == SOH ? '?' : c;
	if (m->len == sizeof(m->record))
		message_flush(m);
}

static QAPI void message_emit(struct format_sink *sink, const char *text, size_t n)
{
	struct message *m = container_of(sink, struct message, sink);

	for (size_t i = 0; i < n; i++)
		message_byte(m, text[i]);
}

int printk(const char *fmt, ...)
{
	struct message m;
	va_list ap;
	int n;

	m.sink.emit = message_emit;
	m.record[0] = SOH;
	m.record[1] = DEFAULT_LEVEL;
	m.len = LEVEL_LEN;
	if (fmt[0] == SOH && fmt[1] >= '0' && fmt[1] <= '7') {
		m.record[1] = fmt[1];
		fmt += LEVEL_LEN;
	}
	va_start(ap, fmt);
	n = vformat(&m.sink, fmt, ap);
	va_end(ap);
	message_flush(&m);
	return n;
}

/* Takes a run of text of one level from the log. */
typedef void (*log_reader_t)(void *arg, char level, const char *text, size_t n);

/* Hand the kept text to @reader, oldest first, in runs that neither wrap nor change level. */
static void log_read(log_reader_t reader, void *arg)
{
	uint32_t end = log_head;
	uint32_t at = log_full ? end - (uint32_t)LOG_SIZE : 0;
	char level = DEFAULT_LEVEL;
	bool synced = !log_full; /* past the record that was cut by the ring's end */

	while (at != end) {
		uint32_t start = at;

		if (log_buf[at % LOG_SIZE] == SOH) {
			level = log_buf[(at + 1) % LOG_SIZE];
			/* The oldest record's SOH may be the last byte kept: no digit follows. */
			at += end - at >= LEVEL_LEN ? LEVEL_LEN : end - at;
			synced = true;
			continue;
		}
		while (at != end && log_buf[at % LOG_SIZE] != SOH) {
			at++;
			if (at % LOG_SIZE == 0)
				break;
		}
		if (synced)
			reader(arg, level, log_buf + start % LOG_SIZE, at - start);
	}
}

static void replay_text(void *arg, char level, const char *text, size_t n)
{
	struct console *c = arg;

	if (level_shown(level))
		c->write(c, text, n);
}

QAPI void console_register(struct console *c)
{
	log_read(replay_text, c);
	c->next = consoles;
	WRITE_ONCE(consoles, c);
}

QAPI void console_unregister(struct console *c)
{
	struct console **link = &consoles;

	while (*link && *link != c)
		link = &(*link)->next;
	if (*link)
		*link = c->next;
}

static void show_text(void *arg, char level, const char *text, size_t n)
{
	struct out *o = arg;

	(void)level;
	o->write(o, text, n);
}

QAPI void printk_log_show(struct out *o)
{
	log_read(show_text, o);
}
