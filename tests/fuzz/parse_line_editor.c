/*
 * parse_line_editor.c - any bytes as keystrokes: the line, the screen and what is handed out.
 *
 * IDEA.  Two witnesses.  The terminal of tests/kernel/ shows what the editor wrote: its row must
 * read as prompt and line.  And a second editor, which knows no terminal and keeps its lines as
 * strings that are copied whole, must have the same line, cursor and history after every byte.
 *
 * STATE.  Both editors, the terminal.
 *
 * CONTEXT.  The fuzzer's process.
 */
#include "../kernel/terminal_model.h"
#include "verdict.h"

#include <quarry/align.h>
#include <quarry/monitor.h>
#include <quarry/string.h>

#define PROMPT   "> "
#define LINE_END (LINE_EDITOR_MAX - 1) /* bytes of the longest line */
#define SEQUENCE 64u

static struct screen screen;
static struct line_editor editor;

static const char *const words[] = { "free", "alloc", "allocs", "help", "zoneinfo", "z" };

static QAPI const char *word(unsigned int n)
{
	return n < ARRAY_SIZE(words) ? words[n] : NULL;
}

/* ---- the second editor ---------------------------------------------------------------------- */

static struct {
	char line[LINE_EDITOR_MAX];
	size_t cursor;
	bool overlong;
	char history[LINE_EDITOR_HISTORY][LINE_EDITOR_MAX]; /* the newest first */
	size_t nr_history, browsed;
	char draft[LINE_EDITOR_MAX];
	char sequence[SEQUENCE]; /* from ESC on, NUL-terminated; empty: none has begun */
	bool after_cr;
} model;

/* The line becomes its first @left bytes, @middle, and what it has from @right on. */
static void splice(size_t left, const char *middle, size_t right)
{
	char rest[LINE_EDITOR_MAX];

	strlcpy(rest, model.line + right, sizeof(rest));
	model.line[left] = '\0';
	strlcpy(model.line + left, middle, sizeof(model.line) - left);
	left += strlen(middle);
	strlcpy(model.line + left, rest, sizeof(model.line) - left);
	model.cursor = left;
}

static void cut(size_t left, size_t right)
{
	splice(left, "", right);
	model.overlong = false;
}

static void type(char c)
{
	const char text[2] = { c, '\0' };

	if (strlen(model.line) == LINE_END)
		model.overlong = true;
	else
		splice(model.cursor, text, model.cursor);
}

static void browse(size_t n)
{
	if (n > model.nr_history)
		return;
	if (!model.browsed)
		strlcpy(model.draft, model.line, sizeof(model.draft));
	model.browsed = n;
	strlcpy(model.line, n ? model.history[n - 1] : model.draft, sizeof(model.line));
	model.cursor = strlen(model.line);
	model.overlong = false;
}

static void remember(void)
{
	if (!*model.line || (model.nr_history && !strcmp(model.history[0], model.line)))
		return;
	memmove(model.history[1], model.history[0], sizeof(model.history) - LINE_EDITOR_MAX);
	strlcpy(model.history[0], model.line, LINE_EDITOR_MAX);
	model.nr_history = min(model.nr_history + 1, (size_t)LINE_EDITOR_HISTORY);
}

static void cut_word(void)
{
	size_t start = model.cursor;

	while (start && model.line[start - 1] == ' ')
		start--;
	while (start && model.line[start - 1] != ' ')
		start--;
	cut(start, model.cursor);
}

/* How many words begin as the @len bytes at @text do, and what all of them begin with. */
static unsigned int matching(const char *text, size_t len, char *common)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		size_t n = 0;

		if (strncmp(words[i], text, len))
			continue;
		if (!nr++)
			strlcpy(common, words[i], LINE_EDITOR_MAX);
		while (common[n] && common[n] == words[i][n])
			n++;
		common[n] = '\0';
	}
	return nr;
}

static void complete(void)
{
	size_t start = model.cursor >= 5 && !strncmp(model.line, "help ", 5) ? 5 : 0;
	size_t len = model.cursor - start;
	char common[LINE_EDITOR_MAX] = "";
	unsigned int nr;

	for (size_t i = start; i < model.cursor; i++) {
		if (model.line[i] == ' ')
			return;
	}
	nr = matching(model.line + start, len, common);
	for (size_t i = len; nr && common[i]; i++)
		type(common[i]);
	if (nr == 1 && model.line[model.cursor] != ' ')
		type(' ');
}

/* A key that is a sequence, by its last byte and its first number. */
static void key(char last, unsigned int number)
{
	size_t len = strlen(model.line);

	if (last == 'A')
		browse(model.browsed + 1);
	if (last == 'B' && model.browsed)
		browse(model.browsed - 1);
	if (last == 'C')
		model.cursor = min(model.cursor + 1, len);
	if (last == 'D' && model.cursor)
		model.cursor--;
	if (last == 'H' || (last == '~' && (number == 1 || number == 7)))
		model.cursor = 0;
	if (last == 'F' || (last == '~' && (number == 4 || number == 8)))
		model.cursor = len;
	if (last == '~' && number == 3 && model.cursor < len)
		cut(model.cursor, model.cursor + 1);
}

/* The number that a sequence begins with, if nothing but digits comes before its end or its ';'. */
static unsigned int number_of(const char *s)
{
	unsigned int number = 0;

	for (; *s >= '0' && *s <= '9' && number < 1000; s++)
		number = number * 10 + (unsigned int)(*s - '0');
	return number;
}

/* @byte, which is printable, goes on with the sequence. */
static void go_on(char byte)
{
	size_t len = strlen(model.sequence);
	bool csi = model.sequence[1] == '[';

	if (len < SEQUENCE - 1) {
		model.sequence[len] = byte;
		model.sequence[len + 1] = '\0';
	}
	if (len == 1 && (byte == '[' || byte == 'O'))
		return;
	if (len > 1 && csi && byte < '@')
		return;
	if (len > 1)
		key(byte, csi ? number_of(model.sequence + 2) : 0);
	model.sequence[0] = '\0';
}

static void control(unsigned char byte)
{
	size_t len = strlen(model.line);

	if (byte == 'A' - '@')
		model.cursor = 0;
	if (byte == 'D' - '@' && model.cursor < len)
		cut(model.cursor, model.cursor + 1);
	if (byte == 'E' - '@')
		model.cursor = len;
	if ((byte == 'H' - '@' || byte == 0x7F) && model.cursor)
		cut(model.cursor - 1, model.cursor);
	if (byte == '\t')
		complete();
	if (byte == 'K' - '@')
		splice(model.cursor, "", len);
	if (byte == 'U' - '@')
		splice(0, "", model.cursor);
	if (byte == 'K' - '@' || byte == 'U' - '@')
		model.overlong = false;
	if (byte == 'W' - '@')
		cut_word();
	if (byte == '\x1b')
		strlcpy(model.sequence, "\x1b", SEQUENCE);
}

static void clear_line(void)
{
	model.line[0] = '\0';
	model.cursor = 0;
	model.overlong = false;
	model.browsed = 0;
}

/* Does @byte end the line?  Then the line is what is handed out. */
static bool model_feed(unsigned char byte)
{
	bool second_half = model.after_cr && byte == '\n';
	bool printable = byte >= ' ' && byte < 0x7F;

	model.after_cr = byte == '\r';
	if (second_half)
		return false;
	if (model.sequence[0] && printable) {
		go_on((char)byte);
		return false;
	}
	model.sequence[0] = '\0';
	if (byte == '\r' || byte == '\n') {
		if (model.overlong)
			clear_line();
		remember();
		return true;
	}
	if (byte == 'C' - '@')
		clear_line();
	else if (printable)
		type((char)byte);
	else if (byte < 0x80)
		control(byte);
	return false;
}

/* ---- the comparison ------------------------------------------------------------------------- */

static void expect_same(void)
{
	FUZZ_CHECK(!strcmp(model.line, editor.line), "the line is '%s', not '%s'", editor.line,
		   model.line);
	FUZZ_EQ(strlen(model.line), editor.len);
	FUZZ_EQ(model.cursor, editor.cursor);
	FUZZ_EQ(model.nr_history, editor.nr_history);
}

static void expect_screen(void)
{
	size_t prompt = strlen(PROMPT), len = strlen(model.line);

	FUZZ_HOLDS(!screen.broken);
	FUZZ_EQ(prompt + model.cursor, screen.column);
	FUZZ_HOLDS(!memcmp(screen.row, PROMPT, prompt));
	FUZZ_HOLDS(!memcmp(screen.row + prompt, model.line, len));
	FUZZ_HOLDS(row_length(screen.row + 0) <= max(prompt + len, prompt));
}

static void feed(unsigned char byte)
{
	const char *got = line_editor_feed(&editor, byte);
	bool ended = model_feed(byte);

	FUZZ_EQ(ended, got != NULL);
	if (!ended) {
		expect_same();
		expect_screen();
		return;
	}
	FUZZ_CHECK(!strcmp(model.line, got), "'%s' is handed out, not '%s'", got, model.line);
	line_editor_start(&editor);
	clear_line();
}

static void run(const unsigned char *data, unsigned long size)
{
	struct fuzz_bytes b = { data, size, 0 };

	memset(&model, 0, sizeof(model));
	screen_init(&screen);
	line_editor_init(&editor, &screen.out, PROMPT, word);
	line_editor_start(&editor);
	while (!fuzz_end(&b))
		feed(fuzz_u8(&b));
}

const struct fuzz_target fuzz_target = {
	.name = "line_editor",
	.where = FUZZ_IN_PROCESS,
	.size_max = 2048,
	.run = run,
};
