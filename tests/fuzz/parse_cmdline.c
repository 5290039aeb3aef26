/*
 * parse_cmdline.c - a command line, taken apart by a second parser too.
 *
 * IDEA.  The model first marks every byte as text, quote or gap, over the whole line, then reads
 * words between gaps.  What options were given, in which order and with which values, what was
 * printed, and how many words were refused, must be the same.  Values are numbers or not by a
 * second opinion as well.
 *
 * STATE.  What was seen and printed, and what was to be.
 *
 * CONTEXT.  A fuzz target.
 */
#include "numbers.h"
#include "verdict.h"

#include <quarry/align.h>
#include <quarry/cmdline.h>
#include <quarry/errno.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#define LINE_MAX 4096u
#define ECHO_MAX (64 * LINE_MAX) /* each word of one byte is printed in some 30 */

struct text {
	char bytes[ECHO_MAX];
	size_t len;
};

static struct text seen, printed, want_seen, want_printed;

static void append(struct text *t, const char *s, size_t n)
{
	n = min(n, sizeof(t->bytes) - t->len);
	memcpy(t->bytes + t->len, s, n);
	t->len += n;
}

static void append_string(struct text *t, const char *s)
{
	append(t, s, strlen(s));
}

static void note(struct text *t, const char *name, const char *value)
{
	append_string(t, name);
	append_string(t, "<");
	append_string(t, value);
	append_string(t, ">");
}

/* ---- options -------------------------------------------------------------------------------- */

static int whole_number(const char *value, bool suffix)
{
	struct model_number n = model_number(value, suffix);

	return n.err ? n.err : value[n.len] ? -EINVAL : 0;
}

static QAPI int parse_mem(const char *value)
{
	uint64_t size = 1;
	int err = parse_size(value, NULL, &size);

	FUZZ_EQ(whole_number(value, true), err);
	FUZZ_EQ(err ? 1 : model_number(value, true).value, size);
	note(&seen, "mem", value);
	return err;
}

static QAPI int parse_seed(const char *value)
{
	struct model_number want = model_number(value, false);
	const char *end = value;
	uint64_t number = 1;
	int err = parse_u64(value, &end, &number);

	FUZZ_EQ(want.err, err);
	FUZZ_EQ(err ? 1 : want.value, number);
	FUZZ_HOLDS(end == value + (err ? 0 : want.len));
	note(&seen, "seed", value);
	return parse_u64(value, NULL, &number);
}

static QAPI int parse_test(const char *value)
{
	note(&seen, "test", value);
	return 0;
}

static QAPI int parse_quiet(const char *value)
{
	note(&seen, "quiet", value);
	return *value ? -EINVAL : 0;
}

static QAPI int parse_second_mem(const char *value)
{
	note(&seen, "second", value);
	return 0;
}

static const struct boot_option first_table[] = { { "mem", parse_mem }, { "test", parse_test } };
static const struct boot_option second_table[] = { { "quiet", parse_quiet },
						   { "mem", parse_second_mem },
						   { "seed", parse_seed } };

/* ---- the second parser ---------------------------------------------------------------------- */

static bool known(const char *name)
{
	static const char *const names[] = { "mem", "test", "quiet", "seed" };

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(names[i], name))
			return true;
	}
	return false;
}

static int model_value(const char *name, const char *value)
{
	note(&want_seen, name, value);
	if (!strcmp(name, "mem") || !strcmp(name, "seed"))
		return whole_number(value, *name == 'm');
	return !strcmp(name, "quiet") && *value ? -EINVAL : 0;
}

static void say(const char *before, const char *word, const char *after)
{
	append_string(&want_printed, "cmdline: ");
	append_string(&want_printed, before);
	append_string(&want_printed, word);
	append_string(&want_printed, after);
	append_string(&want_printed, "\n");
}

/* @word without its quotes; 1 if it is refused. */
static unsigned int model_word(const char *word, bool too_long)
{
	char name[CMDLINE_WORD_MAX] = "", number[16];
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	int err;

	memcpy(name, word, len);
	if (!known(name)) {
		say("unknown option '", name, "' ignored");
		return 1;
	}
	err = too_long ? -E2BIG : model_value(name, equals ? equals + 1 : "");
	if (!err) {
		say("", word, "");
		return 0;
	}
	snprintf(number, sizeof(number), "' (%d)", err);
	say("bad value in '", word, number);
	return 1;
}

/* 't': text, '"': a quote, ' ': a gap between words. */
static void mark(const char *line, size_t len, char *marks)
{
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		bool blank =
			line[i] == ' ' || line[i] == '\t' || line[i] == '\n' || line[i] == '\r';

		quoted ^= line[i] == '"';
		marks[i] = line[i] == '"' ? '"' : blank && !quoted ? ' ' : 't';
	}
	marks[len] = ' ';
}

static unsigned int model_line(const char *line, size_t len)
{
	static char marks[LINE_MAX + 1];
	char word[CMDLINE_WORD_MAX] = "";
	unsigned int nr_refused = 0;
	size_t word_len = 0;

	mark(line, len, marks);
	for (size_t i = 0; i <= len; i++) {
		if (marks[i] == 't') {
			if (word_len < sizeof(word) - 1)
				word[word_len] = line[i];
			word_len++;
		}
		if (marks[i] != ' ')
			continue;
		if (word_len)
			nr_refused += model_word(word, word_len >= sizeof(word));
		memset(word, 0, sizeof(word));
		word_len = 0;
	}
	return nr_refused;
}

/* ---- the comparison ------------------------------------------------------------------------- */

static QAPI void printed_write(struct console *c, const char *s, size_t n)
{
	(void)c;
	append(&printed, s, n);
}

static void listen(void)
{
	static struct console console = { .write = printed_write };
	static bool listening;

	if (!listening)
		console_register(&console);
	listening = true;
	seen.len = 0;
	printed.len = 0; /* a new console hears older messages first */
	want_seen.len = 0;
	want_printed.len = 0;
}

/* On a console the mark of a level is no text. */
static void hide_marks(struct text *t)
{
	for (size_t i = 0; i < t->len; i++) {
		if (t->bytes[i] == '\001')
			t->bytes[i] = '?';
	}
}

static void expect_same(const struct text *want, const struct text *got, const char *what)
{
	FUZZ_CHECK(want->len == got->len && !memcmp(want->bytes, got->bytes, got->len),
		   "%s is:\n%.*s\nnot:\n%.*s", what, (int)got->len, got->bytes, (int)want->len,
		   want->bytes);
}

static void run(const unsigned char *data, unsigned long size)
{
	const struct boot_option *const tables[] = { first_table, second_table };
	const unsigned int nr[] = { ARRAY_SIZE(first_table), ARRAY_SIZE(second_table) };
	struct fuzz_bytes b = { data, size, 0 };
	static char line[LINE_MAX];

	fuzz_text(&b, line, sizeof(line));
	listen();
	FUZZ_EQ(model_line(line, strlen(line)),
		cmdline_parse(line, tables, nr, ARRAY_SIZE(tables)));
	expect_same(&want_seen, &seen, "what was set");
	hide_marks(&want_printed);
	expect_same(&want_printed, &printed, "what was printed");
}

const struct fuzz_target fuzz_target = {
	.name = "cmdline",
	.where = FUZZ_IN_PROCESS,
	.size_max = LINE_MAX - 1,
	.run = run,
};
