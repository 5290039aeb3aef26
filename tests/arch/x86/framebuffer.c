/*
 * framebuffer.c - the pixels of each character, in each format; what cannot be a framebuffer.
 *
 * THEORY.  A screen of a test has its pixels in RAM, with a gap behind each line and guards around.
 * One letter's pixels are written down here; all others are those of the font.  The console's own
 * pixels are read back through its mapping: what the device holds, not what a shadow says.
 */
#include <quarry/align.h>
#include <quarry/asm/framebuffer.h>
#include <quarry/asm/layout.h>
#include <quarry/kernel.h>
#include <quarry/memblock.h>
#include <quarry/pgtable.h>
#include <quarry/printk.h>
#include <quarry/sizes.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

#include "../../../arch/x86/font.h"
#include "../../mm/helpers.h"

#define COLS   10u
#define ROWS   3u
#define WIDTH  (COLS * 8 + 9) /* an odd column that a terminal does not use, and a pixel */
#define HEIGHT (ROWS * 16 + 7)
#define GAP    6u /* bytes behind each line */
#define GUARD  0xA5
#define AREA   ((WIDTH * 4 + GAP) * HEIGHT)

struct format {
	uint8_t bpp, size; /* bits, bytes */
	struct boot_colours colours;
	uint32_t grey;
};

/* Usual ones, and at last one of which no two colours are alike. */
static const struct format formats[] = {
	{ 15, 2, { 10, 5, 5, 5, 0, 5 }, 0x56b5 },
	{ 16, 2, { 11, 5, 5, 6, 0, 5 }, 0xad55 },
	{ 24, 3, { 16, 8, 8, 8, 0, 8 }, 0xaaaaaa },
	{ 32, 4, { 0, 8, 8, 8, 16, 8 }, 0xaaaaaa },
	{ 32, 4, { 20, 10, 10, 10, 0, 10 }, 0x2a8aa2a8 },
	{ 32, 4, { 1, 1, 4, 3, 16, 12 }, 0x0aa00052 },
};

static struct framebuffer_screen s;
static struct {
	uint8_t before[64], area[AREA], after[64];
} pixels;
static uint8_t cells[2 * COLS * ROWS] __aligned(2);

static struct boot_framebuffer describe(const struct format *f)
{
	return (struct boot_framebuffer){ .pa = 0x80000000,
					  .pitch = WIDTH * f->size + GAP,
					  .width = WIDTH,
					  .height = HEIGHT,
					  .bpp = f->bpp,
					  .colours = f->colours };
}

static void start(struct ktest *t, const struct format *f)
{
	struct boot_framebuffer fb = describe(f);
	struct framebuffer_plan plan;

	EXPECT_EQ(t, NULL, framebuffer_refusal(&fb));
	framebuffer_plan(&fb, &plan);
	EXPECT_EQ(t, COLS, plan.cols);
	EXPECT_EQ(t, ROWS, plan.rows);
	EXPECT_EQ(t, sizeof(cells), plan.cells_size);
	EXPECT_EQ(t, fb.pitch * ROWS * 16, plan.map_size);
	memset(&pixels, GUARD, sizeof(pixels));
	framebuffer_screen_init(&s, &fb, pixels.area, cells);
}

static void put(struct framebuffer_screen *to, const char *text)
{
	terminal_write(&to->term, text, strlen(text));
}

static uint32_t pixel(const struct framebuffer_screen *from, unsigned int x, unsigned int y)
{
	uint32_t bits = 0;

	memcpy(&bits, from->pixels + y * from->pitch + x * from->pixel_size, from->pixel_size);
	return bits;
}

/* The line @y of the cell that shows @c. */
static uint8_t font_line(uint8_t c, unsigned int y)
{
	return y < 2 || y > 14 ? 0 : font_glyph(c)[y - 2];
}

/* The line @y of what cell @cell must show. */
static uint8_t line_due(const struct framebuffer_screen *of, unsigned int cell, unsigned int y)
{
	unsigned int at = of->term.row * of->term.cols + min(of->term.col, of->term.cols - 1);

	return cell == at && y >= 14 ? 0xff : font_line(of->term.text[cell], y);
}

/* Pixels of the cell @cell that are not as they must be. */
static unsigned int nr_wrong(const struct framebuffer_screen *of, unsigned int cell, uint32_t grey)
{
	unsigned int left = cell % of->term.cols * 8, top = cell / of->term.cols * 16, nr = 0;

	for (unsigned int y = 0; y < 16; y++) {
		uint8_t due = line_due(of, cell, y);

		for (unsigned int x = 0; x < 8; x++)
			nr += pixel(of, left + x, top + y) != (due >> (7 - x) & 1 ? grey : 0);
	}
	return nr;
}

static unsigned int nr_wrong_anywhere(const struct framebuffer_screen *of, uint32_t grey)
{
	unsigned int nr = 0;

	for (unsigned int cell = 0; cell < of->term.cols * of->term.rows; cell++)
		nr += nr_wrong(of, cell, grey);
	return nr;
}

static void expect_guards(struct ktest *t)
{
	size_t used = (size_t)s.pitch * ROWS * 16;

	for (size_t i = 0; i < sizeof(pixels.before); i++)
		EXPECT_EQ(t, GUARD, pixels.before[i] & pixels.after[i]);
	for (size_t i = used; i < AREA; i++)
		if (pixels.area[i] != GUARD)
			EXPECT_EQ(t, GUARD, pixels.area[i]);
}

KTEST(framebuffer, a_letter_is_these_pixels_in_every_format)
{
	static const char *const art[16] = { "........", "........", "........", "........",
					     "...##...", "..#..#..", ".#....#.", ".#....#.",
					     ".#....#.", ".######.", ".#....#.", ".#....#.",
					     ".#....#.", "........", "........", "........" };

	for (unsigned int i = 0; i < ARRAY_SIZE(formats); i++) {
		start(t, &formats[i]);
		put(&s, "\n xA");
		for (unsigned int y = 0; y < 16; y++)
			for (unsigned int x = 0; x < 8; x++)
				ASSERT_EQ(t, art[y][x] == '#' ? formats[i].grey : 0,
					  pixel(&s, 16 + x, 16 + y));
	}
}

KTEST(framebuffer, every_character_is_the_fonts_and_nothing_else_is_drawn_on)
{
	char text[COLS * ROWS + 1] = "";

	for (unsigned int i = 0; i < ARRAY_SIZE(formats); i++) {
		for (unsigned int first = ' '; first < 256; first += COLS * ROWS - 1) {
			unsigned int nr = min(256 - first, COLS * ROWS - 1);

			start(t, &formats[i]);
			for (unsigned int c = 0; c < nr; c++)
				text[c] = (char)(first + c);
			text[nr] = '\0';
			put(&s, text);
			EXPECT_EQ(t, (uint8_t)text[nr - 1], cells[nr - 1]);
			ASSERT_EQ(t, 0, nr_wrong_anywhere(&s, formats[i].grey));
			expect_guards(t);
		}
	}
}

KTEST(framebuffer, what_has_no_glyph_is_a_box_and_no_two_characters_look_alike)
{
	for (unsigned int a = ' '; a < 0x80; a++) {
		for (unsigned int b = a + 1; b < 0x80; b++) {
			unsigned int nr = 0;

			for (unsigned int y = 0; y < FONT_HEIGHT; y++)
				nr += font_line((uint8_t)a, y) != font_line((uint8_t)b, y);
			if (!nr)
				EXPECT_EQ(t, a, b);
		}
	}
	for (unsigned int y = 0; y < FONT_HEIGHT; y++) {
		EXPECT_EQ(t, font_line(0x7f, y), font_line(0x80, y));
		EXPECT_EQ(t, font_line(0x7f, y), font_line(0xff, y));
		EXPECT_EQ(t, font_line(0x7f, y), font_line(0x00, y));
	}
	EXPECT_EQ(t, 0x7e, font_line(0x80, 4));
	EXPECT_EQ(t, 0x42, font_line(0x80, 5));
}

KTEST(framebuffer, scrolling_moves_the_pixels_and_the_cursor_leaves_none_behind)
{
	start(t, &formats[2]);
	put(&s, "one\n");
	put(&s, "two\nthree");
	put(&s, "\nfour");
	put(&s, "\b\b\b ");
	put(&s, "\n>");
	EXPECT_EQ(t, 0, memcmp(cells, "three     ", COLS));
	EXPECT_EQ(t, 0, memcmp(cells + COLS, "f ur      ", COLS));
	EXPECT_EQ(t, 0, nr_wrong_anywhere(&s, formats[2].grey));
	expect_guards(t);
}

KTEST(framebuffer, a_large_screen_is_used_as_far_as_a_terminal_goes)
{
	struct boot_framebuffer fb = describe(&formats[3]);
	struct framebuffer_plan plan;

	fb.width = 7680;
	fb.height = 4320;
	fb.pitch = fb.width * 4;
	ASSERT_EQ(t, NULL, framebuffer_refusal(&fb));
	framebuffer_plan(&fb, &plan);
	EXPECT_EQ(t, 240, plan.cols);
	EXPECT_EQ(t, 75, plan.rows);
	EXPECT_EQ(t, 75 * 16 * fb.pitch, plan.map_size);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static const char *refusal_of(uint64_t pa, uint32_t pitch, uint32_t width, uint32_t height,
			      uint8_t bpp)
{
	struct boot_framebuffer fb = { pa, pitch, width, height, bpp, { 10, 5, 5, 5, 0, 5 } };

	return framebuffer_refusal(&fb);
}

KTEST(framebuffer, numbers_that_contradict_each_other_are_refused)
{
	static const char none[] = "the loader names no pixels with colour fields";
	static const char small[] = "it is too small for text";
	static const char depth[] = "a pixel is not of 15, 16, 24 or 32 bits";
	static const char overlap[] = "its lines overlap";

	EXPECT_EQ(t, NULL, refusal_of(0x80000000, 32, 16, 16, 16));
	EXPECT_STREQ(t, none, refusal_of(0x80000000, 0, 0, 0, 0));
	EXPECT_STREQ(t, none, refusal_of(0x80000000, 32, 16, 0, 16));
	EXPECT_STREQ(t, small, refusal_of(0x80000000, 32, 15, 16, 16));
	EXPECT_STREQ(t, small, refusal_of(0x80000000, 32, 16, 15, 16));
	for (unsigned int bpp = 0; bpp < 256; bpp++)
		if (bpp != 15 && bpp != 16 && bpp != 24 && bpp != 32)
			EXPECT_STREQ(t, depth, refusal_of(0x80000000, 4096, 16, 16, (uint8_t)bpp));
	EXPECT_STREQ(t, overlap, refusal_of(0x80000000, 31, 16, 16, 15));
	EXPECT_STREQ(t, overlap, refusal_of(0x80000000, 47, 16, 16, 24));
	EXPECT_STREQ(t, overlap, refusal_of(0x80000000, 0, 16, 16, 32));
	EXPECT_STREQ(t, overlap, refusal_of(0x80000000, 64, 0x40000010, 16, 32)); /* 2^32 + 64 */
}

KTEST(framebuffer, an_address_that_cannot_be_mapped_is_refused)
{
	static const char why[] = "its address cannot be mapped";

	EXPECT_EQ(t, NULL, refusal_of(PHYS_ADDR_LIMIT - 32 * 16, 32, 16, 16, 16));
	EXPECT_STREQ(t, why, refusal_of(0, 32, 16, 16, 16));
	EXPECT_STREQ(t, why, refusal_of(PHYS_ADDR_LIMIT - 32 * 16 + 1, 32, 16, 16, 16));
	EXPECT_STREQ(t, why, refusal_of(PHYS_ADDR_LIMIT, 32, 16, 16, 16));
	EXPECT_STREQ(t, why, refusal_of(UINT64_MAX, 32, 16, 16, 16));
	EXPECT_STREQ(t, why, refusal_of(0x80000000, 0x08000000, 16, 17, 16));
	EXPECT_STREQ(t, why, refusal_of(0x80000000, UINT32_MAX, 16, UINT32_MAX, 16));
}

KTEST(framebuffer, a_colour_that_is_empty_or_not_within_its_pixel_is_refused)
{
	static const struct boot_colours wrong[] = {
		{ 10, 0, 5, 5, 0, 5 },  { 10, 5, 5, 0, 0, 5 },   { 10, 5, 5, 5, 0, 0 },
		{ 11, 5, 5, 5, 0, 5 },  { 10, 5, 11, 5, 0, 5 },  { 10, 5, 5, 5, 15, 1 },
		{ 255, 2, 5, 5, 0, 5 }, { 10, 255, 5, 5, 0, 5 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct boot_framebuffer fb = describe(&formats[0]);

		EXPECT_EQ(t, NULL, framebuffer_refusal(&fb));
		fb.colours = wrong[i];
		EXPECT_STREQ(t, "a colour is not within its pixel", framebuffer_refusal(&fb));
	}
}

KTEST(framebuffer, one_where_ram_lies_is_refused)
{
	static struct bootinfo bi;
	const struct memblock_region *ram = &memblock.memory.region[memblock.memory.nr - 1];

	bi.framebuffer = describe(&formats[0]);
	bi.framebuffer.pa = 0;
	EXPECT_STREQ(t, "its address cannot be mapped", pixels_refusal(&bi));
	bi.framebuffer.pa = ram->end - 1;
	EXPECT_STREQ(t, "RAM lies there", pixels_refusal(&bi));
	bi.framebuffer.pa = ram->start;
	EXPECT_STREQ(t, "RAM lies there", pixels_refusal(&bi));
	bi.framebuffer.pa = ram->end;
	EXPECT_EQ(t, NULL, pixels_refusal(&bi));
}

/* ---- the machine's own ---------------------------------------------------------------------- */

KTEST(framebuffer, it_is_a_console_only_where_the_loader_set_up_graphics)
{
	if (framebuffer_console())
		EXPECT_EQ(t, BOOT_SCREEN_GRAPHICS, kernel_bootinfo->screen);
}

KTEST_NEEDS(framebuffer, the_consoles_pixels_are_mapped_where_the_loader_says,
	    .features = KTEST_PIXELS)
{
	uintptr_t va = (uintptr_t)framebuffer_console()->pixels;
	struct pt_walk w;

	pgtable_walk(va, &w);
	EXPECT_TRUE(t, w.present);
	EXPECT_EQ(t, kernel_bootinfo->framebuffer.pa, w.pa);
}

/* Bytes of the machine's framebuffer, from @offset on, that are not @value; they become @then. */
static unsigned int nr_other_bytes(struct ktest *t, size_t offset, uint8_t value, uint8_t then)
{
	const struct boot_framebuffer *fb = &kernel_bootinfo->framebuffer;
	size_t size = (size_t)fb->pitch * fb->height - offset;
	uint8_t *at = size ? ioremap_wc(fb->pa + offset, size) : NULL;
	unsigned int nr = 0;

	EXPECT_EQ(t, size != 0, at != NULL);
	for (size_t i = 0; at && i < size; i++)
		nr += at[i] != value;
	if (at) {
		memset(at, then, size);
		iounmap(at);
	}
	return nr;
}

KTEST_NEEDS(framebuffer, what_lies_below_the_last_line_of_text_is_black_and_no_text_is_lost,
	    .features = KTEST_PIXELS)
{
	const struct framebuffer_screen *console = framebuffer_console();
	uint32_t grey = console->pattern[15][0] & ~0u >> (32 - 8 * console->pixel_size);
	struct framebuffer_plan plan;

	framebuffer_plan(&kernel_bootinfo->framebuffer, &plan);
	EXPECT_EQ(t, 0, nr_other_bytes(t, plan.map_size, 0, GUARD));
	pixels_clear_rest(&kernel_bootinfo->framebuffer);
	EXPECT_EQ(t, 0, nr_other_bytes(t, plan.map_size, 0, 0));
	EXPECT_EQ(t, 0, nr_wrong_anywhere(console, grey));
}

KTEST_NEEDS(framebuffer, what_is_printed_is_what_the_device_holds, .features = KTEST_PIXELS)
{
	const struct framebuffer_screen *console = framebuffer_console();
	uint32_t grey = console->pattern[15][0] & ~0u >> (32 - 8 * console->pixel_size);
	unsigned int row;

	console_fresh_line();
	row = console->term.row;
	out_printf(&out_console, "# seen in the pixels: %d", 1234);
	EXPECT_EQ(t, row, console->term.row);
	EXPECT_EQ(t, 0,
		  memcmp(console->term.text + row * console->term.cols,
			 "# seen in the pixels: 1234 ", 27));
	EXPECT_EQ(t, 0, nr_wrong_anywhere(console, grey));
	for (unsigned int i = 0; i < console->term.rows + 3; i++)
		out_printf(&out_console, "\n# scrolled %u", i);
	EXPECT_EQ(t, 0, memcmp(console->term.text, "# scrolled 3 ", 13));
	EXPECT_EQ(t, 0, nr_wrong_anywhere(console, grey));
	out_printf(&out_console, "\n");
}
