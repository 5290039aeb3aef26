/*
 * cmdline.c - tests of the kernel command line.
 *
 * Two tables, to see that the first one wins.  Every option appends "name<value>" to a text, so
 * order, repetition and quoting show; what the parser prints is read through a console.
 */
#include <quarry/cmdline.h>
#include <quarry/errno.h>
#include <quarry/ktest.h>
#include <quarry/printk.h>
#include <quarry/string.h>

static char seen[2 * CMDLINE_WORD_MAX];
static size_t seen_len;

static int note(const char *name, const char *value)
{
	seen_len +=
		(size_t)scnprintf(seen + seen_len, sizeof(seen) - seen_len, "%s<%s>", name, value);
	return 0;
}

static QAPI int parse_mem(const char *value)
{
	uint64_t size;
	int err = parse_size(value, NULL, &size);

	return err ? err : note("mem", value);
}

static QAPI int parse_test(const char *value)
{
	return note("test", value);
}

static QAPI int parse_quiet(const char *value)
{
	return *value ? -EINVAL : note("quiet", value);
}

static QAPI int parse_second_mem(const char *value)
{
	return note("second", value);
}

static const struct boot_option first_table[] = { { "mem", parse_mem }, { "test", parse_test } };
static const struct boot_option second_table[] = { { "quiet", parse_quiet },
						   { "mem", parse_second_mem } };

/* Collects what the parser prints. */
struct capture {
	struct console console;
	char text[4096];
	size_t len;
};

static struct capture capture;

static QAPI void capture_write(struct console *c, const char *s, size_t n)
{
	struct capture *cap = container_of(c, struct capture, console);

	for (size_t i = 0; i < n && cap->len < sizeof(cap->text) - 1; i++)
		cap->text[cap->len++] = s[i];
	cap->text[cap->len] = '\0';
}

static unsigned int parse(const char *cmdline)
{
	const struct boot_option *const tables[] = { first_table, second_table };
	const unsigned int nr[] = { ARRAY_SIZE(first_table), ARRAY_SIZE(second_table) };
	int level = console_loglevel;
	unsigned int nr_refused;

	seen_len = 0;
	seen[0] = '\0';
	capture.console.write = capture_write;
	console_register(&capture.console);
	capture.len = 0; /* the replay of older messages */
	capture.text[0] = '\0';
	console_loglevel = CONSOLE_LOGLEVEL_DEFAULT;
	nr_refused = cmdline_parse(cmdline, tables, nr, ARRAY_SIZE(tables));
	console_loglevel = level;
	console_unregister(&capture.console);
	return nr_refused;
}

KTEST(cmdline, options_are_set_in_order_and_as_often_as_given)
{
	EXPECT_EQ(t, 0, parse("mem=64M  quiet\ttest=a.*,b mem=32M "));
	EXPECT_STREQ(t, "mem<64M>quiet<>test<a.*,b>mem<32M>", seen);
}

KTEST(cmdline, an_empty_line_sets_nothing)
{
	EXPECT_EQ(t, 0, parse(""));
	EXPECT_EQ(t, 0, parse("  \t "));
	EXPECT_EQ(t, 0, parse("\"\" \"\""));
	EXPECT_STREQ(t, "", seen);
	EXPECT_STREQ(t, "", capture.text);
}

KTEST(cmdline, an_empty_pair_of_quotes_does_not_end_the_line)
{
	EXPECT_EQ(t, 0, parse("\"\" mem=1 \"\" quiet \"\""));
	EXPECT_STREQ(t, "mem<1>quiet<>", seen);
}

KTEST(cmdline, quotes_keep_blanks_and_are_dropped)
{
	EXPECT_EQ(t, 0, parse("test=\"a b\" \"test=c  d\" test=e\" \"f test=\"open end"));
	EXPECT_STREQ(t, "test<a b>test<c  d>test<e f>test<open end>", seen);
}

KTEST(cmdline, a_value_may_be_empty_and_may_contain_equals_signs)
{
	EXPECT_EQ(t, 0, parse("test= test==x test=a=b test"));
	EXPECT_STREQ(t, "test<>test<=x>test<a=b>test<>", seen);
}

KTEST(cmdline, every_option_set_is_printed)
{
	EXPECT_EQ(t, 0, parse("mem=64M quiet"));
	EXPECT_STREQ(t, "cmdline: mem=64M\ncmdline: quiet\n", capture.text);
}

KTEST(cmdline, an_unknown_option_is_named_and_ignored)
{
	EXPECT_EQ(t, 4, parse("me=1 mem2=1 =1 quiet foo"));
	EXPECT_STREQ(t, "quiet<>", seen);
	EXPECT_STREQ(t,
		     "cmdline: unknown option 'me' ignored\n"
		     "cmdline: unknown option 'mem2' ignored\n"
		     "cmdline: unknown option '' ignored\n"
		     "cmdline: quiet\n"
		     "cmdline: unknown option 'foo' ignored\n",
		     capture.text);
}

KTEST(cmdline, a_refused_value_is_named_with_its_error)
{
	EXPECT_EQ(t, 2, parse("mem=abc quiet=1 mem=1"));
	EXPECT_STREQ(t, "mem<1>", seen);
	EXPECT_STREQ(t,
		     "cmdline: bad value in 'mem=abc' (-22)\n"
		     "cmdline: bad value in 'quiet=1' (-22)\n"
		     "cmdline: mem=1\n",
		     capture.text);
}

KTEST(cmdline, the_longest_word_is_taken_and_a_longer_one_refused)
{
	static char line[CMDLINE_WORD_MAX + 16];

	memset(line, 'x', sizeof(line));
	memcpy(line, "test=", 5);
	strlcpy(line + CMDLINE_WORD_MAX - 1, " quiet", 8);
	EXPECT_EQ(t, 0, parse(line));
	EXPECT_EQ(t, strlen("test<>") + CMDLINE_WORD_MAX - 6 + strlen("quiet<>"), seen_len);

	line[CMDLINE_WORD_MAX - 1] = 'x';
	strlcpy(line + CMDLINE_WORD_MAX, " quiet", 8);
	EXPECT_EQ(t, 1, parse(line));
	EXPECT_STREQ(t, "quiet<>", seen);
}
