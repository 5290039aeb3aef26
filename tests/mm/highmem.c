/*
 * highmem.c - kmap(), kmap_local_page() and what is done with pages through them.
 *
 * THEORY.  Pages come from highmem where there is some.  With kmap_debug=1 lowmem has slots, too,
 * and the same claims hold on the smallest machine; where no page needs a slot, what slots promise
 * is not asked.
 *
 * STATE.  The pages that a test has taken; static, because the stack is small.
 */
#include <quarry/config.h>
#include <quarry/env_hooks.h>
#include <quarry/errno.h>
#include <quarry/highmem.h>
#include <quarry/out.h>
#include <quarry/pgtable.h>
#include <quarry/port.h>
#include <quarry/string.h>
#include <quarry/whatis.h>

#include "helpers.h"

#define NR_PAGES   (PKMAP_NR_PAGES + 1)
#define WALK_PAGES 64u
#define WALK_DEEP  8u

static struct page *pages[NR_PAGES];

static unsigned long take(unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++) {
		pages[i] = alloc_page(GFP_HIGHUSER | __GFP_NOWARN);
		if (!pages[i])
			return i;
	}
	return nr;
}

static void give(unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		__free_page(pages[i]);
}

static bool slots_in_use(const struct page *page)
{
	return kmap_needs_slot(page);
}

static bool in_pkmap(const void *va)
{
	return (uintptr_t)va - PKMAP_START < PKMAP_NR_PAGES * PAGE_SIZE;
}

/* ---- kmap() --------------------------------------------------------------------------------- */

KTEST(kmap, a_lowmem_page_has_its_own_address_unless_all_pages_have_slots)
{
	struct page *page = alloc_page(GFP_KERNEL);
	void *va;

	ASSERT_NE(t, NULL, page);
	va = kmap(page);
	EXPECT_EQ(t, slots_in_use(page), in_pkmap(va));
	EXPECT_TRUE(t, slots_in_use(page) || va == page_address(page));
	kunmap(page);
	__free_page(page);
}

KTEST(kmap, what_is_written_through_a_slot_is_in_the_page)
{
	ASSERT_EQ(t, 1, take(1));
	memset32(kmap(pages[0]), 0x12345678, PAGE_SIZE / 4);
	kunmap(pages[0]);
	kmap_flush_unused();
	EXPECT_TRUE(t, block_is_all(pages[0], 0, 0x12345678));
	give(1);
}

KTEST(kmap, all_users_of_a_page_share_one_slot_until_the_last_is_gone)
{
	void *va;

	ASSERT_EQ(t, 1, take(1));
	va = kmap(pages[0]);
	EXPECT_EQ(t, slots_in_use(pages[0]), kmap_nr_held());
	EXPECT_EQ(t, va, kmap(pages[0]));
	EXPECT_EQ(t, slots_in_use(pages[0]), kmap_nr_held());
	kunmap(pages[0]);
	EXPECT_EQ(t, slots_in_use(pages[0]), kmap_nr_held());
	kunmap(pages[0]);
	EXPECT_EQ(t, 0, kmap_nr_held());
	give(1);
}

KTEST(kmap, a_page_mapped_again_before_the_flush_is_where_it_was)
{
	void *va;

	ASSERT_EQ(t, 1, take(1));
	va = kmap(pages[0]);
	kunmap(pages[0]);
	EXPECT_EQ(t, va, kmap(pages[0]));
	kunmap(pages[0]);
	give(1);
}

KTEST_NEEDS(kmap, the_address_of_a_highmem_page_is_set_by_kmap_and_cleared_by_the_flush,
	    .zones = KTEST_ZONE_HIGHMEM)
{
	void *va;

	ASSERT_EQ(t, 1, take(1));
	ASSERT_TRUE(t, PageHighMem(pages[0]));
	EXPECT_EQ(t, NULL, page_address(pages[0]));
	va = kmap(pages[0]);
	EXPECT_EQ(t, va, page_address(pages[0]));
	kunmap(pages[0]);
	EXPECT_EQ(t, va, page_address(pages[0]));
	kmap_flush_unused();
	EXPECT_EQ(t, NULL, page_address(pages[0]));
	give(1);
}

KTEST(kmap, the_address_of_a_flushed_slot_faults)
{
	unsigned long word;
	void *va;

	ASSERT_EQ(t, 1, take(1));
	va = kmap(pages[0]);
	EXPECT_EQ(t, 0, probe_read(va, &word));
	kunmap(pages[0]);
	kmap_flush_unused();
	if (slots_in_use(pages[0]))
		EXPECT_ERR(t, -EFAULT, probe_read(va, &word));
	give(1);
}

KTEST(kmap, a_flush_leaves_what_is_held)
{
	void *va;

	ASSERT_EQ(t, 1, take(1));
	va = kmap(pages[0]);
	*(uint32_t *)va = 17;
	kmap_flush_unused();
	EXPECT_EQ(t, 17, *(uint32_t *)va);
	EXPECT_EQ(t, 0, CONFIG_CHECK ? kmap_check() : 0);
	kunmap(pages[0]);
	give(1);
}

KTEST(kmap, more_pages_than_slots_can_be_mapped_one_after_the_other)
{
	unsigned long nr = take(NR_PAGES);

	for (unsigned long i = 0; i < nr; i++) {
		*(unsigned long *)kmap(pages[i]) = i;
		kunmap(pages[i]);
	}
	for (unsigned long i = 0; i < nr; i++) {
		unsigned long got;

		memcpy_from_page(&got, pages[i], 0, sizeof(got));
		if (got != i)
			EXPECT_EQ(t, i, got);
	}
	EXPECT_EQ(t, 0, kmap_nr_held());
	give(nr);
}

/* Pages that all have slots at a time; how many found one. */
static unsigned long hold(unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		if (!kmap(pages[i]))
			return i;
	return nr;
}

static void let_go(unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		kunmap(pages[i]);
}

static bool all_have_slots(unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		if (!slots_in_use(pages[i]))
			return false;
	return true;
}

KTEST(kmap, without_a_slot_the_result_is_null_and_one_report_names_the_holders)
{
	unsigned long nr = take(NR_PAGES), nr_held;
	struct capture *c;
	char line[64];

	if (nr == NR_PAGES && all_have_slots(nr)) {
		c = capture_begin();
		nr_held = hold(nr);
		capture_end(c);
		EXPECT_EQ(t, PKMAP_NR_PAGES, nr_held);
		EXPECT_EQ(t, PKMAP_NR_PAGES, kmap_nr_held());
		EXPECT_EQ(t, 1, capture_count(c, "kmap: no slot for pfn="));
		scnprintf(line, sizeof(line), ": %lu of %lu are held, nobody to wait for",
			  PKMAP_NR_PAGES, PKMAP_NR_PAGES);
		EXPECT_EQ(t, 1, capture_count(c, line));
		EXPECT_EQ(t, 1, capture_count(c, "kmap: held by="));
		scnprintf(line, sizeof(line), "slots=%lu", PKMAP_NR_PAGES);
		EXPECT_EQ(t, 1, capture_count(c, line));
		let_go(nr_held);
	}
	give(nr);
}

static unsigned int nr_waits;

static QAPI bool unmap_one(unsigned int ms)
{
	nr_waits += ms != 0;
	kunmap(pages[0]);
	return true;
}

KTEST(kmap, without_a_slot_it_waits_until_somebody_lets_one_go)
{
	static const struct env_hooks hooks = { .wait_for_memory = unmap_one };
	unsigned long nr = take(NR_PAGES);

	if (nr == NR_PAGES && all_have_slots(nr)) {
		EXPECT_EQ(t, PKMAP_NR_PAGES, hold(PKMAP_NR_PAGES));
		nr_waits = 0;
		env_set_hooks(&hooks);
		EXPECT_NE(t, NULL, kmap(pages[PKMAP_NR_PAGES]));
		env_set_hooks(NULL);
		EXPECT_EQ(t, 1, nr_waits);
		for (unsigned long i = 1; i < NR_PAGES; i++)
			kunmap(pages[i]);
	}
	give(nr);
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

	ASSERT_EQ(t, KMAP_LOCAL_SLOTS, take(KMAP_LOCAL_SLOTS));
	for (unsigned int i = 0; i < KMAP_LOCAL_SLOTS; i++) {
		va[i] = kmap_local_page(pages[i]);
		*va[i] = (char)i;
	}
	for (unsigned int i = KMAP_LOCAL_SLOTS; i-- > 0;) {
		EXPECT_EQ(t, (char)i, *va[i]);
		kunmap_local(va[i]);
	}
	give(KMAP_LOCAL_SLOTS);
}

KTEST(kmap_local, any_address_in_the_page_ends_the_mapping)
{
	char *va;

	ASSERT_EQ(t, 1, take(1));
	va = kmap_local_page(pages[0]);
	kunmap_local(va + PAGE_SIZE - 1);
	EXPECT_TRUE(t, env_can_sleep());
	give(1);
}

KTEST(kmap_local, an_address_that_is_used_too_long_faults)
{
	unsigned long word;
	void *va;

	ASSERT_EQ(t, 1, take(1));
	va = kmap_local_page(pages[0]);
	EXPECT_EQ(t, 0, probe_read(va, &word));
	kunmap_local(va);
	if (slots_in_use(pages[0]))
		EXPECT_ERR(t, -EFAULT, probe_read(va, &word));
	give(1);
}

KTEST(kmap_local, a_slot_shows_the_page_that_is_mapped_now_and_not_the_one_before)
{
	ASSERT_EQ(t, 2, take(2));
	for (unsigned int i = 0; i < 2; i++)
		memcpy_to_page(pages[i], 0, &i, sizeof(i));
	for (unsigned int round = 0; round < 4; round++) {
		unsigned int *va = kmap_atomic(pages[round % 2]);

		EXPECT_EQ(t, round % 2, *va);
		kunmap_atomic(va);
	}
	give(2);
}

KTEST(kmap_local, a_page_may_be_mapped_twice_and_by_kmap_too)
{
	uint32_t *shared, *first, *second;

	ASSERT_EQ(t, 1, take(1));
	shared = kmap(pages[0]);
	first = kmap_local_page(pages[0]);
	second = kmap_atomic(pages[0]);
	*shared = 4711;
	EXPECT_EQ(t, 4711, *first);
	EXPECT_EQ(t, 4711, *second);
	kunmap_atomic(second);
	kunmap_local(first);
	kunmap(pages[0]);
	give(1);
}

/* ---- contents ------------------------------------------------------------------------------- */

KTEST(highmem, a_cleared_page_is_zero_and_a_copied_one_the_same)
{
	ASSERT_EQ(t, 2, take(2));
	block_fill(pages[0], 0, 0xabcd0123);
	copy_highpage(pages[1], pages[0]);
	EXPECT_TRUE(t, block_holds(pages[1], 0, 0xabcd0123));
	clear_highpage(pages[0]);
	EXPECT_TRUE(t, block_is_zero(pages[0], 0));
	EXPECT_TRUE(t, block_holds(pages[1], 0, 0xabcd0123));
	give(2);
}

KTEST(highmem, zero_user_clears_its_part_and_no_more)
{
	unsigned char *va;

	ASSERT_EQ(t, 1, take(1));
	block_fill(pages[0], 0, 0x11111111);
	zero_user(pages[0], 100, 50);
	va = kmap_local_page(pages[0]);
	EXPECT_NE(t, 0, va[99]);
	EXPECT_EQ(t, NULL, memchr_inv(va + 100, 0, 50));
	EXPECT_NE(t, 0, va[150]);
	kunmap_local(va);
	give(1);
}

KTEST(highmem, bytes_written_to_the_end_of_a_page_are_read_back)
{
	char word[8];

	ASSERT_EQ(t, 1, take(1));
	memcpy_to_page(pages[0], PAGE_SIZE - 8, "fifteen", 8);
	memcpy_from_page(word, pages[0], PAGE_SIZE - 8, 8);
	EXPECT_STREQ(t, "fifteen", word);
	give(1);
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

	ASSERT_EQ(t, 1, take(1));
	va = kmap(pages[0]);
	if (in_pkmap(va)) {
		c = capture_begin();
		whatis_show(&out_console, (uintptr_t)va + 5);
		capture_end(c);
		EXPECT_EQ(t, 1, capture_count(c, "pkmap slot="));
		EXPECT_EQ(t, 1, capture_count(c, " count=2 pfn="));
		EXPECT_EQ(t, 1, capture_count(c, "page pfn="));
	}
	kunmap(pages[0]);
	give(1);
}

KTEST(kmap, a_random_walk_of_maps_and_unmaps_keeps_every_invariant)
{
	unsigned char count[WALK_PAGES] = { 0 };
	unsigned long nr = take(WALK_PAGES), steps = ktest_steps(t, 2000);

	ASSERT_EQ(t, WALK_PAGES, nr);
	for (unsigned long i = 0; i < nr; i++)
		zero_user(pages[i], 0, PAGE_SIZE);
	for (unsigned long step = 0; step < steps; step++) {
		unsigned int i = ktest_random_below(t, WALK_PAGES);

		if (count[i] && (count[i] == WALK_DEEP || ktest_random_below(t, 2))) {
			kunmap(pages[i]);
			count[i]--;
		} else {
			unsigned int *va = kmap(pages[i]);

			EXPECT_TRUE(t, !*va || *va == i);
			*va = i;
			count[i]++;
		}
		if (!ktest_random_below(t, 100))
			kmap_flush_unused();
	}
	EXPECT_EQ(t, 0, CONFIG_CHECK ? kmap_check() : 0);
	for (unsigned int i = 0; i < WALK_PAGES; i++)
		while (count[i]--)
			kunmap(pages[i]);
	give(nr);
}
