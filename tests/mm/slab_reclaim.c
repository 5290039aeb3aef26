/*
 * slab_reclaim.c - slabs that nobody needs: kept, given back, missed; caches that are in use.
 *
 * THEORY.  Pages of slabs are counted from outside: what the page allocator has after an action is
 * compared with what it had before.  Lowmem is emptied with a hoard, so that a cache finds only the
 * pages that the hoard gave back one by one; highmem is left alone, no slab can lie there.
 *
 * STATE.  The objects that a test holds; what the hooks of <quarry/env_hooks.h> saw.
 *
 * CONTEXT.  One test at a time.
 */
#include "helpers.h"

#include <quarry/env_hooks.h>
#include <quarry/errno.h>
#include <quarry/shrinker.h>
#include <quarry/slab.h>
#include <quarry/string.h>

#define NR_OBJS  2000u
#define OBJ_SIZE 500u

/* On the dry machine: what is there may be taken, and nobody is asked for more. */
#define GFP_LAST (GFP_NOWAIT | __GFP_MEMALLOC | __GFP_NOWARN)

static void *objs[NR_OBJS];

static struct kmem_cache *cache_of(size_t size, unsigned long flags)
{
	static unsigned int nr;
	char name[SLAB_NAME_MAX];

	snprintf(name, sizeof(name), "slab-reclaim-%u", ++nr);
	return kmem_cache_create(name, size, 0, flags, NULL, NULL);
}

static void finish(struct ktest *t, struct kmem_cache *c)
{
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	EXPECT_EQ(t, 0, kmem_cache_nr_in_use(c));
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

/* Take up to @nr objects, each marked with its number; how many there were. */
static unsigned int take(struct kmem_cache *c, gfp_t gfp, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		objs[i] = kmem_cache_alloc(c, gfp);
		if (!objs[i])
			return i;
		*(unsigned int *)objs[i] = i;
	}
	return nr;
}

static unsigned int nr_spoiled(unsigned int nr)
{
	unsigned int nr_bad = 0;

	for (unsigned int i = 0; i < nr; i++)
		nr_bad += *(unsigned int *)objs[i] != i;
	return nr_bad;
}

static void give(struct kmem_cache *c, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		kmem_cache_free(c, objs[i]);
}

/* From here to the hoard's end lowmem has no free page. */
static void dry_begin(struct hoard *h)
{
	hoard_everything(h, gfp_of_zone(ZONE_NORMAL));
}

/* Pages that requests of @gfp get one by one; they are given back. */
static unsigned long nr_pages_had(gfp_t gfp)
{
	HOARD(h);
	unsigned long nr = hoard_all(&h, gfp, 0);

	hoard_free(&h);
	return nr;
}

/* Pages of @c, and of the cache that holds the management of its slabs, if they are off-slab. */
static unsigned long shrink_with_management(struct kmem_cache *c)
{
	unsigned long nr = kmem_cache_shrink(c);

	return nr + kmem_cache_reap();
}

/* ---- kept and given back ------------------------------------------------------------------ */

KTEST(slab_reclaim, some_empty_slabs_are_kept_and_the_others_given_back_at_once)
{
	struct kmem_cache *c = cache_of(OBJ_SIZE, 0);
	unsigned long at_first = nr_available(), used, kept;

	ASSERT_NE(t, NULL, c);
	ASSERT_EQ(t, NR_OBJS, take(c, GFP_KERNEL, NR_OBJS));
	used = at_first - nr_available();
	EXPECT_GE(t, NR_OBJS * OBJ_SIZE / PAGE_SIZE, used);
	give(c, NR_OBJS);
	kept = at_first - nr_available();
	EXPECT_GE(t, 1, kept);
	EXPECT_LE(t, used / 2, kept);
	/* What management left in the other cache may have gone back uncounted. */
	EXPECT_LE(t, kept, shrink_with_management(c));
	EXPECT_EQ(t, at_first, nr_available());
	finish(t, c);
}

KTEST(slab_reclaim, shrink_gives_every_empty_slab_back_and_counts_its_pages)
{
	static const size_t sizes[] = { 8, 100, 1000, 5000, 40000 };

	for (unsigned int k = 0; k < ARRAY_SIZE(sizes); k++) {
		struct kmem_cache *c = cache_of(sizes[k], 0);
		unsigned int nr = sizes[k] < PAGE_SIZE ? 400 : 10;
		unsigned long before, freed;

		ASSERT_NE(t, NULL, c);
		ASSERT_EQ(t, nr, take(c, GFP_KERNEL, nr));
		give(c, nr);
		before = nr_available();
		freed = kmem_cache_shrink(c);
		EXPECT_GE(t, 1, freed);
		/* Off-slab management goes back to another cache, which may keep its slab. */
		EXPECT_EQ(t, before + freed, nr_available());
		EXPECT_EQ(t, 0, kmem_cache_shrink(c));
		finish(t, c);
	}
}

KTEST(slab_reclaim, shrink_leaves_objects_in_use_alone)
{
	struct kmem_cache *c = cache_of(OBJ_SIZE, 0);
	unsigned int nr_bad = 0;

	ASSERT_NE(t, NULL, c);
	ASSERT_EQ(t, 600, take(c, GFP_KERNEL, 600));
	for (unsigned int i = 0; i < 600; i++)
		if (i % 100)
			kmem_cache_free(c, objs[i]);
	EXPECT_GE(t, 1, kmem_cache_shrink(c));
	EXPECT_EQ(t, 6, kmem_cache_nr_in_use(c));
	for (unsigned int i = 0; i < 600; i += 100)
		nr_bad += *(unsigned int *)objs[i] != i;
	EXPECT_EQ(t, 0, nr_bad);
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	for (unsigned int i = 0; i < 600; i += 100)
		kmem_cache_free(c, objs[i]);
	finish(t, c);
}

KTEST(slab_reclaim, shrink_frees_nothing_where_each_slab_has_an_object_in_use)
{
	struct kmem_cache *c = cache_of(OBJ_SIZE, 0);
	unsigned long before;

	ASSERT_NE(t, NULL, c);
	ASSERT_EQ(t, 200, take(c, GFP_KERNEL, 200));
	/* Slabs that were made for this bulk and not used up would be empty. */
	kmem_cache_shrink(c);
	before = nr_available();
	EXPECT_EQ(t, 0, kmem_cache_shrink(c));
	EXPECT_EQ(t, before, nr_available());
	EXPECT_EQ(t, 0, nr_spoiled(200));
	give(c, 200);
	finish(t, c);
}

KTEST(slab_reclaim, reap_shrinks_every_cache)
{
	struct kmem_cache *a = cache_of(OBJ_SIZE, 0), *b = cache_of(3000, 0);
	unsigned long before, freed;

	ASSERT_TRUE(t, a && b);
	ASSERT_EQ(t, 100, take(a, GFP_KERNEL, 100));
	give(a, 100);
	ASSERT_EQ(t, 10, take(b, GFP_KERNEL, 10));
	give(b, 10);
	before = nr_available();
	freed = kmem_cache_reap();
	EXPECT_GE(t, 2, freed);
	EXPECT_EQ(t, before + freed, nr_available());
	EXPECT_EQ(t, 0, kmem_cache_shrink(a));
	EXPECT_EQ(t, 0, kmem_cache_shrink(b));
	EXPECT_EQ(t, 0, kmem_cache_reap());
	finish(t, a);
	finish(t, b);
}

KTEST(slab_reclaim, quiescing_mm_gives_empty_slabs_and_magazines_back)
{
	struct kmem_cache *c = cache_of(OBJ_SIZE, 0);
	unsigned long before;

	ASSERT_NE(t, NULL, c);
	mm_quiesce();
	before = nr_free_pages();
	ASSERT_EQ(t, 300, take(c, GFP_KERNEL, 300));
	give(c, 300);
	mm_quiesce();
	EXPECT_EQ(t, before, nr_free_pages());
	EXPECT_EQ(t, 0, kmem_cache_shrink(c));
	finish(t, c);
}

KTEST(slab_reclaim, destroying_a_cache_gives_all_of_its_pages_back)
{
	unsigned long before = nr_available();

	for (size_t size = 1; size <= SLAB_OBJECT_SIZE_MAX; size *= 4) {
		struct kmem_cache *c = cache_of(size, 0);
		unsigned int nr = size < PAGE_SIZE ? 100 : 3;

		ASSERT_NE(t, NULL, c);
		ASSERT_EQ(t, nr, kmem_cache_alloc_bulk(c, GFP_KERNEL, nr, objs));
		kmem_cache_free_bulk(c, nr, objs);
		ASSERT_EQ(t, 0, kmem_cache_destroy(c));
		mm_quiesce();
		EXPECT_EQ(t, before, nr_available());
	}
}

/* ---- objects in use ------------------------------------------------------------------------ */

KTEST(slab_reclaim, a_cache_with_objects_in_use_is_not_destroyed_and_they_are_named)
{
	struct kmem_cache *c = cache_of(OBJ_SIZE, 0);
	struct capture *said;
	char text[32];
	void *other;

	ASSERT_NE(t, NULL, c);
	ASSERT_EQ(t, 4, take(c, GFP_KERNEL, 4));
	kmem_cache_free(c, objs[3]);
	said = capture_begin();
	EXPECT_ERR(t, -EBUSY, kmem_cache_destroy(c));
	capture_end(said);
	EXPECT_GE(t, 1, capture_count(said, kmem_cache_name(c)));
	EXPECT_GE(t, 1, capture_count(said, " 3 "));
	for (unsigned int i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "%lx", (unsigned long)objs[i]);
		EXPECT_EQ(t, i < 3, capture_count(said, text) >= 1);
	}
	/* It lives on. */
	EXPECT_EQ(t, c, slab_cache_find(kmem_cache_name(c)));
	EXPECT_EQ(t, 0, nr_spoiled(3));
	EXPECT_EQ(t, 3, kmem_cache_nr_in_use(c));
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	other = kmem_cache_alloc(c, GFP_KERNEL);
	EXPECT_NE(t, NULL, other);
	kmem_cache_free(c, other);
	give(c, 3);
	finish(t, c);
}

KTEST(slab_reclaim, a_refused_destruction_gives_the_number_of_objects_even_if_it_names_not_all)
{
	struct kmem_cache *c = cache_of(16, 0);
	struct capture *said;

	ASSERT_NE(t, NULL, c);
	ASSERT_EQ(t, 777, take(c, GFP_KERNEL, 777));
	said = capture_begin();
	EXPECT_ERR(t, -EBUSY, kmem_cache_destroy(c));
	capture_end(said);
	EXPECT_GE(t, 1, capture_count(said, " 777 "));
	/* It was not dropped for want of room. */
	EXPECT_LE(t, CAPTURE_MAX - 2, said->len);
	EXPECT_EQ(t, 0, nr_spoiled(777));
	give(c, 777);
	finish(t, c);
}

KTEST(slab_reclaim, one_object_in_use_is_enough_and_its_free_is_enough)
{
	struct kmem_cache *c = cache_of(OBJ_SIZE, 0);
	struct capture *said;

	ASSERT_NE(t, NULL, c);
	ASSERT_EQ(t, 100, take(c, GFP_KERNEL, 100));
	for (unsigned int i = 1; i < 100; i++)
		kmem_cache_free(c, objs[i]);
	said = capture_begin();
	EXPECT_ERR(t, -EBUSY, kmem_cache_destroy(c));
	EXPECT_ERR(t, -EBUSY, kmem_cache_destroy(c));
	capture_end(said);
	give(c, 1);
	finish(t, c);
}

/* ---- nothing left -------------------------------------------------------------------------- */

KTEST(slab_reclaim, an_empty_cache_has_no_object_on_a_dry_machine_and_says_so)
{
	struct kmem_cache *c = cache_of(OBJ_SIZE, 0);
	HOARD(h);

	ASSERT_NE(t, NULL, c);
	dry_begin(&h);
	EXPECT_EQ(t, NULL, kmem_cache_alloc(c, GFP_LAST));
	EXPECT_EQ(t, NULL, kmem_cache_alloc(c, T_GFP(t, GFP_ATOMIC | __GFP_NOWARN)));
	EXPECT_EQ(t, NULL, kmem_cache_alloc(c, T_GFP(t, GFP_KERNEL | __GFP_NOWARN)));
	EXPECT_EQ(t, NULL, kmem_cache_zalloc(c, GFP_LAST));
	EXPECT_EQ(t, 0, kmem_cache_alloc_bulk(c, GFP_LAST, 1, objs));
	EXPECT_EQ(t, 0, kmem_cache_nr_in_use(c));
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	hoard_free(&h);
	EXPECT_EQ(t, 1, take(c, GFP_KERNEL, 1));
	give(c, 1);
	finish(t, c);
}

KTEST(slab_reclaim, a_failure_is_reported_unless_it_was_asked_to_be_silent)
{
	struct kmem_cache *c = cache_of(OBJ_SIZE, 0);
	struct capture *said;
	size_t silent, loud;
	HOARD(h);

	ASSERT_NE(t, NULL, c);
	dry_begin(&h);
	said = capture_begin();
	EXPECT_EQ(t, NULL, kmem_cache_alloc(c, GFP_KERNEL | __GFP_NOWARN));
	silent = said->len;
	EXPECT_EQ(t, NULL, kmem_cache_alloc(c, GFP_KERNEL));
	loud = said->len;
	capture_end(said);
	hoard_free(&h);
	EXPECT_EQ(t, 0, silent);
	EXPECT_GE(t, 1, loud);
	finish(t, c);
}

KTEST(slab_reclaim, a_cache_uses_each_page_that_there_is_and_then_gives_null)
{
	struct kmem_cache *c = cache_of(200, 0);
	unsigned int nr, nr_again;
	HOARD(h);

	ASSERT_NE(t, NULL, c);
	dry_begin(&h);
	for (unsigned int i = 0; i < 40; i++)
		hoard_free_one(&h);
	nr = take(c, GFP_LAST, NR_OBJS);
	EXPECT_EQ(t, 0, nr_pages_had(GFP_LAST));
	EXPECT_EQ(t, nr, kmem_cache_nr_in_use(c));
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	EXPECT_EQ(t, 0, nr_spoiled(nr));
	/* With debug data an object takes twice its size at most. */
	EXPECT_GE(t, 40 * PAGE_SIZE / 400 * 3 / 4, nr);
	EXPECT_LE(t, 40 * PAGE_SIZE / 200, nr);
	/* One back, one more: the same. */
	kmem_cache_free(c, objs[nr / 2]);
	EXPECT_EQ(t, objs[nr / 2], kmem_cache_alloc(c, GFP_LAST));
	EXPECT_EQ(t, NULL, kmem_cache_alloc(c, GFP_LAST));
	give(c, nr);
	nr_again = take(c, GFP_LAST, NR_OBJS);
	EXPECT_EQ(t, nr, nr_again);
	give(c, nr_again);
	hoard_free(&h);
	finish(t, c);
}

KTEST(slab_reclaim, a_kept_slab_serves_the_next_user_on_a_dry_machine)
{
	struct kmem_cache *c = cache_of(OBJ_SIZE, 0);
	void *obj;
	HOARD(h);

	ASSERT_NE(t, NULL, c);
	ASSERT_EQ(t, 1, take(c, GFP_KERNEL, 1));
	give(c, 1);
	dry_begin(&h);
	obj = kmem_cache_alloc(c, GFP_LAST);
	hoard_free(&h);
	EXPECT_EQ(t, objs[0], obj);
	kmem_cache_free(c, obj);
	finish(t, c);
}

KTEST(slab_reclaim, a_bulk_that_cannot_be_had_wholly_is_not_had_at_all)
{
	struct kmem_cache *c = cache_of(OBJ_SIZE, 0);
	unsigned int nr;
	HOARD(h);

	ASSERT_NE(t, NULL, c);
	dry_begin(&h);
	for (unsigned int i = 0; i < 20; i++)
		hoard_free_one(&h);
	EXPECT_EQ(t, 0, kmem_cache_alloc_bulk(c, GFP_LAST, 500, objs));
	EXPECT_EQ(t, 0, kmem_cache_nr_in_use(c));
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	/* What it had found is there for others: all but the one too many. */
	nr = take(c, GFP_LAST, NR_OBJS);
	EXPECT_GE(t, 20, nr);
	give(c, nr);
	EXPECT_EQ(t, 0, kmem_cache_alloc_bulk(c, GFP_LAST, nr + 1, objs));
	EXPECT_EQ(t, nr, kmem_cache_alloc_bulk(c, GFP_LAST, nr, objs));
	EXPECT_EQ(t, nr, kmem_cache_nr_in_use(c));
	kmem_cache_free_bulk(c, nr, objs);
	hoard_free(&h);
	finish(t, c);
}

KTEST(slab_reclaim, a_cache_cannot_be_made_without_memory_and_can_be_later)
{
	static struct kmem_cache *caches[256];
	unsigned int nr = 0;
	HOARD(h);

	dry_begin(&h);
	while (nr < ARRAY_SIZE(caches) && (caches[nr] = cache_of(OBJ_SIZE, 0)) != NULL)
		nr++;
	hoard_free(&h);
	EXPECT_LE(t, ARRAY_SIZE(caches) - 1, nr);
	for (unsigned int i = 0; i < nr; i++)
		EXPECT_EQ(t, 0, kmem_cache_destroy(caches[i]));
	caches[0] = cache_of(OBJ_SIZE, 0);
	ASSERT_NE(t, NULL, caches[0]);
	finish(t, caches[0]);
}

static struct {
	struct hoard *source;
	unsigned int nr_waits;
	unsigned int waits_for; /* with so many waits enough pages come back */
} seen;

static QAPI bool wait_for_pages(unsigned int ms)
{
	(void)ms;
	if (++seen.nr_waits == seen.waits_for)
		for (unsigned int i = 0; i < 64; i++)
			hoard_free_one(seen.source);
	return true;
}

KTEST(slab_reclaim, an_allocation_that_must_not_fail_waits_until_there_is_memory)
{
	static const struct env_hooks hooks = { .wait_for_memory = wait_for_pages };
	struct kmem_cache *c = cache_of(OBJ_SIZE, 0);
	HOARD(h);

	ASSERT_NE(t, NULL, c);
	dry_begin(&h);
	seen.source = &h;
	seen.nr_waits = 0;
	seen.waits_for = 4;
	env_set_hooks(&hooks);
	objs[0] = kmem_cache_alloc(c, GFP_KERNEL | __GFP_NOFAIL | __GFP_MEMALLOC);
	env_set_hooks(NULL);
	hoard_free(&h);
	EXPECT_EQ(t, 4, seen.nr_waits);
	ASSERT_NE(t, NULL, objs[0]);
	give(c, 1);
	finish(t, c);
}

/* ---- pressure ------------------------------------------------------------------------------ */

/* Leave @c with empty slabs and full magazines, always the same ones. */
static void leave_empty_slabs(struct kmem_cache *c)
{
	kmem_cache_shrink(c);
	give(c, take(c, GFP_KERNEL, 400));
}

KTEST(slab_reclaim, a_page_request_that_may_wait_gets_what_caches_keep)
{
	struct kmem_cache *c = cache_of(OBJ_SIZE, 0);
	unsigned long kept, had, rest;
	HOARD(h);

	ASSERT_NE(t, NULL, c);
	leave_empty_slabs(c);
	kept = shrink_with_management(c);
	EXPECT_GE(t, 1, kept);
	leave_empty_slabs(c);
	dry_begin(&h);
	had = nr_pages_had(GFP_KERNEL | __GFP_MEMALLOC);
	hoard_free(&h);
	rest = shrink_with_management(c);
	EXPECT_EQ(t, kept, had);
	EXPECT_EQ(t, 0, rest);
	finish(t, c);
}

KTEST(slab_reclaim, a_page_request_that_may_not_wait_takes_nothing_from_caches)
{
	struct kmem_cache *c = cache_of(OBJ_SIZE, 0);
	HOARD(h);

	ASSERT_NE(t, NULL, c);
	leave_empty_slabs(c);
	dry_begin(&h);
	EXPECT_EQ(t, 0, nr_pages_had(GFP_ATOMIC | __GFP_MEMALLOC));
	EXPECT_EQ(t, 0, nr_pages_had(GFP_NOWAIT | __GFP_MEMALLOC));
	hoard_free(&h);
	EXPECT_GE(t, 1, kmem_cache_shrink(c));
	finish(t, c);
}

/* One page may be all that was kept: what the other needs of memory, its slab has room for. */
KTEST(slab_reclaim, one_cache_grows_with_the_pages_that_another_kept)
{
	struct kmem_cache *rich = cache_of(OBJ_SIZE, 0), *poor = cache_of(OBJ_SIZE - 100, 0);
	HOARD(h);

	ASSERT_TRUE(t, rich && poor);
	leave_empty_slabs(rich);
	dry_begin(&h);
	EXPECT_EQ(t, NULL, kmem_cache_alloc(poor, GFP_LAST));
	objs[0] = kmem_cache_alloc(poor, GFP_KERNEL | __GFP_MEMALLOC | __GFP_NOWARN);
	EXPECT_NE(t, NULL, objs[0]);
	kmem_cache_free(poor, objs[0]);
	hoard_free(&h);
	finish(t, rich);
	finish(t, poor);
}

KTEST(slab_reclaim, a_cache_under_pressure_keeps_its_objects_in_use)
{
	struct kmem_cache *c = cache_of(OBJ_SIZE, 0);
	unsigned int nr_bad = 0;
	HOARD(h);

	ASSERT_NE(t, NULL, c);
	ASSERT_EQ(t, 600, take(c, GFP_KERNEL, 600));
	for (unsigned int i = 0; i < 600; i++)
		if (i % 50)
			kmem_cache_free(c, objs[i]);
	dry_begin(&h);
	EXPECT_GE(t, 1, nr_pages_had(GFP_KERNEL | __GFP_MEMALLOC));
	EXPECT_EQ(t, 12, kmem_cache_nr_in_use(c));
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	for (unsigned int i = 0; i < 600; i += 50)
		nr_bad += *(unsigned int *)objs[i] != i;
	hoard_free(&h);
	EXPECT_EQ(t, 0, nr_bad);
	for (unsigned int i = 0; i < 600; i += 50)
		kmem_cache_free(c, objs[i]);
	finish(t, c);
}

KTEST(slab_reclaim, background_reclaim_gives_empty_slabs_back)
{
	struct kmem_cache *c = cache_of(OBJ_SIZE, 0);
	HOARD(h);

	ASSERT_NE(t, NULL, c);
	leave_empty_slabs(c);
	dry_begin(&h);
	EXPECT_GE(t, 1, reclaim_background());
	hoard_free(&h);
	EXPECT_EQ(t, 0, kmem_cache_shrink(c));
	finish(t, c);
}
