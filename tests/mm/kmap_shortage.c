/*
 * kmap_shortage.c - kmap() when slots are scarce: rounds, the last free slot, none at all.
 *
 * THEORY.  What can go wrong with slots goes wrong where they end: in the first and the last one,
 * in the round after the last one, and when all are held.  Where not enough pages have slots, there
 * is nothing to be short of.
 *
 * STATE.  The pages of kmap_pages.h; what a hook did.
 */
#include <quarry/align.h>
#include <quarry/config.h>
#include <quarry/env.h>
#include <quarry/env_hooks.h>
#include <quarry/highmem.h>
#include <quarry/out.h>
#include <quarry/port.h>

#include "helpers.h"
#include "kmap_pages.h"

#define ALL    PKMAP_NR_PAGES
#define ROUNDS 3u

static unsigned long number_at(const void *va)
{
	return *(const unsigned long *)va;
}

/* ---- rounds --------------------------------------------------------------------------------- */

KTEST(kmap, every_slot_from_the_first_to_the_last_is_given_once)
{
	uintptr_t lowest = UINTPTR_MAX, highest = 0, sum = 0;

	if (!kmap_pages_take_all())
		return;
	for (unsigned long i = 0; i < ALL; i++) {
		uintptr_t va = (uintptr_t)kmap(kmap_pages[i]);

		lowest = min(lowest, va);
		highest = max(highest, va);
		sum += (va - PKMAP_START) >> PAGE_SHIFT;
	}
	EXPECT_EQ(t, PKMAP_START, lowest);
	EXPECT_EQ(t, PKMAP_START + (ALL - 1) * PAGE_SIZE, highest);
	EXPECT_EQ(t, ALL * (ALL - 1) / 2, sum);
	EXPECT_EQ(t, 0, CONFIG_CHECK ? kmap_check() : 0);
	kmap_pages_let_go(0, ALL);
	kmap_pages_give(NR_KMAP_PAGES);
}

KTEST(kmap, a_held_page_stays_where_it_is_while_rounds_go_by)
{
	void *va;

	if (!kmap_pages_take_all())
		return;
	kmap_pages_number(NR_KMAP_PAGES);
	va = kmap(kmap_pages[0]);
	for (unsigned long i = 1; i < ROUNDS * NR_KMAP_PAGES; i++) {
		unsigned long k = 1 + i % ALL;

		EXPECT_TRUE(t, number_at(kmap(kmap_pages[k])) == k);
		kunmap(kmap_pages[k]);
	}
	EXPECT_EQ(t, va, kmap(kmap_pages[0]));
	EXPECT_EQ(t, 0, number_at(va));
	kmap_pages_let_go(0, 1);
	kmap_pages_let_go(0, 1);
	kmap_pages_give(NR_KMAP_PAGES);
}

KTEST_NEEDS(kmap, a_page_that_nobody_holds_loses_its_address_when_the_round_is_over,
	    .zones = KTEST_ZONE_HIGHMEM)
{
	if (!kmap_pages_take_all())
		return;
	kmap_flush_unused();
	kunmap((kmap(kmap_pages[0]), kmap_pages[0]));
	for (unsigned long i = 1; i < ALL; i++)
		kunmap((kmap(kmap_pages[i]), kmap_pages[i]));
	EXPECT_NE(t, NULL, page_address(kmap_pages[0]));
	kunmap((kmap(kmap_pages[ALL]), kmap_pages[ALL]));
	EXPECT_EQ(t, NULL, page_address(kmap_pages[0]));
	EXPECT_NE(t, NULL, page_address(kmap_pages[ALL]));
	kmap_pages_give(NR_KMAP_PAGES);
}

KTEST(kmap, with_all_but_one_slot_held_that_one_serves_page_after_page)
{
	void *va = NULL;

	if (!kmap_pages_take_all())
		return;
	kmap_pages_number(NR_KMAP_PAGES);
	kmap_pages_hold(ALL - 1);
	for (unsigned long i = 0; i < 8; i++) {
		unsigned long k = ALL - 1 + i % 2;
		void *here = kmap(kmap_pages[k]);

		ASSERT_NE(t, NULL, here);
		EXPECT_TRUE(t, !va || va == here);
		EXPECT_EQ(t, k, number_at(here));
		va = here;
		kunmap(kmap_pages[k]);
	}
	kmap_pages_let_go(0, ALL - 1);
	kmap_pages_give(NR_KMAP_PAGES);
}

KTEST(kmap, a_thousand_users_of_a_page_have_one_slot)
{
	ASSERT_EQ(t, 1, kmap_pages_take(1));
	for (unsigned int i = 0; i < 1000; i++)
		EXPECT_TRUE(t, kmap(kmap_pages[0]) != NULL);
	EXPECT_EQ(t, kmap_needs_slot(kmap_pages[0]), kmap_nr_held());
	for (unsigned int i = 0; i < 1000; i++)
		kunmap(kmap_pages[0]);
	EXPECT_EQ(t, 0, kmap_nr_held());
	kmap_pages_give(1);
}

KTEST(kmap, kunmap_may_be_called_with_interrupts_off)
{
	unsigned long flags;

	ASSERT_EQ(t, 1, kmap_pages_take(1));
	EXPECT_NE(t, NULL, kmap(kmap_pages[0]));
	flags = irq_save();
	kunmap(kmap_pages[0]);
	irq_restore(flags);
	EXPECT_EQ(t, 0, kmap_nr_held());
	kmap_pages_give(1);
}

KTEST(kmap, who_takes_an_unused_slot_again_is_its_holder)
{
	struct capture *c;

	ASSERT_EQ(t, 1, kmap_pages_take(1));
	if (kmap_needs_slot(kmap_pages[0])) {
		kmap_pages_hold(1);
		kunmap(kmap_pages[0]);
		EXPECT_NE(t, NULL, kmap(kmap_pages[0]));
		c = capture_begin();
		pkmap_show(&out_console);
		capture_end(c);
		EXPECT_EQ(t, 0, capture_count(c, " by=kmap_pages_hold+0x"));
		EXPECT_EQ(t, 1, capture_count(c, " by=ktest_"));
		kunmap(kmap_pages[0]);
	}
	kmap_pages_give(1);
}

/* ---- none ----------------------------------------------------------------------------------- */

static __noinline unsigned long hold_some(unsigned long from, unsigned long to)
{
	unsigned long i = from;

	while (i < to && kmap(kmap_pages[i]))
		i++;
	return i - from;
}

KTEST(kmap, without_a_slot_the_result_is_null_and_one_report_names_the_holders)
{
	struct capture *c;
	unsigned long nr;
	char text[64];

	if (!kmap_pages_take_all())
		return;
	EXPECT_EQ(t, 24, kmap_pages_hold(24));
	c = capture_begin();
	nr = hold_some(24, NR_KMAP_PAGES);
	capture_end(c);
	EXPECT_EQ(t, ALL - 24, nr);
	EXPECT_EQ(t, ALL, kmap_nr_held());
	EXPECT_EQ(t, 1, capture_count(c, "kmap: no slot for pfn="));
	scnprintf(text, sizeof(text), ": %lu of %lu are held, nobody to wait for", ALL, ALL);
	EXPECT_EQ(t, 1, capture_count(c, text));
	EXPECT_EQ(t, 2, capture_count(c, "kmap: held by="));
	EXPECT_EQ(t, 1, capture_count(c, "kmap: held by=kmap_pages_hold+0x"));
	EXPECT_EQ(t, 1, capture_count(c, " slots=24\n"));
	EXPECT_EQ(t, 1, capture_count(c, "kmap: held by=hold_some"));
	scnprintf(text, sizeof(text), " slots=%lu\n", ALL - 24);
	EXPECT_EQ(t, 1, capture_count(c, text));
	EXPECT_EQ(t, 0, CONFIG_CHECK ? kmap_check() : 0);
	kmap_pages_let_go(0, ALL);
	kmap_pages_give(NR_KMAP_PAGES);
}

KTEST(kmap, a_page_that_has_a_slot_needs_none_when_all_are_held)
{
	void *va;

	if (!kmap_pages_take_all())
		return;
	kmap_pages_hold(ALL);
	va = kmap(kmap_pages[ALL - 1]);
	EXPECT_TRUE(t, in_pkmap(va));
	kunmap(kmap_pages[ALL - 1]);
	EXPECT_EQ(t, ALL, kmap_nr_held());
	kmap_pages_let_go(0, ALL);
	kmap_pages_give(NR_KMAP_PAGES);
}

KTEST(kmap, after_one_kunmap_the_next_kmap_has_its_slot)
{
	struct capture *c;
	void *va, *here;

	if (!kmap_pages_take_all())
		return;
	kmap_pages_number(NR_KMAP_PAGES);
	kmap_pages_hold(ALL);
	va = kmap(kmap_pages[5]);
	kunmap(kmap_pages[5]);
	c = capture_begin();
	EXPECT_EQ(t, NULL, kmap(kmap_pages[ALL]));
	capture_end(c);
	kunmap(kmap_pages[5]);
	here = kmap(kmap_pages[ALL]);
	EXPECT_EQ(t, va, here);
	EXPECT_EQ(t, ALL, here ? number_at(here) : 0);
	kmap_pages_let_go(0, 5);
	kmap_pages_let_go(6, NR_KMAP_PAGES);
	kmap_pages_give(NR_KMAP_PAGES);
}

/* ---- waiting -------------------------------------------------------------------------------- */

static struct {
	unsigned int nr, until; /* waits so far, and before somebody lets go */
	unsigned int nr_bad;
} waits;

static QAPI bool wait(unsigned int ms)
{
	waits.nr++;
	waits.nr_bad += !ms || !env_can_sleep();
	if (waits.nr == waits.until)
		kunmap(kmap_pages[0]);
	return true;
}

/* kmap() with all slots held; somebody lets one go in the @until-th wait. */
static void *kmap_waiting(unsigned int until)
{
	static const struct env_hooks hooks = { .wait_for_memory = wait };
	void *va;

	waits.nr = waits.nr_bad = 0;
	waits.until = until;
	env_set_hooks(&hooks);
	va = kmap(kmap_pages[ALL]);
	env_set_hooks(NULL);
	return va;
}

KTEST(kmap, without_a_slot_it_waits_until_somebody_lets_one_go)
{
	if (!kmap_pages_take_all())
		return;
	kmap_pages_number(NR_KMAP_PAGES);
	for (unsigned int until = 1; until <= 5; until += 4) {
		void *va;

		EXPECT_EQ(t, ALL, kmap_pages_hold(ALL));
		va = kmap_waiting(until);
		EXPECT_EQ(t, ALL, va ? number_at(va) : 0);
		EXPECT_EQ(t, until, waits.nr);
		EXPECT_EQ(t, 0, waits.nr_bad);
		kmap_pages_let_go(1, NR_KMAP_PAGES);
	}
	kmap_pages_give(NR_KMAP_PAGES);
}
