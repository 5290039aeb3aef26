/*
 * below.c - blocks below a limit: the highest that is free, and nothing at or above it.
 *
 * THEORY.  The oracle looks at frames one by one: it notes which are free, and takes the highest
 * aligned run below the limit.
 *
 * STATE.  Which frames of ZONE_DMA are free.
 */
#include "../helpers.h"

#include <quarry/align.h>
#include <quarry/sizes.h>
#include <quarry/string.h>

#include "../../../mm/internal.h"

#define NR_FRAMES (16 * MiB / PAGE_SIZE)
#define NONE      (~(pfn_t)0)

static unsigned char frame_free[NR_FRAMES];

static void note_free_frames(const struct zone *z)
{
	memset(frame_free, 0, sizeof(frame_free));
	for (pfn_t pfn = z->start_pfn; pfn < zone_end_pfn(z); pfn++) {
		const struct page *page = pfn_to_page(pfn);

		if (page->flags & PG_buddy)
			memset(frame_free + pfn, 1, 1ul << block_order(page));
	}
}

static pfn_t highest_free(unsigned int order, pfn_t limit)
{
	unsigned long nr = 1ul << order;

	for (pfn_t pfn = ALIGN_DOWN(limit, nr); pfn >= nr; pfn -= nr)
		if (!memchr_inv(frame_free + pfn - nr, 1, nr))
			return pfn - nr;
	return NONE;
}

static pfn_t take(struct zone *z, unsigned int order, pfn_t limit)
{
	struct page *page = zone_take_below(z, order, MOB_UNMOVABLE, 0, limit);

	return page ? page_to_pfn(page) : NONE;
}

static void give(struct zone *z, pfn_t pfn)
{
	struct page *page = pfn_to_page(pfn);

	zone_give_blocks(z, 1, &page);
}

KTEST(below, the_highest_free_block_below_a_limit_is_taken)
{
	struct zone *z = &zones[ZONE_DMA];
	pfn_t held[40];
	unsigned int nr_held = 0;

	for (unsigned int i = 0; i < 200; i++) {
		unsigned int order = ktest_random_below(t, MAX_ORDER);
		pfn_t limit = 1 + ktest_random_below(t, (uint32_t)zone_end_pfn(z));
		pfn_t got;

		note_free_frames(z);
		got = take(z, order, limit);
		EXPECT_EQ(t, (int64_t)highest_free(order, limit), (int64_t)got);
		if (got == NONE)
			continue;
		EXPECT_EQ(t, order, block_order(pfn_to_page(got)));
		held[nr_held++] = got;
		if (nr_held == ARRAY_SIZE(held))
			give(z, held[--nr_held]);
		if (i % 20 == 0)
			EXPECT_EQ(t, 0, zone_check(z));
	}
	EXPECT_EQ(t, 0, zone_check(z));
	while (nr_held)
		give(z, held[--nr_held]);
}

/* The head of a free block of the largest order that there is. */
static pfn_t largest_block(const struct zone *z)
{
	for (unsigned int order = MAX_ORDER; order--;) {
		for (unsigned int mob = 0; mob < NR_MOBILITIES; mob++) {
			const struct list_head *list = &z->free_area[order].list[mob];

			if (!list_empty(list))
				return page_to_pfn(list_first_entry(list, struct page, lru));
		}
	}
	return NONE;
}

KTEST(below, a_block_that_reaches_beyond_the_limit_is_cut)
{
	struct zone *z = &zones[ZONE_DMA];
	pfn_t start = largest_block(z), one, two;
	unsigned int order;

	ASSERT_NE(t, (int64_t)NONE, (int64_t)start);
	order = block_order(pfn_to_page(start));
	ASSERT_GE(t, 3, order);
	two = take(z, 1, start + 5);
	EXPECT_EQ(t, start + 2, two);
	EXPECT_EQ(t, 0, zone_check(z));
	one = take(z, 0, start + 5);
	EXPECT_EQ(t, start + 4, one);
	EXPECT_EQ(t, 0, zone_check(z));
	give(z, two);
	give(z, one);
	two = take(z, order - 1, start + (1ul << order) - 1);
	EXPECT_EQ(t, start, two);
	EXPECT_EQ(t, 0, zone_check(z));
	give(z, two);
}

KTEST(below, what_must_stay_free_is_not_taken)
{
	struct zone *z = &zones[ZONE_DMA];
	unsigned long nr_free = z->nr_free;
	struct page *page;

	EXPECT_EQ(t, NULL, zone_take_below(z, 0, MOB_UNMOVABLE, nr_free, zone_end_pfn(z)));
	page = zone_take_below(z, 0, MOB_UNMOVABLE, nr_free - 1, zone_end_pfn(z));
	ASSERT_NE(t, NULL, page);
	EXPECT_EQ(t, nr_free - 1, z->nr_free);
	zone_give_blocks(z, 1, &page);
}

KTEST(below, a_block_has_the_mobility_that_was_asked_for)
{
	struct zone *z = &zones[ZONE_DMA];

	for (unsigned int mob = 0; mob < NR_MOBILITIES; mob++) {
		struct page *page = zone_take_below(z, 0, (enum mobility)mob, 0, zone_end_pfn(z));

		ASSERT_NE(t, NULL, page);
		EXPECT_EQ(t, mob, block_mobility(page));
		EXPECT_EQ(t, 0, page->flags & PG_MASK);
		EXPECT_EQ(t, 0, zone_check(z));
		zone_give_blocks(z, 1, &page);
	}
}

/* Free pages of the pageblock that @pfn lies in. */
static unsigned long nr_free_beside(const struct zone *z, pfn_t pfn)
{
	unsigned long nr = 0;

	note_free_frames(z);
	pfn = ALIGN_DOWN(pfn, PAGEBLOCK_NR_PAGES);
	for (unsigned long i = 0; i < PAGEBLOCK_NR_PAGES; i++)
		nr += frame_free[pfn + i];
	return nr;
}

KTEST(below, a_pageblock_becomes_that_of_who_takes_from_it_if_half_of_it_is_free)
{
	struct zone *z = &zones[ZONE_DMA];
	pfn_t start = largest_block(z), got;
	enum mobility before, other;
	bool half;

	ASSERT_NE(t, (int64_t)NONE, (int64_t)start);
	half = nr_free_beside(z, start) >= PAGEBLOCK_NR_PAGES / 2;
	before = pageblock_get(start);
	other = before == MOB_MOVABLE ? MOB_UNMOVABLE : MOB_MOVABLE;
	got = page_to_pfn(zone_take_below(z, 0, other, 0, start + 1));
	EXPECT_EQ(t, start, got);
	EXPECT_EQ(t, half ? other : before, pageblock_get(start));
	EXPECT_EQ(t, 0, zone_check(z));
	give(z, got);
	got = page_to_pfn(zone_take_below(z, 0, before, 0, start + 1));
	EXPECT_EQ(t, before, pageblock_get(start));
	give(z, got);
}
