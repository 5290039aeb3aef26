/*
 * framebuffer.c - pixels in memory as a console.
 *
 * THEORY.  A character is a cell of 8 by 16 pixels, each on or off.  A line of a cell is two
 * patterns of four pixels; what is stored for each of the 16 patterns is worked out once, from the
 * colour fields.  Four pixels of n bytes are n words, so a line takes 2 * n stores, whatever the
 * format:
 *
 *	font  . # # .  . . # .    pattern[6], pattern[2]
 *	            |        |
 *	24 bits:    +--------+--> 3 words, 3 words
 *
 * The pixels are mapped write-combining: stores may wait until a locked operation, which ends every
 * write.  Nothing is read back.  The cursor is a line below its cell, drawn after the text.
 *
 * STATE.  struct framebuffer_screen; one is the console's, tests have their own.
 *
 * INVARIANTS.  F1: the pixels of a cell are the glyph of what shown has there, the cursor's line
 * apart, so it is enough to draw the lines in which two glyphs differ; at first all are black and
 * shown has no character, which makes every cell be drawn.  F2: no byte beyond map_size is drawn
 * on; that is within what the loader described, which framebuffer_refusal() checked without a sum
 * that could wrap.
 *
 * CONTEXT.  Any; framebuffer_console_init() boot, once.
 *
 * NOT HERE.  Lines and scrolling: terminal.c.  Glyphs: font.c.  Whether RAM lies there:
 * kernel/devices.c.
 */
#include "font.h"
#include <quarry/align.h>
#include <quarry/asm/framebuffer.h>
#include <quarry/asm/layout.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#define GREY          0xaau /* of 255: as bright as the VGA's */
#define GREY_BITS     8u
#define UNDERLINE_TOP 14u /* of the cell's lines */
#define ALL_ON        0xffu
#define PATTERN_BITS  4u
#define PATTERN_MASK  0xfu
#define BYTE_BITS     8u
#define COLS_MIN      2u /* a terminal draws pairs */

/* A word at any address. */
struct word {
	uint32_t bits;
} __packed;

static struct framebuffer_screen screen;

/* ---- what the loader said ------------------------------------------------------------------- */

/* Bytes of a pixel, or 0. */
static unsigned int pixel_size(const struct boot_framebuffer *fb)
{
	switch (fb->bpp) {
	case 15:
	case 16:
	case 24:
	case 32:
		return (fb->bpp + BYTE_BITS - 1) / BYTE_BITS;
	default:
		return 0;
	}
}

static bool is_field(const struct boot_framebuffer *fb, unsigned int pos, unsigned int size)
{
	return size && pos + size <= fb->bpp;
}

QAPI const char *framebuffer_refusal(const struct boot_framebuffer *fb)
{
	const struct boot_colours *c = &fb->colours;
	uint64_t size = (uint64_t)fb->pitch * fb->height;

	if (!fb->width || !fb->height)
		return "the loader names no pixels with colour fields";
	if (fb->width < COLS_MIN * FONT_WIDTH || fb->height < FONT_HEIGHT)
		return "it is too small for text";
	if (!pixel_size(fb))
		return "a pixel is not of 15, 16, 24 or 32 bits";
	if (fb->pitch < (uint64_t)fb->width * pixel_size(fb))
		return "its lines overlap";
	if (!is_field(fb, c->red_pos, c->red_size) || !is_field(fb, c->green_pos, c->green_size) ||
	    !is_field(fb, c->blue_pos, c->blue_size))
		return "a colour is not within its pixel";
	if (!fb->pa || fb->pa >= PHYS_ADDR_LIMIT || size > PHYS_ADDR_LIMIT - fb->pa)
		return "its address cannot be mapped";
	return NULL;
}

QAPI void framebuffer_plan(const struct boot_framebuffer *fb, struct framebuffer_plan *plan)
{
	unsigned int cols = min(fb->width / FONT_WIDTH, FRAMEBUFFER_COLS_MAX);

	plan->cols = ALIGN_DOWN(cols, COLS_MIN);
	plan->rows = min(fb->height / FONT_HEIGHT, FRAMEBUFFER_ROWS_MAX);
	plan->map_size = (size_t)fb->pitch * plan->rows * FONT_HEIGHT;
	plan->cells_size = 2 * plan->cols * plan->rows;
}

/* ---- drawing -------------------------------------------------------------------------------- */

static void store(uint8_t *to, uint32_t bits)
{
	((volatile struct word *)(void *)to)->bits = bits;
}

static void draw_line(const struct framebuffer_screen *s, uint8_t *to, uint8_t line)
{
	const uint32_t *left = s->pattern[line >> PATTERN_BITS];
	const uint32_t *right = s->pattern[line & PATTERN_MASK];
	unsigned int n = s->pixel_size;

	for (unsigned int i = 0; i < n; i++) {
		store(to + i * sizeof(*left), left[i]);
		store(to + (n + i) * sizeof(*right), right[i]);
	}
}

/* The first pixel of a cell. */
static uint8_t *cell_at(const struct framebuffer_screen *s, unsigned int cell)
{
	unsigned int row = cell / s->term.cols, col = cell % s->term.cols;

	return s->pixels + row * FONT_HEIGHT * s->pitch + col * FONT_WIDTH * s->pixel_size;
}

/* The lines in which two glyphs differ: half of them, in text. */
static void draw_change(const struct framebuffer_screen *s, unsigned int cell)
{
	const uint8_t *now = font_glyph(s->term.text[cell]);
	const uint8_t *was = font_glyph(s->term.shown[cell]);
	uint8_t *to = cell_at(s, cell) + FONT_TOP * s->pitch;

	for (unsigned int y = 0; y < FONT_LINES; y++, to += s->pitch)
		if (now[y] != was[y])
			draw_line(s, to, now[y]);
}

static QAPI void draw_pair(struct terminal *term, unsigned int cell)
{
	const struct framebuffer_screen *s = container_of(term, struct framebuffer_screen, term);

	draw_change(s, cell);
	draw_change(s, cell + 1);
}

static void draw_cell(const struct framebuffer_screen *s, unsigned int cell, bool is_cursor)
{
	uint8_t lines[FONT_HEIGHT] = { 0 };
	uint8_t *to = cell_at(s, cell);

	memcpy(lines + FONT_TOP, font_glyph(s->term.text[cell]), FONT_LINES);
	if (is_cursor)
		memset(lines + UNDERLINE_TOP, ALL_ON, FONT_HEIGHT - UNDERLINE_TOP);
	for (unsigned int y = 0; y < FONT_HEIGHT; y++, to += s->pitch)
		draw_line(s, to, lines[y]);
}

/* The cell that had it is drawn as a whole: the underline is in no glyph. */
static QAPI void move_cursor(struct terminal *term, unsigned int cell)
{
	struct framebuffer_screen *s = container_of(term, struct framebuffer_screen, term);

	draw_cell(s, s->cursor, false);
	s->cursor = cell;
	draw_cell(s, cell, true);
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* a locked operation: pixels wait no longer */
}

static uint32_t field(unsigned int pos, unsigned int size)
{
	uint32_t level = size < GREY_BITS ? GREY >> (GREY_BITS - size) : GREY << (size - GREY_BITS);

	return level << pos;
}

static void make_patterns(struct framebuffer_screen *s, const struct boot_colours *c)
{
	uint32_t on = field(c->red_pos, c->red_size) | field(c->green_pos, c->green_size) |
		      field(c->blue_pos, c->blue_size);

	memset(s->pattern, 0, sizeof(s->pattern));
	for (unsigned int nr = 0; nr < FRAMEBUFFER_PATTERNS; nr++) {
		uint8_t *to = (uint8_t *)s->pattern[nr];

		for (unsigned int bit = PATTERN_BITS; bit--; to += s->pixel_size)
			if (nr >> bit & 1)
				memcpy(to, &on, s->pixel_size);
	}
}

QAPI void framebuffer_screen_init(struct framebuffer_screen *s, const struct boot_framebuffer *fb,
				  void *pixels, void *cells)
{
	struct framebuffer_plan plan;

	framebuffer_plan(fb, &plan);
	s->pixels = pixels;
	s->pitch = fb->pitch;
	s->pixel_size = pixel_size(fb);
	s->cursor = 0;
	make_patterns(s, &fb->colours);
	memset(pixels, 0, plan.map_size);
	s->term = (struct terminal){ .cols = plan.cols,
				     .rows = plan.rows,
				     .text = cells,
				     .shown = (uint8_t *)cells + plan.cells_size / 2,
				     .draw = draw_pair,
				     .cursor = move_cursor };
	terminal_init(&s->term);
}

/* ---- the console ---------------------------------------------------------------------------- */

static QAPI void console_write(struct console *c, const char *text, size_t n)
{
	(void)c;
	terminal_write(&screen.term, text, n);
}

__init QAPI void framebuffer_console_init(const struct boot_framebuffer *fb, void *pixels,
					  void *cells)
{
	static struct console console = { .write = console_write };

	framebuffer_screen_init(&screen, fb, pixels, cells);
	console_register(&console);
}

QAPI struct framebuffer_screen *framebuffer_console(void)
{
	return screen.pixels ? &screen : NULL;
}
