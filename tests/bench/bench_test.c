/*
 * bench_test.c - the runner of the benchmark: what it prints, and that it notices what went wrong.
 *
 * The figures mean nothing here, where no instructions are counted: they are not looked at.
 */
#include <quarry/bench.h>
#include <quarry/errno.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/string.h>

#include "../mm/helpers.h"
#include "rows.h"

/* For bench_run() to begin: RAM, of which lowmem has more than the DMA zone. */
#define ENOUGH .ram_mib = 240, .zones = KTEST_ZONE_NORMAL

static char text[16384]; /* what is printed */
static struct out_buf buf;

static struct out *to_text(void)
{
	out_buf_init(&buf, text, sizeof(text));
	return &buf.out;
}

/* Measure @row, printing to text[]. */
static bool measure(struct ktest *t, const struct bench_row *row)
{
	struct page *room = alloc_pages(GFP_KERNEL, BENCH_ROOM_ORDER);
	bool good;

	EXPECT_NE(t, NULL, room);
	if (!room)
		return false;
	good = bench_measure(to_text(), row, page_address(room));
	__free_pages(room, BENCH_ROOM_ORDER);
	return good;
}

KTEST_NEEDS(bench, rows_that_match_are_measured_and_no_others, ENOUGH)
{
	EXPECT_EQ(t, 0, bench_run(to_text(), "calib*|nothing like this"));
	EXPECT_TRUE(t, strstr(text, "bench row=\"calib 100 nops\" cost=") != NULL);
	EXPECT_TRUE(t, strstr(text, "bench row=\"calib rep stosl 1024\" cost=") != NULL);
	EXPECT_TRUE(t, strstr(text, "bench done rows=2 errors=0\n") != NULL);
	EXPECT_EQ(t, NULL, strstr(text, "alloc_pages"));
}

KTEST_NEEDS(bench, a_name_that_no_row_has_is_refused, ENOUGH)
{
	EXPECT_ERR(t, -ENOENT, bench_run(to_text(), "no such row"));
}

KTEST_NEEDS(bench, without_lowmem_nothing_is_measured, ENOUGH)
{
	HOARD(h);

	hoard_zone(&h, ZONE_NORMAL, MAX_ORDER - 1);
	EXPECT_ERR(t, -ENOMEM, bench_run(to_text(), "calib*"));
	hoard_free(&h);
	EXPECT_STREQ(t, "", text);
}

KTEST(bench, the_list_has_every_row_once)
{
	bench_list(to_text());
	EXPECT_EQ(t, 0, buf.dropped);
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		for (char *other = end + 1, *stop; (stop = strchr(other, '\n')); other = stop + 1) {
			*stop = '\0';
			EXPECT_TRUE(t, strcmp(line, other) != 0);
			*stop = '\n';
		}
	}
}

/* ---- rows of the tests' own -------------------------------------------------------------- */

static struct page *leaked;
static unsigned int nr_up, nr_down;

static QAPI void leak_once(void)
{
	if (!leaked)
		leaked = alloc_page(GFP_KERNEL);
}

static QAPI bool never_up(unsigned long arg)
{
	nr_up += arg;
	return false;
}

static QAPI void count_down(void)
{
	nr_down++;
}

/* Two objects, and no more. */
static QAPI void fill_two(void **objs, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		objs[i] = i == 1 || i == nr - 1 ? alloc_page(GFP_KERNEL) : NULL;
}

static QAPI void drain_pages(void **objs, unsigned int nr)
{
	nr_down += nr;
	for (unsigned int i = 0; i < nr; i++)
		__free_page(objs[i]);
}

KTEST(bench, a_row_that_leaves_a_page_behind_is_an_error)
{
	static const struct bench_row row = {
		.name = "leak", .kind = BENCH_KIND_ONE, .nr = 5, .bracket = leak_once
	};

	EXPECT_FALSE(t, measure(t, &row));
	EXPECT_TRUE(t, strstr(text, "bench row=\"leak\" error=\"") != NULL);
	EXPECT_NE(t, NULL, leaked);
	if (leaked)
		__free_page(leaked);
	leaked = NULL;
}

KTEST(bench, a_row_whose_stage_cannot_be_set_up_is_an_error)
{
	static const struct bench_stage stage = { never_up, count_down };
	static const struct bench_row row = { .name = "stage",
					      .kind = BENCH_KIND_ONE,
					      .nr = 5,
					      .stage = &stage,
					      .arg = 1,
					      .bracket = leak_once };

	nr_up = nr_down = 0;
	EXPECT_FALSE(t, measure(t, &row));
	EXPECT_STREQ(t, "bench row=\"stage\" error=\"out of memory\"\n", text);
	EXPECT_EQ(t, 1, nr_up);
	EXPECT_EQ(t, 0, nr_down);
	EXPECT_EQ(t, NULL, leaked);
}

KTEST(bench, a_batch_that_gets_not_all_is_an_error_and_goes_back)
{
	static const struct bench_row row = { .name = "batch",
					      .kind = BENCH_KIND_EACH,
					      .nr = 10,
					      .fill = fill_two,
					      .drain = drain_pages };

	nr_down = 0;
	EXPECT_FALSE(t, measure(t, &row));
	EXPECT_STREQ(t, "bench row=\"batch\" error=\"out of memory\"\n", text);
	EXPECT_EQ(t, 2, nr_down);
}

KTEST(bench, random_numbers_stay_below_their_limit_and_reach_all_of_it)
{
	uint32_t seen = 0;

	for (unsigned int i = 0; i < 1000; i++) {
		uint32_t value = bench_random_below(8);

		ASSERT_LE(t, 7, value);
		seen |= 1u << value;
	}
	EXPECT_EQ(t, 0xff, seen);
}
