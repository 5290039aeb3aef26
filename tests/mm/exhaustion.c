/*
 * exhaustion.c - a machine that was emptied to its last page is as before when all is given back.
 *
 * THEORY.  Two free buddies are always merged, so the set of free pages determines the free blocks
 * of each order, whatever the order in which they were freed.  Equal counts of pages but other
 * counts of blocks would mean that some merge was missed.
 */
#include "helpers.h"

#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>

static void exhaust_zone(struct ktest *t, enum zone_type type)
{
	unsigned long nr_free = zones[type].nr_free;
	struct zones_state before;
	HOARD(h);

	ASSERT_GE(t, 1, nr_free);
	zones_snapshot(&before);
	EXPECT_EQ(t, nr_free, hoard_zone(&h, type, 0));
	EXPECT_EQ(t, 0, zones[type].nr_free);
	hoard_free(&h);
	mm_quiesce();
	EXPECT_EQ(t, 0, zones_compare(t, &before));
	EXPECT_EQ(t, 0, zone_check(&zones[type]));
}

KTEST(exhaustion, the_dma_zone_recovers_from_having_given_its_last_page)
{
	exhaust_zone(t, ZONE_DMA);
}

KTEST_NEEDS(exhaustion, the_normal_zone_recovers_from_having_given_its_last_page,
	    .zones = KTEST_ZONE_NORMAL)
{
	exhaust_zone(t, ZONE_NORMAL);
}

KTEST_NEEDS(exhaustion, the_highmem_zone_recovers_from_having_given_its_last_page,
	    .zones = KTEST_ZONE_HIGHMEM)
{
	exhaust_zone(t, ZONE_HIGHMEM);
}

KTEST(exhaustion, every_free_page_of_the_machine_can_be_had)
{
	unsigned long nr_free = nr_free_pages();
	struct mm_account a;
	HOARD(h);

	EXPECT_EQ(t, nr_free, hoard_all(&h, gfp_of_zone(ZONE_HIGHMEM), 0));
	mm_account(&a);
	EXPECT_EQ(t, 0, a.nr_free);
	EXPECT_EQ(t, 0, a.nr_pcp);
	EXPECT_EQ(t, NULL, alloc_page(gfp_of_zone(ZONE_HIGHMEM)));
	hoard_free(&h);
}

/* Blocks of @order that the free lists of all zones hold inside blocks of that order or larger. */
static unsigned long nr_blocks_of(unsigned int order)
{
	unsigned long nr = 0;
	struct zone *z;

	for_each_zone(z)
		for (unsigned int o = order; o < MAX_ORDER; o++)
			nr += zone_nr_blocks(z, o) << (o - order);
	return nr;
}

KTEST(exhaustion, each_order_gives_every_block_that_the_free_lists_promise)
{
	for (unsigned int order = 0; order < MAX_ORDER; order++) {
		unsigned long promised = nr_blocks_of(order);
		HOARD(h);

		hoard_all(&h, gfp_of_zone(ZONE_HIGHMEM), order);
		EXPECT_EQ(t, promised, h.nr_pages >> order);
		hoard_free(&h);
		mm_quiesce();
	}
}

KTEST(exhaustion, smaller_blocks_can_be_had_when_no_large_one_is_left)
{
	HOARD(large);
	HOARD(small);

	hoard_all(&large, gfp_of_zone(ZONE_HIGHMEM), MAX_ORDER - 1);
	EXPECT_EQ(t, NULL, alloc_pages(gfp_of_zone(ZONE_HIGHMEM), MAX_ORDER - 1));
	EXPECT_EQ(t, nr_free_pages(), hoard_all(&small, gfp_of_zone(ZONE_HIGHMEM), 0));
	hoard_free(&small);
	hoard_free(&large);
}

/* Every second page is held: half of memory is free, and not one block of two pages is. */
KTEST(exhaustion, a_fragmented_machine_has_no_block_of_two_pages_until_it_is_freed)
{
	struct zones_state before;
	struct page *page, *next;
	HOARD(all);
	HOARD(odd);

	zones_snapshot(&before);
	hoard_all(&all, gfp_of_zone(ZONE_HIGHMEM), 0);
	list_for_each_entry_safe(page, next, &all.blocks, lru) {
		if (!(page_to_pfn(page) & 1))
			continue;
		list_move(&page->lru, &odd.blocks);
		odd.nr_pages++;
		all.nr_pages--;
	}
	hoard_free(&all);
	mm_quiesce();
	EXPECT_GE(t, 1, nr_free_pages());
	EXPECT_EQ(t, NULL, alloc_pages(gfp_of_zone(ZONE_HIGHMEM), 1));
	hoard_free(&odd);
	mm_quiesce();
	EXPECT_EQ(t, 0, zones_compare(t, &before));
}

/* Blocks parked in per-CPU lists must not make a request for a larger block fail. */
KTEST(exhaustion, blocks_in_per_cpu_lists_are_found_before_a_request_fails)
{
	unsigned int order = largest_order(GFP_KERNEL);
	struct page *block;
	HOARD(rest);

	ASSERT_GE(t, 4, order);
	block = alloc_pages(GFP_KERNEL, order);
	ASSERT_NE(t, NULL, block);
	hoard_machine(&rest);
	split_page(block, order);
	/* All pages of the only block there is: the last ones freed stay with this CPU. */
	for (unsigned long i = 0; i < 1ul << order; i++)
		__free_page(block + i);
	block = alloc_pages(GFP_KERNEL | __GFP_MEMALLOC, order);
	EXPECT_NE(t, NULL, block);
	if (block)
		__free_pages(block, order);
	hoard_free(&rest);
}
