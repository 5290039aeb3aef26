/*
 * page_bulk.c - arrays of single pages.
 */
#include "helpers.h"

#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>

#define NR 40u

static unsigned int nr_twice(struct page *const *array, unsigned int nr)
{
	unsigned int twice = 0;

	for (unsigned int i = 0; i < nr; i++)
		for (unsigned int k = 0; k < i; k++)
			twice += array[i] && array[i] == array[k];
	return twice;
}

static unsigned int nr_filled(struct page *const *array, unsigned int nr)
{
	unsigned int filled = 0;

	for (unsigned int i = 0; i < nr; i++)
		filled += array[i] != NULL;
	return filled;
}

KTEST(page_bulk, an_empty_array_is_filled_with_different_pages)
{
	struct page *array[NR] = { NULL };
	unsigned long before = nr_available();

	EXPECT_EQ(t, NR, alloc_pages_bulk_array(GFP_KERNEL, NR, array));
	EXPECT_EQ(t, NR, nr_filled(array, NR));
	EXPECT_EQ(t, 0, nr_twice(array, NR));
	EXPECT_EQ(t, before - NR, nr_available());
	for (unsigned int i = 0; i < NR; i++)
		if (array[i])
			EXPECT_EQ(t, 1, page_count(array[i]));
	free_pages_bulk_array(NR, array);
	EXPECT_EQ(t, before, nr_available());
}

KTEST(page_bulk, places_that_are_filled_already_are_left_alone)
{
	struct page *array[NR] = { NULL };
	struct page *mine[3];
	unsigned int place[3] = { 0, 7, NR - 1 };
	unsigned long before = nr_available();

	for (unsigned int i = 0; i < 3; i++) {
		mine[i] = alloc_page(GFP_KERNEL);
		ASSERT_NE(t, NULL, mine[i]);
		array[place[i]] = mine[i];
	}
	EXPECT_EQ(t, NR, alloc_pages_bulk_array(GFP_KERNEL, NR, array));
	for (unsigned int i = 0; i < 3; i++)
		EXPECT_EQ(t, mine[i], array[place[i]]);
	EXPECT_EQ(t, 0, nr_twice(array, NR));
	EXPECT_EQ(t, before - NR, nr_available());
	/* A full array asks for nothing. */
	EXPECT_EQ(t, NR, alloc_pages_bulk_array(GFP_KERNEL, NR, array));
	EXPECT_EQ(t, before - NR, nr_available());
	free_pages_bulk_array(NR, array);
}

KTEST(page_bulk, an_array_of_no_places_gets_nothing)
{
	struct page *sentinel[1] = { NULL };
	unsigned long before = nr_available();

	EXPECT_EQ(t, 0, alloc_pages_bulk_array(GFP_KERNEL, 0, sentinel));
	EXPECT_EQ(t, NULL, sentinel[0]);
	free_pages_bulk_array(0, sentinel);
	EXPECT_EQ(t, before, nr_available());
}

KTEST(page_bulk, freeing_skips_empty_places_and_empties_the_others)
{
	struct page *array[NR] = { NULL };

	array[3] = alloc_page(GFP_KERNEL);
	array[30] = alloc_page(GFP_KERNEL);
	free_pages_bulk_array(NR, array);
	EXPECT_EQ(t, 0, nr_filled(array, NR));
}

KTEST(page_bulk, bulk_pages_can_be_zeroed)
{
	struct page *array[NR] = { NULL };

	ASSERT_EQ(t, NR, alloc_pages_bulk_array(GFP_KERNEL, NR, array));
	for (unsigned int i = 0; i < NR; i++)
		block_fill(array[i], 0, 0xB01C0000u + i);
	for (unsigned int i = 0; i < NR; i++)
		EXPECT_TRUE(t, block_holds(array[i], 0, 0xB01C0000u + i));
	free_pages_bulk_array(NR, array);
	ASSERT_EQ(t, NR, alloc_pages_bulk_array(GFP_KERNEL | __GFP_ZERO, NR, array));
	for (unsigned int i = 0; i < NR; i++)
		EXPECT_TRUE(t, block_is_zero(array[i], 0));
	free_pages_bulk_array(NR, array);
}

KTEST(page_bulk, bulk_pages_come_from_the_zone_that_was_asked_for)
{
	struct page *array[NR] = { NULL };

	EXPECT_EQ(t, NR, alloc_pages_bulk_array(GFP_KERNEL | __GFP_DMA, NR, array));
	for (unsigned int i = 0; i < NR; i++)
		if (array[i])
			EXPECT_EQ(t, ZONE_DMA, page_zone_type(array[i]));
	free_pages_bulk_array(NR, array);
}

KTEST(page_bulk, an_array_larger_than_memory_is_filled_in_part)
{
	struct page *array[NR] = { NULL };
	HOARD(h);
	unsigned long got;

	hoard_machine(&h);
	for (unsigned int i = 0; i < NR / 2; i++)
		hoard_free_one(&h);
	got = alloc_pages_bulk_array(GFP_NOWAIT | __GFP_NOWARN | __GFP_MEMALLOC | __GFP_HIGHMEM, NR,
				     array);
	EXPECT_EQ(t, NR / 2, got);
	EXPECT_EQ(t, NR / 2, nr_filled(array, NR));
	EXPECT_EQ(t, 0, nr_twice(array, NR));
	free_pages_bulk_array(NR, array);
	hoard_free(&h);
}

/* With init_on_alloc=1 every page is zeroed, by whatever way it is taken. */
KTEST(page_bulk, an_option_that_wants_to_see_each_page_sees_those_taken_in_bulk)
{
	const bool zeroed = option_given("init_on_alloc=1");
	struct page *array[NR] = { NULL };

	ASSERT_EQ(t, NR, alloc_pages_bulk_array(GFP_KERNEL, NR, array));
	for (unsigned int i = 0; i < NR; i++)
		block_fill(array[i], 0, 0xB01C0000u + i);
	free_pages_bulk_array(NR, array);
	ASSERT_EQ(t, NR, alloc_pages_bulk_array(GFP_KERNEL, NR, array));
	for (unsigned int i = 0; i < NR; i++)
		EXPECT_TRUE(t, !zeroed || block_is_zero(array[i], 0));
	free_pages_bulk_array(NR, array);
}
