/*
 * zones.c - which frame belongs to which zone, and which zone a request is served from.
 *
 * THEORY.  The zones divide all frames by two limits: ZONE_DMA_LIMIT and the end of lowmem.  A
 * request names the best zone that it may use and takes from it as long as it can; then from the
 * next lower one.  To see the second zone the tests take all of the first, down to its last page.
 */
#include "helpers.h"

#include <quarry/align.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>

/* highmem= may end lowmem, and with it ZONE_DMA, below ZONE_DMA_LIMIT. */
static enum zone_type zone_of_pfn(pfn_t pfn)
{
	if (pfn >= mm_layout.lowmem_end >> PAGE_SHIFT)
		return ZONE_HIGHMEM;
	return pfn < ZONE_DMA_LIMIT >> PAGE_SHIFT ? ZONE_DMA : ZONE_NORMAL;
}

KTEST(zone, each_page_names_the_zone_that_its_frame_lies_in)
{
	unsigned long nr_wrong = 0;

	for (pfn_t pfn = 0; pfn < max_pfn; pfn++)
		nr_wrong += page_zone_type(pfn_to_page(pfn)) != zone_of_pfn(pfn);
	EXPECT_EQ(t, 0, nr_wrong);
}

/* A block's buddy has a struct page, even if it is no RAM. */
KTEST(zone, from_the_last_frame_to_the_end_of_its_pageblock_all_pages_are_reserved)
{
	unsigned long nr_wrong = 0;

	for (pfn_t pfn = max_pfn; pfn < ALIGN_UP(max_pfn, PAGEBLOCK_NR_PAGES); pfn++)
		nr_wrong += !(pfn_to_page(pfn)->flags & PG_reserved) ||
			    page_zone_type(pfn_to_page(pfn)) != zone_of_pfn(pfn);
	EXPECT_EQ(t, 0, nr_wrong);
}

KTEST(zone, each_page_of_lowmem_has_its_address_and_of_highmem_none)
{
	unsigned long nr_wrong = 0;

	for (pfn_t pfn = 0; pfn < max_pfn; pfn++) {
		phys_addr_t pa = (phys_addr_t)pfn << PAGE_SHIFT;
		void *want = pa < mm_layout.lowmem_end ? pa_to_va(pa) : NULL;

		nr_wrong += page_address(pfn_to_page(pfn)) != want;
	}
	EXPECT_EQ(t, 0, nr_wrong);
}

KTEST(zone, zones_lie_between_their_limits_in_ascending_order)
{
	pfn_t limit[NR_ZONES + 1] = { 0, ZONE_DMA_LIMIT >> PAGE_SHIFT,
				      (pfn_t)(mm_layout.lowmem_end >> PAGE_SHIFT), max_pfn };
	struct zone *z;

	for_each_zone(z) {
		if (!z->nr_spanned)
			continue;
		EXPECT_GE(t, limit[z->type], z->start_pfn);
		EXPECT_LE(t, limit[z->type + 1], zone_end_pfn(z));
	}
}

KTEST(zone, managed_pages_are_present_and_present_pages_are_spanned)
{
	struct zone *z;

	for_each_zone(z) {
		EXPECT_LE(t, z->nr_present, z->nr_managed);
		EXPECT_LE(t, z->nr_spanned, z->nr_present);
		EXPECT_LE(t, z->nr_managed, z->nr_free);
	}
}

KTEST(zone, page_zone_is_the_zone_of_the_page)
{
	struct page *page = alloc_page(GFP_KERNEL);

	ASSERT_NE(t, NULL, page);
	EXPECT_EQ(t, &zones[page_zone_type(page)], page_zone(page));
	EXPECT_GE(t, page_zone(page)->start_pfn, page_to_pfn(page));
	EXPECT_TRUE(t, page_to_pfn(page) < zone_end_pfn(page_zone(page)));
	__free_page(page);
}

/* First and last frame of all free blocks of a zone; false when nothing is free. */
static bool free_bounds(const struct zone *z, pfn_t *first, pfn_t *last)
{
	bool found = false;

	for (pfn_t pfn = z->start_pfn; pfn < zone_end_pfn(z); pfn++) {
		const struct page *page = pfn_to_page(pfn);

		if (!(page->flags & PG_buddy))
			continue;
		if (!found)
			*first = pfn;
		found = true;
		*last = pfn + (1ul << (page->flags >> PG_ORDER_SHIFT)) - 1;
	}
	return found;
}

static bool hoard_has(const struct hoard *h, const struct page *wanted)
{
	struct page *page;

	list_for_each_entry(page, &h->blocks, lru)
		if (wanted >= page && wanted < page + (1ul << page->private))
			return true;
	return false;
}

KTEST(zone, the_first_and_the_last_free_page_of_each_zone_can_be_had)
{
	struct zone *z;

	for_each_zone(z) {
		pfn_t first, last;
		HOARD(h);

		if (!free_bounds(z, &first, &last))
			continue;
		EXPECT_EQ(t, z->nr_free, hoard_zone(&h, z->type, MAX_ORDER - 1));
		EXPECT_TRUE(t, hoard_has(&h, pfn_to_page(first)));
		EXPECT_TRUE(t, hoard_has(&h, pfn_to_page(last)));
		hoard_free(&h);
		mm_quiesce();
	}
}

KTEST(zone, blocks_of_each_order_for_dma_lie_below_16_mib)
{
	for (unsigned int order = 0; order <= largest_order(GFP_DMA); order++) {
		struct page *page = alloc_pages(T_GFP(t, GFP_DMA), order);
		unsigned long va = __get_dma_pages(GFP_KERNEL, order);

		ASSERT_NE(t, NULL, page);
		EXPECT_LE(t, ZONE_DMA_LIMIT, page_to_phys(page) + (PAGE_SIZE << order));
		__free_pages(page, order);
		if (va)
			EXPECT_LE(t, ZONE_DMA_LIMIT, va_to_pa((void *)va) + (PAGE_SIZE << order));
		free_pages(va, order);
	}
}

/* Which zone serves one page of @gfp; NR_ZONES: none. */
static enum zone_type serving_zone(gfp_t gfp)
{
	struct page *page = alloc_page(gfp | __GFP_NOWARN);
	enum zone_type type;

	if (!page)
		return NR_ZONES;
	type = page_zone_type(page);
	__free_page(page);
	return type;
}

KTEST_NEEDS(zone, kernel_memory_comes_from_normal_while_there_is_some, .zones = KTEST_ZONE_NORMAL,
	    .ram_mib = 30)
{
	EXPECT_EQ(t, ZONE_NORMAL, serving_zone(GFP_KERNEL));
	EXPECT_EQ(t, ZONE_NORMAL, serving_zone(GFP_ATOMIC));
	EXPECT_EQ(t, ZONE_NORMAL, serving_zone(T_GFP(t, GFP_DMA32)));
}

KTEST_NEEDS(zone, user_memory_comes_from_highmem_while_there_is_some, .zones = KTEST_ZONE_HIGHMEM)
{
	EXPECT_EQ(t, ZONE_HIGHMEM, serving_zone(GFP_HIGHUSER));
	EXPECT_EQ(t, ZONE_HIGHMEM, serving_zone(T_GFP(t, GFP_HIGHUSER_MOVABLE)));
}

KTEST(zone, kernel_memory_falls_back_from_normal_to_dma)
{
	HOARD(normal);

	hoard_zone(&normal, ZONE_NORMAL, MAX_ORDER - 1);
	EXPECT_EQ(t, ZONE_DMA, serving_zone(GFP_NOWAIT));
	hoard_free(&normal);
}

KTEST_NEEDS(zone, user_memory_falls_back_from_highmem_to_normal_to_dma,
	    .zones = KTEST_ZONE_NORMAL | KTEST_ZONE_HIGHMEM)
{
	gfp_t gfp = __GFP_HIGHMEM | __GFP_MEMALLOC;
	HOARD(high);
	HOARD(normal);

	hoard_zone(&high, ZONE_HIGHMEM, MAX_ORDER - 1);
	EXPECT_EQ(t, ZONE_NORMAL, serving_zone(gfp));
	hoard_zone(&normal, ZONE_NORMAL, MAX_ORDER - 1);
	EXPECT_EQ(t, ZONE_DMA, serving_zone(gfp));
	hoard_free(&normal);
	hoard_free(&high);
}

KTEST(zone, dma_memory_does_not_come_from_anywhere_else)
{
	HOARD(dma);

	hoard_zone(&dma, ZONE_DMA, MAX_ORDER - 1);
	EXPECT_EQ(t, NR_ZONES, serving_zone(GFP_DMA | __GFP_MEMALLOC));
	EXPECT_EQ(t, NR_ZONES, serving_zone(GFP_KERNEL | __GFP_DMA));
	hoard_free(&dma);
}

KTEST_NEEDS(zone, kernel_memory_does_not_come_from_highmem, .zones = KTEST_ZONE_HIGHMEM)
{
	HOARD(low);

	hoard_zone(&low, ZONE_DMA, MAX_ORDER - 1);
	hoard_zone(&low, ZONE_NORMAL, MAX_ORDER - 1);
	EXPECT_EQ(t, NR_ZONES, serving_zone(GFP_ATOMIC | __GFP_MEMALLOC));
	EXPECT_EQ(t, NR_ZONES, serving_zone(GFP_DMA32 | __GFP_MEMALLOC));
	EXPECT_EQ(t, ZONE_HIGHMEM, serving_zone(__GFP_HIGHMEM));
	hoard_free(&low);
}

/* The rows of the table in <quarry/gfp.h> that say where memory comes from. */
KTEST(zone, dma_with_highmem_is_dma)
{
	EXPECT_EQ(t, ZONE_DMA, serving_zone(T_GFP(t, __GFP_DMA | __GFP_HIGHMEM)));
}

KTEST(zone, dma_with_dma32_is_dma)
{
	EXPECT_EQ(t, ZONE_DMA, serving_zone(T_GFP(t, __GFP_DMA | __GFP_DMA32)));
	EXPECT_EQ(t, ZONE_DMA, serving_zone(__GFP_DMA | __GFP_DMA32 | __GFP_HIGHMEM));
}

KTEST_NEEDS(zone, dma32_with_highmem_is_lowmem, .zones = KTEST_ZONE_HIGHMEM)
{
	struct page *page = alloc_page(T_GFP(t, __GFP_DMA32 | __GFP_HIGHMEM));

	ASSERT_NE(t, NULL, page);
	EXPECT_NE(t, NULL, page_address(page));
	__free_page(page);
}

KTEST_NEEDS(zone, requests_that_could_use_a_higher_zone_leave_each_lower_one_its_reserve,
	    .zones = KTEST_ZONE_NORMAL)
{
	static const gfp_t place[NR_ZONES] = { __GFP_DMA, 0, __GFP_HIGHMEM };

	for (unsigned int class = ZONE_NORMAL; class < NR_ZONES; class ++) {
		HOARD(h);

		hoard_everything(&h, place[class]);
		mm_quiesce();
		for (unsigned int low = ZONE_DMA; low < class; low++) {
			unsigned long keep = zones[low].lowmem_reserve[class];

			if (zones[low].nr_managed > keep + zones[low].watermark[WMARK_HIGH])
				EXPECT_GE(t, keep, zones[low].nr_free);
		}
		/* What is kept is there for those who can use nothing else. */
		if (zones[ZONE_DMA].lowmem_reserve[class])
			EXPECT_EQ(t, ZONE_DMA, serving_zone(GFP_DMA));
		hoard_free(&h);
		mm_quiesce();
	}
}

KTEST_NEEDS(zone, the_reserve_of_a_lower_zone_grows_with_the_memory_above_it,
	    .zones = KTEST_ZONE_NORMAL)
{
	struct zone *dma = &zones[ZONE_DMA];

	EXPECT_EQ(t, 0, dma->lowmem_reserve[ZONE_DMA]);
	EXPECT_GE(t, dma->lowmem_reserve[ZONE_NORMAL], dma->lowmem_reserve[ZONE_HIGHMEM]);
	EXPECT_EQ(t, 0, zones[ZONE_NORMAL].lowmem_reserve[ZONE_NORMAL]);
	EXPECT_EQ(t, 0, zones[ZONE_HIGHMEM].lowmem_reserve[ZONE_HIGHMEM]);
}

KTEST(zone, lowmem_page_is_the_page_of_a_direct_map_address_and_of_no_other)
{
	const char *last = (const char *)mm_layout.high_memory - 1;
	const uintptr_t outside[] = { 0,
				      PAGE_SIZE,
				      PAGE_OFFSET - 1,
				      mm_layout.high_memory,
				      mm_layout.vmalloc_start,
				      UINTPTR_MAX };

	EXPECT_EQ(t, pfn_to_page(0), lowmem_page((const void *)PAGE_OFFSET));
	EXPECT_EQ(t, virt_to_page(last), lowmem_page(last));
	EXPECT_EQ(t, pfn_to_page(mm_layout.lowmem_end_pfn - 1), lowmem_page(last));
	for (unsigned int i = 0; i < ARRAY_SIZE(outside); i++)
		EXPECT_EQ(t, NULL, lowmem_page((const void *)outside[i]));
}
