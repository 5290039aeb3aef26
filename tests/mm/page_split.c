/*
 * page_split.c - blocks cut into pages: split_page(), sizes that are no power of two.
 */
#include "helpers.h"

#include <quarry/align.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/string.h>

#define EXACT_MAX (PAGE_SIZE << (MAX_ORDER - 1))

KTEST(page_split, each_page_of_a_split_block_has_one_reference_of_its_own)
{
	for (unsigned int order = 0; order <= largest_order(GFP_KERNEL); order++) {
		struct page *block = alloc_pages(GFP_KERNEL, order);
		unsigned long nr_wrong = 0;

		ASSERT_NE(t, NULL, block);
		split_page(block, order);
		for (unsigned long i = 0; i < 1ul << order; i++) {
			nr_wrong += page_count(block + i) != 1;
			nr_wrong += compound_head(block + i) != block + i;
		}
		EXPECT_EQ(t, 0, nr_wrong);
		for (unsigned long i = 0; i < 1ul << order; i++)
			__free_page(block + i);
	}
}

KTEST(page_split, pages_of_a_split_block_can_be_freed_in_any_order)
{
	for (unsigned int order = 1; order <= largest_order(GFP_KERNEL); order++) {
		struct page *block = alloc_pages(GFP_KERNEL, order);
		unsigned int mask = (1u << order) - 1;
		unsigned int start = ktest_random(t) & mask;

		ASSERT_NE(t, NULL, block);
		split_page(block, order);
		/* An odd step visits each residue of a power of two once. */
		for (unsigned int i = 0; i <= mask; i++)
			put_page(block + ((start + i * 0x2545u) & mask));
	}
}

KTEST(page_split, pages_of_a_split_block_keep_what_was_written_to_the_block)
{
	struct page *block = alloc_pages(GFP_KERNEL, 3);

	ASSERT_NE(t, NULL, block);
	block_fill(block, 3, 0x5B117000u);
	split_page(block, 3);
	EXPECT_TRUE(t, block_holds(block, 3, 0x5B117000u));
	for (unsigned int i = 0; i < 8; i++)
		__free_page(block + i);
}

/* One byte, and each side of a page, of powers of two and of the largest block. */
static const size_t exact_sizes[] = {
	1,
	PAGE_SIZE - 1,
	PAGE_SIZE,
	PAGE_SIZE + 1,
	3 * PAGE_SIZE,
	5 * PAGE_SIZE - 7,
	16 * PAGE_SIZE,
	17 * PAGE_SIZE,
	100 * PAGE_SIZE + 1,
	511 * PAGE_SIZE,
	513 * PAGE_SIZE,
	EXACT_MAX - PAGE_SIZE,
	EXACT_MAX,
};

KTEST(page_split, an_exact_allocation_takes_only_the_pages_of_its_size)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(exact_sizes); i++) {
		size_t size = exact_sizes[i];
		unsigned long before = nr_available();
		char *va;

		if (size > PAGE_SIZE << largest_order(GFP_KERNEL))
			break;
		va = alloc_pages_exact(size, GFP_KERNEL);
		ASSERT_NE(t, NULL, va);
		EXPECT_EQ(t, before - DIV_ROUND_UP(size, PAGE_SIZE), nr_available());
		memset(va, 0xe1, size);
		free_pages_exact(va, size);
		EXPECT_EQ(t, before, nr_available());
	}
}

KTEST(page_split, an_exact_allocation_can_be_zeroed)
{
	char *va = alloc_pages_exact(3 * PAGE_SIZE, GFP_KERNEL);

	ASSERT_NE(t, NULL, va);
	memset(va, 0xe2, 3 * PAGE_SIZE);
	free_pages_exact(va, 3 * PAGE_SIZE);
	va = alloc_pages_exact(3 * PAGE_SIZE, GFP_KERNEL | __GFP_ZERO);
	ASSERT_NE(t, NULL, va);
	EXPECT_EQ(t, NULL, memchr_inv(va, 0, 3 * PAGE_SIZE));
	free_pages_exact(va, 3 * PAGE_SIZE);
}

KTEST(page_split, exact_sizes_of_0_and_beyond_the_largest_block_are_refused)
{
	EXPECT_EQ(t, NULL, alloc_pages_exact(0, GFP_KERNEL));
	EXPECT_EQ(t, NULL, alloc_pages_exact(EXACT_MAX + 1, GFP_KERNEL | __GFP_NOWARN));
	EXPECT_EQ(t, NULL, alloc_pages_exact(~(size_t)0, GFP_KERNEL | __GFP_NOWARN));
}
