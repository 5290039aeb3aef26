/*
 * page_alloc.c - what alloc_pages() and its relatives promise, seen from outside.
 *
 * THEORY.  Each test asks for blocks and looks at nothing but the blocks and the counts.  The
 * hooks around every test compare all counts and run the validators, so that a test says only
 * what it is about.
 *
 * How large an order can be had depends on the machine: largest_order() says which order the free
 * lists promise, and the tests go up to that one.  On a machine with RAM_FOR_ALL_ORDERS it is the
 * largest there is, which one test demands.
 */
#include "helpers.h"

#include <quarry/align.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#define RAM_FOR_ALL_ORDERS 60u /* MiB */
#define NR_BLOCKS          6u  /* held at a time in tests of distinctness */

KTEST_NEEDS(page_alloc, a_block_of_the_largest_order_is_there, .ram_mib = RAM_FOR_ALL_ORDERS,
	    .zones = KTEST_ZONE_NORMAL)
{
	struct page *page = alloc_pages(T_GFP(t, GFP_KERNEL), MAX_ORDER - 1);

	EXPECT_EQ(t, MAX_ORDER - 1, largest_order(GFP_KERNEL));
	ASSERT_NE(t, NULL, page);
	__free_pages(page, MAX_ORDER - 1);
}

KTEST(page_alloc, a_block_of_each_order_is_aligned_to_its_size)
{
	for (unsigned int order = 0; order <= largest_order(GFP_KERNEL); order++) {
		struct page *page = alloc_pages(T_GFP(t, GFP_KERNEL), order);

		ASSERT_NE(t, NULL, page);
		EXPECT_EQ(t, 0, page_to_pfn(page) & ((1ul << order) - 1));
		__free_pages(page, order);
	}
}

KTEST(page_alloc, a_block_of_each_order_has_one_reference_and_no_owner_flag)
{
	for (unsigned int order = 0; order <= largest_order(GFP_KERNEL); order++) {
		struct page *page = alloc_pages(GFP_KERNEL, order);

		ASSERT_NE(t, NULL, page);
		EXPECT_EQ(t, 1, page_count(page));
		EXPECT_EQ(t, 0, page->flags & PG_MASK);
		__free_pages(page, order);
	}
}

static bool blocks_overlap(const struct page *a, const struct page *b, unsigned int order)
{
	return a < b + (1ul << order) && b < a + (1ul << order);
}

KTEST(page_alloc, blocks_of_one_order_do_not_overlap)
{
	for (unsigned int order = 0; order <= largest_order(GFP_KERNEL); order++) {
		struct page *block[NR_BLOCKS];

		for (unsigned int i = 0; i < NR_BLOCKS; i++) {
			block[i] = alloc_pages(GFP_KERNEL | __GFP_NOWARN, order);
			for (unsigned int k = 0; block[i] && k < i; k++)
				if (block[k])
					EXPECT_FALSE(t, blocks_overlap(block[i], block[k], order));
		}
		for (unsigned int i = 0; i < NR_BLOCKS; i++)
			if (block[i])
				__free_pages(block[i], order);
	}
}

KTEST(page_alloc, blocks_of_all_orders_keep_what_was_written_to_them)
{
	struct page *block[MAX_ORDER];

	for (unsigned int order = 0; order < MAX_ORDER; order++) {
		block[order] = alloc_pages(GFP_KERNEL | T_GFP(t, __GFP_NOWARN), order);
		if (block[order])
			block_fill(block[order], order, 0xB10C0000u + order);
	}
	for (unsigned int order = 0; order < MAX_ORDER; order++) {
		if (!block[order])
			continue;
		EXPECT_TRUE(t, block_holds(block[order], order, 0xB10C0000u + order));
		__free_pages(block[order], order);
	}
}

KTEST_NEEDS(page_alloc, highmem_pages_keep_what_was_written_to_them, .zones = KTEST_ZONE_HIGHMEM)
{
	struct page *page[NR_BLOCKS];

	for (unsigned int i = 0; i < NR_BLOCKS; i++) {
		page[i] = alloc_page(T_GFP(t, GFP_HIGHUSER));
		ASSERT_NE(t, NULL, page[i]);
		block_fill(page[i], 0, 0x417E0000u + i);
	}
	for (unsigned int i = 0; i < NR_BLOCKS; i++) {
		EXPECT_TRUE(t, block_holds(page[i], 0, 0x417E0000u + i));
		__free_page(page[i]);
	}
}

KTEST(page_alloc, an_order_above_the_largest_is_refused)
{
	EXPECT_EQ(t, NULL, alloc_pages(GFP_KERNEL, MAX_ORDER));
	EXPECT_EQ(t, NULL, alloc_pages(GFP_KERNEL, 31));
	EXPECT_EQ(t, NULL, alloc_pages(GFP_ATOMIC | __GFP_MEMALLOC, ~0u));
	EXPECT_EQ(t, 0, __get_free_pages(GFP_KERNEL, MAX_ORDER));
}

KTEST(page_alloc, a_zeroed_block_is_zero_although_its_pages_were_dirty)
{
	for (unsigned int order = 0; order <= largest_order(GFP_KERNEL); order++) {
		struct page *page = alloc_pages(GFP_KERNEL, order);
		struct page *again;

		ASSERT_NE(t, NULL, page);
		block_fill(page, order, 0xD1237000u);
		__free_pages(page, order);
		again = alloc_pages(GFP_KERNEL | T_GFP(t, __GFP_ZERO), order);
		ASSERT_NE(t, NULL, again);
		EXPECT_TRUE(t, block_is_zero(again, order));
		__free_pages(again, order);
	}
}

KTEST_NEEDS(page_alloc, a_zeroed_highmem_block_is_zero_although_its_pages_were_dirty,
	    .zones = KTEST_ZONE_HIGHMEM)
{
	for (unsigned int order = 0; order <= 4; order++) {
		struct page *page = alloc_pages(GFP_HIGHUSER | __GFP_NOWARN, order);
		struct page *again;

		if (!page)
			continue;
		block_fill(page, order, 0xD1237001u);
		__free_pages(page, order);
		again = alloc_pages(T_GFP(t, GFP_HIGHUSER | __GFP_ZERO), order);
		ASSERT_NE(t, NULL, again);
		EXPECT_TRUE(t, block_is_zero(again, order));
		__free_pages(again, order);
	}
}

KTEST(page_alloc, get_zeroed_page_gives_a_page_of_zeroes)
{
	unsigned long va = __get_free_page(GFP_KERNEL);

	ASSERT_NE(t, 0, va);
	memset((void *)va, 0x5a, PAGE_SIZE);
	free_page(va);
	va = get_zeroed_page(GFP_KERNEL);
	ASSERT_NE(t, 0, va);
	EXPECT_EQ(t, NULL, memchr_inv((void *)va, 0, PAGE_SIZE));
	free_page(va);
}

KTEST(page_alloc, get_free_pages_gives_the_address_of_the_block)
{
	for (unsigned int order = 0; order <= largest_order(GFP_KERNEL); order++) {
		unsigned long va = __get_free_pages(GFP_KERNEL, order);

		ASSERT_NE(t, 0, va);
		EXPECT_TRUE(t, virt_addr_valid((void *)va));
		EXPECT_EQ(t, 0, va & ((PAGE_SIZE << order) - 1));
		EXPECT_EQ(t, va, page_address(virt_to_page((void *)va)));
		EXPECT_EQ(t, 1, page_count(virt_to_page((void *)va)));
		free_pages(va, order);
	}
}

KTEST(page_alloc, freeing_the_address_zero_does_nothing)
{
	unsigned long before = nr_available();

	free_pages(0, 0);
	free_pages(0, MAX_ORDER - 1);
	free_page(0);
	EXPECT_EQ(t, before, nr_available());
}

KTEST(page_alloc, numbers_addresses_and_pages_convert_both_ways)
{
	unsigned long va = __get_free_pages(GFP_KERNEL, 1);
	struct page *page;

	ASSERT_NE(t, 0, va);
	page = virt_to_page((void *)va);
	EXPECT_EQ(t, page, pfn_to_page(page_to_pfn(page)));
	EXPECT_EQ(t, page_to_pfn(page) << PAGE_SHIFT, page_to_phys(page));
	EXPECT_EQ(t, va, pa_to_va(page_to_phys(page)));
	EXPECT_EQ(t, page_to_phys(page), va_to_pa((void *)va));
	/* An address anywhere inside the page is the page's. */
	EXPECT_EQ(t, page, virt_to_page((void *)(va + PAGE_SIZE - 1)));
	EXPECT_EQ(t, page + 1, virt_to_page((void *)(va + PAGE_SIZE)));
	free_pages(va, 1);
}

KTEST(page_alloc, a_page_number_is_valid_up_to_the_end_of_ram)
{
	EXPECT_TRUE(t, pfn_valid(0));
	EXPECT_TRUE(t, pfn_valid(max_pfn - 1));
	EXPECT_FALSE(t, pfn_valid(max_pfn));
	EXPECT_FALSE(t, pfn_valid(~0ul));
}

KTEST(page_alloc, an_address_outside_the_direct_map_is_not_a_page)
{
	EXPECT_TRUE(t, virt_addr_valid((void *)PAGE_OFFSET));
	EXPECT_TRUE(t, virt_addr_valid((void *)(mm_layout.high_memory - 1)));
	EXPECT_FALSE(t, virt_addr_valid((void *)(PAGE_OFFSET - 1)));
	EXPECT_FALSE(t, virt_addr_valid((void *)mm_layout.high_memory));
	EXPECT_FALSE(t, virt_addr_valid(NULL));
}

/* Order 4 and above have no per-CPU lists: every single step shows. */
KTEST(page_alloc, the_free_count_falls_and_rises_by_the_pages_of_the_block)
{
	for (unsigned int order = 4; order <= largest_order(GFP_KERNEL); order++) {
		unsigned long before = nr_free_pages();
		struct page *page = alloc_pages(GFP_KERNEL, order);

		ASSERT_NE(t, NULL, page);
		EXPECT_EQ(t, before - (1ul << order), nr_free_pages());
		__free_pages(page, order);
		EXPECT_EQ(t, before, nr_free_pages());
	}
}

KTEST(page_alloc, pages_in_per_cpu_lists_are_counted_apart_from_free_ones)
{
	unsigned long available = nr_available();
	struct mm_account a;
	struct page *page = alloc_page(gfp_with_lists());

	ASSERT_NE(t, NULL, page);
	mm_account(&a);
	EXPECT_EQ(t, available - 1, a.nr_free + a.nr_pcp);
	EXPECT_EQ(t, a.nr_free, nr_free_pages());
	__free_page(page);
	mm_account(&a);
	EXPECT_EQ(t, lists_in_use(), a.nr_pcp >= 1);
	EXPECT_EQ(t, available, a.nr_free + a.nr_pcp);
}

KTEST(page_alloc, quiescing_empties_the_per_cpu_lists)
{
	struct mm_account a;

	for (unsigned int order = 0; order <= 3; order++) {
		struct page *page = alloc_pages(gfp_with_lists(), order);

		ASSERT_NE(t, NULL, page);
		__free_pages(page, order);
	}
	mm_account(&a);
	EXPECT_EQ(t, lists_in_use(), a.nr_pcp >= 1);
	mm_quiesce();
	mm_account(&a);
	EXPECT_EQ(t, 0, a.nr_pcp);
}

KTEST(page_alloc, a_page_freed_last_is_given_first)
{
	struct page *page = alloc_page(gfp_with_lists());
	struct page *again;

	ASSERT_NE(t, NULL, page);
	__free_page(page);
	again = alloc_page(gfp_with_lists());
	EXPECT_EQ(t, page, again);
	__free_page(again);
}

KTEST(page_alloc, cold_pages_do_not_come_from_the_per_cpu_lists)
{
	struct page *warm = alloc_page(gfp_with_lists());
	struct page *cold;
	struct mm_account before, after;

	ASSERT_NE(t, NULL, warm);
	__free_page(warm);
	mm_account(&before);
	cold = alloc_page(gfp_with_lists() | T_GFP(t, __GFP_COLD));
	mm_account(&after);
	ASSERT_NE(t, NULL, cold);
	if (lists_in_use())
		EXPECT_NE(t, warm, cold);
	EXPECT_EQ(t, before.nr_pcp, after.nr_pcp);
	EXPECT_EQ(t, before.nr_free - 1, after.nr_free);
	__free_page(cold);
}

KTEST(page_alloc, many_pages_freed_at_once_do_not_stay_in_the_per_cpu_lists)
{
	struct mm_account before, after;
	HOARD(h);

	mm_account(&before);
	while (h.nr_pages < 1000 && hoard_take(&h, GFP_NOWAIT | __GFP_NOWARN, 0))
		;
	hoard_free(&h);
	mm_account(&after);
	EXPECT_EQ(t, before.nr_free, after.nr_free + after.nr_pcp);
	/* What one CPU may hold of one kind of block: the slots of a stack. */
	EXPECT_LE(t, 100, after.nr_pcp);
}

KTEST(page_alloc, the_owner_may_use_private_and_lru_of_its_page)
{
	struct page *page = alloc_page(GFP_KERNEL);

	ASSERT_NE(t, NULL, page);
	page->private = ~0ul;
	page->lru.next = NULL;
	page->lru.prev = NULL;
	__free_page(page);
	page = alloc_page(GFP_KERNEL);
	ASSERT_NE(t, NULL, page);
	__free_page(page);
}
