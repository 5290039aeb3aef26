/*
 * Layer: port
 * vga.h - a text screen of 80 by 25 as a console: found by the port, mapped by the kernel.
 */
#ifndef QUARRY_ASM_VGA_H
#define QUARRY_ASM_VGA_H

#include <quarry/compiler.h>
#include <quarry/types.h>

#define VGA_COLS  80u
#define VGA_ROWS  25u
#define VGA_CELLS (VGA_COLS * VGA_ROWS) /* of two bytes: character, colours */

enum vga_escape {
	VGA_PLAIN,
	VGA_ESCAPE,   /* behind ESC */
	VGA_SEQUENCE, /* behind ESC [ */
};

/* A screen: what it is to show, and the cells of the device, which are only written. */
struct vga_screen {
	uint32_t *cells; /* VGA_CELLS / 2 pairs */
	uint16_t text[VGA_CELLS];
	uint16_t shown[VGA_CELLS]; /* what the device holds */
	unsigned int row, col;     /* of the next character; col may be VGA_COLS: a full line */
	enum vga_escape escape;
	bool busy;
};

/**
 * vga_find - is there a colour text screen of 80 columns, in text mode now?
 * @pa: set to where its cells are, a multiple of PAGE_SIZE, within one page.
 *
 * What a loader says of the screen is not asked: the registers tell.
 * Context: any, one user at a time.
 */
QAPI bool vga_find(phys_addr_t *pa);

/**
 * vga_screen_init - an empty screen.
 * @s:     the caller's; stays.
 * @cells: VGA_CELLS / 2 pairs of cells, of a device or not.
 */
QAPI void vga_screen_init(struct vga_screen *s, void *cells);

/**
 * vga_screen_write - put @n bytes on the screen; it scrolls when the last line is full.
 *
 * Understood are newline, carriage return, backspace, tab and the sequences ESC [ H and ESC [ 2 J;
 * other sequences and control characters leave no trace.
 * Context: any.  Cost: stores for the cells that change.
 */
QAPI void vga_screen_write(struct vga_screen *s, const char *text, size_t n);

/**
 * vga_console_init - make the text screen a console, which first shows the log.
 * @va: where its cells are mapped.
 *
 * Context: boot, once.
 */
QAPI void vga_console_init(void *va);

/* vga_console_init() was called. */
QAPI bool vga_console_present(void);

#endif
