/*
 * highmem.c - kmap(), kmap_local_page() and what is done with pages through them.
 *
 * THEORY.  Pages come from highmem where there is some.  With kmap_debug=1 lowmem has slots, too,
 * and the same claims hold on the smallest machine; where no page needs a slot, what slots promise
 * is not asked.
 *
 * STATE.  The pages of kmap_pages.h.
 */
#include <quarry/config.h>
#include <quarry/errno.h>
#include <quarry/fixmap.h>
#include <quarry/highmem.h>
#include <quarry/out.h>
#include <quarry/pgtable.h>
#include <quarry/port.h>
#include <quarry/string.h>
#include <quarry/whatis.h>

#include "helpers.h"
#include "kmap_pages.h"

#define WALK_PAGES 64u
#define WALK_DEEP  8u
#define WALK_STEPS 2000u
#define STEP_COST  4ul  /* steps of other walks that one here takes as long as: it writes a page */
#define WALK_CHECK 250u /* steps from one look of the validator to the next, on the average */

/* ---- kmap() --------------------------------------------------------------------------------- */

KTEST(kmap, a_lowmem_page_has_its_own_address_unless_all_pages_have_slots)
{
	struct page *page = alloc_page(GFP_KERNEL);
	void *va;

	ASSERT_NE(t, NULL, page);
	va = kmap(page);
	EXPECT_EQ(t, kmap_needs_slot(page), in_pkmap(va));
	EXPECT_TRUE(t, kmap_needs_slot(page) || va == page_address(page));
	kunmap(page);
	__free_page(page);
}

KTEST(kmap, what_is_written_through_a_slot_is_in_the_page)
{
	ASSERT_EQ(t, 1, kmap_pages_take(1));
	memset32(kmap(kmap_pages[0]), 0x12345678, PAGE_SIZE / 4);
	kunmap(kmap_pages[0]);
	kmap_flush_unused();
	EXPECT_TRUE(t, block_is_all(kmap_pages[0], 0, 0x12345678));
	kmap_pages_give(1);
}

KTEST(kmap, all_users_of_a_page_share_one_slot_until_the_last_is_gone)
{
	void *va;

	ASSERT_EQ(t, 1, kmap_pages_take(1));
	va = kmap(kmap_pages[0]);
	EXPECT_EQ(t, kmap_needs_slot(kmap_pages[0]), kmap_nr_held());
	EXPECT_EQ(t, va, kmap(kmap_pages[0]));
	EXPECT_EQ(t, kmap_needs_slot(kmap_pages[0]), kmap_nr_held());
	kunmap(kmap_pages[0]);
	EXPECT_EQ(t, kmap_needs_slot(kmap_pages[0]), kmap_nr_held());
	kunmap(kmap_pages[0]);
	EXPECT_EQ(t, 0, kmap_nr_held());
	kmap_pages_give(1);
}

KTEST(kmap, a_page_mapped_again_before_the_flush_is_where_it_was)
{
	void *va;

	ASSERT_EQ(t, 1, kmap_pages_take(1));
	va = kmap(kmap_pages[0]);
	kunmap(kmap_pages[0]);
	EXPECT_EQ(t, va, kmap(kmap_pages[0]));
	kunmap(kmap_pages[0]);
	kmap_pages_give(1);
}

KTEST_NEEDS(kmap, the_address_of_a_highmem_page_is_set_by_kmap_and_cleared_by_the_flush,
	    .zones = KTEST_ZONE_HIGHMEM)
{
	void *va;

	ASSERT_EQ(t, 1, kmap_pages_take(1));
	ASSERT_TRUE(t, PageHighMem(kmap_pages[0]));
	EXPECT_EQ(t, NULL, page_address(kmap_pages[0]));
	va = kmap(kmap_pages[0]);
	EXPECT_EQ(t, va, page_address(kmap_pages[0]));
	kunmap(kmap_pages[0]);
	EXPECT_EQ(t, va, page_address(kmap_pages[0]));
	kmap_flush_unused();
	EXPECT_EQ(t, NULL, page_address(kmap_pages[0]));
	kmap_pages_give(1);
}

KTEST(kmap, the_address_of_a_flushed_slot_faults)
{
	unsigned long word;
	void *va;

	ASSERT_EQ(t, 1, kmap_pages_take(1));
	va = kmap(kmap_pages[0]);
	EXPECT_EQ(t, 0, probe_read(va, &word));
	kunmap(kmap_pages[0]);
	kmap_flush_unused();
	if (kmap_needs_slot(kmap_pages[0]))
		EXPECT_ERR(t, -EFAULT, probe_read(va, &word));
	kmap_pages_give(1);
}

KTEST(kmap, a_flush_leaves_what_is_held)
{
	void *va;

	ASSERT_EQ(t, 1, kmap_pages_take(1));
	va = kmap(kmap_pages[0]);
	*(uint32_t *)va = 17;
	kmap_flush_unused();
	EXPECT_EQ(t, 17, *(uint32_t *)va);
	EXPECT_EQ(t, 0, CONFIG_CHECK ? kmap_check() : 0);
	kunmap(kmap_pages[0]);
	kmap_pages_give(1);
}

KTEST(kmap, more_pages_than_slots_can_be_mapped_one_after_the_other)
{
	unsigned long nr = kmap_pages_take(NR_KMAP_PAGES);

	for (unsigned long i = 0; i < nr; i++) {
		*(unsigned long *)kmap(kmap_pages[i]) = i;
		kunmap(kmap_pages[i]);
	}
	for (unsigned long i = 0; i < nr; i++) {
		unsigned long got;

		memcpy_from_page(&got, kmap_pages[i], 0, sizeof(got));
		if (got != i)
			EXPECT_EQ(t, i, got);
	}
	EXPECT_EQ(t, 0, kmap_nr_held());
	kmap_pages_give(nr);
}

/* ---- kmap_local_page() ---------------------------------------------------------------------- */

KTEST(kmap_local, a_mapped_page_keeps_the_thread_from_sleeping_whatever_page_it_is)
{
	struct page *low = alloc_page(GFP_KERNEL);
	void *va;

	ASSERT_NE(t, NULL, low);
	va = kmap_local_page(low);
	EXPECT_FALSE(t, env_can_sleep());
	kunmap_local(va);
	EXPECT_TRUE(t, env_can_sleep());
	__free_page(low);
}

KTEST(kmap_local, mappings_nest_as_deep_as_there_are_slots)
{
	char *va[KMAP_LOCAL_SLOTS];

	ASSERT_EQ(t, KMAP_LOCAL_SLOTS, kmap_pages_take(KMAP_LOCAL_SLOTS));
	for (unsigned int i = 0; i < KMAP_LOCAL_SLOTS; i++) {
		va[i] = kmap_local_page(kmap_pages[i]);
		*va[i] = (char)i;
	}
	for (unsigned int i = KMAP_LOCAL_SLOTS; i-- > 0;) {
		EXPECT_EQ(t, (char)i, *va[i]);
		kunmap_local(va[i]);
	}
	kmap_pages_give(KMAP_LOCAL_SLOTS);
}

KTEST(kmap_local, any_address_in_the_page_ends_the_mapping)
{
	char *va;

	ASSERT_EQ(t, 1, kmap_pages_take(1));
	va = kmap_local_page(kmap_pages[0]);
	kunmap_local(va + PAGE_SIZE - 1);
	EXPECT_TRUE(t, env_can_sleep());
	kmap_pages_give(1);
}

KTEST(kmap_local, an_address_that_is_used_too_long_faults)
{
	unsigned long word;
	void *va;

	ASSERT_EQ(t, 1, kmap_pages_take(1));
	va = kmap_local_page(kmap_pages[0]);
	EXPECT_EQ(t, 0, probe_read(va, &word));
	kunmap_local(va);
	if (kmap_needs_slot(kmap_pages[0]))
		EXPECT_ERR(t, -EFAULT, probe_read(va, &word));
	kmap_pages_give(1);
}

KTEST(kmap_local, a_slot_shows_the_page_that_is_mapped_now_and_not_the_one_before)
{
	ASSERT_EQ(t, 2, kmap_pages_take(2));
	for (unsigned int i = 0; i < 2; i++)
		memcpy_to_page(kmap_pages[i], 0, &i, sizeof(i));
	for (unsigned int round = 0; round < 4; round++) {
		unsigned int *va = kmap_atomic(kmap_pages[round % 2]);

		EXPECT_EQ(t, round % 2, *va);
		kunmap_atomic(va);
	}
	kmap_pages_give(2);
}

KTEST(kmap_local, a_page_may_be_mapped_twice_and_by_kmap_too)
{
	uint32_t *shared, *first, *second;

	ASSERT_EQ(t, 1, kmap_pages_take(1));
	shared = kmap(kmap_pages[0]);
	first = kmap_local_page(kmap_pages[0]);
	second = kmap_atomic(kmap_pages[0]);
	*shared = 4711;
	EXPECT_EQ(t, 4711, *first);
	EXPECT_EQ(t, 4711, *second);
	kunmap_atomic(second);
	kunmap_local(first);
	kunmap(kmap_pages[0]);
	kmap_pages_give(1);
}

KTEST(kmap_local, a_lowmem_page_needs_no_slot_when_all_are_held)
{
	struct page *low = alloc_page(GFP_KERNEL);
	void *va[KMAP_LOCAL_SLOTS], *here;

	ASSERT_TRUE(t, low && kmap_pages_take(KMAP_LOCAL_SLOTS) == KMAP_LOCAL_SLOTS);
	for (unsigned int i = 0; i < KMAP_LOCAL_SLOTS; i++)
		va[i] = kmap_local_page(kmap_pages[i]);
	if (!kmap_needs_slot(low)) {
		here = kmap_local_page(low);
		EXPECT_EQ(t, page_address(low), here);
		kunmap_local(here);
	}
	for (unsigned int i = KMAP_LOCAL_SLOTS; i-- > 0;)
		kunmap_local(va[i]);
	kmap_pages_give(KMAP_LOCAL_SLOTS);
	__free_page(low);
}

KTEST(kmap_local, the_fixmap_and_whatis_name_who_holds_a_slot_until_it_is_unmapped)
{
	struct capture *c;
	void *va;

	ASSERT_EQ(t, 1, kmap_pages_take(1));
	va = kmap_local_page(kmap_pages[0]);
	if (!virt_addr_valid(va)) {
		c = capture_begin();
		fixmap_show(&out_console);
		whatis_show(&out_console, (uintptr_t)va + 9);
		kunmap_local(va);
		capture_end(c);
		EXPECT_EQ(t, 2, capture_count(c, " cpu=0 nr=0 by=ktest_"));
		EXPECT_EQ(t, 1, capture_count(c, "page pfn="));
		c = capture_begin();
		fixmap_show(&out_console);
		whatis_show(&out_console, (uintptr_t)va);
		capture_end(c);
		EXPECT_EQ(t, 0, capture_count(c, " by="));
		EXPECT_EQ(t, 1, capture_count(c, " use=kmap_local cpu=0 nr=0 pfn=none"));
	} else {
		kunmap_local(va);
	}
	kmap_pages_give(1);
}

/* Push a page that says which it is, or see that the newest does and pop it. */
static unsigned int local_step(struct ktest *t, unsigned int depth, unsigned int *which, void **va)
{
	if (depth == KMAP_LOCAL_SLOTS || (depth && ktest_random_below(t, 2))) {
		depth--;
		EXPECT_TRUE(t, *(unsigned long *)va[depth] == which[depth]);
		kunmap_local(va[depth]);
		return depth;
	}
	which[depth] = ktest_random_below(t, WALK_PAGES);
	va[depth] = kmap_local_page(kmap_pages[which[depth]]);
	return depth + 1;
}

KTEST(kmap_local, a_random_stack_of_mappings_shows_each_page_where_it_was_mapped)
{
	unsigned long steps = ktest_steps(t, WALK_STEPS) / STEP_COST;
	unsigned int depth = 0, which[KMAP_LOCAL_SLOTS];
	void *va[KMAP_LOCAL_SLOTS];

	ASSERT_EQ(t, WALK_PAGES, kmap_pages_take(WALK_PAGES));
	kmap_pages_number(WALK_PAGES);
	for (unsigned long step = 0; step < steps; step++) {
		depth = local_step(t, depth, which, va);
		if (CONFIG_CHECK && !ktest_random_below(t, WALK_CHECK))
			EXPECT_EQ(t, 0, kmap_check());
	}
	while (depth)
		kunmap_local(va[--depth]);
	kmap_pages_give(WALK_PAGES);
}

/* ---- contents ------------------------------------------------------------------------------- */

KTEST(highmem, a_cleared_page_is_zero_and_a_copied_one_the_same)
{
	ASSERT_EQ(t, 2, kmap_pages_take(2));
	block_fill(kmap_pages[0], 0, 0xabcd0123);
	copy_highpage(kmap_pages[1], kmap_pages[0]);
	EXPECT_TRUE(t, block_holds(kmap_pages[1], 0, 0xabcd0123));
	clear_highpage(kmap_pages[0]);
	EXPECT_TRUE(t, block_is_zero(kmap_pages[0], 0));
	EXPECT_TRUE(t, block_holds(kmap_pages[1], 0, 0xabcd0123));
	kmap_pages_give(2);
}

KTEST(highmem, zero_user_clears_its_part_and_no_more)
{
	unsigned char *va;

	ASSERT_EQ(t, 1, kmap_pages_take(1));
	block_fill(kmap_pages[0], 0, 0x11111111);
	zero_user(kmap_pages[0], 100, 50);
	va = kmap_local_page(kmap_pages[0]);
	EXPECT_NE(t, 0, va[99]);
	EXPECT_EQ(t, NULL, memchr_inv(va + 100, 0, 50));
	EXPECT_NE(t, 0, va[150]);
	kunmap_local(va);
	kmap_pages_give(1);
}

KTEST(highmem, bytes_written_to_the_end_of_a_page_are_read_back)
{
	char word[8];

	ASSERT_EQ(t, 1, kmap_pages_take(1));
	memcpy_to_page(kmap_pages[0], PAGE_SIZE - 8, "fifteen", 8);
	memcpy_from_page(word, kmap_pages[0], PAGE_SIZE - 8, 8);
	EXPECT_STREQ(t, "fifteen", word);
	kmap_pages_give(1);
}

KTEST(highmem, a_page_of_each_zone_says_whether_it_is_highmem)
{
	struct page *low = alloc_page(GFP_KERNEL), *dma = alloc_page(GFP_DMA);

	EXPECT_TRUE(t, low && !PageHighMem(low));
	EXPECT_TRUE(t, dma && !PageHighMem(dma));
	__free_page(low);
	__free_page(dma);
}

/* ---- what is this, and a walk ---------------------------------------------------------------- */

KTEST(kmap, what_is_a_slot_is_its_page_count_and_holder)
{
	struct capture *c;
	void *va;

	ASSERT_EQ(t, 1, kmap_pages_take(1));
	va = kmap(kmap_pages[0]);
	if (in_pkmap(va)) {
		c = capture_begin();
		whatis_show(&out_console, (uintptr_t)va + 5);
		capture_end(c);
		EXPECT_EQ(t, 1, capture_count(c, "pkmap slot="));
		EXPECT_EQ(t, 1, capture_count(c, " count=2 pfn="));
		EXPECT_EQ(t, 1, capture_count(c, "page pfn="));
	}
	kunmap(kmap_pages[0]);
	kmap_pages_give(1);
}

KTEST(kmap, a_random_walk_of_maps_and_unmaps_keeps_every_invariant)
{
	unsigned char count[WALK_PAGES] = { 0 };
	unsigned long nr = kmap_pages_take(WALK_PAGES),
		      steps = ktest_steps(t, WALK_STEPS) / STEP_COST;

	ASSERT_EQ(t, WALK_PAGES, nr);
	for (unsigned long i = 0; i < nr; i++)
		zero_user(kmap_pages[i], 0, PAGE_SIZE);
	for (unsigned long step = 0; step < steps; step++) {
		unsigned int i = ktest_random_below(t, WALK_PAGES);

		if (count[i] && (count[i] == WALK_DEEP || ktest_random_below(t, 2))) {
			kunmap(kmap_pages[i]);
			count[i]--;
		} else {
			unsigned int *va = kmap(kmap_pages[i]);

			EXPECT_TRUE(t, !*va || *va == i);
			*va = i;
			count[i]++;
		}
		if (!ktest_random_below(t, 100))
			kmap_flush_unused();
		if (CONFIG_CHECK && !ktest_random_below(t, WALK_CHECK))
			EXPECT_EQ(t, 0, kmap_check());
	}
	EXPECT_EQ(t, 0, CONFIG_CHECK ? kmap_check() : 0);
	for (unsigned int i = 0; i < WALK_PAGES; i++)
		while (count[i]--)
			kunmap(kmap_pages[i]);
	kmap_pages_give(nr);
}
