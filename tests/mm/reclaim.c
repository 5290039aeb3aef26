/*
 * reclaim.c - what a request does when there is nothing left: shrinkers, waiting, giving up.
 *
 * THEORY.  A test shrinker counts its calls and may give pages back from a hoard that holds the
 * whole machine.  The hooks of <quarry/env_hooks.h> stand in for the rest of the kernel: who would
 * wait, wake a thread or end one.
 *
 * CONTEXT.  One test at a time: the counters are static.
 */
#include "helpers.h"

#include <quarry/env.h>
#include <quarry/env_hooks.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/shrinker.h>

static struct {
	struct hoard *source;    /* shrink() gives pages back from here; NULL: it has none */
	unsigned int nr_give;    /* pages a call of shrink() gives at most */
	unsigned int nr_shrinks; /* calls of shrink() */
	gfp_t shrink_gfp;        /* what the last call was told */
	unsigned int nr_waits;   /* calls of wait_for_memory() */
	bool can_wait;           /* what it answers */
	unsigned int waits_for;  /* after so many waits a page is given back; 0: never */
	unsigned int nr_wakes;   /* calls of wake_reclaim() */
	unsigned int nr_ooms;    /* calls of out_of_memory() */
	unsigned int oom_order;  /* what the last one was told */
	gfp_t oom_gfp;
	bool oom_helps; /* out_of_memory() gives a page back */
} seen;

static QAPI unsigned long test_shrink(struct shrinker *s, unsigned long nr, gfp_t gfp)
{
	unsigned long given = 0;

	(void)s;
	seen.nr_shrinks++;
	seen.shrink_gfp = gfp;
	while (seen.source && given < seen.nr_give && given < nr && hoard_free_one(seen.source))
		given++;
	return given;
}

static QAPI bool test_wait(unsigned int ms)
{
	(void)ms;
	seen.nr_waits++;
	if (seen.waits_for && seen.nr_waits == seen.waits_for)
		hoard_free_one(seen.source);
	return seen.can_wait;
}

static QAPI void test_wake(void)
{
	seen.nr_wakes++;
}

static QAPI bool test_oom(gfp_t gfp, unsigned int order)
{
	seen.nr_ooms++;
	seen.oom_gfp = gfp;
	seen.oom_order = order;
	return seen.oom_helps && hoard_free_one(seen.source);
}

static const struct env_hooks test_hooks = {
	.wait_for_memory = test_wait,
	.wake_reclaim = test_wake,
	.out_of_memory = test_oom,
};

static struct shrinker test_shrinker = { .name = "test", .shrink = test_shrink };

/* From here to dry_end() the machine has no free page, and everybody who is asked counts. */
static void dry_begin(struct hoard *h)
{
	hoard_machine(h);
	__builtin_memset(&seen, 0, sizeof(seen));
	seen.source = h;
	shrinker_register(&test_shrinker);
	env_set_hooks(&test_hooks);
}

static void dry_end(struct hoard *h)
{
	env_set_hooks(NULL);
	shrinker_unregister(&test_shrinker);
	hoard_free(h);
}

/* One page of @gfp on the dry machine; it is given back; was there one? */
static bool got_page(gfp_t gfp)
{
	struct page *page = alloc_page(gfp | __GFP_NOWARN);

	if (page)
		__free_page(page);
	return page != NULL;
}

KTEST(reclaim, a_request_that_may_wait_is_served_by_a_shrinker)
{
	HOARD(h);
	bool got;

	dry_begin(&h);
	seen.nr_give = 64;
	got = got_page(T_GFP(t, GFP_KERNEL | __GFP_HIGHMEM | __GFP_MEMALLOC));
	dry_end(&h);
	EXPECT_TRUE(t, got);
	EXPECT_GE(t, 1, seen.nr_shrinks);
}

KTEST(reclaim, a_request_that_may_not_wait_asks_no_shrinker)
{
	HOARD(h);
	bool got;

	dry_begin(&h);
	seen.nr_give = 64;
	got = got_page(T_GFP(t, GFP_ATOMIC));
	got |= got_page(T_GFP(t, GFP_NOWAIT));
	dry_end(&h);
	EXPECT_FALSE(t, got);
	EXPECT_EQ(t, 0, seen.nr_shrinks);
	EXPECT_EQ(t, 0, seen.nr_waits);
	EXPECT_EQ(t, 0, seen.nr_ooms);
}

KTEST(reclaim, noretry_reclaims_once_and_neither_waits_nor_ends_anybody)
{
	HOARD(h);
	bool got;

	dry_begin(&h);
	got = got_page(T_GFP(t, GFP_KERNEL | __GFP_NORETRY));
	dry_end(&h);
	EXPECT_FALSE(t, got);
	EXPECT_EQ(t, 1, seen.nr_shrinks);
	EXPECT_EQ(t, 0, seen.nr_waits);
	EXPECT_EQ(t, 0, seen.nr_ooms);
}

KTEST(reclaim, repeat_reclaims_for_as_many_rounds_as_gfp_h_says)
{
	unsigned int plain;
	HOARD(h);

	dry_begin(&h);
	seen.can_wait = true;
	EXPECT_FALSE(t, got_page(GFP_KERNEL));
	plain = seen.nr_shrinks;
	seen.nr_shrinks = 0;
	EXPECT_FALSE(t, got_page(T_GFP(t, GFP_KERNEL | __GFP_REPEAT)));
	dry_end(&h);
	EXPECT_TRUE(t, plain < GFP_REPEAT_ROUNDS);
	EXPECT_EQ(t, GFP_REPEAT_ROUNDS, seen.nr_shrinks);
}

KTEST(reclaim, repeat_waits_between_rounds_and_gives_up_where_nobody_can_be_waited_for)
{
	HOARD(h);

	dry_begin(&h);
	EXPECT_FALSE(t, got_page(GFP_KERNEL | __GFP_REPEAT));
	EXPECT_EQ(t, 1, seen.nr_waits);
	seen.can_wait = true;
	EXPECT_FALSE(t, got_page(GFP_KERNEL | __GFP_REPEAT));
	EXPECT_EQ(t, 1 + GFP_REPEAT_ROUNDS, seen.nr_waits);
	dry_end(&h);
}

KTEST(reclaim, shrinkers_see_whether_the_request_allows_io_and_file_systems)
{
	static const gfp_t asked[] = { GFP_NOIO, GFP_NOFS, GFP_KERNEL };
	HOARD(h);

	dry_begin(&h);
	for (unsigned int i = 0; i < 3; i++) {
		got_page(T_GFP(t, asked[i] | __GFP_NORETRY));
		EXPECT_EQ(t, asked[i], seen.shrink_gfp & (__GFP_WAIT | __GFP_IO | __GFP_FS));
	}
	dry_end(&h);
}

KTEST(reclaim, a_shrinker_that_left_is_not_asked_again)
{
	HOARD(h);

	dry_begin(&h);
	shrinker_unregister(&test_shrinker);
	got_page(GFP_KERNEL);
	EXPECT_EQ(t, 0, seen.nr_shrinks);
	shrinker_register(&test_shrinker);
	got_page(GFP_KERNEL);
	EXPECT_GE(t, 1, seen.nr_shrinks);
	dry_end(&h);
}

KTEST(reclaim, a_shrinker_needs_no_more_than_its_name_and_its_function)
{
	struct shrinker s;
	HOARD(h);

	__builtin_memset(&s, 0xFF, sizeof(s));
	s.name = "from the stack";
	s.shrink = test_shrink;
	dry_begin(&h);
	shrinker_unregister(&test_shrinker);
	shrinker_register(&s);
	EXPECT_FALSE(t, got_page(GFP_KERNEL));
	EXPECT_GE(t, 1, seen.nr_shrinks);
	shrinker_unregister(&s);
	shrinker_register(&test_shrinker);
	dry_end(&h);
}

KTEST(reclaim, a_thread_that_frees_memory_does_not_reclaim_itself)
{
	HOARD(h);

	dry_begin(&h);
	env_current()->flags |= PF_MEMALLOC;
	EXPECT_FALSE(t, got_page(GFP_KERNEL));
	env_current()->flags &= ~PF_MEMALLOC;
	dry_end(&h);
	EXPECT_EQ(t, 0, seen.nr_shrinks);
}

KTEST(reclaim, the_out_of_memory_hook_learns_flags_and_order)
{
	HOARD(h);

	dry_begin(&h);
	EXPECT_EQ(t, NULL, alloc_pages(GFP_KERNEL | __GFP_NOWARN, 2));
	dry_end(&h);
	EXPECT_GE(t, 1, seen.nr_ooms);
	EXPECT_EQ(t, 2, seen.oom_order);
	EXPECT_EQ(t, GFP_KERNEL, seen.oom_gfp & GFP_KERNEL);
}

KTEST(reclaim, a_request_is_served_when_the_out_of_memory_hook_helped)
{
	HOARD(h);
	bool got;

	dry_begin(&h);
	seen.oom_helps = true;
	got = got_page(GFP_KERNEL | __GFP_HIGHMEM | __GFP_MEMALLOC);
	dry_end(&h);
	EXPECT_TRUE(t, got);
	EXPECT_EQ(t, 1, seen.nr_ooms);
}

KTEST(reclaim, a_request_that_must_not_fail_waits_until_there_is_a_page)
{
	HOARD(h);
	bool got;

	dry_begin(&h);
	seen.can_wait = true;
	seen.waits_for = 5;
	got = got_page(T_GFP(t, GFP_KERNEL | __GFP_HIGHMEM | __GFP_MEMALLOC | __GFP_NOFAIL));
	dry_end(&h);
	EXPECT_TRUE(t, got);
	EXPECT_EQ(t, 5, seen.nr_waits);
}

KTEST(reclaim, the_background_thread_is_woken_below_the_low_watermark)
{
	HOARD(h);

	__builtin_memset(&seen, 0, sizeof(seen));
	env_set_hooks(&test_hooks);
	got_page(GFP_NOWAIT | __GFP_HIGHMEM);
	EXPECT_EQ(t, 0, seen.nr_wakes);
	hoard_everything(&h, GFP_NOWAIT | __GFP_HIGHMEM);
	env_set_hooks(NULL);
	EXPECT_GE(t, 1, seen.nr_wakes);
	hoard_free(&h);
}

KTEST(reclaim, requests_for_this_node_only_do_not_wake_the_background_thread)
{
	HOARD(h);

	dry_begin(&h);
	EXPECT_FALSE(t, got_page(T_GFP(t, GFP_THISNODE)));
	EXPECT_EQ(t, 0, seen.nr_wakes);
	EXPECT_FALSE(t, got_page(GFP_NOWAIT));
	EXPECT_GE(t, 1, seen.nr_wakes);
	dry_end(&h);
}

KTEST(reclaim, background_reclaim_brings_each_zone_above_its_high_watermark)
{
	struct zone *z;
	unsigned long freed;
	HOARD(h);

	dry_begin(&h);
	seen.nr_give = 256;
	freed = reclaim_background();
	mm_quiesce();
	for_each_zone(z)
		if (z->nr_managed)
			EXPECT_GE(t, z->watermark[WMARK_HIGH], z->nr_free);
	EXPECT_GE(t, zones[ZONE_DMA].watermark[WMARK_HIGH], freed);
	dry_end(&h);
}

KTEST(reclaim, background_reclaim_ends_when_shrinkers_have_nothing_left)
{
	HOARD(h);

	dry_begin(&h);
	seen.source = NULL;
	EXPECT_EQ(t, 0, reclaim_background());
	dry_end(&h);
	EXPECT_GE(t, 1, seen.nr_shrinks);
}

KTEST(reclaim, background_reclaim_does_nothing_while_there_is_enough)
{
	__builtin_memset(&seen, 0, sizeof(seen));
	shrinker_register(&test_shrinker);
	EXPECT_EQ(t, 0, reclaim_background());
	shrinker_unregister(&test_shrinker);
	EXPECT_EQ(t, 0, seen.nr_shrinks);
}

/* ---- shrinkers that allocate ----------------------------------------------------------------- */

static struct {
	unsigned int depth, deepest; /* calls inside calls */
	bool got;                    /* its own request was served */
} greedy;

static QAPI unsigned long greedy_shrink(struct shrinker *s, unsigned long nr, gfp_t gfp)
{
	(void)s;
	(void)nr;
	(void)gfp;
	greedy.depth++;
	if (greedy.depth > greedy.deepest)
		greedy.deepest = greedy.depth;
	if (greedy.depth < 3)
		greedy.got |= got_page(GFP_KERNEL);
	greedy.depth--;
	return 0;
}

KTEST(reclaim, a_shrinker_may_use_the_reserves_and_does_not_start_another_round)
{
	static struct shrinker s = { .name = "greedy", .shrink = greedy_shrink };
	bool got;
	HOARD(h);

	/* What is left is below every min watermark. */
	hoard_everything(&h, GFP_NOWAIT | __GFP_HIGHMEM);
	hoard_everything(&h, GFP_NOWAIT);
	__builtin_memset(&greedy, 0, sizeof(greedy));
	shrinker_register(&s);
	got = got_page(GFP_KERNEL);
	shrinker_unregister(&s);
	hoard_free(&h);
	EXPECT_FALSE(t, got);
	EXPECT_TRUE(t, greedy.got);
	EXPECT_EQ(t, 1, greedy.deepest);
}

KTEST(reclaim, a_round_of_reclaim_empties_the_per_cpu_lists)
{
	struct mm_account before, after;
	unsigned int nr = 0;
	HOARD(h);

	dry_begin(&h);
	/* A small zone has no lists: go on to one that has. */
	do {
		hoard_free_one(&h);
		mm_account(&before);
	} while (++nr < 100 && !before.nr_pcp);
	seen.source = NULL;
	EXPECT_EQ(t, 0, reclaim_background());
	mm_account(&after);
	dry_end(&h);
	EXPECT_EQ(t, lists_in_use(), before.nr_pcp >= 1);
	EXPECT_EQ(t, 0, after.nr_pcp);
	EXPECT_EQ(t, nr, after.nr_free);
}

static unsigned int nr_drains;

static QAPI void count_drain(void)
{
	nr_drains++;
}

KTEST(reclaim, mm_quiesce_calls_each_drain_hook_once)
{
	static struct drain_hook hook = { .drain = count_drain };
	static bool registered;
	unsigned int nr_before;

	/* It stays: register it once, however often the test runs. */
	if (!registered)
		drain_register(&hook);
	registered = true;
	nr_before = nr_drains;
	mm_quiesce();
	EXPECT_EQ(t, nr_before + 1, nr_drains);
}
