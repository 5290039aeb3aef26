/*
 * parse_vsnprintf.c - any format, against libc, conversion by conversion.
 *
 * IDEA.  The input is a format and what its conversions get.  The model splits it: text stays, a
 * conversion that ISO C defines is libc's, with the flags that mean something to it, and the rest
 * (%p, a NULL string, what is no conversion) is what <quarry/printk.h> says.  Then vsnprintf() is
 * called for the whole, with buffers of several sizes, and so are its relatives.
 *
 * Arguments are passed as twelve numbers of 64 bits: where a variadic function of this machine
 * fetches each of them from does not depend on its type, so that a format need not be known to pass
 * them.
 *
 * STATE.  The expected text; buffers.
 *
 * CONTEXT.  The fuzzer's process.
 */
#include "host_format.h"
#include "verdict.h"

#include <quarry/align.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#define NR_ARGS     12u
#define FORMAT_MAX  200u
#define TEXT_MAX    0x240000u /* two of the widest fields */
#define COUNT_LIMIT 0x100000u /* a field is no wider */
#define BEHIND      64u       /* bytes behind a buffer that are looked at */
#define MARK        0xA5
#define SOME_TEXT   4096u /* longer ones take long: some of them are tried, once */
#define SOME_LONG   8u    /* of so many, one */

static char want[TEXT_MAX], got[TEXT_MAX + BEHIND];
static size_t want_len;
static uint64_t args[NR_ARGS]; /* a string's is replaced by its address */
static unsigned int nr_used;

/* ---- the model ------------------------------------------------------------------------------ */

static void add(const char *text, size_t n)
{
	memcpy(want + want_len, text, n);
	want_len += n;
}

static uint64_t next_arg(void)
{
	return args[nr_used++]; /* model_format() stops in time */
}

struct conversion {
	char flags[8];
	unsigned int nr_flags;
	bool left;
	long width, precision; /* -1: none */
	char length[3];
	char letter; /* '\0' at the format's end */
};

static size_t take_flags(const char *s, struct conversion *c)
{
	size_t n = 0;

	for (; s[n] && strchr("-+ #0", s[n]); n++) {
		if (!strchr(c->flags, s[n]))
			c->flags[c->nr_flags++] = s[n];
	}
	c->left = strchr(c->flags, '-') != NULL;
	return n;
}

/* A number or a star; none is 0. */
static size_t take_count(const char *s, long *count)
{
	size_t n = 0;

	*count = 0;
	if (*s == '*') {
		*count = (int)next_arg();
		*count = max(min(*count, (long)COUNT_LIMIT), -(long)COUNT_LIMIT);
		return 1;
	}
	for (; s[n] >= '0' && s[n] <= '9'; n++)
		*count = min(*count * 10 + (s[n] - '0'), (long)COUNT_LIMIT);
	return n;
}

static size_t take_length(const char *s, struct conversion *c)
{
	static const char *const lengths[] = { "hh", "ll", "h", "l", "z", "t", "j" };

	for (unsigned int i = 0; i < ARRAY_SIZE(lengths); i++) {
		size_t len = strlen(lengths[i]);

		if (!strncmp(s, lengths[i], len)) {
			memcpy(c->length, lengths[i], len);
			return len;
		}
	}
	return 0;
}

/* From behind the '%' on; bytes up to the letter. */
static size_t take_conversion(const char *s, struct conversion *c)
{
	size_t n;

	memset(c, 0, sizeof(*c));
	n = take_flags(s, c);
	n += take_count(s + n, &c->width);
	if (c->width < 0) {
		c->left = true;
		c->width = -c->width;
	}
	c->precision = -1;
	if (s[n] == '.')
		n += 1 + take_count(s + n + 1, &c->precision);
	n += take_length(s + n, c);
	c->letter = s[n];
	return n;
}

/* As libc sees it, with those of its flags that are in @meant. */
static void add_by_libc(const struct conversion *c, const char *meant, const char *length,
			char letter, uint64_t value, const char *string)
{
	char flags[8] = "";
	struct host_conversion h = {
		flags, (int)c->width, c->precision < 0 ? -1 : (int)c->precision, length, letter,
		value, string
	};
	unsigned int n = 0;

	if (c->left)
		flags[n++] = '-';
	for (unsigned int i = 0; i < c->nr_flags; i++) {
		if (strchr(meant, c->flags[i]))
			flags[n++] = c->flags[i];
	}
	want_len += (size_t)host_format(want + want_len, TEXT_MAX - want_len, &h);
}

/* The next argument becomes a string, or NULL. */
static void add_string(const struct conversion *c)
{
	static const char bare[] = { 'n', 'o', ' ', 'e', 'n', 'd' };
	static const char *const strings[] = { NULL, "", "a", "0123456789", "%d and %s" };
	uint64_t value = next_arg();
	const char *s = strings[value % 8 % ARRAY_SIZE(strings)];

	if (value % 8 == 7 && c->precision >= 0 && c->precision <= (long)sizeof(bare))
		s = bare;
	args[nr_used - 1] = (uintptr_t)s;
	add_by_libc(c, "", "", 's', 0, s ? s : "(null)");
}

static void add_pointer(const struct conversion *c, uint64_t value)
{
	static const char digit[] = "0123456789abcdef";
	char text[] = "0x0000000000000000";
	struct conversion whole = *c;

	for (unsigned int i = 0; i < 16; i++)
		text[2 + i] = digit[value >> (60 - 4 * i) & 15];
	whole.precision = -1;
	add_by_libc(&whole, "", "", 's', 0, text);
}

/* What the conversion @c becomes; its text in the format is @spec, @n bytes with the '%'. */
static void add_conversion(const struct conversion *c, const char *spec, size_t n)
{
	switch (c->letter) {
	case 'd':
	case 'i':
		add_by_libc(c, "+ 0", c->length, c->letter, next_arg(), NULL);
		break;
	case 'u':
		add_by_libc(c, "0", c->length, c->letter, next_arg(), NULL);
		break;
	case 'o':
	case 'x':
	case 'X':
		add_by_libc(c, "#0", c->length, c->letter, next_arg(), NULL);
		break;
	case 'c':
		add_by_libc(c, "", "", 'c', next_arg(), NULL);
		break;
	case 's':
		add_string(c);
		break;
	case 'p':
		add_pointer(c, next_arg());
		break;
	case '%':
		add("%", 1);
		break;
	default:
		add(spec, n + (c->letter != '\0'));
		break;
	}
}

/* The text of @fmt to want; false when it may need more arguments or room than there are. */
static bool model_format(const char *fmt)
{
	want_len = 0;
	nr_used = 0;
	while (*fmt) {
		struct conversion c;
		size_t n;

		if (nr_used > NR_ARGS - 3 || want_len > TEXT_MAX - COUNT_LIMIT - FORMAT_MAX)
			return false;
		if (*fmt != '%') {
			add(fmt++, 1);
			continue;
		}
		n = 1 + take_conversion(fmt + 1, &c);
		add_conversion(&c, fmt, n);
		fmt += n + (c.letter != '\0');
	}
	return true;
}

/* ---- the comparison ------------------------------------------------------------------------- */

/* The format is the fuzzer's. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static int call(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

#define ALL_ARGS                                                                                  \
	args[0], args[1], args[2], args[3], args[4], args[5], args[6], args[7], args[8], args[9], \
		args[10], args[11]

static void expect_text(const char *fmt, size_t size)
{
	size_t kept = size ? min(want_len, size - 1) : 0;

	FUZZ_CHECK(!memcmp(got, want, kept), "%s becomes %.*s, not %.*s", fmt, (int)kept, got,
		   (int)kept, want);
	FUZZ_CHECK(!size || !got[kept], "%s: no NUL at %zu of %zu bytes", fmt, kept, size);
	for (size_t i = size ? kept + 1 : 0; i < kept + BEHIND; i++)
		FUZZ_CHECK((uint8_t)got[i] == MARK, "%s: byte %zu behind %zu is written", fmt, i,
			   size);
}

static void try_size(const char *fmt, size_t size)
{
	size_t mark = min(size, want_len) + BEHIND;

	memset(got, MARK, mark);
	FUZZ_EQ(want_len, call(got, size, fmt, ALL_ARGS));
	expect_text(fmt, size);
	memset(got, MARK, mark);
	FUZZ_EQ(size ? min(want_len, size - 1) : 0, scnprintf(got, size, fmt, ALL_ARGS));
	expect_text(fmt, size);
}

/* Collects the pieces. */
struct pieces {
	struct format_sink sink;
	size_t len;
};

static QAPI void take_piece(struct format_sink *sink, const char *text, size_t n)
{
	struct pieces *p = container_of(sink, struct pieces, sink);

	FUZZ_HOLDS(n <= TEXT_MAX - p->len);
	memcpy(got + p->len, text, n);
	p->len += n;
}

static void try_sink(const char *fmt, ...)
{
	struct pieces p = { { take_piece }, 0 };
	va_list ap;

	va_start(ap, fmt);
	FUZZ_EQ(want_len, vformat(&p.sink, fmt, ap));
	va_end(ap);
	FUZZ_EQ(want_len, p.len);
	FUZZ_HOLDS(!memcmp(got, want, want_len));
}

static void run(const unsigned char *data, unsigned long size)
{
	struct fuzz_bytes b = { data, size, 0 };
	char fmt[FORMAT_MAX];
	size_t some = fuzz_u16(&b);

	for (unsigned int i = 0; i < NR_ARGS; i++) {
		unsigned int shift = fuzz_u8(&b) % 64;

		args[i] = (uint64_t)(int64_t)(int32_t)fuzz_u32(&b) << shift;
	}
	fuzz_text(&b, fmt, sizeof(fmt));
	if (!model_format(fmt))
		return;
	if (want_len > SOME_TEXT && some % SOME_LONG)
		return;
	try_size(fmt, SOME_TEXT);
	if (want_len > SOME_TEXT)
		return;
	try_size(fmt, want_len + 1);
	try_size(fmt, 0);
	FUZZ_EQ(want_len, call(NULL, 0, fmt, ALL_ARGS));
	try_size(fmt, 1);
	try_size(fmt, want_len);
	try_size(fmt, some % (want_len + 2 * BEHIND));
	try_sink(fmt, ALL_ARGS);
}

const struct fuzz_target fuzz_target = {
	.name = "vsnprintf",
	.where = FUZZ_IN_PROCESS,
	.header = 2 + 5 * NR_ARGS,
	.size_max = 2 + 5 * NR_ARGS + FORMAT_MAX,
	.run = run,
};
