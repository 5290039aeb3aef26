/*
 * page_poison.c - what the options page_poison=, init_on_alloc= and init_on_free= do to contents.
 *
 * THEORY.  What a page holds when it is free, and when it is allocated again, follows from the
 * options; without any of them freeing touches nothing.  Free pages of lowmem stay mapped, so
 * the test can look.  That a write to a free page is found is a matter of tests/death/.
 */
#include "helpers.h"

#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>

#define MARK        0xF2EE0000u
#define POISON_WORD 0xaaaaaaaau

/* Do the contents of a block that was filled with MARK and then freed follow from the options? */
static bool freed_as_promised(struct page *block, unsigned int order)
{
	if (option_given("page_poison=1"))
		return block_is_all(block, order, POISON_WORD);
	if (option_given("init_on_free=1"))
		return block_is_zero(block, order);
	return block_holds(block, order, MARK);
}

/* Does somebody zero what an owner gets?  A poisoned page has to wait for it until then. */
static bool zeroed_at_alloc(void)
{
	return option_given("init_on_alloc=1") ||
	       (option_given("page_poison=1") && option_given("init_on_free=1"));
}

/* The block is the only one: what is allocated next is what was freed before. */
static void free_and_allocate(struct ktest *t, unsigned int order)
{
	struct page *block = alloc_pages(GFP_KERNEL, order), *again;
	HOARD(rest);

	ASSERT_NE(t, NULL, block);
	hoard_machine(&rest);
	block_fill(block, order, MARK);
	__free_pages(block, order);
	EXPECT_TRUE(t, freed_as_promised(block, order));
	mm_quiesce();
	EXPECT_TRUE(t, freed_as_promised(block, order));
	again = alloc_pages(__GFP_MEMALLOC, order);
	EXPECT_EQ(t, block, again);
	if (zeroed_at_alloc())
		EXPECT_TRUE(t, block_is_zero(block, order));
	else
		EXPECT_TRUE(t, freed_as_promised(block, order));
	if (again)
		__free_pages(again, order);
	hoard_free(&rest);
}

KTEST(page_poison, free_and_fresh_pages_hold_what_the_options_say)
{
	free_and_allocate(t, 0);
	free_and_allocate(t, 3);
	free_and_allocate(t, 5);
}

KTEST(page_poison, zeroed_pages_are_zero_whatever_the_options_say)
{
	for (unsigned int order = 0; order <= 5; order++) {
		struct page *block = alloc_pages(GFP_KERNEL, order);

		ASSERT_NE(t, NULL, block);
		block_fill(block, order, MARK);
		__free_pages(block, order);
		block = alloc_pages(GFP_KERNEL | __GFP_ZERO, order);
		ASSERT_NE(t, NULL, block);
		EXPECT_TRUE(t, block_is_zero(block, order));
		__free_pages(block, order);
	}
}
