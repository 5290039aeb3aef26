/*
 * gfp.c - flags and their combinations: each is accepted, acted on, and named in a report.
 *
 * THEORY.  Where memory comes from is tested in zones.c, how far down in watermarks.c, what is
 * reclaimed in reclaim.c; here is what remains.  The crimes among the combinations end the
 * machine: tests/death/.
 */
#include "helpers.h"

#include <quarry/align.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/string.h>

KTEST(gfp, every_named_combination_gives_a_page_of_an_allowed_zone)
{
	static const struct {
		gfp_t gfp;
		enum zone_type best;
	} combination[] = {
		{ GFP_KERNEL, ZONE_NORMAL },    { GFP_ATOMIC, ZONE_NORMAL },
		{ GFP_NOWAIT, ZONE_NORMAL },    { GFP_NOIO, ZONE_NORMAL },
		{ GFP_NOFS, ZONE_NORMAL },      { GFP_USER, ZONE_NORMAL },
		{ GFP_HIGHUSER, ZONE_HIGHMEM }, { GFP_HIGHUSER_MOVABLE, ZONE_HIGHMEM },
		{ GFP_DMA, ZONE_DMA },          { GFP_DMA32, ZONE_NORMAL },
		{ GFP_THISNODE, ZONE_NORMAL },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(combination); i++) {
		struct page *page = alloc_page(T_GFP(t, combination[i].gfp));

		ASSERT_NE(t, NULL, page);
		EXPECT_LE(t, combination[i].best, page_zone_type(page));
		__free_page(page);
	}
}

KTEST(gfp, every_single_flag_is_accepted)
{
	for (unsigned int bit = 0; bit < __GFP_BITS; bit++) {
		gfp_t gfp = 1u << bit;
		struct page *page;

		if (gfp == __GFP_NOFAIL) /* only together with __GFP_WAIT */
			gfp |= __GFP_WAIT;
		page = alloc_page(T_GFP(t, gfp));
		ASSERT_NE(t, NULL, page);
		__free_page(page);
	}
}

KTEST(gfp, movable_with_reclaimable_is_warned_of_once_and_is_unmovable)
{
	static bool committed_before;
	struct page *page[2] = { alloc_page(GFP_KERNEL) };
	struct capture *c;

	/* The per-CPU lists are not empty now: no request has to look further because of that. */
	ASSERT_NE(t, NULL, page[0]);
	__free_page(page[0]);
	c = capture_begin();
	for (unsigned int i = 0; i < 2; i++)
		page[i] = alloc_page(T_GFP(t, GFP_KERNEL | __GFP_MOVABLE | __GFP_RECLAIMABLE));
	capture_end(c);
	EXPECT_EQ(t, committed_before ? 0 : 1, capture_count(c, "WARNING:"));
	committed_before = true;
	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_NE(t, NULL, page[i]);
		EXPECT_EQ(t, MOB_UNMOVABLE,
			  (page[i]->flags & PG_MOBILITY_MASK) >> PG_MOBILITY_SHIFT);
		__free_page(page[i]);
	}
}

KTEST(gfp, a_page_remembers_the_mobility_that_was_asked_for)
{
	static const gfp_t flag[NR_MOBILITIES] = { 0, __GFP_RECLAIMABLE, __GFP_MOVABLE };

	for (unsigned int m = 0; m < NR_MOBILITIES; m++) {
		struct page *page = alloc_page(GFP_KERNEL | T_GFP(t, flag[m]));

		ASSERT_NE(t, NULL, page);
		EXPECT_EQ(t, m, (page->flags & PG_MOBILITY_MASK) >> PG_MOBILITY_SHIFT);
		__free_page(page);
	}
}

static const char *gfp_text(gfp_t gfp)
{
	static char text[512];
	struct out_buf b;

	out_buf_init(&b, text, sizeof(text));
	gfp_show(&b.out, gfp);
	return text;
}

KTEST(gfp, each_flag_is_shown_by_its_name)
{
	static const char *const name[__GFP_BITS] = {
		"__GFP_DMA",         "__GFP_HIGHMEM", "__GFP_DMA32",    "__GFP_MOVABLE",
		"__GFP_RECLAIMABLE", "__GFP_WAIT",    "__GFP_HIGH",     "__GFP_IO",
		"__GFP_FS",          "__GFP_COLD",    "__GFP_NOWARN",   "__GFP_REPEAT",
		"__GFP_NOFAIL",      "__GFP_NORETRY", "__GFP_MEMALLOC", "__GFP_NOMEMALLOC",
		"__GFP_COMP",        "__GFP_ZERO",    "__GFP_THISNODE",
	};

	for (unsigned int bit = 0; bit < __GFP_BITS; bit++)
		EXPECT_STREQ(t, name[bit], gfp_text(1u << bit));
	EXPECT_STREQ(t, "0", gfp_text(0));
}

KTEST(gfp, several_flags_are_shown_joined_by_bars)
{
	EXPECT_STREQ(t, "__GFP_DMA|__GFP_COMP|__GFP_ZERO",
		     gfp_text(__GFP_DMA | __GFP_COMP | __GFP_ZERO));
	EXPECT_STREQ(t, "__GFP_WAIT|__GFP_IO|__GFP_FS", gfp_text(GFP_KERNEL));
}

/* One request on a machine whose every page is taken. */
static __noinline struct capture *fail_one_request(gfp_t gfp, unsigned int order)
{
	struct capture *c;
	HOARD(h);
	struct page *page;

	hoard_machine(&h);
	c = capture_begin();
	page = alloc_pages(gfp, order);
	capture_end(c);
	if (page)
		__free_pages(page, order);
	hoard_free(&h);
	return c;
}

KTEST(gfp, a_failure_is_reported_with_order_flags_and_the_state_of_each_zone)
{
	struct capture *c = fail_one_request(T_GFP(t, GFP_ATOMIC | __GFP_COMP), 3);
	struct zone *z;

	EXPECT_EQ(t, 1, capture_count(c, "page allocation failure"));
	EXPECT_GE(t, 1, capture_count(c, "order:3"));
	EXPECT_GE(t, 1, capture_count(c, "__GFP_COMP"));
	for_each_zone(z)
		if (z->nr_managed)
			EXPECT_GE(t, 1, capture_count(c, z->name));
	/* Who asked: this function's caller is on the backtrace by name. */
	EXPECT_GE(t, 1, capture_count(c, "fail_one_request"));
}

static unsigned long number(const char **p)
{
	unsigned long n = 0;

	for (; **p >= '0' && **p <= '9'; ++*p)
		n = n * 10 + (unsigned long)(**p - '0');
	return n;
}

/* "3*4kB 0*8kB 1*16kB = 28kB": is the last number, not 0, the sum of the products? */
static bool adds_up(const char *p)
{
	unsigned long sum = 0, n;

	for (; *p && *p != '\n'; p++) {
		if (*p < '0' || *p > '9')
			continue;
		n = number(&p);
		if (*p++ != '*')
			return sum && sum == n;
		sum += n * number(&p);
	}
	return false;
}

KTEST(gfp, a_failure_s_report_counts_the_free_blocks_of_each_order)
{
	unsigned int nr_found = 0;
	struct capture *c;
	HOARD(h);

	hoard_machine(&h);
	/* More than per-CPU lists take, less than one block of what is asked for. */
	for (unsigned int i = 0; i < PAGEBLOCK_NR_PAGES / 2; i++)
		hoard_free_one(&h);
	c = capture_begin();
	EXPECT_EQ(t, NULL, alloc_pages(GFP_ATOMIC, MAX_ORDER - 1));
	capture_end(c);
	hoard_free(&h);
	for (const char *line = c->text; line; line = strstr(line + 1, "\n"))
		nr_found += adds_up(line + 1);
	EXPECT_GE(t, 1, nr_found);
}

KTEST(gfp, each_failure_is_reported_anew)
{
	struct capture *c = fail_one_request(GFP_ATOMIC, 0);

	EXPECT_EQ(t, 1, capture_count(c, "page allocation failure"));
	c = fail_one_request(GFP_ATOMIC, 0);
	EXPECT_EQ(t, 1, capture_count(c, "page allocation failure"));
}

KTEST(gfp, a_failure_that_was_asked_to_be_silent_is)
{
	struct capture *c = fail_one_request(T_GFP(t, GFP_ATOMIC | __GFP_NOWARN), 0);

	EXPECT_EQ(t, 0, c->len);
	c = fail_one_request(GFP_KERNEL | __GFP_NOWARN, 4);
	EXPECT_EQ(t, 0, c->len);
}
