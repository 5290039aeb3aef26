/*
 * mobility.c - blocks of one mobility stay together.
 *
 * THEORY.  Memory is cut into pageblocks of the largest order; each has a mobility, and a request
 * takes from pageblocks of its own as long as there are any.  Then it steals the largest block of
 * another mobility, and the pageblock changes sides when most of it was free.  So long as whole
 * pageblocks are free, pages of two mobilities that are allocated now never meet in one.
 */
#include "helpers.h"

#include <quarry/bits.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/string.h>

#define NR_MIXED 3000u /* pages of each mobility: three pageblocks' worth */

static const gfp_t mobility_flag[NR_MOBILITIES] = { 0, __GFP_RECLAIMABLE, __GFP_MOVABLE };

#define NR_BLOCKS_MAX (PHYS_ADDR_LIMIT >> (PAGE_SHIFT + PAGEBLOCK_ORDER))

/* Pageblocks in which pages of two of the hoards lie. */
static unsigned int nr_shared_blocks(const struct hoard *hoards)
{
	static unsigned char owners[NR_BLOCKS_MAX]; /* a bit a mobility */
	unsigned int shared = 0;
	struct page *page;

	memset(owners, 0, sizeof(owners));
	for (unsigned int m = 0; m < NR_MOBILITIES; m++)
		list_for_each_entry(page, &hoards[m].blocks, lru)
			owners[page_to_pfn(page) >> PAGEBLOCK_ORDER] |= (unsigned char)(1u << m);
	for (unsigned int b = 0; b < NR_BLOCKS_MAX; b++)
		shared += !is_power_of_2(owners[b]) && owners[b];
	return shared;
}

KTEST_NEEDS(mobility, pages_of_different_mobility_share_no_pageblock_while_there_is_room,
	    .zones = KTEST_ZONE_NORMAL, .ram_mib = 120)
{
	struct hoard h[NR_MOBILITIES];

	for (unsigned int m = 0; m < NR_MOBILITIES; m++) {
		list_init(&h[m].blocks);
		h[m].nr_pages = 0;
	}
	for (unsigned int i = 0; i < NR_MIXED; i++)
		for (unsigned int m = 0; m < NR_MOBILITIES; m++)
			hoard_take(&h[m], GFP_KERNEL | mobility_flag[m], i % 64 == 0 ? 2 : 0);
	/* One for each pair that boot itself brought together in a block that it cut. */
	EXPECT_LE(t, 2, nr_shared_blocks(h));
	for (unsigned int m = 0; m < NR_MOBILITIES; m++)
		hoard_free(&h[m]);
}

static unsigned long nr_steals(void)
{
	unsigned long nr = 0;
	struct zone *z;

	for_each_zone(z)
		nr += z->nr_steals;
	return nr;
}

static unsigned long nr_block_moves(void)
{
	unsigned long nr = 0;
	struct zone *z;

	for_each_zone(z)
		nr += z->nr_block_moves;
	return nr;
}

/*
 * The pages of one mobility at a time fill the machine: the second one cannot be served without
 * stealing what the first one owned.
 */
KTEST_NEEDS(mobility, a_mobility_that_ran_out_steals_and_turns_whole_pageblocks, .ram_mib = 12)
{
	unsigned long steals = nr_steals(), moves = nr_block_moves();

	for (unsigned int m = 0; m < NR_MOBILITIES; m++) {
		HOARD(h);

		hoard_everything(&h, GFP_NOWAIT | mobility_flag[m]);
		hoard_free(&h);
		mm_quiesce();
	}
	EXPECT_TRUE(t, nr_steals() > steals);
	EXPECT_TRUE(t, nr_block_moves() > moves);
}

KTEST(mobility, each_mobility_can_have_every_free_page)
{
	unsigned long nr[NR_MOBILITIES];

	for (unsigned int m = 0; m < NR_MOBILITIES; m++) {
		HOARD(h);

		nr[m] = hoard_everything(&h, gfp_of_zone(ZONE_HIGHMEM) | mobility_flag[m]);
		hoard_free(&h);
		mm_quiesce();
		EXPECT_EQ(t, nr_free_pages(), nr[m]);
	}
}

KTEST(mobility, a_largest_block_that_was_stolen_from_is_whole_again_when_all_is_freed)
{
	struct zones_state before;
	HOARD(unmovable);
	HOARD(movable);

	zones_snapshot(&before);
	hoard_everything(&movable, GFP_NOWAIT | __GFP_MOVABLE);
	for (unsigned int i = 0; i < 200; i++)
		hoard_free_one(&movable);
	hoard_everything(&unmovable, GFP_NOWAIT);
	EXPECT_GE(t, 1, unmovable.nr_pages);
	hoard_free(&unmovable);
	hoard_free(&movable);
	mm_quiesce();
	EXPECT_EQ(t, 0, zones_compare(t, &before));
}
