/*
 * watermarks.c - how far down each kind of request may empty a zone.
 *
 * THEORY.  Three depths, in pages that are left:
 *
 *	plain          stops at the min watermark (and what the zone keeps from higher requests)
 *	__GFP_HIGH     goes on below it
 *	__GFP_MEMALLOC or a PF_MEMALLOC thread takes the last page
 *
 * Each test empties the whole machine with one kind of request and then tries another kind, which
 * must get something, or nothing.  Per-CPU lists would blur the figures by a batch: where a figure
 * is compared they were drained first.
 */
#include "helpers.h"

#include <quarry/align.h>
#include <quarry/env.h>
#include <quarry/errno.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>

/* Everything that requests of @gfp can get. */
static void empty(struct hoard *h, gfp_t gfp)
{
	hoard_everything(h, gfp | __GFP_HIGHMEM);
	hoard_everything(h, gfp);
	hoard_everything(h, gfp | __GFP_DMA);
}

static unsigned long can_still_get(gfp_t gfp)
{
	HOARD(h);
	unsigned long nr;

	empty(&h, gfp);
	nr = h.nr_pages;
	hoard_free(&h);
	return nr;
}

KTEST(watermark, requests_without_reserves_leave_each_zone_its_min_watermark)
{
	struct zone *z;
	HOARD(h);

	empty(&h, T_GFP(t, GFP_NOWAIT));
	mm_quiesce();
	for_each_zone(z)
		if (z->nr_managed)
			EXPECT_GE(t, z->watermark[WMARK_MIN], z->nr_free);
	hoard_free(&h);
}

KTEST(watermark, requests_without_reserves_go_below_the_low_watermark_of_each_zone)
{
	struct zone *z;
	HOARD(h);

	empty(&h, GFP_NOWAIT);
	mm_quiesce();
	for_each_zone(z)
		if (z->nr_managed)
			EXPECT_TRUE(t, z->nr_free < z->watermark[WMARK_LOW]);
	hoard_free(&h);
}

KTEST(watermark, atomic_requests_go_below_the_min_watermark_but_not_to_the_end)
{
	struct zone *z;
	HOARD(plain);
	HOARD(atomic);

	empty(&plain, GFP_NOWAIT);
	empty(&atomic, T_GFP(t, GFP_ATOMIC));
	mm_quiesce();
	EXPECT_GE(t, 1, atomic.nr_pages);
	EXPECT_TRUE(t, zones[ZONE_DMA].nr_free < zones[ZONE_DMA].watermark[WMARK_MIN]);
	for_each_zone(z)
		EXPECT_GE(t, z->watermark[WMARK_MIN] / 4, z->nr_free);
	hoard_free(&atomic);
	hoard_free(&plain);
}

KTEST(watermark, memalloc_requests_take_the_last_page)
{
	struct mm_account a;
	HOARD(h);

	empty(&h, GFP_ATOMIC);
	EXPECT_GE(t, 1, can_still_get(T_GFP(t, __GFP_MEMALLOC)));
	empty(&h, __GFP_MEMALLOC);
	mm_account(&a);
	EXPECT_EQ(t, 0, a.nr_free + a.nr_pcp);
	hoard_free(&h);
}

KTEST(watermark, nomemalloc_beats_memalloc)
{
	HOARD(h);

	empty(&h, GFP_NOWAIT);
	EXPECT_EQ(t, 0, can_still_get(T_GFP(t, __GFP_MEMALLOC | __GFP_NOMEMALLOC)));
	EXPECT_GE(t, 1, can_still_get(__GFP_MEMALLOC));
	hoard_free(&h);
}

KTEST(watermark, a_thread_that_frees_memory_may_take_the_last_page)
{
	struct mm_account a;
	HOARD(h);

	empty(&h, GFP_ATOMIC);
	env_current()->flags |= PF_MEMALLOC;
	empty(&h, GFP_NOWAIT);
	env_current()->flags &= ~PF_MEMALLOC;
	mm_account(&a);
	EXPECT_EQ(t, 0, a.nr_free + a.nr_pcp);
	hoard_free(&h);
}

KTEST(watermark, nomemalloc_holds_a_thread_that_frees_memory_back)
{
	unsigned long nr;
	HOARD(h);

	empty(&h, GFP_NOWAIT);
	env_current()->flags |= PF_MEMALLOC;
	nr = can_still_get(__GFP_NOMEMALLOC);
	env_current()->flags &= ~PF_MEMALLOC;
	EXPECT_EQ(t, 0, nr);
	hoard_free(&h);
}

static void expect_ordered_watermarks(struct ktest *t)
{
	struct zone *z;

	for_each_zone(z) {
		if (!z->nr_managed)
			continue;
		EXPECT_TRUE(t, z->watermark[WMARK_MIN] > 0);
		EXPECT_TRUE(t, z->watermark[WMARK_MIN] < z->watermark[WMARK_LOW]);
		EXPECT_TRUE(t, z->watermark[WMARK_LOW] < z->watermark[WMARK_HIGH]);
	}
}

static unsigned long lowmem_min_pages(void)
{
	return zones[ZONE_DMA].watermark[WMARK_MIN] + zones[ZONE_NORMAL].watermark[WMARK_MIN];
}

KTEST(watermark, min_is_below_low_and_low_below_high)
{
	expect_ordered_watermarks(t);
}

KTEST(watermark, min_free_kbytes_is_divided_among_the_zones_of_lowmem)
{
	unsigned long want = mm_min_free_kbytes() / (PAGE_SIZE / KiB);

	/* Each zone may round its share by a page. */
	EXPECT_GE(t, want - 2, lowmem_min_pages());
	EXPECT_LE(t, want + 2, lowmem_min_pages());
}

KTEST(watermark, setting_min_free_kbytes_moves_every_watermark)
{
	unsigned long old_kbytes = mm_min_free_kbytes();
	unsigned long old_min, old_high;

	/* Boot set it before all memory was there; now is what the test compares with. */
	EXPECT_EQ(t, 0, mm_set_min_free(old_kbytes));
	old_min = zones[ZONE_DMA].watermark[WMARK_MIN];
	old_high = zones[ZONE_DMA].watermark[WMARK_HIGH];
	EXPECT_EQ(t, 0, mm_set_min_free(2 * old_kbytes));
	EXPECT_EQ(t, 2 * old_kbytes, mm_min_free_kbytes());
	EXPECT_TRUE(t, zones[ZONE_DMA].watermark[WMARK_MIN] > old_min);
	EXPECT_TRUE(t, zones[ZONE_DMA].watermark[WMARK_HIGH] > old_high);
	expect_ordered_watermarks(t);
	EXPECT_EQ(t, 0, mm_set_min_free(old_kbytes));
	EXPECT_EQ(t, old_min, zones[ZONE_DMA].watermark[WMARK_MIN]);
	EXPECT_EQ(t, old_high, zones[ZONE_DMA].watermark[WMARK_HIGH]);
}

KTEST(watermark, min_free_kbytes_beyond_a_quarter_of_lowmem_is_refused)
{
	unsigned long old_kbytes = mm_min_free_kbytes();
	unsigned long old_min = zones[ZONE_DMA].watermark[WMARK_MIN];

	EXPECT_ERR(t, -EINVAL,
		   mm_set_min_free((unsigned long)(mm_layout.lowmem_end / 4 / KiB) + 1));
	EXPECT_ERR(t, -EINVAL, mm_set_min_free(~0ul));
	EXPECT_EQ(t, old_kbytes, mm_min_free_kbytes());
	EXPECT_EQ(t, old_min, zones[ZONE_DMA].watermark[WMARK_MIN]);
}

KTEST(watermark, setting_min_free_kbytes_to_0_derives_it_from_the_size_of_lowmem)
{
	unsigned long old_kbytes = mm_min_free_kbytes();
	unsigned long derived;

	EXPECT_EQ(t, 0, mm_set_min_free(0));
	derived = mm_min_free_kbytes();
	EXPECT_GE(t, 1, derived);
	EXPECT_EQ(t, 0, mm_set_min_free(derived + 100));
	EXPECT_EQ(t, derived + 100, mm_min_free_kbytes());
	EXPECT_EQ(t, 0, mm_set_min_free(0));
	EXPECT_EQ(t, derived, mm_min_free_kbytes());
	EXPECT_EQ(t, 0, mm_set_min_free(old_kbytes));
}
