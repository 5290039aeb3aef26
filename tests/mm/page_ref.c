/*
 * page_ref.c - references and compound pages.
 *
 * THEORY.  A block lives as long as someone holds a reference; references to any page of a
 * compound block count on its head.  Whether a block was freed is seen in the counts: orders from
 * FIRST_BUDDY_ORDER on have no per-CPU lists and show at once, smaller ones in nr_available().
 */
#include "helpers.h"

#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>

#define FIRST_BUDDY_ORDER 4u

KTEST(page_ref, a_page_is_freed_by_the_put_of_its_last_reference)
{
	unsigned long before = nr_available();
	struct page *page = alloc_page(GFP_KERNEL);

	ASSERT_NE(t, NULL, page);
	get_page(page);
	get_page(page);
	EXPECT_EQ(t, 3, page_count(page));
	put_page(page);
	put_page(page);
	EXPECT_EQ(t, 1, page_count(page));
	EXPECT_EQ(t, before - 1, nr_available());
	put_page(page);
	EXPECT_EQ(t, before, nr_available());
}

KTEST(page_ref, each_tail_of_a_compound_page_of_each_order_finds_the_head)
{
	for (unsigned int order = 1; order <= largest_order(GFP_KERNEL); order++) {
		struct page *head = alloc_pages(GFP_KERNEL | T_GFP(t, __GFP_COMP), order);
		unsigned long nr_wrong = 0;

		ASSERT_NE(t, NULL, head);
		for (unsigned long i = 0; i < 1ul << order; i++)
			nr_wrong += compound_head(head + i) != head;
		EXPECT_EQ(t, 0, nr_wrong);
		__free_pages(head, order);
	}
}

KTEST(page_ref, a_compound_page_knows_its_order_and_a_plain_block_has_none)
{
	for (unsigned int order = 0; order <= largest_order(GFP_KERNEL); order++) {
		struct page *comp = alloc_pages(GFP_KERNEL | __GFP_COMP, order);
		struct page *plain;

		ASSERT_NE(t, NULL, comp);
		EXPECT_EQ(t, order, compound_order(comp));
		__free_pages(comp, order);
		plain = alloc_pages(GFP_KERNEL, order);
		ASSERT_NE(t, NULL, plain);
		EXPECT_EQ(t, 0, compound_order(plain));
		EXPECT_EQ(t, 0, plain->flags & PG_head);
		__free_pages(plain, order);
	}
}

/*
 * With every other page taken, the compound page can only be the lower half of a block whose upper
 * half is in use: first as single pages, then as a plain block, whose tails have no references of
 * their own.
 */
KTEST(page_ref, a_page_beside_a_compound_page_is_its_own_head)
{
	const unsigned int order = FIRST_BUDDY_ORDER, nr = 1u << FIRST_BUDDY_ORDER;
	struct page *block = alloc_pages(GFP_KERNEL, order + 1), *comp, *plain;
	HOARD(rest);

	ASSERT_NE(t, NULL, block);
	split_page(block, order + 1);
	hoard_machine(&rest);
	for (unsigned int i = 0; i < nr; i++)
		__free_page(block + i);
	comp = alloc_pages(__GFP_COMP | __GFP_MEMALLOC, order);
	EXPECT_EQ(t, block, comp);
	for (unsigned int i = nr; i < 2 * nr; i++) {
		EXPECT_EQ(t, block + i, compound_head(block + i));
		__free_page(block + i);
	}
	plain = alloc_pages(__GFP_MEMALLOC, order);
	EXPECT_EQ(t, block + nr, plain);
	for (unsigned int i = nr; i < 2 * nr; i++)
		EXPECT_EQ(t, block + i, compound_head(block + i));
	if (plain)
		__free_pages(plain, order);
	if (comp)
		__free_pages(comp, order);
	hoard_free(&rest);
}

KTEST(page_ref, a_reference_to_a_tail_counts_on_the_head)
{
	struct page *head = alloc_pages(GFP_KERNEL | __GFP_COMP, 3);

	ASSERT_NE(t, NULL, head);
	get_page(head + 5);
	EXPECT_EQ(t, 2, page_count(head));
	EXPECT_EQ(t, 2, page_count(head + 7));
	put_page(head + 1);
	EXPECT_EQ(t, 1, page_count(head));
	__free_pages(head, 3);
}

KTEST(page_ref, the_last_put_of_any_tail_frees_the_whole_compound_block)
{
	for (unsigned int order = FIRST_BUDDY_ORDER; order <= largest_order(GFP_KERNEL); order++) {
		unsigned long before = nr_free_pages();
		struct page *head = alloc_pages(GFP_KERNEL | __GFP_COMP, order);

		ASSERT_NE(t, NULL, head);
		get_page(head);
		put_page(head + 1);
		EXPECT_EQ(t, before - (1ul << order), nr_free_pages());
		put_page(head + (1u << order) - 1);
		EXPECT_EQ(t, before, nr_free_pages());
	}
}

KTEST(page_ref, the_last_put_of_a_plain_block_frees_all_of_it)
{
	for (unsigned int order = 0; order <= largest_order(GFP_KERNEL); order++) {
		unsigned long before = nr_available();
		struct page *block = alloc_pages(GFP_KERNEL, order);

		ASSERT_NE(t, NULL, block);
		get_page(block);
		put_page(block);
		EXPECT_EQ(t, before - (1ul << order), nr_available());
		put_page(block);
		EXPECT_EQ(t, before, nr_available());
	}
}

KTEST(page_ref, a_small_compound_block_is_freed_whole_too)
{
	for (unsigned int order = 0; order < FIRST_BUDDY_ORDER; order++) {
		unsigned long before = nr_available();
		struct page *head = alloc_pages(GFP_KERNEL | __GFP_COMP, order);

		ASSERT_NE(t, NULL, head);
		EXPECT_EQ(t, before - (1ul << order), nr_available());
		put_page(head + (1u << order) - 1);
		EXPECT_EQ(t, before, nr_available());
	}
}

KTEST(page_ref, a_freed_compound_block_comes_back_as_a_plain_one)
{
	struct page *comp = alloc_pages(GFP_KERNEL | __GFP_COMP, 2);
	struct page *plain;

	ASSERT_NE(t, NULL, comp);
	__free_pages(comp, 2);
	plain = alloc_pages(GFP_KERNEL, 2);
	ASSERT_NE(t, NULL, plain);
	EXPECT_EQ(t, plain + 3, compound_head(plain + 3));
	EXPECT_EQ(t, 0, plain->flags & PG_MASK);
	__free_pages(plain, 2);
}
