/*
 * pgtable_oom.c - changing a part of a large page when there is no page for the table it needs.
 *
 * THEORY.  Everything is taken from the page allocator, then each call that must split is made: it
 * has to say -ENOMEM and leave the large page as it was.  Nothing of the page is touched meanwhile.
 */
#include "helpers.h"

#include <quarry/align.h>
#include <quarry/errno.h>
#include <quarry/ktest.h>
#include <quarry/list.h>
#include <quarry/mm.h>
#include <quarry/pgtable.h>
#include <quarry/port.h>
#include <quarry/shrinker.h>

/* The highest large page of the direct map; 0 when there is none. */
static uintptr_t some_large_page(void)
{
	size_t size = 1ul << pt_shift(1);
	uintptr_t va = mm_layout.high_memory & ~(size - 1);
	struct pt_walk w;

	while (va > PAGE_OFFSET) {
		va -= size;
		pgtable_walk(va, &w);
		if (w.present && w.level == 1)
			return va;
	}
	return 0;
}

KTEST_NEEDS(pgtable, a_large_page_that_cannot_be_split_is_left_as_it_was, .features = KTEST_PSE,
	    .ram_mib = 12, .zones = KTEST_ZONE_NORMAL)
{
	uintptr_t va = some_large_page();
	unsigned long nr_tables = pgtable_nr_pages();
	struct pt_walk before, after;
	HOARD(rest);

	ASSERT_NE(t, 0, va);
	pgtable_walk(va, &before);
	hoard_machine(&rest);
	EXPECT_ERR(t, -ENOMEM, pgtable_unmap(va, PAGE_SIZE));
	EXPECT_ERR(t, -ENOMEM, pgtable_protect(va, PAGE_SIZE, PROT_KERNEL_RO));
	EXPECT_ERR(t, -ENOMEM, set_memory_ro(va, 1));
	EXPECT_ERR(t, -ENOMEM, set_memory_rw(va, 1));
	EXPECT_ERR(t, -ENOMEM, set_memory_np(va, 1));
	hoard_free(&rest);
	pgtable_walk(va, &after);
	EXPECT_EQ(t, pte_raw(before.pte), pte_raw(after.pte));
	EXPECT_EQ(t, 1, after.level);
	EXPECT_EQ(t, nr_tables, pgtable_nr_pages());
}

/* How many pages of the block are mapped, each to its own frame. */
static unsigned long nr_mapped(const struct page *block, unsigned long nr_pages)
{
	uintptr_t va = (uintptr_t)page_address(block);
	unsigned long nr = 0;
	struct pt_walk w;

	for (unsigned long i = 0; i < nr_pages; i++) {
		pgtable_walk(va + i * PAGE_SIZE, &w);
		nr += w.present && w.pa == page_to_phys(block + i);
	}
	return nr;
}

KTEST_NEEDS(pgtable, a_whole_large_page_that_was_taken_away_comes_back_in_full, .ram_mib = 60,
	    .zones = KTEST_ZONE_NORMAL)
{
	struct page *block = alloc_pages(GFP_KERNEL, MAX_ORDER - 1);
	const unsigned long nr_pages = 1ul << (MAX_ORDER - 1);
	uintptr_t va;

	ASSERT_TRUE(t, block);
	va = (uintptr_t)page_address(block);
	EXPECT_EQ(t, 0, set_memory_np(va, nr_pages));
	EXPECT_EQ(t, 0, nr_mapped(block, nr_pages));
	EXPECT_EQ(t, 0, set_memory_rw(va, nr_pages));
	EXPECT_EQ(t, nr_pages, nr_mapped(block, nr_pages));
	EXPECT_EQ(t, 0, probe_write((void *)(va + (nr_pages - 1) * PAGE_SIZE), 1));
	__free_pages(block, MAX_ORDER - 1);
}

KTEST_NEEDS(pgtable, a_large_page_comes_back_in_full_or_not_at_all, .features = KTEST_PSE,
	    .ram_mib = 60, .zones = KTEST_ZONE_NORMAL)
{
	struct page *block = alloc_pages(GFP_KERNEL, MAX_ORDER - 1);
	const unsigned long nr_pages = 1ul << (MAX_ORDER - 1);
	struct pt_walk w;
	uintptr_t va;
	HOARD(rest);

	ASSERT_TRUE(t, block);
	va = (uintptr_t)page_address(block);
	pgtable_walk(va, &w);
	EXPECT_EQ(t, 0, set_memory_np(va, nr_pages));
	if (w.level) {
		hoard_machine(&rest);
		EXPECT_ERR(t, -ENOMEM, set_memory_rw(va, nr_pages));
		EXPECT_EQ(t, 0, nr_mapped(block, nr_pages));
		hoard_free(&rest);
	}
	EXPECT_EQ(t, 0, set_memory_rw(va, nr_pages));
	EXPECT_EQ(t, nr_pages, nr_mapped(block, nr_pages));
	__free_pages(block, MAX_ORDER - 1);
}

/* The highest part of the vmalloc range that one table would map and that has none; 0: none. */
static uintptr_t some_untabled_range(void)
{
	size_t size = 1ul << pt_shift(1);
	uintptr_t va = mm_layout.vmalloc_end & ~(size - 1);
	struct pt_walk w;

	while (va - size >= mm_layout.vmalloc_start) {
		va -= size;
		pgtable_walk(va, &w);
		if (w.level && pte_is_none(w.pte))
			return va;
	}
	return 0;
}

KTEST_NEEDS(pgtable, pages_for_which_no_table_can_be_had_are_not_mapped, .ram_mib = 12)
{
	struct page *page = alloc_page(GFP_KERNEL);
	uintptr_t va = some_untabled_range();
	unsigned long nr_tables = pgtable_nr_pages();
	struct pt_walk w;
	HOARD(rest);

	ASSERT_TRUE(t, page);
	/* Nobody frees a table: the tests that map the whole range come later. */
	ASSERT_NE(t, 0, va);
	hoard_machine(&rest);
	EXPECT_ERR(t, -ENOMEM, pgtable_map_pages(va, &page, 1, PROT_KERNEL));
	hoard_free(&rest);
	pgtable_walk(va, &w);
	EXPECT_FALSE(t, w.present);
	EXPECT_EQ(t, nr_tables, pgtable_nr_pages());
	__free_page(page);
}

/* Somebody who maps a page beside another while that one's table is still being allocated. */
static struct {
	struct hoard *rest;
	struct page *page;
	uintptr_t va;
	int err;
	bool done;
} rival;

static QAPI unsigned long rival_shrink(struct shrinker *s, unsigned long nr, gfp_t gfp)
{
	(void)s;
	(void)gfp;
	if (rival.done)
		return 0;
	rival.done = true;
	hoard_free(rival.rest);
	rival.err = pgtable_map_pages(rival.va, &rival.page, 1, PROT_KERNEL);
	return nr;
}

/* The hooks count tables and free pages together: one that is neither is missed by them. */
KTEST_NEEDS(pgtable, a_table_that_somebody_else_was_faster_with_goes_back, .ram_mib = 12)
{
	static struct shrinker shrinker = { .name = "rival", .shrink = rival_shrink };
	struct page *page = alloc_page(GFP_KERNEL);
	uintptr_t va = some_untabled_range();
	struct pt_walk w;
	HOARD(rest);

	ASSERT_TRUE(t, page);
	ASSERT_NE(t, 0, va);
	rival.rest = &rest;
	rival.page = page;
	rival.va = va + PAGE_SIZE;
	rival.done = false;
	hoard_machine(&rest);
	shrinker_register(&shrinker);
	EXPECT_EQ(t, 0, pgtable_map_pages(va, &page, 1, PROT_KERNEL));
	shrinker_unregister(&shrinker);
	EXPECT_TRUE(t, rival.done);
	EXPECT_EQ(t, 0, rival.err);
	pgtable_walk(va + PAGE_SIZE, &w);
	EXPECT_TRUE(t, w.present && w.pa == page_to_phys(page));
	EXPECT_EQ(t, 2, pgtable_unmap_pages(va, 2 * PAGE_SIZE, NULL));
	tlb_flush_range(va, va + 2 * PAGE_SIZE);
	__free_page(page);
}

#define NR_SCATTERED 5u

/* Across the end of a table, where there is one. */
KTEST_NEEDS(pgtable, scattered_pages_are_mapped_side_by_side_and_handed_back_in_order,
	    .ram_mib = 12)
{
	uintptr_t span = 1ul << pt_shift(1);
	uintptr_t va = unmapped_range(2 * span) + span - 2 * PAGE_SIZE;
	struct page *pages[NR_SCATTERED];
	LIST_HEAD(back);
	struct pt_walk w;

	for (unsigned int i = 0; i < NR_SCATTERED; i++) {
		pages[i] = alloc_page(GFP_KERNEL);
		ASSERT_TRUE(t, pages[i]);
	}
	ASSERT_GE(t, mm_layout.vmalloc_start, va);
	ASSERT_EQ(t, 0, pgtable_map_pages(va, pages, NR_SCATTERED, PROT_KERNEL));
	for (unsigned int i = 0; i < NR_SCATTERED; i++) {
		pgtable_walk(va + i * PAGE_SIZE, &w);
		EXPECT_TRUE(t, w.present && w.pa == page_to_phys(pages[i]));
	}
	EXPECT_EQ(t, NR_SCATTERED, pgtable_unmap_pages(va, NR_SCATTERED * PAGE_SIZE, &back));
	EXPECT_EQ(t, 0, pgtable_unmap_pages(va, NR_SCATTERED * PAGE_SIZE, NULL));
	tlb_flush_range(va, va + NR_SCATTERED * PAGE_SIZE);
	for (unsigned int i = 0; i < NR_SCATTERED; i++) {
		struct page *page = list_first_entry(&back, struct page, lru);

		EXPECT_EQ(t, pages[i], page);
		list_del(&page->lru);
		__free_page(page);
	}
	EXPECT_TRUE(t, list_empty(&back));
}
