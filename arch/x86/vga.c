/*
 * vga.c - the VGA's text screen as a console.
 *
 * IDEA.  A cell of the device is a character and its colours, two cells are one store.  The cells
 * are mapped write-combining: stores may wait and be merged until the cursor's port is written.
 *
 * STATE.  struct vga_screen; one is the console's, tests have their own.
 *
 * CONTEXT.  Any; vga_console_init() boot, once.
 *
 * NOT HERE.  Lines and scrolling: terminal.c.
 *
 * SOURCES.  IBM VGA technical reference: CRT controller 1, E and F, graphics controller 6,
 * miscellaneous output.
 */
#include "io.h"
#include "x86.h"
#include <quarry/asm/vga.h>
#include <quarry/printk.h>

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
#define CELL_BITS     16u

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

static uint32_t cell_of(uint8_t c)
{
	return GREY_ON_BLACK | c;
}

static QAPI void draw(struct terminal *term, unsigned int cell)
{
	const struct vga_screen *s = container_of(term, struct vga_screen, term);
	uint32_t first = cell_of(s->text[cell]), second = cell_of(s->text[cell + 1]);

	WRITE_ONCE(s->cells[cell / 2], first | second << CELL_BITS);
}

QAPI void vga_screen_init(struct vga_screen *s, void *cells)
{
	s->cells = cells;
	s->term = (struct terminal){
		.cols = VGA_COLS, .rows = VGA_ROWS, .text = s->text, .shown = s->shown, .draw = draw
	};
	terminal_init(&s->term);
}

/* ---- the console -------------------------------------------------------------------------- */

static QAPI void move_cursor(struct terminal *term, unsigned int cell)
{
	(void)term;
	write_indexed(PORT_CRTC, CRTC_CURSOR_HIGH, (uint8_t)(cell >> 8));
	write_indexed(PORT_CRTC, CRTC_CURSOR_LOW, (uint8_t)cell);
}

static QAPI void console_write(struct console *c, const char *text, size_t n)
{
	(void)c;
	terminal_write(&screen.term, text, n);
}

__init QAPI void vga_console_init(void *va)
{
	static struct console console = { .write = console_write };

	vga_screen_init(&screen, va);
	screen.term.cursor = move_cursor;
	console_register(&console);
}

QAPI bool vga_console_present(void)
{
	return screen.cells;
}
