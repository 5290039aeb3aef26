/*
 * Layer: port
 * terminal.h - rows and columns of characters, whatever device shows them.
 */
#ifndef QUARRY_ASM_TERMINAL_H
#define QUARRY_ASM_TERMINAL_H

#include <quarry/compiler.h>
#include <quarry/types.h>

enum terminal_escape {
	TERMINAL_PLAIN,
	TERMINAL_ESCAPE,   /* behind ESC */
	TERMINAL_SEQUENCE, /* behind ESC [ */
};

/* What a device is to show, and what it shows.  Cells are counted row by row, from 0. */
struct terminal {
	unsigned int cols, rows; /* cols is even */
	uint8_t *text;           /* cols * rows characters, 2-aligned */
	uint8_t *shown;          /* as many: what the device holds */

	/* The device's: show cells @cell, which is even, and @cell + 1: from shown to text. */
	QAPI void (*draw)(struct terminal *term, unsigned int cell);
	/* Set the cursor on @cell; NULL when there is none. */
	QAPI void (*cursor)(struct terminal *term, unsigned int cell);

	unsigned int row, col; /* of the next character; col may be cols: a full line */
	enum terminal_escape escape;
	bool busy;
};

/**
 * terminal_init - an empty terminal, every cell of which is drawn.
 * @term: cols, rows, text, shown, draw and cursor are filled in; stays.
 *
 * Context: one user.
 */
QAPI void terminal_init(struct terminal *term);

/**
 * terminal_write - put @n bytes on the terminal; it scrolls when the last line is full.
 *
 * Understood are newline, carriage return, backspace, tab and the sequences ESC [ H and ESC [ 2 J;
 * other sequences and control characters leave no trace.
 * Context: any.  Cost: a look at every cell; those that change are drawn.
 */
QAPI void terminal_write(struct terminal *term, const char *text, size_t n);

#endif
