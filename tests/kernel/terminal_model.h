/*
 * Layer: tests
 * terminal_model.h - a terminal that knows what the line editor relies on, and no more.
 */
#ifndef TESTS_KERNEL_TERMINAL_MODEL_H
#define TESTS_KERNEL_TERMINAL_MODEL_H

#include <quarry/out.h>
#include <quarry/types.h>

#define SCREEN_WIDTH 512u /* wider than any line: no wrapping */

struct screen {
	struct out out;
	char row[SCREEN_WIDTH]; /* the cursor's row; blanks beyond the text */
	unsigned int column;
	char last_row[SCREEN_WIDTH]; /* the one before it, NUL-terminated */
	unsigned int nr_rows;        /* newlines so far */
	unsigned int nr_bells;
	bool in_sequence;
	bool broken; /* something that no terminal would show well */
};

/* Everything blank, the cursor at the left. */
void screen_init(struct screen *s);

/* Columns up to the last that is no blank. */
unsigned int row_length(const char *row);

#endif
