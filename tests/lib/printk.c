/*
 * printk.c - tests of levels, consoles and the log.
 *
 * Seen through a console of their own, which is registered for each test; what must not reach the
 * real consoles is printed at a level that they do not show.
 */
#include <quarry/ktest.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#define TAIL_MAX 512u

/* Keeps the last bytes written, half of TAIL_MAX at least: registration replays the log. */
struct tail_console {
	struct console console;
	char text[TAIL_MAX + 1];
	size_t len;
	size_t total;
};

static QAPI void tail_write(struct console *c, const char *s, size_t n)
{
	struct tail_console *tail = container_of(c, struct tail_console, console);

	tail->total += n;
	for (size_t i = 0; i < n; i++) {
		if (tail->len == TAIL_MAX) {
			memcpy(tail->text, tail->text + TAIL_MAX / 2, TAIL_MAX / 2);
			tail->len = TAIL_MAX / 2;
		}
		tail->text[tail->len++] = s[i];
	}
	tail->text[tail->len] = '\0';
}

static struct tail_console tail;

static void tail_start(void)
{
	memset(&tail, 0, sizeof(tail));
	tail.console.write = tail_write;
	console_register(&tail.console);
	tail.len = 0;
	tail.text[0] = '\0';
}

KTEST(printk, consoles_see_messages_below_the_loglevel_only)
{
	int level = console_loglevel;

	tail_start();
	console_loglevel = 4;
	pr_err("err\n");
	pr_warn("warn\n");
	pr_notice("notice\n");
	printk("plain\n");
	console_loglevel = 6;
	pr_notice("notice2\n");
	printk("plain2\n");
	pr_info("info\n");
	console_loglevel = CONSOLE_LOGLEVEL_MAX;
	pr_debug("debug\n");
	console_loglevel = level;
	console_unregister(&tail.console);
	EXPECT_STREQ(t, "err\nnotice2\nplain2\ndebug\n", tail.text);
}

KTEST(printk, an_emergency_is_seen_at_every_loglevel)
{
	int level = console_loglevel;

	tail_start();
	console_loglevel = 0;
	pr_emerg("emergency %d\n", 1);
	pr_err("err\n");
	console_loglevel = level;
	console_unregister(&tail.console);
	EXPECT_STREQ(t, "emergency 1\n", tail.text);
}

KTEST(printk, the_sink_writes_to_consoles_at_every_loglevel)
{
	int level = console_loglevel;

	tail_start();
	console_loglevel = 0;
	out_printf(&out_console, "# from a sink\n");
	console_loglevel = level;
	console_unregister(&tail.console);
	EXPECT_STREQ(t, "# from a sink\n", tail.text);
}

KTEST(printk, the_return_value_is_the_length_of_the_text_without_the_level)
{
	int level = console_loglevel;

	console_loglevel = 0;
	EXPECT_EQ(t, 7, pr_info("abc %d\n", 12));
	EXPECT_EQ(t, 601, pr_info("%600d\n", 1));
	console_loglevel = level;
}

KTEST(printk, a_message_longer_than_a_record_arrives_whole)
{
	int level = console_loglevel;
	size_t nr_spaces = 0;

	console_loglevel = 0;
	tail_start();
	pr_emerg("<%400s>\n", "x");
	console_unregister(&tail.console);
	console_loglevel = level;
	EXPECT_EQ(t, 403, tail.len);
	for (size_t i = 0; i < tail.len; i++)
		nr_spaces += tail.text[i] == ' ';
	EXPECT_EQ(t, 399, nr_spaces);
	EXPECT_STREQ(t, "x>\n", tail.text + 400);
}

KTEST(printk, the_sink_of_the_log_makes_messages_of_level_info)
{
	int level = console_loglevel;

	tail_start();
	console_loglevel = 6;
	out_printf(&out_log, "hidden %d\n", 1);
	EXPECT_STREQ(t, "", tail.text);
	console_unregister(&tail.console);
	console_loglevel = 7;
	console_register(&tail.console); /* which shows it what the log has */
	console_unregister(&tail.console);
	console_loglevel = level;
	EXPECT_STREQ(t, "hidden 1\n", tail.text + tail.len - strlen("hidden 1\n"));
}

/* Print a line nobody sees, and see it replayed to a console registered at @level. */
static bool replayed(const char *mark, int level_then)
{
	int level = console_loglevel;
	bool seen;

	console_loglevel = 0;
	pr_info("mark %s\n", mark);
	console_loglevel = level_then;
	memset(&tail, 0, sizeof(tail));
	tail.console.write = tail_write;
	console_register(&tail.console);
	console_unregister(&tail.console);
	console_loglevel = level;
	seen = strstr(tail.text, mark) != NULL;
	return seen;
}

KTEST(printk, a_new_console_gets_the_messages_of_before_that_its_loglevel_lets_through)
{
	EXPECT_TRUE(t, replayed("replay-info", 7));
	EXPECT_FALSE(t, replayed("replay-hidden", 6));
}

KTEST(printk, an_unregistered_console_gets_nothing_more)
{
	int level = console_loglevel;
	struct console stranger = { .write = tail_write };

	tail_start();
	console_unregister(&tail.console);
	console_unregister(&tail.console);
	console_unregister(&stranger);
	console_loglevel = 7;
	pr_info("printk test: seen by the other consoles only\n");
	console_loglevel = level;
	EXPECT_STREQ(t, "", tail.text);
}

KTEST(printk, a_fresh_line_ends_an_open_line_and_nothing_else)
{
	tail_start();
	out_printf(&out_console, "# open");
	console_fresh_line();
	console_fresh_line();
	console_unregister(&tail.console);
	EXPECT_STREQ(t, "# open\n", tail.text);
}

/* A sink that keeps the last bytes, for a log larger than any buffer. */
struct tail_out {
	struct out out;
	size_t total;
	char last[64];
};

static QAPI void tail_out_write(struct out *o, const char *text, size_t len)
{
	struct tail_out *l = container_of(o, struct tail_out, out);

	l->total += len;
	for (size_t i = 0; i < len; i++) {
		memmove(l->last, l->last + 1, sizeof(l->last) - 2);
		l->last[sizeof(l->last) - 2] = text[i];
	}
}

KTEST(printk, the_log_keeps_what_no_console_saw_without_its_level)
{
	struct tail_out l = { .out = { tail_out_write } };
	int level = console_loglevel;

	console_loglevel = 0;
	pr_debug("below every\n");
	pr_err("a\001b\n"); /* the byte that marks levels cannot forge one */
	console_loglevel = level;
	memset(l.last, '.', sizeof(l.last) - 1);
	printk_log_show(&l.out);
	EXPECT_STREQ(t, "below every\na?b\n", l.last + sizeof(l.last) - 1 - 16);
}
