/*
 * va_range.c - tests of address ranges: where they are placed, and what a search looks at.
 *
 * THEORY.  Spaces of made-up addresses; nothing is mapped.  Placement is compared with a model that
 * tries every place from the lowest (va_model.c): what it finds is the definition.
 * va_range_check() runs after every step; in the long walk, once the space is full, at intervals:
 * what is broken stays so, and the place of each range, and the neighbours of each one that was
 * touched, are compared at every step.
 */
#include "../../../mm/va_range.h"

#include <quarry/align.h>
#include <quarry/errno.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/sizes.h>
#include <quarry/string.h>

#include "va_model.h"

#define P PAGE_SIZE

/* Neither end is a multiple of more than a page. */
#define START ((uintptr_t)(0xe0000000ul + 3 * P))

static struct va_space space;
static struct va_range ranges[384];

/* ranges[@i], of @size bytes, is placed at @want. */
static void expect_at(struct ktest *t, unsigned int i, uintptr_t want, size_t size, size_t align,
		      size_t guard)
{
	ASSERT_EQ(t, 0, va_range_reserve(&space, &ranges[i], size, align, guard));
	EXPECT_EQ(t, want, ranges[i].start);
	EXPECT_EQ(t, want + size, ranges[i].end);
	EXPECT_EQ(t, 0, va_range_check(&space));
}

static void release(struct ktest *t, unsigned int i)
{
	ASSERT_EQ(t, &ranges[i], va_range_find(&space, ranges[i].start));
	va_range_release(&space, &ranges[i]);
	EXPECT_EQ(t, 0, va_range_check(&space));
}

/* The request is refused with @err, and changes nothing. */
static void expect_refused(struct ktest *t, int err, size_t size, size_t align, size_t guard)
{
	struct va_range r;
	unsigned long nr = space.nr;
	int got = va_range_reserve(&space, &r, size, align, guard);

	EXPECT_EQ(t, err, got);
	if (!got)
		va_range_release(&space, &r);
	EXPECT_EQ(t, nr, space.nr);
	EXPECT_EQ(t, 0, va_range_check(&space));
}

/* ---- boundaries ----------------------------------------------------------------------------- */

KTEST(va_range, a_space_of_one_page_holds_one_page)
{
	va_space_init(&space, START, START + P);
	EXPECT_EQ(t, P, va_space_largest_hole(&space, 0));
	expect_refused(t, -ENOSPC, 2 * P, P, 0);
	expect_at(t, 0, START, P, P, 0);
	EXPECT_EQ(t, 0, va_space_largest_hole(&space, 0));
	expect_refused(t, -ENOSPC, P, P, 0);
	release(t, 0);
	expect_at(t, 1, START, P, P, P);
	release(t, 1);
	EXPECT_EQ(t, 0, space.nr);
}

KTEST(va_range, a_range_may_be_as_large_as_the_space_whatever_its_guard)
{
	va_space_init(&space, START, START + 100 * P);
	EXPECT_EQ(t, 100 * P, va_space_largest_hole(&space, P));
	expect_refused(t, -ENOSPC, 101 * P, P, P);
	expect_at(t, 0, START, 100 * P, P, P);
	expect_refused(t, -ENOSPC, P, P, 0);
	release(t, 0);
	expect_at(t, 0, START, 100 * P, 1, ALIGN_DOWN(SIZE_MAX, P));
	release(t, 0);
}

KTEST(va_range, a_request_that_makes_no_sense_is_refused_and_changes_nothing)
{
	va_space_init(&space, START, START + 100 * P);
	expect_refused(t, -EINVAL, 0, P, P);
	expect_refused(t, -EINVAL, P + 1, P, P);
	expect_refused(t, -EINVAL, P, 0, P);
	expect_refused(t, -EINVAL, P, 3 * P, P);
	expect_refused(t, -EINVAL, P, P, 1);
	expect_refused(t, -ENOSPC, ALIGN_DOWN(SIZE_MAX, P), P, P);
	expect_refused(t, -ENOSPC, P, 1ul << 31, P);
}

KTEST(va_range, a_guard_is_nobody_elses_and_is_cut_at_the_end_of_the_space)
{
	va_space_init(&space, START, START + 10 * P);
	expect_at(t, 0, START, 2 * P, P, 3 * P);
	expect_at(t, 1, START + 5 * P, P, P, 0);
	expect_at(t, 2, START + 6 * P, 3 * P, P, 2 * P); /* one page is left of the guard */
	expect_refused(t, -ENOSPC, P, P, 0);
	EXPECT_EQ(t, START + 10 * P, ranges[2].grip_end);
	release(t, 2);
	expect_at(t, 2, START + 6 * P, 3 * P, P, 0);
	expect_at(t, 3, START + 9 * P, P, P, P);
}

KTEST(va_range, a_hole_takes_what_fits_exactly_and_not_a_page_more)
{
	va_space_init(&space, START, START + 100 * P);
	for (unsigned int i = 0; i < 5; i++)
		expect_at(t, i, START + i * 5 * P, 4 * P, P, P);
	release(t, 1);
	EXPECT_EQ(t, START + 25 * P, space.tail);
	expect_refused(t, -ENOSPC, ALIGN_DOWN(SIZE_MAX, P), P, 2 * P); /* the sum wraps */
	expect_at(t, 5, START + 25 * P, 5 * P, P, P); /* with its guard, a page too large */
	expect_at(t, 6, START + 5 * P, 4 * P, P, P);
	release(t, 6);
	expect_at(t, 6, START + 5 * P, 5 * P, P, 0);
	release(t, 6);
	release(t, 2);
	expect_at(t, 7, START + 5 * P, 9 * P, P, P); /* two holes and a guard became one */
}

KTEST(va_range, the_lowest_hole_is_taken_not_the_best)
{
	va_space_init(&space, START, START + 100 * P);
	for (unsigned int i = 0; i < 6; i++)
		expect_at(t, i, START + (i * (i + 1) / 2 + i) * P, (i + 1) * P, P, P);
	release(t, 4);
	release(t, 2);
	expect_at(t, 6, START + 5 * P, 2 * P, P, P);
	expect_at(t, 7, START + 14 * P, P, P, P); /* the page left of range 2 had no guard */
	release(t, 0);
	expect_at(t, 0, START, P, P, P);
}

KTEST(va_range, the_largest_hole_is_what_can_be_reserved_and_no_more)
{
	va_space_init(&space, START, START + 64 * P);
	for (unsigned int i = 0; i < 6; i++)
		expect_at(t, i, START + i * 10 * P, 9 * P, P, P);
	EXPECT_EQ(t, 4 * P, va_space_largest_hole(&space, P)); /* the last hole, without guard */
	release(t, 2);
	EXPECT_EQ(t, 9 * P, va_space_largest_hole(&space, P));
	EXPECT_EQ(t, 10 * P, va_space_largest_hole(&space, 0));
	EXPECT_EQ(t, 4 * P, va_space_largest_hole(&space, 10 * P));
	expect_refused(t, -ENOSPC, 10 * P, P, P);
	expect_at(t, 6, START + 20 * P, 9 * P, P, P);
}

/* ---- alignment, windows, searching -------------------------------------------------------- */

KTEST(va_range, every_alignment_up_to_16_mib_is_kept)
{
	const uintptr_t base = ALIGN_DOWN(START, 16 * MiB);

	va_space_init(&space, START, START + 64 * MiB);
	for (unsigned int i = 12; i >= 2; i--) /* each below the one before */
		expect_at(t, i, base + (P << i), P, P << i, P);
}

KTEST(va_range, a_hole_that_is_large_enough_but_lies_badly_is_passed_over)
{
	const uintptr_t base = ALIGN_DOWN(START, 4 * MiB);

	va_space_init(&space, START, base + 32 * MiB);
	expect_at(t, 0, START, 4 * MiB, P, P); /* to 4 MiB and 3 pages, and the guard */
	expect_at(t, 1, base + 4 * MiB + 4 * P, 2 * MiB, P, P);
	expect_at(t, 2, base + 6 * MiB + 5 * P, 4 * MiB, P, P);
	expect_at(t, 3, base + 10 * MiB + 6 * P, P, P, P);
	release(t, 2);
	release(t, 0);
	/* Both holes have 4 MiB and a page, but from a multiple of 4 MiB 4 pages and 2 MiB. */
	expect_at(t, 4, base + 12 * MiB, 4 * MiB, 4 * MiB, P);
	expect_at(t, 5, base + 8 * MiB, 2 * MiB, 4 * MiB, 6 * P);
	expect_at(t, 6, base + 4 * MiB, 2 * P, 4 * MiB, 2 * P);
}

KTEST(va_range, no_place_is_found_beyond_the_end_of_the_address_space)
{
	const uintptr_t end = 0 - (uintptr_t)P; /* the last page of all is never in a space */

	va_space_init(&space, end - 4 * MiB, end);
	expect_at(t, 0, end - 4 * MiB, P, P, 0);
	expect_at(t, 1, end - 4 * MiB + P, P, 4 * MiB, P);
	expect_refused(t, -ENOSPC, P, 4 * MiB, P);
	expect_refused(t, -ENOSPC, P, 8 * MiB, P);
	expect_at(t, 2, end - 4 * MiB + 3 * P, 4 * MiB - 3 * P, P, P);
}

/* ranges[@i], of @size bytes and with a guard of a page, is placed at @want; 0: refused. */
static void expect_within(struct ktest *t, unsigned int i, uintptr_t want, size_t size,
			  uintptr_t low, uintptr_t high)
{
	int err = va_range_reserve_within(&space, &ranges[i], size, P, P, low, high);

	EXPECT_EQ(t, want ? 0 : -ENOSPC, err);
	if (!err) {
		EXPECT_EQ(t, want, ranges[i].start);
		if (!want)
			va_range_release(&space, &ranges[i]);
	}
	EXPECT_EQ(t, 0, va_range_check(&space));
}

KTEST(va_range, a_window_bounds_the_range_but_not_its_guard)
{
	va_space_init(&space, START, START + 100 * P);
	expect_within(t, 0, START + 20 * P, 4 * P, START + 20 * P, START + 24 * P);
	expect_within(t, 1, 0, P, START + 20 * P, START + 25 * P); /* the guard */
	expect_within(t, 1, START + 25 * P, P, START + 20 * P, START + 26 * P);
	expect_within(t, 2, 0, 2 * P, START + 18 * P, START + 25 * P); /* ranges[0] is there */
	expect_within(t, 2, START + 10 * P, 2 * P, START + 9 * P + 1, START + 20 * P);
	expect_within(t, 3, START, 9 * P, 0, UINTPTR_MAX);
	expect_within(t, 4, 0, P, START + 30 * P, START + 30 * P);
	expect_within(t, 4, 0, P, START + 40 * P, START + 30 * P);
	expect_within(t, 4, 0, P, START + 100 * P, UINTPTR_MAX);
	expect_within(t, 4, 0, P, 0, START + P - 1);
	expect_within(t, 4, START + 99 * P, P, START + 99 * P, UINTPTR_MAX);
}

KTEST(va_range, an_address_is_found_in_its_range_but_not_in_its_guard)
{
	const struct va_range *r;
	unsigned int i = 0;

	va_space_init(&space, START, START + 100 * P);
	EXPECT_EQ(t, NULL, va_range_find(&space, START));
	EXPECT_EQ(t, NULL, va_range_first(&space));
	for (; i < 10; i++)
		expect_at(t, i, START + i * 4 * P, 3 * P, P, P);
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(t, &ranges[i], va_range_find(&space, ranges[i].start));
		EXPECT_EQ(t, &ranges[i], va_range_find(&space, ranges[i].end - 1));
		EXPECT_EQ(t, NULL, va_range_find(&space, ranges[i].end));
		EXPECT_EQ(t, NULL, va_range_find(&space, ranges[i].start - 1));
	}
	EXPECT_EQ(t, NULL, va_range_find(&space, 0));
	EXPECT_EQ(t, NULL, va_range_find(&space, UINTPTR_MAX));
	i = 0;
	for (r = va_range_first(&space); r; r = va_range_next(r))
		EXPECT_EQ(t, &ranges[i++], r);
	EXPECT_EQ(t, 10, i);
}

KTEST(va_range, a_range_that_absorbs_the_next_one_has_its_addresses_and_its_guard)
{
	va_space_init(&space, START, START + 100 * P);
	for (unsigned int i = 0; i < 5; i++)
		expect_at(t, i, START + i * 4 * P, 3 * P, P, P);
	va_range_absorb(&space, &ranges[1], &ranges[2]);
	EXPECT_EQ(t, 0, va_range_check(&space));
	EXPECT_EQ(t, 4, space.nr);
	EXPECT_EQ(t, START + 4 * P, ranges[1].start);
	EXPECT_EQ(t, START + 11 * P, ranges[1].end);
	EXPECT_EQ(t, START + 12 * P, ranges[1].grip_end);
	EXPECT_EQ(t, 0, ranges[2].end);
	EXPECT_EQ(t, &ranges[1], va_range_find(&space, START + 8 * P));
	va_range_absorb(&space, &ranges[3], &ranges[4]); /* the last */
	EXPECT_EQ(t, 0, va_range_check(&space));
	release(t, 1);
	expect_at(t, 5, START + 4 * P, 8 * P, P, 0);
	release(t, 3);
	expect_at(t, 6, START + 12 * P, 88 * P, P, P);
}

KTEST(va_range, the_first_request_for_an_alignment_finds_what_was_there_before_it)
{
	va_space_init(&space, START, START + 100 * P);
	for (unsigned int i = 0; i < 20; i++)
		expect_at(t, i, START + i * 5 * P, 4 * P, P, P);
	for (unsigned int i = 1; i < 20; i += 3)
		release(t, i);
	EXPECT_EQ(t, 1, space.nr_rooms);
	/* START is an odd page, 3 of 8: the hole of ranges[1] begins at one that is a multiple. */
	expect_at(t, 20, START + 5 * P, 4 * P, 8 * P, P);
	EXPECT_EQ(t, VA_NR_ALIGNS, space.nr_rooms);
	expect_at(t, 21, START + 20 * P + P, 3 * P, 4 * P, P);
}

KTEST(va_range, the_validator_finds_what_is_broken)
{
	va_space_init(&space, START, START + 100 * P);
	for (unsigned int i = 0; i < 10; i++)
		expect_at(t, i, START + i * 4 * P, 3 * P, P, P);
	release(t, 4);
	ranges[3].end++;
	EXPECT_EQ(t, 1, va_range_check(&space)); /* V1 */
	ranges[3].end--;
	ranges[3].end -= P / 2;
	EXPECT_EQ(t, 1, va_range_check(&space)); /* V1 */
	ranges[3].end += P / 2;
	ranges[9].hole -= P;
	EXPECT_GE(t, 1, va_range_check(&space)); /* V2 */
	ranges[9].hole += P;
	space.tail += P;
	EXPECT_EQ(t, 1, va_range_check(&space)); /* V3 */
	space.tail -= P;
	ranges[5].room[0]++;
	EXPECT_GE(t, 1, va_range_check(&space)); /* V4 */
	ranges[5].room[0]--;
	space.nr++;
	EXPECT_EQ(t, 1, va_range_check(&space)); /* V5 */
	space.nr--;
	EXPECT_EQ(t, 0, va_range_check(&space));
}

/* ---- against the model ---------------------------------------------------------------------- */

#define NR_STEPS    4000u
#define NR_CLOSE    300u         /* of them at the start, with a full validation each */
#define INTERVAL    16u          /* steps between two validations afterwards */
#define MODEL_PAGES VA_MODEL_MAX /* 32 MiB: some places for every alignment */

static struct va_model model;

static struct va_wish random_wish(struct ktest *t)
{
	struct va_wish w = { .low = START, .high = START + MODEL_PAGES * P };
	uint32_t dice = ktest_random_below(t, 16);

	w.size = P * (1 + ktest_random_below(t, dice == 0 ? 2000 : dice < 4 ? 100 : 16));
	w.align = P << (dice % 4 == 1 ? ktest_random_below(t, 13) : ktest_random_below(t, 3));
	w.guard = P * ktest_random_below(t, 3);
	if (ktest_random_below(t, 4) == 0) {
		w.low += P / 2 * ktest_random_below(t, 2 * MODEL_PAGES);
		w.high = w.low + P / 2 * ktest_random_below(t, MODEL_PAGES);
	}
	return w;
}

static size_t guards[ARRAY_SIZE(ranges)];

static void random_reserve(struct ktest *t, unsigned int i)
{
	struct va_wish w = random_wish(t);
	uintptr_t want = va_model_place(&model, &w);
	int err = va_range_reserve_within(&space, &ranges[i], w.size, w.align, w.guard, w.low,
					  w.high);

	ASSERT_EQ(t, want ? 0 : -ENOSPC, err);
	if (err)
		return;
	ASSERT_EQ(t, want, ranges[i].start);
	ASSERT_EQ(t, want + w.size, ranges[i].end);
	guards[i] = w.guard;
	va_model_set(&model, ranges[i].start, ranges[i].end, w.guard, true);
}

/* The hole below @r lies between it and the one before it, and so does that of the one behind. */
static void expect_neighbours(struct ktest *t, const struct va_range *r)
{
	const struct va_range *below = va_range_prev(r), *above = va_range_next(r);

	EXPECT_EQ(t, below ? below->grip_end : space.start, r->hole);
	EXPECT_EQ(t, r->grip_end, above ? above->hole : space.tail);
	EXPECT_LE(t, r->start, r->hole);
	EXPECT_TRUE(t, !below || va_range_next(below) == r);
	EXPECT_TRUE(t, !above || va_range_prev(above) == r);
}

KTEST(va_range, random_ranges_are_placed_where_trying_every_place_finds_them)
{
	memset(ranges, 0, sizeof(ranges));
	va_model_init(&model, START, MODEL_PAGES);
	va_space_init(&space, START, START + MODEL_PAGES * P);
	for (unsigned int i = 0; i < NR_STEPS && !t->nr_failed; i++) {
		unsigned int r = ktest_random_below(t, ARRAY_SIZE(ranges));
		bool check = i < NR_CLOSE || i % INTERVAL == 0;

		if (ranges[r].end) {
			EXPECT_EQ(t, &ranges[r], va_range_find(&space, ranges[r].start));
			va_model_set(&model, ranges[r].start, ranges[r].end, guards[r], false);
			va_range_release(&space, &ranges[r]);
		} else {
			random_reserve(t, r);
		}
		if (ranges[r].end)
			expect_neighbours(t, &ranges[r]);
		EXPECT_EQ(t, 0, check ? va_range_check(&space) : 0);
		if (i % 64 == 0)
			EXPECT_EQ(t, va_model_largest(&model, 0), va_space_largest_hole(&space, 0));
	}
	for (unsigned int r = 0; r < ARRAY_SIZE(ranges); r++)
		if (ranges[r].end)
			va_range_release(&space, &ranges[r]);
	EXPECT_EQ(t, 0, space.nr);
	EXPECT_EQ(t, MODEL_PAGES * P, va_space_largest_hole(&space, 2 * P));
	EXPECT_EQ(t, 0, va_range_check(&space));
}

/* ---- cost ------------------------------------------------------------------------------------ */

#define NR_MANY  4096u
#define DEPTH    24u /* 2 log2(NR_MANY + 1), at most */
#define PER_PAGE (PAGE_SIZE / sizeof(struct va_range))

static struct va_range *pages_of_ranges[NR_MANY / PER_PAGE + 1];
static rb_update_t real_update;
static unsigned long nr_updates;

static struct va_range *many(unsigned int i)
{
	return &pages_of_ranges[i / PER_PAGE][i % PER_PAGE];
}

static QAPI bool counting_update(struct rb_node *node)
{
	nr_updates++;
	return real_update(node);
}

static void free_many(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(pages_of_ranges); i++)
		free_page((unsigned long)pages_of_ranges[i]);
}

/*
 * NR_MANY ranges of 2 pages, and below each a hole of 2 pages that begins at an odd one: room for a
 * page, if it is to be aligned to 2.  There is no other hole.
 */
static bool setup_many(void)
{
	int err = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(pages_of_ranges); i++)
		pages_of_ranges[i] = (struct va_range *)__get_free_page(GFP_KERNEL);
	va_space_init(&space, START, START + 4 * NR_MANY * P);
	for (unsigned int i = 0; i < NR_MANY && !err; i++) {
		if (!pages_of_ranges[i / PER_PAGE])
			return false;
		err = va_range_reserve_within(&space, many(i), 2 * P, P, 0, START + (4 * i + 2) * P,
					      UINTPTR_MAX);
	}
	return !err;
}

/* A release and a reservation: two values above them, a leaf, and at most three rotations. */
KTEST_NEEDS(va_range, among_thousands_an_operation_updates_a_few_ways_up, .ram_mib = 32)
{
	unsigned long most = 0;

	if (setup_many()) {
		real_update = space.root.update;
		space.root.update = counting_update;
		for (unsigned int i = 0; i < 2000; i++) {
			struct va_range *r = many(ktest_random_below(t, NR_MANY));

			nr_updates = 0;
			va_range_release(&space, r);
			most = max(most, nr_updates);
			nr_updates = 0;
			EXPECT_EQ(t, 0, va_range_reserve(&space, r, 2 * P, P, 0));
			most = max(most, nr_updates);
		}
		EXPECT_EQ(t, 0, va_range_check(&space));
	}
	EXPECT_EQ(t, NR_MANY, space.nr);
	EXPECT_LE(t, 2 * DEPTH + 6, most);
	free_many();
}

/* Is @r on the way from the top to the first one? */
static bool on_the_spine(const struct va_range *r)
{
	const struct rb_node *node = &r->node;

	while (node->parent && node->parent->child[RB_LEFT] == node)
		node = node->parent;
	return !node->parent;
}

/*
 * Every range but those on the way from the top to the first one is a trap: its own hole says that
 * it has room, while what is kept of the subtrees says that there is none.  A search that looks at
 * a trap falls into it.  The number of traps.
 */
static unsigned int set_traps(bool set)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < NR_MANY; i++) {
		if (on_the_spine(many(i)))
			continue;
		many(i)->hole = START + (set ? 0 : 4 * i * P);
		nr++;
	}
	return nr;
}

KTEST_NEEDS(va_range, among_thousands_of_holes_a_search_in_vain_looks_at_one_way_up, .ram_mib = 32)
{
	struct va_range r;
	int err;

	if (setup_many()) {
		/* From here on all that is kept is kept for alignments, too. */
		EXPECT_EQ(t, 0, va_range_reserve(&space, &r, P, 2 * P, 0));
		va_range_release(&space, &r);
		EXPECT_EQ(t, 0, va_range_check(&space));
		EXPECT_GE(t, NR_MANY - DEPTH, set_traps(true));
		err = va_range_reserve(&space, &r, 3 * P, P, 0);
		if (err) /* after one trap the tree is no more what it was */
			err = va_range_reserve(&space, &r, 2 * P, P, P);
		if (err)
			err = va_range_reserve(&space, &r, 2 * P, 2 * P, 0);
		EXPECT_EQ(t, -ENOSPC, err);
		set_traps(false);
		EXPECT_EQ(t, 0, va_range_check(&space));
	}
	EXPECT_EQ(t, NR_MANY, space.nr);
	free_many();
}
