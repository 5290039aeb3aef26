/*
 * line_editor.c - a line of text out of the bytes of a terminal.
 *
 * THEORY.  The editor is a machine that is fed bytes and owns nothing but its structure, so it runs
 * behind any device, in a test and under a fuzzer.  Output is what a terminal of any kind
 * understands: text, \b to go left, blanks to erase; only ^L sends an escape sequence.  So every
 * change is shown by the same three steps: go left to the first byte that changes, print the rest
 * of the line, go left again to the cursor.
 *
 *	line    r e a d | w o r d            \b knows no way back over the edge of the screen:
 *	        0       cursor    len        longer lines work, but look wrong while edited
 *
 * Keys beyond one byte are sequences, which may arrive in pieces and may be cut off:
 *
 *	PLAIN --ESC--> ESCAPE --[--> CSI --0-9 ; ...--> CSI --final byte--> PLAIN
 *	                      --O--> SS3 --any byte--> PLAIN
 *
 * A control byte, or one that fits no arrow, ends the sequence and is taken for itself: garbage on
 * the line cannot swallow the line end that follows it.
 *
 * INVARIANTS
 *   L1  cursor <= len < LINE_EDITOR_MAX, and line[len] is NUL;
 *   L2  line holds printable ASCII only, each byte one column wide;
 *   L3  history holds nr_history lines, none empty, no two neighbours equal;
 *   L4  browsed <= nr_history.
 *
 * CONTEXT.  Any; one user at a time.
 *
 * NOT HERE.  What the line means: monitor.c.
 *
 * SOURCES.  ECMA-48, 5.4 (control sequences); the keys that VT100 and VT220 terminals send.
 */
#include <quarry/align.h>
#include <quarry/monitor.h>
#include <quarry/string.h>

#define CTRL(c) ((c)-0x40)
#define ESC     0x1b
#define DEL     0x7f
#define BELL    "\a"

#define CLEAR_SCREEN "\x1b[H\x1b[2J"

#define PARAM_MAX 1000u /* numbers in sequences are key codes: far below */

/* The numbers of keys that send ESC [ number ~ . */
enum tilde_key { KEY_HOME = 1, KEY_DELETE = 3, KEY_END = 4, KEY_HOME_RXVT = 7, KEY_END_RXVT = 8 };

static void put(struct line_editor *e, const char *text, size_t len)
{
	if (len)
		e->out->write(e->out, text, len);
}

static void put_text(struct line_editor *e, const char *text)
{
	put(e, text, strlen(text));
}

static void put_repeated(struct line_editor *e, char c, unsigned int n)
{
	char chunk[16];
	unsigned int part;

	memset(chunk, c, sizeof(chunk));
	for (; n; n -= part) {
		part = min(n, (unsigned int)sizeof(chunk));
		put(e, chunk, part);
	}
}

static void move_to(struct line_editor *e, unsigned int cursor)
{
	if (cursor < e->cursor)
		put_repeated(e, '\b', e->cursor - cursor);
	else
		put(e, e->line + e->cursor, cursor - e->cursor);
	e->cursor = cursor;
}

/* Print the line from the cursor on, erase @nr_gone columns behind it, and come back. */
static void show_tail(struct line_editor *e, unsigned int nr_gone)
{
	unsigned int tail = e->len - e->cursor;

	put(e, e->line + e->cursor, tail);
	put_repeated(e, ' ', nr_gone);
	put_repeated(e, '\b', tail + nr_gone);
}

static void erase(struct line_editor *e, unsigned int start, unsigned int end)
{
	e->overlong = false;
	if (start == end)
		return;
	move_to(e, start);
	memmove(e->line + start, e->line + end, e->len - end + 1);
	e->len -= end - start;
	show_tail(e, end - start);
}

static void insert(struct line_editor *e, char c)
{
	if (e->len + 1 >= LINE_EDITOR_MAX) {
		e->overlong = true;
		put_text(e, BELL);
		return;
	}
	memmove(e->line + e->cursor + 1, e->line + e->cursor, e->len - e->cursor + 1);
	e->line[e->cursor] = c;
	e->len++;
	move_to(e, e->cursor + 1);
	show_tail(e, 0);
}

static void replace_line(struct line_editor *e, const char *text)
{
	erase(e, 0, e->len);
	e->len = (unsigned int)strlen(text);
	memcpy(e->line, text, e->len + 1);
	move_to(e, e->len);
}

static void redraw(struct line_editor *e)
{
	put_text(e, e->prompt);
	put(e, e->line, e->len);
	put_repeated(e, '\b', e->len - e->cursor);
}

static void empty_line(struct line_editor *e)
{
	e->len = 0;
	e->cursor = 0;
	e->line[0] = '\0';
	e->overlong = false;
	e->browsed = 0;
	e->finished = false;
}

/* ---- history ---------------------------------------------------------------------------- */

/* The @n-th newest line, from 1 on. */
static char *history_line(struct line_editor *e, unsigned int n)
{
	return e->history[(e->history_next + LINE_EDITOR_HISTORY - n) % LINE_EDITOR_HISTORY];
}

static void history_add(struct line_editor *e)
{
	if (!e->len || (e->nr_history && strcmp(history_line(e, 1), e->line) == 0))
		return;
	memcpy(e->history[e->history_next], e->line, e->len + 1);
	e->history_next = (e->history_next + 1) % LINE_EDITOR_HISTORY;
	e->nr_history = min(e->nr_history + 1, LINE_EDITOR_HISTORY);
}

/* Show the @n-th newest line, or with 0 the one that was being typed. */
static void browse(struct line_editor *e, unsigned int n)
{
	if (n > e->nr_history)
		return;
	if (!e->browsed)
		memcpy(e->draft, e->line, e->len + 1);
	e->browsed = n;
	replace_line(e, n ? history_line(e, n) : e->draft);
}

/* ---- completion ------------------------------------------------------------------------- */

/* Length of what @a and @b begin with in common. */
static unsigned int common_length(const char *a, const char *b)
{
	unsigned int n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

/*
 * Is the word before the cursor where a command's name belongs: at the start of the line, or
 * behind "help"?  @start: where it begins.
 */
static bool is_completable(const struct line_editor *e, unsigned int *start)
{
	static const char help[] = "help ";
	unsigned int help_len = sizeof(help) - 1;

	*start = 0;
	if (e->cursor >= help_len && memcmp(e->line, help, help_len) == 0)
		*start = help_len;
	for (unsigned int i = *start; i < e->cursor; i++) {
		if (e->line[i] == ' ')
			return false;
	}
	return e->word;
}

struct matches {
	const char *first;
	unsigned int nr;
	unsigned int common; /* bytes that all of them begin with */
};

static struct matches find_matches(const struct line_editor *e, const char *text, unsigned int len)
{
	struct matches m = { NULL, 0, 0 };
	const char *word;

	for (unsigned int i = 0; (word = e->word(i)); i++) {
		if (strncmp(word, text, len) != 0)
			continue;
		m.common = m.nr ? min(m.common, common_length(m.first, word)) :
				  (unsigned int)strlen(word);
		if (!m.nr++)
			m.first = word;
	}
	return m;
}

static void list_matches(struct line_editor *e, const char *text, unsigned int len)
{
	const char *word;

	put_text(e, "\n");
	for (unsigned int i = 0; (word = e->word(i)); i++) {
		if (strncmp(word, text, len) != 0)
			continue;
		put_text(e, word);
		put_text(e, "  ");
	}
	put_text(e, "\n");
	redraw(e);
}

static void complete(struct line_editor *e)
{
	struct matches m = { NULL, 0, 0 };
	unsigned int start, len = 0;

	if (is_completable(e, &start)) {
		len = e->cursor - start;
		m = find_matches(e, e->line + start, len);
	}
	if (!m.nr) {
		put_text(e, BELL);
	} else if (m.nr == 1 || m.common > len) {
		for (unsigned int i = len; i < m.common; i++)
			insert(e, m.first[i]);
		if (m.nr == 1 && e->line[e->cursor] != ' ')
			insert(e, ' ');
	} else {
		list_matches(e, e->line + start, len);
	}
}

/* ---- keys ------------------------------------------------------------------------------- */

static void erase_word(struct line_editor *e)
{
	unsigned int start = e->cursor;

	while (start && e->line[start - 1] == ' ')
		start--;
	while (start && e->line[start - 1] != ' ')
		start--;
	erase(e, start, e->cursor);
}

static void go_left(struct line_editor *e)
{
	if (e->cursor)
		move_to(e, e->cursor - 1);
}

static void go_right(struct line_editor *e)
{
	if (e->cursor < e->len)
		move_to(e, e->cursor + 1);
}

static void erase_here(struct line_editor *e)
{
	if (e->cursor < e->len)
		erase(e, e->cursor, e->cursor + 1);
}

static void erase_before(struct line_editor *e)
{
	if (e->cursor)
		erase(e, e->cursor - 1, e->cursor);
}

static void history_newer(struct line_editor *e)
{
	if (e->browsed)
		browse(e, e->browsed - 1);
}

static void tilde_key(struct line_editor *e)
{
	switch (e->param) {
	case KEY_HOME:
	case KEY_HOME_RXVT:
		move_to(e, 0);
		break;
	case KEY_END:
	case KEY_END_RXVT:
		move_to(e, e->len);
		break;
	case KEY_DELETE:
		erase_here(e);
		break;
	default:
		break;
	}
}

/* The last byte of ESC [ ... and of ESC O . */
static void final_byte(struct line_editor *e, unsigned char byte)
{
	switch (byte) {
	case 'A':
		browse(e, e->browsed + 1);
		break;
	case 'B':
		history_newer(e);
		break;
	case 'C':
		go_right(e);
		break;
	case 'D':
		go_left(e);
		break;
	case 'H':
		move_to(e, 0);
		break;
	case 'F':
		move_to(e, e->len);
		break;
	case '~':
		tilde_key(e);
		break;
	default:
		break;
	}
}

static bool is_digit(unsigned char byte)
{
	return byte >= '0' && byte <= '9';
}

static void csi_byte(struct line_editor *e, unsigned char byte)
{
	if (byte >= 0x40) {
		e->state = LINE_PLAIN;
		final_byte(e, byte);
	} else if (is_digit(byte) && !e->param_closed && e->param < PARAM_MAX) {
		e->param = e->param * 10 + (byte - '0');
	} else {
		e->param_closed = true;
	}
}

/* Take @byte as part of a sequence that has begun; false when it is none. */
static bool sequence_byte(struct line_editor *e, unsigned char byte)
{
	enum line_state state = e->state;

	e->state = LINE_PLAIN;
	if (byte < ' ' || byte >= DEL)
		return false;
	if (state == LINE_SS3) {
		final_byte(e, byte);
	} else if (state == LINE_CSI) {
		e->state = LINE_CSI;
		csi_byte(e, byte);
	} else if (byte == '[' || byte == 'O') {
		e->state = byte == '[' ? LINE_CSI : LINE_SS3;
		e->param = 0;
		e->param_closed = false;
	}
	return true;
}

static void control_byte(struct line_editor *e, unsigned char byte)
{
	switch (byte) {
	case CTRL('A'):
		move_to(e, 0);
		break;
	case CTRL('C'):
		put_text(e, "^C\n");
		line_editor_start(e);
		break;
	case CTRL('D'):
		erase_here(e);
		break;
	case CTRL('E'):
		move_to(e, e->len);
		break;
	case CTRL('H'):
	case DEL:
		erase_before(e);
		break;
	case '\t':
		complete(e);
		break;
	case CTRL('K'):
		erase(e, e->cursor, e->len);
		break;
	case CTRL('L'):
		put_text(e, CLEAR_SCREEN);
		redraw(e);
		break;
	case CTRL('U'):
		erase(e, 0, e->cursor);
		break;
	case CTRL('W'):
		erase_word(e);
		break;
	case ESC:
		e->state = LINE_ESCAPE;
		break;
	default:
		break;
	}
}

static char *finish(struct line_editor *e)
{
	put_text(e, "\n");
	if (e->overlong) {
		out_printf(e->out, "line too long, at most %u bytes: ignored\n",
			   LINE_EDITOR_MAX - 1);
		empty_line(e);
	}
	history_add(e);
	e->finished = true;
	return e->line;
}

QAPI void line_editor_init(struct line_editor *e, struct out *o, const char *prompt,
			   QAPI const char *(*word)(unsigned int n))
{
	memset(e, 0, sizeof(*e));
	e->out = o;
	e->prompt = prompt;
	e->word = word;
}

QAPI void line_editor_start(struct line_editor *e)
{
	empty_line(e);
	put_text(e, e->prompt);
}

QAPI char *line_editor_feed(struct line_editor *e, unsigned char byte)
{
	bool after_cr = e->after_cr;

	e->after_cr = byte == '\r';
	if (byte == '\n' && after_cr)
		return NULL;
	if (e->finished)
		empty_line(e);
	if (e->state != LINE_PLAIN && sequence_byte(e, byte))
		return NULL;
	if (byte == '\r' || byte == '\n')
		return finish(e);
	if (byte < ' ' || byte == DEL)
		control_byte(e, byte);
	else if (byte < DEL)
		insert(e, (char)byte);
	return NULL;
}
