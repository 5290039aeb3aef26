/*
 * terminal_model.c - what a terminal makes of text, \b, \n, ESC [ H and ESC [ 2 J.
 *
 * CONTEXT.  Any.
 */
#include "terminal_model.h"

#include <quarry/align.h>
#include <quarry/compiler.h>
#include <quarry/string.h>

static void screen_clear(struct screen *s)
{
	memset(s->row, ' ', sizeof(s->row));
	s->column = 0;
}

unsigned int row_length(const char *row)
{
	unsigned int len = SCREEN_WIDTH;

	while (len && row[len - 1] == ' ')
		len--;
	return len;
}

static void screen_newline(struct screen *s)
{
	unsigned int len = min(row_length(s->row), SCREEN_WIDTH - 1);

	memcpy(s->last_row, s->row, len);
	s->last_row[len] = '\0';
	s->nr_rows++;
	screen_clear(s);
}

/* ESC and '[' stay in the sequence; the final byte ends it. */
static void screen_sequence(struct screen *s, char c)
{
	if (c == '[' || (c >= '0' && c <= '9'))
		return;
	s->in_sequence = false;
	if (c == 'H')
		s->column = 0;
	else if (c == 'J')
		screen_clear(s);
	else
		s->broken = true;
}

static void screen_byte(struct screen *s, char c)
{
	if (s->in_sequence) {
		screen_sequence(s, c);
	} else if (c == '\x1b') {
		s->in_sequence = true;
	} else if (c == '\n') {
		screen_newline(s);
	} else if (c == '\b') {
		s->broken |= !s->column;
		s->column -= !!s->column;
	} else if (c == '\a') {
		s->nr_bells++;
	} else if (c < ' ' || c > '~' || s->column == SCREEN_WIDTH) {
		s->broken = true;
	} else {
		s->row[s->column++] = c;
	}
}

static QAPI void screen_write(struct out *o, const char *text, size_t len)
{
	struct screen *s = container_of(o, struct screen, out);

	while (len--)
		screen_byte(s, *text++);
}

void screen_init(struct screen *s)
{
	memset(s, 0, sizeof(*s));
	s->out.write = screen_write;
	screen_clear(s);
}
