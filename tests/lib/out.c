/*
 * out.c - tests of text sinks.
 *
 * The sink that checks a pattern has no buffer: it counts what is wrong as it goes, so the text may
 * be longer than the line buffer under test.
 */
#include <quarry/ktest.h>
#include <quarry/out.h>
#include <quarry/printk.h>
#include <quarry/string.h>

KTEST(out, a_buffer_is_empty_text_before_anything_is_written)
{
	struct out_buf b;
	char buf[4] = { 'x', 'x', 'x', 'x' };

	out_buf_init(&b, buf, sizeof(buf));
	EXPECT_STREQ(t, "", buf);
	EXPECT_EQ(t, 0, b.len);
	EXPECT_EQ(t, 0, b.dropped);
}

KTEST(out, a_buffer_keeps_what_fits_counts_the_rest_and_ends_in_dots)
{
	struct out_buf b;
	char buf[8];

	out_buf_init(&b, buf, sizeof(buf));
	out_printf(&b.out, "%d-%d", 12, 34);
	EXPECT_STREQ(t, "12-34", buf);
	EXPECT_EQ(t, 5, b.len);
	out_printf(&b.out, "abcdef");
	EXPECT_STREQ(t, "12-3...", buf);
	EXPECT_EQ(t, 7, b.len);
	EXPECT_EQ(t, 4, b.dropped);
	out_printf(&b.out, "x");
	EXPECT_STREQ(t, "12-3...", buf);
	EXPECT_EQ(t, 5, b.dropped);
}

KTEST(out, a_line_that_is_full_to_the_last_byte_is_not_cut)
{
	struct out_buf b;
	char buf[8];

	out_buf_init(&b, buf, sizeof(buf));
	out_printf(&b.out, "abcdef\n");
	EXPECT_STREQ(t, "abcdef\n", buf);
	EXPECT_EQ(t, 0, b.dropped);
}

KTEST(out, a_line_that_is_cut_keeps_its_newline)
{
	struct out_buf b;
	char buf[8];

	out_buf_init(&b, buf, sizeof(buf));
	out_printf(&b.out, "abcdefg\n");
	EXPECT_STREQ(t, "abc...\n", buf);
	out_buf_init(&b, buf, sizeof(buf));
	out_printf(&b.out, "abcdefghijkl");
	EXPECT_STREQ(t, "abcd...", buf);
	out_printf(&b.out, "mn\n");
	EXPECT_STREQ(t, "abc...\n", buf);
}

KTEST(out, a_buffer_with_no_room_for_the_dots_has_what_fits_of_them)
{
	struct out_buf b;
	char buf[3], none[1];

	out_buf_init(&b, buf, sizeof(buf));
	out_printf(&b.out, "abc\n");
	EXPECT_STREQ(t, ".\n", buf);
	out_buf_init(&b, none, sizeof(none));
	out_printf(&b.out, "abc\n");
	EXPECT_STREQ(t, "", none);
	EXPECT_EQ(t, 4, b.dropped);
}

/* Checks as it goes that it gets one long pattern without a gap. */
struct pattern_out {
	struct out out;
	size_t len;
	unsigned int nr_writes, nr_wrong;
};

static QAPI void pattern_write(struct out *o, const char *text, size_t len)
{
	struct pattern_out *p = container_of(o, struct pattern_out, out);

	p->nr_writes++;
	for (size_t i = 0; i < len; i++, p->len++)
		if (text[i] != (char)('a' + p->len % 26))
			p->nr_wrong++;
}

KTEST(out, a_line_longer_than_the_line_buffer_arrives_whole_in_pieces)
{
	static char text[1001];
	struct pattern_out p = { .out = { pattern_write } };

	for (unsigned int i = 0; i < 1000; i++)
		text[i] = (char)('a' + i % 26);
	out_printf(&p.out, "%s", text);
	EXPECT_EQ(t, 1000, p.len);
	EXPECT_EQ(t, 0, p.nr_wrong);
	EXPECT_GE(t, 2, p.nr_writes);
}

KTEST(out, a_short_line_arrives_in_one_write)
{
	struct pattern_out p = { .out = { pattern_write } };

	out_printf(&p.out, "%c%s%c", 'a', "bcdefghijklmnop", 'q');
	EXPECT_EQ(t, 1, p.nr_writes);
	EXPECT_EQ(t, 17, p.len);
	EXPECT_EQ(t, 0, p.nr_wrong);
}

static void print_through(struct out *o, const char *fmt, ...) __printf(2, 3);
static void print_through(struct out *o, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	out_vprintf(o, fmt, ap);
	va_end(ap);
}

KTEST(out, a_va_list_prints_like_the_arguments)
{
	struct out_buf b;
	char buf[32];

	out_buf_init(&b, buf, sizeof(buf));
	print_through(&b.out, "%s=%#x", "cr3", 0x1000u);
	EXPECT_STREQ(t, "cr3=0x1000", buf);
}
