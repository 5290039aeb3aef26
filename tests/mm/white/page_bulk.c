/*
 * page_bulk.c - how many single pages leave a zone under one lock, and to which they go back.
 *
 * STATE.  One array.
 */
#include "../helpers.h"

#include <quarry/align.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>

#include "../../../mm/debug/page_owner.h"
#include "../../../mm/debug/page_poison.h"
#include "../../../mm/internal.h"

#define NR 600u

static struct page *array[NR];

KTEST_NEEDS(page_bulk, one_lock_serves_some_hundreds_of_pages_and_many_locks_serve_all,
	    .ram_mib = 30)
{
	unsigned long taken;

	static_assert(NR > 2 * MANY_PAGES_MAX, "more than two locks");
	if (!page_poison_on() && !page_owner_on()) {
		taken = alloc_pages_many(GFP_KERNEL, NR, array);
		EXPECT_GE(t, MANY_PAGES, taken);
		EXPECT_LE(t, MANY_PAGES_MAX, taken);
		free_pages_bulk_array(taken, array);
	}
	EXPECT_EQ(t, NR, alloc_pages_bulk_array(GFP_KERNEL, NR, array));
	free_pages_bulk_array(NR, array);
}

#define NR_SIDE 16u /* pages on each side of a zone's end */

/* The page of frame @pfn, out of a block of @h whose other pages stay there; NULL: none has it. */
static struct page *take_page(struct hoard *h, pfn_t pfn)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, &h->blocks, lru) {
		unsigned int order = (unsigned int)page->private;
		unsigned long i = pfn - page_to_pfn(page);

		if (i >= 1ul << order)
			continue;
		list_del(&page->lru);
		h->nr_pages--;
		split_page(page, order);
		for (unsigned long k = 0; k < 1ul << order; k++) {
			page[k].private = 0;
			if (k != i)
				list_add(&page[k].lru, &h->blocks);
		}
		return page + i;
	}
	return NULL;
}

/* A run of pages side by side that two zones have, freed upwards or downwards. */
static void free_across(struct ktest *t, struct zone *low, struct zone *high, bool up)
{
	unsigned int nr = 0;
	HOARD(h);

	hoard_machine(&h);
	for (unsigned int i = 0; i < 2 * NR_SIDE; i++) {
		struct page *page = take_page(&h, up ? high->start_pfn - NR_SIDE + i :
						       high->start_pfn + NR_SIDE - 1 - i);

		if (page)
			array[nr++] = page;
	}
	free_pages_bulk_array(nr, array);
	EXPECT_EQ(t, 0, zone_check(low));
	EXPECT_EQ(t, 0, zone_check(high));
	hoard_free(&h);
}

KTEST(page_bulk, pages_on_both_sides_of_a_zones_end_go_back_each_to_its_own)
{
	for (unsigned int i = 0; i + 1 < NR_ZONES; i++) {
		if (!zones[i + 1].nr_managed)
			continue;
		free_across(t, &zones[i], &zones[i + 1], false);
		free_across(t, &zones[i], &zones[i + 1], true);
	}
}
