/*
 * vga.c - the text screen: what is written stands there; on the machine's own, where it has one.
 *
 * THEORY.  A screen of a test has cells in RAM.  The console's is read back through its page of the
 * fixmap and through a window of early_ioremap(): what the device holds, not what a shadow says.
 */
#include <quarry/asm/vga.h>
#include <quarry/fixmap.h>
#include <quarry/kernel.h>
#include <quarry/pgtable.h>
#include <quarry/port.h>
#include <quarry/printk.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

#include "../../../arch/x86/io.h"
#include "../../mm/helpers.h"

#define SCREEN_PA     0xb8000u
#define PORT_GRAPHICS 0x3ce /* an index; the register is the next port */
#define GRAPHICS_MISC 6
#define GRAPHICS_ON   0x0f /* graphics, at the right place */
#define MAP_A0000     0x06
#define MAP_B0000     0x0a /* the monochrome screen's */

#define SCREEN_SIZE (VGA_CELLS * sizeof(uint16_t))

static struct vga_screen s;
static uint16_t cells[VGA_CELLS] __aligned(4);

static void start(void)
{
	vga_screen_init(&s, cells);
}

static void put(const char *text)
{
	terminal_write(&s.term, text, strlen(text));
}

/* Row @row of @from as text, without the blanks at its end. */
static const char *row_of(const uint16_t *from, unsigned int row)
{
	static char text[VGA_COLS + 1];
	unsigned int len = 0;

	for (unsigned int col = 0; col < VGA_COLS; col++) {
		text[col] = (char)READ_ONCE(from[row * VGA_COLS + col]);
		if (text[col] != ' ')
			len = col + 1;
	}
	text[len] = '\0';
	return text;
}

static const char *row(unsigned int nr)
{
	return row_of(cells, nr);
}

KTEST(vga, lines_stand_below_each_other_grey_on_black)
{
	start();
	put("one\ntwo");
	EXPECT_STREQ(t, "one", row(0));
	EXPECT_STREQ(t, "two", row(1));
	EXPECT_STREQ(t, "", row(2));
	for (unsigned int i = 0; i < VGA_CELLS; i++)
		if (cells[i] >> 8 != 7)
			EXPECT_EQ(t, 7, cells[i] >> 8);
	EXPECT_EQ(t, 1, s.term.row);
	EXPECT_EQ(t, 3, s.term.col);
}

KTEST(vga, a_screen_that_scrolls_does_so_in_the_devices_cells)
{
	char line[16];

	start();
	for (unsigned int i = 0; i < VGA_ROWS + 7; i++) {
		snprintf(line, sizeof(line), "line %u\n", i);
		put(line);
	}
	for (unsigned int i = 0; i < VGA_ROWS - 1; i++) {
		snprintf(line, sizeof(line), "line %u", i + 8);
		EXPECT_STREQ(t, line, row(i));
	}
	EXPECT_STREQ(t, "", row(VGA_ROWS - 1));
}

KTEST(vga, random_bytes_stay_on_the_screen)
{
	struct {
		uint16_t before[VGA_COLS], cells[VGA_CELLS], after[VGA_COLS];
	} *guarded = vzalloc(sizeof(*guarded));

	ASSERT_NE(t, NULL, guarded);
	vga_screen_init(&s, guarded->cells);
	for (unsigned long i = 0; i < ktest_steps(t, 100000) / 100; i++) {
		uint32_t r = ktest_random(t);
		char piece[] = { (char)r, (char)(r >> 8), (char)(r >> 16),
				 "\n\b\t\r\033[HJ"[r >> 29] };

		terminal_write(&s.term, piece, sizeof(piece));
	}
	for (unsigned int i = 0; i < VGA_CELLS; i++)
		if (guarded->cells[i] != (0x700 | s.text[i]))
			EXPECT_EQ(t, 0x700 | s.text[i], guarded->cells[i]);
	for (unsigned int i = 0; i < VGA_COLS; i++)
		if (guarded->before[i] || guarded->after[i])
			EXPECT_EQ(t, 0, guarded->before[i] | guarded->after[i]);
	vfree(guarded);
}

/* ---- the machine's own ---------------------------------------------------------------------- */

/* Is there a row of @from that begins with @text? */
static bool shows(const uint16_t *from, const char *text)
{
	for (unsigned int i = 0; i < VGA_ROWS; i++)
		if (!strncmp(row_of(from, i), text, strlen(text)))
			return true;
	return false;
}

KTEST(vga, its_page_of_the_fixmap_is_mapped_if_and_only_if_it_is_a_console)
{
	struct pt_walk w;

	pgtable_walk(fix_to_virt(FIX_VGA_TEXT), &w);
	EXPECT_EQ(t, vga_console_present(), w.present);
	if (w.present)
		EXPECT_EQ(t, SCREEN_PA, w.pa);
}

KTEST_NEEDS(vga, a_screen_that_shows_graphics_or_lies_elsewhere_is_not_found,
	    .features = KTEST_SCREEN)
{
	static const uint8_t wrong[] = { GRAPHICS_ON, MAP_A0000, MAP_B0000 };
	phys_addr_t pa = 0;
	uint8_t was;

	EXPECT_TRUE(t, vga_find(&pa));
	EXPECT_EQ(t, SCREEN_PA, pa);
	outb(PORT_GRAPHICS, GRAPHICS_MISC);
	was = inb(PORT_GRAPHICS + 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		bool found;

		outb(PORT_GRAPHICS + 1, wrong[i]);
		found = vga_find(&pa);
		outb(PORT_GRAPHICS + 1, was);
		EXPECT_FALSE(t, found);
	}
}

KTEST_NEEDS(vga, a_screen_that_the_loader_calls_graphics_is_refused, .features = KTEST_SCREEN)
{
	static struct bootinfo bi;
	phys_addr_t pa;

	bi.screen = BOOT_SCREEN_GRAPHICS;
	EXPECT_STREQ(t, "the loader set up graphics", screen_refusal(&bi, &pa));
	bi.screen = BOOT_SCREEN_TEXT;
	EXPECT_EQ(t, NULL, screen_refusal(&bi, &pa));
	bi.screen = BOOT_SCREEN_UNKNOWN;
	EXPECT_EQ(t, NULL, screen_refusal(&bi, &pa));
	EXPECT_EQ(t, SCREEN_PA, pa);
}

KTEST_NEEDS(vga, what_is_printed_stands_in_the_devices_memory, .features = KTEST_SCREEN)
{
	const uint16_t *fixed = (const uint16_t *)fix_to_virt(FIX_VGA_TEXT), *window;

	console_fresh_line();
	out_printf(&out_console, "# seen on the screen: %d\n", 1234);
	EXPECT_TRUE(t, shows(fixed, "# seen on the screen: 1234"));
	window = early_ioremap(SCREEN_PA, SCREEN_SIZE);
	ASSERT_NE(t, NULL, window);
	EXPECT_TRUE(t, shows(window, "# seen on the screen: 1234"));
	EXPECT_EQ(t, 0, memcmp(window, fixed, SCREEN_SIZE));
	early_iounmap((void *)window, SCREEN_SIZE);
}

KTEST_NEEDS(vga, the_screen_scrolls_when_it_is_full, .features = KTEST_SCREEN)
{
	const uint16_t *fixed = (const uint16_t *)fix_to_virt(FIX_VGA_TEXT);
	char line[32];

	for (unsigned int i = 0; i < VGA_ROWS + 3; i++)
		out_printf(&out_console, "# scrolled %u\n", i);
	for (unsigned int i = 0; i < VGA_ROWS - 1; i++) {
		snprintf(line, sizeof(line), "# scrolled %u", i + 4);
		EXPECT_STREQ(t, line, row_of(fixed, i));
	}
	EXPECT_STREQ(t, "", row_of(fixed, VGA_ROWS - 1));
}
