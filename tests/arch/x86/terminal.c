/*
 * terminal.c - what is written to a terminal stands there, and only what changed is drawn.
 *
 * THEORY.  A device in RAM, as small as makes every case short: it copies the cells that it is told
 * to draw, counts them, and has guards around.
 */
#include <quarry/asm/terminal.h>
#include <quarry/ktest.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#define COLS  20u
#define ROWS  5u
#define CELLS (COLS * ROWS)
#define GUARD 0xA5

static struct {
	struct terminal term;
	uint8_t text[CELLS + 2] __aligned(2);
	uint8_t shown[CELLS + 2] __aligned(2);
	char device[CELLS];
	unsigned int nr_drawn; /* pairs */
	unsigned int cursor;
} fake;

static QAPI void draw(struct terminal *term, unsigned int cell)
{
	fake.device[cell] = (char)term->text[cell];
	fake.device[cell + 1] = (char)term->text[cell + 1];
	fake.nr_drawn++;
}

static QAPI void cursor(struct terminal *term, unsigned int cell)
{
	(void)term;
	fake.cursor = cell;
}

static void start(void)
{
	memset(&fake, GUARD, sizeof(fake));
	fake.term = (struct terminal){ .cols = COLS,
				       .rows = ROWS,
				       .text = fake.text,
				       .shown = fake.shown,
				       .draw = draw,
				       .cursor = cursor };
	terminal_init(&fake.term);
	fake.nr_drawn = 0;
}

static void put(const char *text)
{
	terminal_write(&fake.term, text, strlen(text));
}

/* Row @nr of the device as text, without the blanks at its end. */
static const char *row(unsigned int nr)
{
	static char text[COLS + 1];
	unsigned int len = 0;

	for (unsigned int col = 0; col < COLS; col++) {
		text[col] = fake.device[nr * COLS + col];
		if (text[col] != ' ')
			len = col + 1;
	}
	text[len] = '\0';
	return text;
}

KTEST(terminal, a_new_one_is_blank_in_every_cell)
{
	start();
	for (unsigned int i = 0; i < CELLS; i++)
		EXPECT_EQ(t, ' ', fake.device[i]);
	EXPECT_EQ(t, 0, fake.cursor);
}

KTEST(terminal, lines_stand_below_each_other)
{
	start();
	put("one\ntwo");
	EXPECT_STREQ(t, "one", row(0));
	EXPECT_STREQ(t, "two", row(1));
	EXPECT_STREQ(t, "", row(2));
	EXPECT_EQ(t, COLS + 3, fake.cursor);
}

KTEST(terminal, a_full_one_scrolls_and_loses_its_first_lines_only)
{
	char line[16];

	start();
	for (unsigned int i = 0; i < ROWS + 7; i++) {
		snprintf(line, sizeof(line), "line %u\n", i);
		put(line);
	}
	for (unsigned int i = 0; i < ROWS - 1; i++) {
		snprintf(line, sizeof(line), "line %u", i + 8);
		EXPECT_STREQ(t, line, row(i));
	}
	EXPECT_STREQ(t, "", row(ROWS - 1));
	EXPECT_EQ(t, ROWS - 1, fake.term.row);
}

KTEST(terminal, a_line_that_is_full_ends_there_and_one_more_character_goes_on_in_the_next)
{
	char line[COLS + 1];

	start();
	memset(line, 'x', COLS);
	line[COLS] = '\0';
	put(line);
	EXPECT_EQ(t, COLS - 1, fake.cursor);
	put("\nnext\n");
	put(line);
	put("y");
	EXPECT_STREQ(t, line, row(0));
	EXPECT_STREQ(t, "next", row(1));
	EXPECT_STREQ(t, line, row(2));
	EXPECT_STREQ(t, "y", row(3));
}

KTEST(terminal, backspace_return_and_tab_move_and_erase_nothing)
{
	start();
	put("abc\b\bX\rY\n\b\bZ\n1\t2\t3");
	EXPECT_STREQ(t, "YXc", row(0));
	EXPECT_STREQ(t, "Z", row(1));
	EXPECT_STREQ(t, "1       2       3", row(2));
	put("\n");
	for (unsigned int i = 0; i < COLS; i++)
		put("\t");
	EXPECT_EQ(t, COLS - 1, fake.term.col);
}

KTEST(terminal, the_monitors_escape_sequence_clears_and_others_leave_no_trace)
{
	start();
	put("old\nold");
	put("\033[1;31mred\033[0m\033c\a\177");
	EXPECT_STREQ(t, "oldred\177", row(1));
	put("\033[H\033[2Jnew");
	EXPECT_STREQ(t, "new", row(0));
	EXPECT_STREQ(t, "", row(1));
	put("\033");
	put("[");
	put("H!"); /* in pieces */
	EXPECT_STREQ(t, "!ew", row(0));
}

KTEST(terminal, bytes_from_0x80_on_are_characters)
{
	start();
	put("\x80\xe4\xff\n\x9b\x31");
	EXPECT_STREQ(t, "\x80\xe4\xff", row(0));
	EXPECT_STREQ(t, "\x9b\x31", row(1));
}

KTEST(terminal, cells_that_do_not_change_are_not_drawn)
{
	start();
	put("same\nline\nline\nline\nline");
	fake.nr_drawn = 0;
	put("\rline");
	EXPECT_EQ(t, 0, fake.nr_drawn);
	put("\rlinE");
	EXPECT_EQ(t, 1, fake.nr_drawn);
	put("\rline\n");
	/* "same" becomes "line", "linE" becomes blank, two pairs each; the other rows stay. */
	EXPECT_EQ(t, 1 + 2 + 2, fake.nr_drawn); /* with the E above */
}

KTEST(terminal, one_that_somebody_else_holds_for_good_is_written_all_the_same)
{
	start();
	fake.term.busy = true;
	put("panic");
	EXPECT_STREQ(t, "panic", row(0));
	EXPECT_TRUE(t, fake.term.busy);
}

KTEST(terminal, random_bytes_stay_inside)
{
	start();
	for (unsigned long i = 0; i < ktest_steps(t, 100000) / 100; i++) {
		uint32_t r = ktest_random(t);
		char piece[] = { (char)r, (char)(r >> 8), (char)(r >> 16),
				 "\n\b\t\r\033[HJ"[r >> 29] };

		terminal_write(&fake.term, piece, sizeof(piece));
		ASSERT_TRUE(t,
			    fake.term.row < ROWS && fake.term.col <= COLS && fake.cursor < CELLS);
	}
	EXPECT_EQ(t, 0, memcmp(fake.text, fake.device, CELLS));
	EXPECT_EQ(t, 0, memcmp(fake.text, fake.shown, CELLS));
	for (unsigned int i = CELLS; i < sizeof(fake.text); i++)
		EXPECT_EQ(t, GUARD, fake.text[i] & fake.shown[i]);
}
