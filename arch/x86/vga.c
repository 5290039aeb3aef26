/*
 * vga.c - the VGA's text screen as a console.
 *
 * IDEA.  Loads from the device are slow, so nothing is ever read from it: what the screen is to
 * show stands in RAM, and what it does show beside it.  A piece of text changes the first; then
 * those pairs of cells that differ are stored, and the cursor is moved.  The cells are mapped
 * write-combining: stores may wait and be merged until the cursor's port is written.
 *
 *	text "a\nb" --> text[] --scrolls in RAM--> differs from shown[]? --> cells
 *
 * STATE.  struct vga_screen; one is the console's, tests have their own.
 *
 * INVARIANTS.  V1: row < VGA_ROWS and col <= VGA_COLS at every moment, so that whoever breaks in
 * stores into the screen.  V2: when a write is over, shown == text == the cells.
 *
 * LOCKING.  busy keeps other CPUs out, and what interrupts this one finds interrupts off; but a
 * panic and an NMI must be able to print whatever they interrupted.  So the wait for it is bounded,
 * and then it is broken: cells may be wrong afterwards, but by V1 all are the screen's.
 *
 * CONTEXT.  Any.
 *
 * SOURCES.  IBM VGA technical reference: CRT controller 1, E and F, graphics controller 6,
 * miscellaneous output.  ECMA-48 (escape sequences).
 */
#include "io.h"
#include "x86.h"
#include <quarry/asm/context.h>
#include <quarry/asm/vga.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#define TEXT_PA 0xb8000u

#define PORT_MISC_READ 0x3cc
#define PORT_GRAPHICS  0x3ce /* an index; the register is the next port */
#define PORT_CRTC      0x3d4 /* the same */

#define MISC_COLOUR      0x01u
#define GRAPHICS_MISC    0x06u
#define GRAPHICS_ON      0x01u
#define GRAPHICS_MAP     0x0cu
#define MAP_B8000        0x0cu
#define CRTC_LAST_COL    0x01u
#define CRTC_CURSOR_HIGH 0x0eu
#define CRTC_CURSOR_LOW  0x0fu

#define GREY_ON_BLACK 0x0700u
#define BLANK         (GREY_ON_BLACK | ' ')
#define TAB_COLS      8u
#define BUSY_SPINS    100000u

static struct vga_screen screen;

static uint8_t read_indexed(uint16_t port, uint8_t index)
{
	outb(port, index);
	return inb(port + 1);
}

static void write_indexed(uint16_t port, uint8_t index, uint8_t val)
{
	outb(port, index);
	outb(port + 1, val);
}

/* An empty bus reads as ones, which is graphics. */
QAPI bool vga_find(phys_addr_t *pa)
{
	uint8_t misc = read_indexed(PORT_GRAPHICS, GRAPHICS_MISC);

	*pa = TEXT_PA;
	return !(misc & GRAPHICS_ON) && (misc & GRAPHICS_MAP) == MAP_B8000 &&
	       inb(PORT_MISC_READ) & MISC_COLOUR &&
	       read_indexed(PORT_CRTC, CRTC_LAST_COL) == VGA_COLS - 1;
}

/* ---- what the screen is to show ----------------------------------------------------------- */

static void fill(uint16_t *cell, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		cell[i] = BLANK;
}

static void clear(struct vga_screen *s)
{
	fill(s->text, VGA_CELLS);
}

static void newline(struct vga_screen *s)
{
	unsigned int row = READ_ONCE(s->row); /* V1: whoever breaks in here may move it, too */

	s->col = 0;
	if (row < VGA_ROWS - 1) {
		WRITE_ONCE(s->row, row + 1);
		return;
	}
	memmove(s->text, s->text + VGA_COLS, (VGA_CELLS - VGA_COLS) * sizeof(*s->text));
	fill(s->text + VGA_CELLS - VGA_COLS, VGA_COLS);
}

static void character(struct vga_screen *s, char c)
{
	unsigned int col;

	if (s->col == VGA_COLS)
		newline(s);
	col = READ_ONCE(s->col) % VGA_COLS; /* V1, whoever breaks in here */
	s->text[READ_ONCE(s->row) * VGA_COLS + col] = GREY_ON_BLACK | (uint8_t)c;
	WRITE_ONCE(s->col, col + 1);
}

static void tab(struct vga_screen *s)
{
	unsigned int next = (s->col / TAB_COLS + 1) * TAB_COLS;

	s->col = next < VGA_COLS ? next : VGA_COLS - 1;
}

static void control(struct vga_screen *s, char c)
{
	unsigned int col = READ_ONCE(s->col);

	switch (c) {
	case '\n':
		newline(s);
		break;
	case '\r':
		s->col = 0;
		break;
	case '\b':
		s->col = col ? col - 1 : 0;
		break;
	case '\t':
		tab(s);
		break;
	case '\033':
		s->escape = VGA_ESCAPE;
		break;
	default:
		break;
	}
}

/* A byte behind ESC: parameters are skipped, a letter ends the sequence. */
static void sequence(struct vga_screen *s, char c)
{
	if (s->escape == VGA_ESCAPE && c == '[') {
		s->escape = VGA_SEQUENCE;
		return;
	}
	if (s->escape == VGA_SEQUENCE && c < '@')
		return;
	if (s->escape == VGA_SEQUENCE && c == 'J')
		clear(s);
	if (s->escape == VGA_SEQUENCE && c == 'H')
		s->row = s->col = 0;
	s->escape = VGA_PLAIN;
}

static void byte(struct vga_screen *s, char c)
{
	if (s->escape != VGA_PLAIN)
		sequence(s, c);
	else if ((uint8_t)c < ' ')
		control(s, c);
	else
		character(s, c);
}

/* ---- showing it ----------------------------------------------------------------------------- */

static void show(struct vga_screen *s)
{
	const uint32_t *text = (const uint32_t *)(const void *)s->text;
	uint32_t *shown = (uint32_t *)(void *)s->shown;

	for (unsigned int i = 0; i < VGA_CELLS / 2; i++) {
		if (shown[i] == text[i])
			continue;
		shown[i] = text[i];
		WRITE_ONCE(s->cells[i], text[i]);
	}
}

static bool take(struct vga_screen *s)
{
	for (unsigned int i = 0; i < BUSY_SPINS; i++) {
		if (!__atomic_exchange_n(&s->busy, true, __ATOMIC_ACQUIRE))
			return true;
	}
	return false;
}

QAPI void vga_screen_write(struct vga_screen *s, const char *text, size_t n)
{
	unsigned long flags = irq_save();
	bool taken = take(s);

	for (size_t i = 0; i < n; i++)
		byte(s, text[i]);
	show(s);
	if (taken)
		__atomic_store_n(&s->busy, false, __ATOMIC_RELEASE);
	irq_restore(flags);
}

QAPI void vga_screen_init(struct vga_screen *s, void *cells)
{
	memset(s, 0, sizeof(*s));
	s->cells = cells;
	clear(s);
	show(s);
}

/* ---- the console -------------------------------------------------------------------------- */

static void move_cursor(const struct vga_screen *s)
{
	unsigned int col = READ_ONCE(s->col);
	unsigned int at = s->row * VGA_COLS + (col < VGA_COLS ? col : VGA_COLS - 1);

	write_indexed(PORT_CRTC, CRTC_CURSOR_HIGH, (uint8_t)(at >> 8));
	write_indexed(PORT_CRTC, CRTC_CURSOR_LOW, (uint8_t)at);
}

static QAPI void console_write(struct console *c, const char *text, size_t n)
{
	(void)c;
	vga_screen_write(&screen, text, n);
	move_cursor(&screen);
}

__init QAPI void vga_console_init(void *va)
{
	static struct console console = { .write = console_write };

	vga_screen_init(&screen, va);
	console_register(&console);
}

QAPI bool vga_console_present(void)
{
	return screen.cells;
}
