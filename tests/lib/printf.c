/*
 * printf.c - tests of formatting.
 *
 * Text and returned length against what ISO C demands, written out by hand: the host's own printf
 * is not asked, because the same tests run in the kernel.
 */
#include <quarry/ktest.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#define EXPECT_FORMAT(t, want, ...)                                                        \
	do {                                                                               \
		char format_buf_[160];                                                     \
		int format_len_ = snprintf(format_buf_, sizeof(format_buf_), __VA_ARGS__); \
                                                                                           \
		EXPECT_STREQ(t, want, format_buf_);                                        \
		EXPECT_EQ(t, strlen(want), format_len_);                                   \
	} while (0)

KTEST(printf, integers_print_at_the_limits_of_every_length)
{
	EXPECT_FORMAT(t, "0 1 -1", "%d %d %d", 0, 1, -1);
	EXPECT_FORMAT(t, "2147483647 -2147483648", "%d %i", INT32_MAX, INT32_MIN);
	EXPECT_FORMAT(t, "4294967295", "%u", UINT32_MAX);
	EXPECT_FORMAT(t, "9223372036854775807", "%lld", (long long)INT64_MAX);
	EXPECT_FORMAT(t, "-9223372036854775808", "%lld", (long long)INT64_MIN);
	EXPECT_FORMAT(t, "18446744073709551615", "%llu", (unsigned long long)UINT64_MAX);
	EXPECT_FORMAT(t, "10000000000000000000", "%llu", 10000000000000000000ull);
	EXPECT_FORMAT(t, "4294967296", "%llu", 4294967296ull);
	EXPECT_FORMAT(t, "ffffffffffffffff", "%llx", (unsigned long long)UINT64_MAX);
	EXPECT_FORMAT(t, "1777777777777777777777", "%llo", (unsigned long long)UINT64_MAX);
	EXPECT_FORMAT(t, "deadBEEF", "%x%X", 0xdeadu, 0xbeefu);
}

KTEST(printf, a_length_modifier_takes_its_argument_and_no_more)
{
	EXPECT_FORMAT(t, "1 -1 7", "%hhd %hd %d", (signed char)1, (short)-1, 7);
	EXPECT_FORMAT(t, "255 65535 7", "%hhu %hu %d", (unsigned char)255, (unsigned short)65535,
		      7);
	EXPECT_FORMAT(t, "-5 5 7", "%ld %lu %d", -5l, 5ul, 7);
	EXPECT_FORMAT(t, "-5 5 7", "%lld %llu %d", -5ll, 5ull, 7);
	EXPECT_FORMAT(t, "5 -5 7", "%zu %td %d", (size_t)5, (ptrdiff_t)-5, 7);
	EXPECT_FORMAT(t, "-5 12 7", "%jd %jx %d", (intmax_t)-5, (uintmax_t)0x12, 7);
}

KTEST(printf, width_and_flags_place_sign_prefix_zeros_and_spaces)
{
	EXPECT_FORMAT(t, "[   42][42   ][00042]", "[%5d][%-5d][%05d]", 42, 42, 42);
	EXPECT_FORMAT(t, "[  -42][-42  ][-0042]", "[%5d][%-5d][%05d]", -42, -42, -42);
	EXPECT_FORMAT(t, "[+42][ 42][-42]", "[%+d][% d][% d]", 42, 42, -42);
	EXPECT_FORMAT(t, "[0x1f][0X1F][0]", "[%#x][%#X][%#x]", 0x1fu, 0x1fu, 0u);
	EXPECT_FORMAT(t, "[  0x1f][0x1f  ][0x001f]", "[%#6x][%-#6x][%#06x]", 0x1fu, 0x1fu, 0x1fu);
	EXPECT_FORMAT(t, "[12345]", "[%3d]", 12345);
	EXPECT_FORMAT(t, "[                    1]", "[%21d]", 1);
	EXPECT_FORMAT(t, "[000000000000000000001]", "[%021d]", 1);
}

KTEST(printf, precision_is_the_least_number_of_digits)
{
	EXPECT_FORMAT(t, "[00042][-00042]", "[%.5d][%.5d]", 42, -42);
	EXPECT_FORMAT(t, "[  00042][00042  ]", "[%7.5d][%-7.5d]", 42, 42);
	EXPECT_FORMAT(t, "[][   ][+]", "[%.0d][%3.0d][%+.0d]", 0, 0, 0);
	EXPECT_FORMAT(t, "[0x001f]", "[%#.4x]", 0x1fu);
	EXPECT_FORMAT(t, "[123]", "[%.2d]", 123);
	EXPECT_FORMAT(t, "[1]", "[%.d]", 1);
}

KTEST(printf, an_alternate_octal_number_begins_with_one_zero)
{
	EXPECT_FORMAT(t, "[010][0][0]", "[%#o][%#o][%#.0o]", 8u, 0u, 0u);
	EXPECT_FORMAT(t, "[00010][ 010][010 ]", "[%#05o][%#4o][%-#4o]", 8u, 8u, 8u);
	EXPECT_FORMAT(t, "[010][0010]", "[%#.3o][%#.4o]", 8u, 8u);
}

KTEST(printf, width_and_precision_can_be_arguments)
{
	EXPECT_FORMAT(t, "[   42][42   ]", "[%*d][%*d]", 5, 42, -5, 42);
	EXPECT_FORMAT(t, "[00042][42]", "[%.*d][%.*d]", 5, 42, -5, 42);
	EXPECT_FORMAT(t, "[  abc]", "[%*.*s]", 5, 3, "abcdef");
	EXPECT_FORMAT(t, "[0][abc]", "[%.*d][%.*s]", -5, 0, -5, "abc");
}

KTEST(printf, strings_are_padded_and_cut)
{
	const char unterminated[3] = { 'x', 'y', 'z' };
	const char *volatile none = NULL; /* or the compiler sees the NULL and warns */

	EXPECT_FORMAT(t, "[abc][  abc][abc  ]", "[%s][%5s][%-5s]", "abc", "abc", "abc");
	EXPECT_FORMAT(t, "[ab][][   ab]", "[%.2s][%.0s][%5.2s]", "abc", "abc", "abc");
	EXPECT_FORMAT(t, "[xyz]", "[%.3s]", unterminated);
	EXPECT_FORMAT(t, "[(null)]", "[%s]", none);
	EXPECT_FORMAT(t, "[x][  x][x  ][%]", "[%c][%3c][%-3c][%%]", 'x', 'x', 'x');
}

KTEST(printf, a_pointer_shows_all_its_digits)
{
	bool wide = sizeof(void *) == 8;

	EXPECT_FORMAT(t, wide ? "0x00000000c0100000" : "0xc0100000", "%p", (void *)0xC0100000ul);
	EXPECT_FORMAT(t, wide ? "0x0000000000000000" : "0x00000000", "%p", (void *)0);
}

/* The format is no literal: the compiler knows these conversions to be wrong. */
static int format_unchecked(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

KTEST(printf, a_value_wider_than_its_length_is_cut_to_it)
{
	char buf[32];

	format_unchecked(buf, sizeof(buf), "%hhu %hhd %hu %hd", 0x1FF, 0x180, 0x1FFFF, 0x18000);
	EXPECT_STREQ(t, "255 -128 65535 -32768", buf);
}

KTEST(printf, zeros_give_way_to_a_precision_and_to_the_left_edge)
{
	char buf[32];

	format_unchecked(buf, sizeof(buf), "[%-05d][%05.3d][%0-+5d]", 42, 42, 42);
	EXPECT_STREQ(t, "[42   ][  042][+42  ]", buf);
}

KTEST(printf, what_is_no_conversion_is_copied)
{
	char buf[32];

	EXPECT_EQ(t, 6, format_unchecked(buf, sizeof(buf), "[%y-%]", 1));
	EXPECT_STREQ(t, "[%y-%]", buf);
	EXPECT_EQ(t, 4, format_unchecked(buf, sizeof(buf), "100%"));
	EXPECT_STREQ(t, "100%", buf);
	EXPECT_EQ(t, 6, format_unchecked(buf, sizeof(buf), "a%-5lq"));
	EXPECT_STREQ(t, "a%-5lq", buf);
}

KTEST(printf, a_text_is_cut_at_every_size_and_its_length_stays_the_same)
{
	static const char want[] = "abc 0x2a    7 xyz";
	char buf[32];

	for (size_t size = 1; size <= sizeof(buf); size++) {
		size_t kept = size - 1 < sizeof(want) - 1 ? size - 1 : sizeof(want) - 1;
		int n;

		memset(buf, '#', sizeof(buf));
		n = snprintf(buf, size, "%s %#x %4d %s", "abc", 42u, 7, "xyz");
		EXPECT_EQ(t, sizeof(want) - 1, n);
		EXPECT_EQ(t, 0, memcmp(buf, want, kept));
		EXPECT_EQ(t, '\0', buf[kept]);
		for (size_t i = size; i < sizeof(buf); i++)
			EXPECT_EQ(t, '#', buf[i]);
		EXPECT_EQ(t, kept, scnprintf(buf, size, "%s %#x %4d %s", "abc", 42u, 7, "xyz"));
	}
}

KTEST(printf, size_zero_writes_nothing_and_still_returns_the_length)
{
	char c = '#';

	EXPECT_EQ(t, 5, snprintf(&c, 0, "%d", 12345));
	EXPECT_EQ(t, '#', c);
	EXPECT_EQ(t, 5, snprintf(NULL, 0, "%d", 12345));
	EXPECT_EQ(t, 0, scnprintf(&c, 0, "%d", 12345));
	EXPECT_EQ(t, '#', c);
}

struct counting_sink {
	struct format_sink sink;
	size_t total;
	unsigned int nr_pieces;
};

static QAPI void counting_emit(struct format_sink *sink, const char *text, size_t n)
{
	struct counting_sink *c = container_of(sink, struct counting_sink, sink);

	(void)text;
	c->total += n;
	c->nr_pieces++;
}

static int format_counting(struct counting_sink *c, const char *fmt, ...) __printf(2, 3);
static int format_counting(struct counting_sink *c, const char *fmt, ...)
{
	va_list ap;
	int n;

	c->sink.emit = counting_emit;
	c->total = 0;
	c->nr_pieces = 0;
	va_start(ap, fmt);
	n = vformat(&c->sink, fmt, ap);
	va_end(ap);
	return n;
}

KTEST(printf, a_sink_gets_text_of_any_length_in_pieces)
{
	struct counting_sink c;

	EXPECT_EQ(t, 100003, format_counting(&c, "[%100000d]\n", 1));
	EXPECT_EQ(t, 100003, c.total);
	EXPECT_GE(t, 4, c.nr_pieces);
}

KTEST(printf, a_width_or_precision_beyond_the_largest_is_the_largest)
{
	char c;

	EXPECT_EQ(t, 1 << 20, format_unchecked(&c, 1, "%99999999999d", 1));
	EXPECT_EQ(t, 1 << 20, format_unchecked(&c, 1, "%*d", INT32_MIN, 1));
	EXPECT_EQ(t, 1 << 20, format_unchecked(&c, 1, "%.*d", INT32_MAX, 1));
	EXPECT_EQ(t, 1, format_unchecked(&c, 1, "%.*d", INT32_MIN, 1));
}
