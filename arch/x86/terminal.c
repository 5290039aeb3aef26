/*
 * terminal.c - text on a screen: lines, scrolling, what has to be drawn.
 *
 * IDEA.  Loads from a screen are slow, so nothing is ever read from it: what it is to show stands
 * in RAM, and what it does show beside it.  A piece of text changes the first; then those pairs of
 * cells that differ are drawn, and the cursor is moved.  How a cell is drawn is the device's.
 *
 *	text "a\nb" --> text[] --scrolls in RAM--> differs from shown[]? --> draw()
 *
 * STATE.  struct terminal, the device's or a test's.
 *
 * INVARIANTS.  T1: row < rows and col <= cols at every moment, so that whoever breaks in stores
 * into the terminal.  T2: when a write is over, shown == text == what was drawn.
 *
 * LOCKING.  busy keeps other CPUs out, and what interrupts this one finds interrupts off; but a
 * panic and an NMI must be able to print whatever they interrupted.  So the wait for it is bounded,
 * and then it is broken: cells may be wrong afterwards, but by T1 all are the terminal's.
 *
 * CONTEXT.  Any.
 *
 * NOT HERE.  The devices: vga.c, framebuffer.c.
 *
 * SOURCES.  ECMA-48 (escape sequences).
 */
#include <quarry/align.h>
#include <quarry/asm/context.h>
#include <quarry/asm/terminal.h>
#include <quarry/string.h>

#define TAB_COLS   8u
#define BUSY_SPINS 100000u

/* ---- what it is to show --------------------------------------------------------------------- */

static unsigned int nr_cells(const struct terminal *term)
{
	return term->cols * term->rows;
}

static void newline(struct terminal *term)
{
	unsigned int kept = nr_cells(term) - term->cols, row = READ_ONCE(term->row);

	term->col = 0;
	if (row < term->rows - 1) {
		WRITE_ONCE(term->row, row + 1);
		return;
	}
	memmove(term->text, term->text + term->cols, kept);
	memset(term->text + kept, ' ', term->cols);
}

static void character(struct terminal *term, char c)
{
	unsigned int col;

	if (term->col == term->cols)
		newline(term);
	col = READ_ONCE(term->col);
	if (col >= term->cols) /* T1, whoever breaks in here */
		col = 0;
	term->text[READ_ONCE(term->row) * term->cols + col] = (uint8_t)c;
	WRITE_ONCE(term->col, col + 1);
}

static void tab(struct terminal *term)
{
	unsigned int next = (term->col / TAB_COLS + 1) * TAB_COLS;

	term->col = next < term->cols ? next : term->cols - 1;
}

static void control(struct terminal *term, char c)
{
	unsigned int col = READ_ONCE(term->col);

	switch (c) {
	case '\n':
		newline(term);
		break;
	case '\r':
		term->col = 0;
		break;
	case '\b':
		term->col = col ? col - 1 : 0;
		break;
	case '\t':
		tab(term);
		break;
	case '\033':
		term->escape = TERMINAL_ESCAPE;
		break;
	default:
		break;
	}
}

/* A byte behind ESC: parameters are skipped, a letter ends the sequence. */
static void sequence(struct terminal *term, char c)
{
	if (term->escape == TERMINAL_ESCAPE && c == '[') {
		term->escape = TERMINAL_SEQUENCE;
		return;
	}
	if (term->escape == TERMINAL_SEQUENCE && c < '@')
		return;
	if (term->escape == TERMINAL_SEQUENCE && c == 'J')
		memset(term->text, ' ', nr_cells(term));
	if (term->escape == TERMINAL_SEQUENCE && c == 'H')
		term->row = term->col = 0;
	term->escape = TERMINAL_PLAIN;
}

static void byte(struct terminal *term, char c)
{
	if (term->escape != TERMINAL_PLAIN)
		sequence(term, c);
	else if ((uint8_t)c < ' ')
		control(term, c);
	else
		character(term, c);
}

/* ---- showing it ----------------------------------------------------------------------------- */

static void show(struct terminal *term)
{
	const uint16_t *text = (const uint16_t *)(const void *)term->text;
	uint16_t *shown = (uint16_t *)(void *)term->shown;

	for (unsigned int i = 0; i < nr_cells(term) / 2; i++) {
		if (shown[i] == text[i])
			continue;
		term->draw(term, 2 * i);
		shown[i] = text[i];
	}
}

static void show_cursor(struct terminal *term)
{
	unsigned int col = READ_ONCE(term->col);

	if (term->cursor)
		term->cursor(term, term->row * term->cols + min(col, term->cols - 1));
}

static bool take(struct terminal *term)
{
	for (unsigned int i = 0; i < BUSY_SPINS; i++) {
		if (!__atomic_exchange_n(&term->busy, true, __ATOMIC_ACQUIRE))
			return true;
	}
	return false;
}

QAPI void terminal_write(struct terminal *term, const char *text, size_t n)
{
	unsigned long flags = irq_save();
	bool taken = take(term);

	for (size_t i = 0; i < n; i++)
		byte(term, text[i]);
	show(term);
	show_cursor(term);
	if (taken)
		__atomic_store_n(&term->busy, false, __ATOMIC_RELEASE);
	irq_restore(flags);
}

QAPI void terminal_init(struct terminal *term)
{
	term->row = term->col = 0;
	term->escape = TERMINAL_PLAIN;
	term->busy = false;
	memset(term->text, ' ', nr_cells(term));
	memset(term->shown, 0, nr_cells(term));
	show(term);
	show_cursor(term);
}
