/*
 * vsnprintf.c - formatted text, piece by piece to a sink.
 *
 * THEORY.  vformat() is the only engine: it walks the format once and emits pieces of text to a
 * sink; a buffer, a console line and a growing report are sinks.  So nothing ever needs a buffer
 * as long as the text, and the lengths in the C standard (text cut, length returned) are a matter
 * of the buffer's sink alone.
 *
 * A number is made of up to five parts, in this order:
 *
 *	spaces (width)   sign or prefix   zeros (precision, or width with '0')   digits   spaces
 *
 * and only their counts depend on the flags.
 *
 * STATE.  None.  No pointer lies in data and no switch becomes a jump table, so that the object
 * also runs where it was not linked: the code before paging is built -fpie and uses it.  64-bit
 * division is <quarry/div64.h>: no compiler run-time library.
 *
 * CONTEXT.  Any.  About 200 bytes of stack below the sink's own.
 *
 * SOURCES.  ISO/IEC 9899:2011, 7.21.6.1.
 */
#include <quarry/align.h>
#include <quarry/div64.h>
#include <quarry/printk.h>
#include <quarry/string.h>

/* In a structure because a va_list parameter may be an array, whose address has another type. */
struct args {
	va_list ap;
};

enum length { LEN_CHAR, LEN_SHORT, LEN_INT, LEN_LONG, LEN_LONG_LONG, LEN_SIZE, LEN_INTMAX };

#define NO_PRECISION (-1)

/* Widths and precisions end here: they can be negated, and hundreds of them add up to an int. */
#define COUNT_MAX 0x100000

struct spec {
	bool left, plus, space, alt, zero;
	bool upper;
	int width;
	int precision;
	enum length length;
};

/* Octal needs the most digits. */
#define MAX_DIGITS (64 / 3 + 1)

/* A number taken apart, before the padding is known. */
struct number {
	char digits[MAX_DIGITS];
	unsigned int nr_digits;
	char prefix[2];
	unsigned int nr_prefix;
};

static void emit_fill(struct format_sink *sink, char c, int n)
{
	char chunk[16];

	if (n <= 0)
		return;
	memset(chunk, c, sizeof(chunk));
	for (; n > (int)sizeof(chunk); n -= (int)sizeof(chunk))
		sink->emit(sink, chunk, sizeof(chunk));
	sink->emit(sink, chunk, (size_t)n);
}

/* @text in a field of @spec->width; the length of the field. */
static int emit_padded(struct format_sink *sink, const struct spec *spec, const char *text, int n)
{
	int pad = max(spec->width - n, 0);

	if (!spec->left)
		emit_fill(sink, ' ', pad);
	sink->emit(sink, text, (size_t)n);
	if (spec->left)
		emit_fill(sink, ' ', pad);
	return n + pad;
}

static int format_string(struct format_sink *sink, const struct spec *spec, const char *s)
{
	size_t max_len = spec->precision == NO_PRECISION ? SIZE_MAX : (size_t)spec->precision;

	if (!s)
		s = "(null)";
	return emit_padded(sink, spec, s, (int)strnlen(s, max_len));
}

static char digit_char(unsigned int digit, bool upper)
{
	if (digit < 10)
		return (char)('0' + digit);
	return (char)((upper ? 'A' : 'a') + (digit - 10));
}

/* The digits of @v, most significant first; 0 has none. */
static void number_digits(struct number *num, uint64_t v, unsigned int base, bool upper)
{
	unsigned int at = MAX_DIGITS;
	uint32_t digit;

	while (v) {
		v = div_u64_rem(v, base, &digit);
		num->digits[--at] = digit_char(digit, upper);
	}
	num->nr_digits = MAX_DIGITS - at;
	memmove(num->digits, num->digits + at, num->nr_digits);
}

/* How many digits a number has at least: one, so that 0 is seen, unless precision says. */
static int least_digits(const struct spec *spec)
{
	return spec->precision == NO_PRECISION ? 1 : spec->precision;
}

/* Emit the parts of @num with the zeros and spaces that @spec asks for. */
static int emit_number(struct format_sink *sink, const struct spec *spec, const struct number *num)
{
	int nr_digits = (int)num->nr_digits, nr_prefix = (int)num->nr_prefix;
	int zeros = max(least_digits(spec) - nr_digits, 0);
	int spaces;

	if (spec->zero && !spec->left && spec->precision == NO_PRECISION)
		zeros = max(spec->width - nr_prefix - nr_digits, zeros);
	spaces = max(spec->width - nr_prefix - zeros - nr_digits, 0);

	if (!spec->left)
		emit_fill(sink, ' ', spaces);
	sink->emit(sink, num->prefix, num->nr_prefix);
	emit_fill(sink, '0', zeros);
	sink->emit(sink, num->digits, num->nr_digits);
	if (spec->left)
		emit_fill(sink, ' ', spaces);
	return spaces + nr_prefix + zeros + nr_digits;
}

static int format_signed(struct format_sink *sink, const struct spec *spec, int64_t v)
{
	struct number num;
	/* Negated as unsigned: the most negative value has no positive counterpart. */
	uint64_t magnitude = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	number_digits(&num, magnitude, 10, false);
	num.nr_prefix = 1;
	if (v < 0)
		num.prefix[0] = '-';
	else if (spec->plus)
		num.prefix[0] = '+';
	else if (spec->space)
		num.prefix[0] = ' ';
	else
		num.nr_prefix = 0;
	return emit_number(sink, spec, &num);
}

static int format_unsigned(struct format_sink *sink, const struct spec *spec, uint64_t v,
			   unsigned int base)
{
	struct number num;

	number_digits(&num, v, base, spec->upper);
	num.nr_prefix = 0;
	num.prefix[0] = '0';
	num.prefix[1] = spec->upper ? 'X' : 'x';
	if (spec->alt && base == 16 && v)
		num.nr_prefix = 2;
	/* An octal number shall begin with a zero: one is missing where precision gives none. */
	if (spec->alt && base == 8 && least_digits(spec) <= (int)num.nr_digits)
		num.nr_prefix = 1;
	return emit_number(sink, spec, &num);
}

/* 0x and every digit, whatever the value: addresses line up and 0 is no special case. */
static int format_pointer(struct format_sink *sink, const struct spec *spec, const void *p)
{
	struct number num;
	struct spec s = *spec;

	number_digits(&num, (uintptr_t)p, 16, false);
	num.prefix[0] = '0';
	num.prefix[1] = 'x';
	num.nr_prefix = 2;
	s.precision = 2 * (int)sizeof(p);
	return emit_number(sink, &s, &num);
}

static int64_t take_signed(struct args *args, enum length length)
{
	switch (length) {
	case LEN_CHAR:
		return (signed char)va_arg(args->ap, int);
	case LEN_SHORT:
		return (short)va_arg(args->ap, int);
	case LEN_LONG:
		return va_arg(args->ap, long);
	case LEN_SIZE:
		return va_arg(args->ap, ptrdiff_t);
	case LEN_LONG_LONG:
	case LEN_INTMAX:
		return va_arg(args->ap, long long);
	default:
		return va_arg(args->ap, int);
	}
}

static uint64_t take_unsigned(struct args *args, enum length length)
{
	switch (length) {
	case LEN_CHAR:
		return (unsigned char)va_arg(args->ap, unsigned int);
	case LEN_SHORT:
		return (unsigned short)va_arg(args->ap, unsigned int);
	case LEN_LONG:
		return va_arg(args->ap, unsigned long);
	case LEN_SIZE:
		return va_arg(args->ap, size_t);
	case LEN_LONG_LONG:
	case LEN_INTMAX:
		return va_arg(args->ap, unsigned long long);
	default:
		return va_arg(args->ap, unsigned int);
	}
}

static bool parse_flag(struct spec *spec, char c)
{
	switch (c) {
	case '-':
		spec->left = true;
		return true;
	case '+':
		spec->plus = true;
		return true;
	case ' ':
		spec->space = true;
		return true;
	case '#':
		spec->alt = true;
		return true;
	case '0':
		spec->zero = true;
		return true;
	default:
		return false;
	}
}

/* A decimal number, or the next argument for '*'; at most COUNT_MAX, whatever the sign. */
static const char *parse_count(const char *fmt, struct args *args, int *count)
{
	if (*fmt == '*') {
		*count = clamp(va_arg(args->ap, int), -COUNT_MAX, COUNT_MAX);
		return fmt + 1;
	}
	for (*count = 0; *fmt >= '0' && *fmt <= '9'; fmt++)
		*count = min(*count * 10 + (*fmt - '0'), COUNT_MAX);
	return fmt;
}

static const char *parse_length(const char *fmt, enum length *length)
{
	*length = LEN_INT;
	switch (*fmt) {
	case 'h':
		*length = fmt[1] == 'h' ? LEN_CHAR : LEN_SHORT;
		break;
	case 'l':
		*length = fmt[1] == 'l' ? LEN_LONG_LONG : LEN_LONG;
		break;
	case 'z':
	case 't':
		*length = LEN_SIZE;
		break;
	case 'j':
		*length = LEN_INTMAX;
		break;
	default:
		return fmt;
	}
	return *length == LEN_CHAR || *length == LEN_LONG_LONG ? fmt + 2 : fmt + 1;
}

/* All between the '%' and the conversion's letter; returns the latter's place. */
static const char *parse_spec(const char *fmt, struct args *args, struct spec *spec)
{
	*spec = (struct spec){ .precision = NO_PRECISION };
	while (parse_flag(spec, *fmt))
		fmt++;
	fmt = parse_count(fmt, args, &spec->width);
	if (spec->width < 0) {
		spec->left = true;
		spec->width = -spec->width;
	}
	if (*fmt == '.') {
		fmt = parse_count(fmt + 1, args, &spec->precision);
		if (spec->precision < 0)
			spec->precision = NO_PRECISION;
	}
	return parse_length(fmt, &spec->length);
}

#define NO_CONVERSION (-1)

/* One conversion; the length of its text, or NO_CONVERSION when @c is no letter of one. */
static int format_one(struct format_sink *sink, struct spec *spec, char c, struct args *args)
{
	char character;

	switch (c) {
	case 'd':
	case 'i':
		return format_signed(sink, spec, take_signed(args, spec->length));
	case 'u':
		return format_unsigned(sink, spec, take_unsigned(args, spec->length), 10);
	case 'o':
		return format_unsigned(sink, spec, take_unsigned(args, spec->length), 8);
	case 'X':
		spec->upper = true;
		return format_unsigned(sink, spec, take_unsigned(args, spec->length), 16);
	case 'x':
		return format_unsigned(sink, spec, take_unsigned(args, spec->length), 16);
	case 'c':
		character = (char)va_arg(args->ap, int);
		return emit_padded(sink, spec, &character, 1);
	case 's':
		return format_string(sink, spec, va_arg(args->ap, const char *));
	case 'p':
		return format_pointer(sink, spec, va_arg(args->ap, const void *));
	case '%':
		sink->emit(sink, "%", 1);
		return 1;
	default:
		return NO_CONVERSION;
	}
}

QAPI int vformat(struct format_sink *sink, const char *fmt, va_list ap)
{
	struct args args;
	int total = 0;

	va_copy(args.ap, ap);
	while (*fmt) {
		const char *start = fmt;
		struct spec spec;
		int n;

		if (*fmt != '%') {
			while (*fmt && *fmt != '%')
				fmt++;
			sink->emit(sink, start, (size_t)(fmt - start));
			total += (int)(fmt - start);
			continue;
		}
		fmt = parse_spec(fmt + 1, &args, &spec);
		n = format_one(sink, &spec, *fmt, &args);
		if (*fmt)
			fmt++;
		if (n == NO_CONVERSION) {
			n = (int)(fmt - start);
			sink->emit(sink, start, (size_t)n);
		}
		total += n;
	}
	va_end(args.ap);
	return total;
}

struct buffer_sink {
	struct format_sink sink;
	char *at;
	size_t room; /* bytes from @at on, the NUL's not counted */
};

static QAPI void buffer_emit(struct format_sink *sink, const char *text, size_t n)
{
	struct buffer_sink *b = container_of(sink, struct buffer_sink, sink);
	size_t fits = min(n, b->room);

	if (!fits)
		return; /* @at may be NULL: no buffer at all */
	memcpy(b->at, text, fits);
	b->at += fits;
	b->room -= fits;
}

QAPI int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct buffer_sink b = { .sink = { buffer_emit }, .at = buf, .room = size ? size - 1 : 0 };
	int n = vformat(&b.sink, fmt, ap);

	if (size)
		*b.at = '\0';
	return n;
}

int snprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

int scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	if ((size_t)n < size)
		return n;
	return size ? (int)size - 1 : 0;
}
