/*
 * printk_log.c - tests of the message log when it is full.
 *
 * In a process only: in the kernel they would flush the boot messages out of the log.  Lines carry
 * numbers, so a gap, a torn line or a wrong order shows.
 */
#include <quarry/ktest.h>
#include <quarry/printk.h>
#include <quarry/sizes.h>
#include <quarry/string.h>

#define LOG_MAX (64 * KiB)

/* Reads "line N ...\n" text and checks that N counts up from the first one seen. */
struct line_reader {
	struct out out;
	char line[512];
	size_t len;
	size_t total;
	uint64_t first, last;
	unsigned int nr_lines, nr_wrong;
};

static void read_line(struct line_reader *r)
{
	const char *end;
	uint64_t number;

	if (strncmp(r->line, "line ", 5) || parse_u64(r->line + 5, &end, &number) ||
	    strncmp(end, " xxx", 4)) {
		r->nr_wrong += r->nr_lines != 0; /* before the first, older messages may stand */
		return;
	}
	if (!r->nr_lines++)
		r->first = number;
	else if (number != r->last + 1)
		r->nr_wrong++;
	r->last = number;
}

static QAPI void reader_write(struct out *o, const char *text, size_t len)
{
	struct line_reader *r = container_of(o, struct line_reader, out);

	r->total += len;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n') {
			r->line[r->len] = '\0';
			read_line(r);
			r->len = 0;
		} else if (r->len < sizeof(r->line) - 1) {
			r->line[r->len++] = text[i];
		}
	}
}

/* Lines @first to @first + @nr - 1, of lengths that never repeat in step with the log's size. */
static void log_lines(unsigned int first, unsigned int nr)
{
	int level = console_loglevel;

	console_loglevel = 0;
	for (unsigned int i = first; i < first + nr; i++)
		pr_debug("line %u xxx%*s\n", i, (int)(i * 7 % 61), "");
	console_loglevel = level;
}

static void read_log(struct line_reader *r)
{
	memset(r, 0, sizeof(*r));
	r->out.write = reader_write;
	printk_log_show(&r->out);
}

KTEST(printk_log, a_log_that_fills_up_repeats_nothing_and_loses_nothing_too_soon)
{
	struct line_reader r;
	size_t total;

	read_log(&r);
	ASSERT_LE(t, LOG_MAX / 2, r.total); /* the earlier tests left room */
	for (unsigned int i = 0; i < 100; i++) {
		total = r.total;
		log_lines(1 + i * 20, 20);
		read_log(&r);
		EXPECT_EQ(t, 0, r.nr_wrong);
		EXPECT_EQ(t, i * 20 + 20, r.last);
		EXPECT_EQ(t, r.nr_lines, r.last - r.first + 1);
		EXPECT_LE(t, LOG_MAX, r.total);
		EXPECT_TRUE(t, r.total >= total || r.total >= LOG_MAX - LOG_MAX / 8);
	}
	EXPECT_TRUE(t, r.first > 1); /* it did get full */
}

KTEST(printk_log, a_full_log_has_forgotten_whole_lines_and_the_oldest_only)
{
	struct line_reader r;

	log_lines(1, 3000); /* more than the log holds: nothing else is left in it */
	for (unsigned int i = 0; i < 200; i++) {
		/* Any byte of a record may be the one that the ring's end cuts. */
		log_lines(3001 + i, 1);
		read_log(&r);
		EXPECT_EQ(t, 0, r.nr_wrong);
		EXPECT_EQ(t, 3001 + i, r.last);
		EXPECT_EQ(t, r.nr_lines, r.last - r.first + 1);
		EXPECT_EQ(t, 0, r.len);
		/* Two bytes of each record are its level; at most one record is cut. */
		EXPECT_LE(t, LOG_MAX, r.total + 2 * r.nr_lines);
		EXPECT_GE(t, LOG_MAX - 100, r.total + 2 * r.nr_lines);
	}
}
