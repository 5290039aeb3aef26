/*
 * line_editor_test.c - the monitor's line editor against a model of a terminal.
 *
 * THEORY.  The editor's output goes to a model of a terminal (terminal_model.c).  Whatever bytes
 * were fed, the model's row must read as prompt and line, with the cursor where the editor believes
 * it to be.
 *
 * CONTEXT.  Any.
 */
#include <quarry/align.h>
#include <quarry/compiler.h>
#include <quarry/ktest.h>
#include <quarry/monitor.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#include "terminal_model.h"

#define UP     "\x1b[A"
#define DOWN   "\x1b[B"
#define RIGHT  "\x1b[C"
#define LEFT   "\x1b[D"
#define HOME   "\x1b[H"
#define END    "\x1b[F"
#define DELETE "\x1b[3~"

#define PROMPT "> "

/* ---- the editor ------------------------------------------------------------------------- */

static struct screen screen;
static struct line_editor editor;
static unsigned int nr_lines;       /* lines that ended since the editor was started */
static char ended[LINE_EDITOR_MAX]; /* the last of them */

static QAPI const char *test_word(unsigned int n)
{
	static const char *const words[] = { "free", "alloc", "allocs", "help", "zoneinfo" };

	return n < ARRAY_SIZE(words) ? words[n] : NULL;
}

static void start(void)
{
	screen_init(&screen);
	line_editor_init(&editor, &screen.out, PROMPT, test_word);
	line_editor_start(&editor);
	nr_lines = 0;
	ended[0] = '\0';
}

static void feed_byte(unsigned char byte)
{
	char *line = line_editor_feed(&editor, byte);

	if (!line)
		return;
	nr_lines++;
	strlcpy(ended, line, sizeof(ended));
	line_editor_start(&editor);
}

static void feed(const char *bytes)
{
	while (*bytes)
		feed_byte((unsigned char)*bytes++);
}

/* What the screen shows is the editor's line. */
static void expect_screen(struct ktest *t)
{
	char want[LINE_EDITOR_MAX + sizeof(PROMPT)], got[SCREEN_WIDTH];
	unsigned int want_len =
		(unsigned int)scnprintf(want, sizeof(want), PROMPT "%s", editor.line);
	unsigned int len = max(row_length(screen.row), want_len);

	len = min(len, SCREEN_WIDTH - 1);
	memcpy(got, screen.row, len);
	got[len] = '\0';
	EXPECT_STREQ(t, want, got);
	EXPECT_EQ(t, strlen(PROMPT) + editor.cursor, screen.column);
	EXPECT_FALSE(t, screen.broken);
}

/* @bytes, typed into an empty line, leave @line with the cursor at @cursor. */
struct key_case {
	const char *bytes;
	const char *line;
	unsigned int cursor;
};

static void check_keys(struct ktest *t, const struct key_case *cases, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		start();
		feed(cases[i].bytes);
		EXPECT_STREQ(t, cases[i].line, editor.line);
		EXPECT_EQ(t, cases[i].cursor, editor.cursor);
		EXPECT_EQ(t, strlen(cases[i].line), editor.len);
		expect_screen(t);
	}
}

KTEST(line_editor, typed_text_is_shown_and_handed_out_at_the_line_end)
{
	start();
	feed("free 12");
	EXPECT_EQ(t, 0, nr_lines);
	expect_screen(t);
	feed("\r");
	EXPECT_EQ(t, 1, nr_lines);
	EXPECT_STREQ(t, "free 12", ended);
	EXPECT_STREQ(t, PROMPT "free 12", screen.last_row);
	expect_screen(t);
}

KTEST(line_editor, cr_and_lf_and_crlf_each_end_one_line)
{
	start();
	feed("a\rb\nc\r\nd\r\r");
	EXPECT_EQ(t, 5, nr_lines);
	EXPECT_EQ(t, 5, screen.nr_rows);
	feed("e\r");
	feed("\nf");
	EXPECT_EQ(t, 6, nr_lines);
	EXPECT_STREQ(t, "f", editor.line);
}

KTEST(line_editor, keys_move_the_cursor_within_the_line)
{
	static const struct key_case cases[] = {
		{ "abc" LEFT, "abc", 2 },
		{ "abc" LEFT LEFT LEFT LEFT, "abc", 0 },
		{ "abc" LEFT LEFT RIGHT, "abc", 2 },
		{ "abc" RIGHT, "abc", 3 },
		{ "abc" HOME, "abc", 0 },
		{ "abc" HOME END, "abc", 3 },
		{ "abc\x1b[1~", "abc", 0 },
		{ "abc\x1b[7~\x1b[4~", "abc", 3 },
		{ "abc\x1b[1~\x1b[8~", "abc", 3 },
		{ "abc\x1bOD\x1bOD\x1bOC", "abc", 2 },
		{ "abc\x1bOH\x1bOF", "abc", 3 },
		{ "abc\x1b[1;5D", "abc", 2 },
		{ "abc\x01", "abc", 0 },
		{ "abc\x01\x05", "abc", 3 },
		{ "abc" LEFT LEFT "xy", "axybc", 3 },
	};

	check_keys(t, cases, ARRAY_SIZE(cases));
}

KTEST(line_editor, keys_erase_what_they_say)
{
	static const struct key_case cases[] = {
		{ "abc\b", "ab", 2 },
		{ "abc\x7f\x7f", "a", 1 },
		{ "abc" LEFT "\b", "ac", 1 },
		{ "\b", "", 0 },
		{ "abc" HOME DELETE, "bc", 0 },
		{ "abc" DELETE, "abc", 3 },
		{ "abc" HOME RIGHT "\x04", "ac", 1 },
		{ "abc\x04", "abc", 3 },
		{ "abc" LEFT LEFT "\x0b", "a", 1 },
		{ "abc" LEFT "\x15", "c", 0 },
		{ "one two\x17", "one ", 4 },
		{ "one two  \x17\x17", "", 0 },
		{ "one two" LEFT "\x17", "one o", 4 },
		{ "\x0b\x15\x17", "", 0 },
	};

	check_keys(t, cases, ARRAY_SIZE(cases));
}

KTEST(line_editor, ctrl_d_on_an_empty_line_is_ignored)
{
	start();
	feed("\x04\x04");
	EXPECT_EQ(t, 0, nr_lines);
	EXPECT_EQ(t, 0, screen.nr_rows);
	expect_screen(t);
}

KTEST(line_editor, ctrl_c_abandons_the_line_and_history_does_not_keep_it)
{
	start();
	feed("kept\rabandoned\x03");
	EXPECT_EQ(t, 1, nr_lines);
	EXPECT_STREQ(t, PROMPT "abandoned^C", screen.last_row);
	EXPECT_STREQ(t, "", editor.line);
	expect_screen(t);
	feed(UP);
	EXPECT_STREQ(t, "kept", editor.line);
}

KTEST(line_editor, ctrl_l_redraws_the_line_on_a_clear_screen)
{
	start();
	feed("abc" LEFT);
	memset(screen.row, '#', 40);
	feed("\x0c");
	EXPECT_STREQ(t, "abc", editor.line);
	expect_screen(t);
}

KTEST(line_editor, bytes_that_are_no_text_are_dropped)
{
	static const char garbage[] = { '\x02', '\x06', '\x0e', '\x1f',
					'\x80', '\xff', '\xc3', '\xa4' };

	start();
	feed("a");
	feed_byte(0);
	for (unsigned int i = 0; i < sizeof(garbage); i++)
		feed_byte((unsigned char)garbage[i]);
	feed("b");
	EXPECT_STREQ(t, "ab", editor.line);
	expect_screen(t);
}

KTEST(line_editor, a_sequence_nobody_knows_changes_nothing)
{
	static const struct key_case cases[] = {
		{ "ab" LEFT "\x1b[Z", "ab", 1 },           { "ab" LEFT "\x1b[5~", "ab", 1 },
		{ "ab" LEFT "\x1b[4294967299~", "ab", 1 }, { "ab" LEFT "\x1b[?25h", "ab", 1 },
		{ "ab" LEFT "\x1b[3;5~", "a", 1 }, /* Ctrl-Delete is Delete */
		{ "ab" LEFT "\x1bOx", "ab", 1 },           { "ab" LEFT "\x1bx", "ab", 1 },
	};

	check_keys(t, cases, ARRAY_SIZE(cases));
}

KTEST(line_editor, a_sequence_that_is_cut_off_does_not_swallow_the_line_end)
{
	static const char *const cut[] = { "\x1b", "\x1b[", "\x1b[3", "\x1b[1;5", "\x1bO" };

	for (unsigned int i = 0; i < ARRAY_SIZE(cut); i++) {
		start();
		feed("abc");
		feed(cut[i]);
		feed("\r");
		EXPECT_EQ(t, 1, nr_lines);
		EXPECT_STREQ(t, "abc", ended);
		feed("d");
		EXPECT_STREQ(t, "d", editor.line);
	}
	start();
	feed("ab\x1b[\x1b[D");
	EXPECT_EQ(t, 1, editor.cursor);
}

KTEST(line_editor, up_and_down_walk_the_history_and_end_at_the_line_being_typed)
{
	start();
	feed("one\rtwo\rthr" UP);
	EXPECT_STREQ(t, "two", editor.line);
	feed(UP);
	EXPECT_STREQ(t, "one", editor.line);
	feed(UP);
	EXPECT_STREQ(t, "one", editor.line);
	expect_screen(t);
	feed(DOWN DOWN);
	EXPECT_STREQ(t, "thr", editor.line);
	feed(DOWN);
	EXPECT_STREQ(t, "thr", editor.line);
	feed("ee\r" UP);
	EXPECT_STREQ(t, "three", editor.line);
	expect_screen(t);
}

KTEST(line_editor, an_edited_line_of_the_history_is_a_new_line)
{
	start();
	feed("one\rtwo\r" UP UP "s\r");
	EXPECT_STREQ(t, "ones", ended);
	feed(UP);
	EXPECT_STREQ(t, "ones", editor.line);
	feed(UP UP);
	EXPECT_STREQ(t, "one", editor.line);
}

KTEST(line_editor, history_leaves_out_empty_lines_and_repetitions)
{
	start();
	feed("one\r\r\rone\rone\rtwo\r\r" UP);
	EXPECT_STREQ(t, "two", editor.line);
	feed(UP);
	EXPECT_STREQ(t, "one", editor.line);
	EXPECT_EQ(t, 2, editor.nr_history);
}

KTEST(line_editor, history_keeps_the_newest_lines)
{
	char line[16];

	start();
	for (unsigned int i = 0; i < 3 * LINE_EDITOR_HISTORY + 5; i++) {
		scnprintf(line, sizeof(line), "line %u\r", i);
		feed(line);
	}
	for (unsigned int i = 0; i < LINE_EDITOR_HISTORY; i++)
		feed(UP);
	scnprintf(line, sizeof(line), "line %u", 2 * LINE_EDITOR_HISTORY + 5);
	EXPECT_STREQ(t, line, editor.line);
	feed(UP);
	EXPECT_STREQ(t, line, editor.line);
}

static void feed_many(char c, unsigned int n)
{
	while (n--)
		feed_byte((unsigned char)c);
}

KTEST(line_editor, the_longest_line_is_taken_whole)
{
	start();
	feed_many('x', LINE_EDITOR_MAX - 1);
	EXPECT_EQ(t, 0, screen.nr_bells);
	expect_screen(t);
	feed("\r");
	EXPECT_EQ(t, LINE_EDITOR_MAX - 1, strlen(ended));
}

KTEST(line_editor, a_longer_line_is_refused_and_not_cut)
{
	start();
	feed_many('x', 5 * LINE_EDITOR_MAX);
	EXPECT_EQ(t, 4 * LINE_EDITOR_MAX + 1, screen.nr_bells);
	expect_screen(t);
	feed("\r");
	EXPECT_EQ(t, 1, nr_lines);
	EXPECT_STREQ(t, "", ended);
	EXPECT_STREQ(t, "line too long, at most 255 bytes: ignored", screen.last_row);
	EXPECT_EQ(t, 0, editor.nr_history);
}

KTEST(line_editor, a_line_that_was_too_long_counts_again_once_something_was_erased)
{
	start();
	feed_many('x', LINE_EDITOR_MAX);
	feed("\x15"
	     "free\r");
	EXPECT_STREQ(t, "free", ended);
}

KTEST(line_editor, tab_completes_what_is_unambiguous)
{
	static const struct key_case cases[] = {
		{ "zo\t", "zoneinfo ", 9 },
		{ "al\t", "alloc", 5 },
		{ "allocs\t", "allocs ", 7 },
		{ "help fr\t", "help free ", 10 },
		{ "x\t", "x", 1 },
		{ "free al\t", "free al", 7 },
		{ "z x" LEFT LEFT "\t", "zoneinfo x", 8 },
	};

	check_keys(t, cases, ARRAY_SIZE(cases));
}

KTEST(line_editor, tab_lists_the_words_when_nothing_more_can_be_said)
{
	start();
	feed("alloc\t");
	EXPECT_STREQ(t, "alloc  allocs", screen.last_row);
	EXPECT_STREQ(t, "alloc", editor.line);
	expect_screen(t);
	start();
	feed("\t");
	EXPECT_STREQ(t, "free  alloc  allocs  help  zoneinfo", screen.last_row);
	expect_screen(t);
}

KTEST(line_editor, an_editor_without_words_only_beeps_at_tab)
{
	start();
	editor.word = NULL;
	feed("al\t");
	EXPECT_STREQ(t, "al", editor.line);
	EXPECT_EQ(t, 1, screen.nr_bells);
}

/* One random byte: mostly text and keys, now and then anything. */
static void feed_random(struct ktest *t)
{
	static const char *const keys[] = { UP,     DOWN,   LEFT,   RIGHT,  HOME,   END,    DELETE,
					    "\b",   "\t",   "\x01", "\x05", "\x0b", "\x15", "\x17",
					    "\x0c", "\x03", "\r",   "\n",   "\x1b", "alloc" };
	uint32_t choice = ktest_random_below(t, 100);

	if (choice < 50)
		feed_byte((unsigned char)(' ' + ktest_random_below(t, 95)));
	else if (choice < 95)
		feed(keys[ktest_random_below(t, ARRAY_SIZE(keys))]);
	else
		feed_byte((unsigned char)ktest_random_below(t, 256));
}

KTEST(line_editor, whatever_is_typed_the_screen_shows_the_line)
{
	start();
	for (unsigned int i = 0; i < 20000 && !t->nr_failed; i++) {
		feed_random(t);
		EXPECT_EQ(t, editor.len, strnlen(editor.line, LINE_EDITOR_MAX));
		EXPECT_LE(t, editor.len, editor.cursor);
		expect_screen(t);
	}
}
