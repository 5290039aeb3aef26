/*
 * slab.c - slab caches as their users see them: creation, sizes, alignment,
 * order, constructors, bulk, zeroes, and what a gfp mask asks for.
 *
 * THEORY.  Whoever gets an object may write every byte of it and nothing else.
 * So objects are filled to the last byte with a pattern made of their number,
 * and compared when all of them are filled: two that overlap, or a cache that
 * keeps its own data in one, spoil a pattern.
 *
 * Nothing here depends on the debug options: each test holds in caches with any
 * of them.
 *
 * STATE.  The objects that a test holds, and what the constructor and
 * destructor saw; static, because the stack is small.  One test at a time.
 */
#include "helpers.h"

#include <quarry/align.h>
#include <quarry/config.h>
#include <quarry/env.h>
#include <quarry/slab.h>
#include <quarry/string.h>

#define NR_OBJS 2048u

static void *objs[NR_OBJS];

/* A cache with a name of its own: one that a failed test left behind is in
 * nobody's way. */
static struct kmem_cache *cache_with(size_t size, size_t align, unsigned long flags,
				     slab_ctor_t ctor, slab_ctor_t dtor)
{
	static unsigned int nr;
	char name[SLAB_NAME_MAX];

	snprintf(name, sizeof(name), "slab-test-%u", ++nr);
	return kmem_cache_create(name, size, align, flags, ctor, dtor);
}

static struct kmem_cache *cache_of(size_t size, size_t align, unsigned long flags)
{
	return cache_with(size, align, flags, NULL, NULL);
}

static void finish(struct ktest *t, struct kmem_cache *c)
{
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	EXPECT_EQ(t, 0, kmem_cache_nr_in_use(c));
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

/* ---- objects
 * ------------------------------------------------------------------------------
 */

static uint8_t pattern(unsigned int id, size_t i)
{
	return (uint8_t)(id * 37u + i + (i >> 8) * 11u + 1u);
}

static void fill(void *obj, size_t size, unsigned int id)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)obj)[i] = pattern(id, i);
}

static bool holds(const void *obj, size_t size, unsigned int id)
{
	for (size_t i = 0; i < size; i++)
		if (((const uint8_t *)obj)[i] != pattern(id, i))
			return false;
	return true;
}

static bool is_zero(const void *obj, size_t size)
{
	const uint8_t *byte = obj;

	for (size_t i = 0; i < size; i++)
		if (byte[i])
			return false;
	return true;
}

/* Take @nr objects, number and fill them; how many there were. */
static unsigned int take(struct kmem_cache *c, gfp_t gfp, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		objs[i] = kmem_cache_alloc(c, gfp);
		if (!objs[i])
			return i;
		fill(objs[i], kmem_cache_size(c), i);
	}
	return nr;
}

static void give(struct kmem_cache *c, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		kmem_cache_free(c, objs[i]);
}

static unsigned int nr_spoiled(struct kmem_cache *c, unsigned int nr)
{
	unsigned int nr_bad = 0;

	for (unsigned int i = 0; i < nr; i++)
		nr_bad += !holds(objs[i], kmem_cache_size(c), i);
	return nr_bad;
}

/* @nr objects at a time are aligned, each is its owner's, and the cache stays
 * in order. */
static void try_objects(struct ktest *t, struct kmem_cache *c, size_t align, unsigned int nr)
{
	unsigned int nr_taken;

	ASSERT_NE(t, NULL, c);
	nr_taken = take(c, GFP_KERNEL, nr);
	EXPECT_EQ(t, nr, nr_taken);
	for (unsigned int i = 0; i < nr_taken; i++)
		EXPECT_EQ(t, 0, (uintptr_t)objs[i] & (align - 1));
	EXPECT_EQ(t, 0, nr_spoiled(c, nr_taken));
	EXPECT_EQ(t, nr_taken, kmem_cache_nr_in_use(c));
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	give(c, nr_taken);
	finish(t, c);
}

/* ---- creation
 * -----------------------------------------------------------------------------
 */

KTEST(slab, a_cache_keeps_a_copy_of_its_name_and_its_size)
{
	char name[] = "slab-test-copy";
	struct kmem_cache *c = kmem_cache_create(name, 100, 0, 0, NULL, NULL);

	ASSERT_NE(t, NULL, c);
	memset(name, 'x', sizeof(name) - 1);
	EXPECT_STREQ(t, "slab-test-copy", kmem_cache_name(c));
	EXPECT_EQ(t, 100, kmem_cache_size(c));
	finish(t, c);
}

KTEST(slab, a_name_may_have_one_byte_or_as_many_as_the_limit_says)
{
	char longest[SLAB_NAME_MAX];
	struct kmem_cache *one = kmem_cache_create("q", 8, 0, 0, NULL, NULL), *all;

	memset(longest, 'n', SLAB_NAME_MAX - 1);
	longest[SLAB_NAME_MAX - 1] = '\0';
	all = kmem_cache_create(longest, 8, 0, 0, NULL, NULL);
	ASSERT_TRUE(t, one && all);
	EXPECT_STREQ(t, "q", kmem_cache_name(one));
	EXPECT_STREQ(t, longest, kmem_cache_name(all));
	EXPECT_EQ(t, all, slab_cache_find(longest));
	finish(t, one);
	finish(t, all);
}

KTEST(slab, a_cache_is_found_by_its_name_as_long_as_it_lives)
{
	struct kmem_cache *c;

	EXPECT_EQ(t, NULL, slab_cache_find("slab-test-found"));
	c = kmem_cache_create("slab-test-found", 16, 0, 0, NULL, NULL);
	ASSERT_NE(t, NULL, c);
	EXPECT_EQ(t, c, slab_cache_find("slab-test-found"));
	EXPECT_EQ(t, NULL, slab_cache_find("slab-test-foun"));
	EXPECT_EQ(t, NULL, slab_cache_find("slab-test-found2"));
	finish(t, c);
	EXPECT_EQ(t, NULL, slab_cache_find("slab-test-found"));
	/* The name is free again. */
	c = kmem_cache_create("slab-test-found", 32, 0, 0, NULL, NULL);
	ASSERT_NE(t, NULL, c);
	EXPECT_EQ(t, c, slab_cache_find("slab-test-found"));
	finish(t, c);
}

struct slab_test_record {
	char tag;
	uint64_t when;
	void *next;
} __aligned(32);

KTEST(slab, kmem_cache_takes_name_size_and_alignment_from_the_structure)
{
	struct kmem_cache *c = KMEM_CACHE(slab_test_record, 0);

	ASSERT_NE(t, NULL, c);
	EXPECT_STREQ(t, "slab_test_record", kmem_cache_name(c));
	EXPECT_EQ(t, sizeof(struct slab_test_record), kmem_cache_size(c));
	try_objects(t, c, 32, 40);
}

KTEST(slab, a_cache_that_nobody_used_has_no_slab)
{
	struct kmem_cache *c = cache_of(64, 0, 0);

	ASSERT_NE(t, NULL, c);
	EXPECT_EQ(t, 0, kmem_cache_shrink(c));
	EXPECT_EQ(t, 0, kmem_cache_nr_in_use(c));
	finish(t, c);
}

KTEST(slab, caches_can_be_made_and_destroyed_without_end)
{
	for (unsigned int i = 0; i < 3 * CONFIG_SLAB_MAGAZINES; i++) {
		struct kmem_cache *c = cache_of(1 + i * 7, 0, 0);

		ASSERT_NE(t, NULL, c);
		ASSERT_EQ(t, 1, take(c, GFP_KERNEL, 1));
		give(c, 1);
		ASSERT_EQ(t, 0, kmem_cache_destroy(c));
	}
}

#define NR_CACHES (CONFIG_SLAB_MAGAZINES + 22u)
#define NR_EACH   5u

/* The newest comes back first, with a magazine or without. */
static void try_order(struct ktest *t, struct kmem_cache *c, void **mine)
{
	for (unsigned int k = 0; k < NR_EACH; k++)
		kmem_cache_free(c, mine[k]);
	for (unsigned int k = NR_EACH; k-- > 0;)
		EXPECT_EQ(t, mine[k], kmem_cache_alloc(c, GFP_KERNEL));
	EXPECT_EQ(t, NR_EACH, kmem_cache_nr_in_use(c));
}

KTEST(slab, more_caches_than_there_are_magazines_work_alike)
{
	static struct kmem_cache *caches[NR_CACHES];

	for (unsigned int i = 0; i < NR_CACHES; i++) {
		caches[i] = cache_of(24 + i, 0, 0);
		ASSERT_NE(t, NULL, caches[i]);
		for (unsigned int k = i * NR_EACH; k < (i + 1) * NR_EACH; k++) {
			objs[k] = kmem_cache_alloc(caches[i], GFP_KERNEL);
			ASSERT_NE(t, NULL, objs[k]);
			fill(objs[k], 24 + i, k);
		}
	}
	for (unsigned int i = 0; i < NR_CACHES; i++) {
		for (unsigned int k = i * NR_EACH; k < (i + 1) * NR_EACH; k++)
			EXPECT_TRUE(t, holds(objs[k], 24 + i, k));
		try_order(t, caches[i], &objs[i * NR_EACH]);
		kmem_cache_free_bulk(caches[i], NR_EACH, &objs[i * NR_EACH]);
		finish(t, caches[i]);
	}
}

static_assert(NR_CACHES * NR_EACH <= NR_OBJS, "objs[] has room for all of them");

/* ---- sizes and alignment
 * ------------------------------------------------------------------ */

KTEST(slab, objects_of_each_small_size_are_their_owners_to_the_last_byte)
{
	for (size_t size = 1; size <= 130 && !t->nr_failed; size++)
		try_objects(t, cache_of(size, 0, 0), SLAB_MIN_ALIGN, 70);
}

/* Around each power of two up to the limit, and half-way to the next. */
KTEST(slab, objects_of_each_large_size_are_their_owners_to_the_last_byte)
{
	for (size_t size = 256; size <= SLAB_OBJECT_SIZE_MAX && !t->nr_failed; size *= 2) {
		try_objects(t, cache_of(size - 1, 0, 0), SLAB_MIN_ALIGN, 3);
		try_objects(t, cache_of(size, 0, 0), SLAB_MIN_ALIGN, 3);
		if (size == SLAB_OBJECT_SIZE_MAX)
			break;
		try_objects(t, cache_of(size + 1, 0, 0), SLAB_MIN_ALIGN, 3);
		try_objects(t, cache_of(size / 2 * 3, 0, 0), SLAB_MIN_ALIGN, 3);
	}
}

KTEST(slab, objects_have_each_alignment_that_was_asked_for)
{
	for (size_t align = 1; align <= SLAB_ALIGN_MAX && !t->nr_failed; align *= 2) {
		unsigned int nr = align < PAGE_SIZE ? 100 : 3;

		try_objects(t, cache_of(1, align, 0), max(align, (size_t)SLAB_MIN_ALIGN), nr);
		try_objects(t, cache_of(100, align, 0), max(align, (size_t)SLAB_MIN_ALIGN), nr);
	}
}

KTEST(slab, a_size_that_is_no_multiple_of_the_alignment_is_padded_to_one)
{
	for (size_t align = 8; align <= SLAB_ALIGN_MAX && !t->nr_failed; align *= 2) {
		unsigned int nr = align < PAGE_SIZE ? 20 : 3;

		try_objects(t, cache_of(align - 1, align, 0), align, nr);
		try_objects(t, cache_of(align, align, 0), align, nr);
		if (align < SLAB_ALIGN_MAX)
			try_objects(t, cache_of(align + 1, align, 0), align, nr);
	}
}

/* Lines that bytes [@start, @start + @size) touch. */
static unsigned int nr_lines(uintptr_t start, size_t size)
{
	return (unsigned int)((start + size - 1) / SLAB_CACHE_LINE - start / SLAB_CACHE_LINE + 1);
}

KTEST(slab, hwcache_aligned_objects_touch_no_more_cache_lines_than_they_must)
{
	for (size_t size = 1; size <= 4 * SLAB_CACHE_LINE && !t->nr_failed; size++) {
		struct kmem_cache *c = cache_of(size, 0, SLAB_HWCACHE_ALIGN);

		ASSERT_NE(t, NULL, c);
		ASSERT_EQ(t, 40, take(c, GFP_KERNEL, 40));
		for (unsigned int i = 0; i < 40; i++) {
			EXPECT_EQ(t, DIV_ROUND_UP(size, SLAB_CACHE_LINE),
				  nr_lines((uintptr_t)objs[i], size));
			/* More than half a line: then it has lines of its own. */
			if (size > SLAB_CACHE_LINE / 2)
				EXPECT_EQ(t, 0, (uintptr_t)objs[i] % SLAB_CACHE_LINE);
		}
		EXPECT_EQ(t, 0, nr_spoiled(c, 40));
		give(c, 40);
		finish(t, c);
	}
}

KTEST(slab, hwcache_alignment_does_not_weaken_a_stronger_one)
{
	try_objects(t, cache_of(8, 256, SLAB_HWCACHE_ALIGN), 256, 40);
	try_objects(t, cache_of(8, 32, SLAB_HWCACHE_ALIGN), 32, 40);
	try_objects(t, cache_of(100, 8, SLAB_HWCACHE_ALIGN), SLAB_CACHE_LINE, 40);
}

KTEST(slab, thousands_of_the_smallest_objects_are_all_different)
{
	struct kmem_cache *c = cache_of(4, 0, 0);
	unsigned int nr_bad = 0;

	ASSERT_NE(t, NULL, c);
	for (unsigned int i = 0; i < NR_OBJS; i++) {
		objs[i] = kmem_cache_alloc(c, GFP_KERNEL);
		ASSERT_NE(t, NULL, objs[i]);
		*(unsigned int *)objs[i] = i;
	}
	for (unsigned int i = 0; i < NR_OBJS; i++)
		nr_bad += *(unsigned int *)objs[i] != i;
	EXPECT_EQ(t, 0, nr_bad);
	EXPECT_EQ(t, NR_OBJS, kmem_cache_nr_in_use(c));
	give(c, NR_OBJS);
	finish(t, c);
}

/* ---- order and counts
 * --------------------------------------------------------------------- */

KTEST(slab, the_object_freed_last_is_allocated_first)
{
	struct kmem_cache *c = cache_of(40, 0, 0);

	ASSERT_NE(t, NULL, c);
	ASSERT_EQ(t, 6, take(c, GFP_KERNEL, 6));
	for (unsigned int i = 0; i < 6; i++)
		kmem_cache_free(c, objs[i]);
	for (unsigned int i = 6; i-- > 0;)
		EXPECT_EQ(t, objs[i], kmem_cache_alloc(c, GFP_KERNEL));
	give(c, 6);
	finish(t, c);
}

KTEST(slab, objects_in_use_are_those_that_users_have)
{
	struct kmem_cache *c = cache_of(72, 0, 0);

	ASSERT_NE(t, NULL, c);
	for (unsigned int i = 0; i < 300; i++) {
		EXPECT_EQ(t, i, kmem_cache_nr_in_use(c));
		objs[i] = kmem_cache_alloc(c, GFP_KERNEL);
		ASSERT_NE(t, NULL, objs[i]);
	}
	for (unsigned int i = 300; i-- > 0;) {
		kmem_cache_free(c, objs[i]);
		EXPECT_EQ(t, i, kmem_cache_nr_in_use(c));
	}
	finish(t, c);
}

KTEST(slab, freeing_no_object_and_destroying_no_cache_change_nothing)
{
	struct kmem_cache *c = cache_of(72, 0, 0);

	ASSERT_NE(t, NULL, c);
	EXPECT_EQ(t, 0, kmem_cache_destroy(NULL));
	kmem_cache_free(c, NULL);
	ASSERT_EQ(t, 1, take(c, GFP_KERNEL, 1));
	kmem_cache_free(c, NULL);
	EXPECT_EQ(t, 1, kmem_cache_nr_in_use(c));
	give(c, 1);
	finish(t, c);
}

KTEST(slab, caches_of_equal_geometry_share_no_object)
{
	struct kmem_cache *a = cache_of(64, 0, 0), *b = cache_of(64, 0, 0);
	unsigned int nr_shared = 0;

	ASSERT_TRUE(t, a && b);
	for (unsigned int i = 0; i < 200; i++) {
		objs[i] = kmem_cache_alloc(i & 1 ? a : b, GFP_KERNEL);
		ASSERT_NE(t, NULL, objs[i]);
		fill(objs[i], 64, i);
	}
	/* Not even a page. */
	for (unsigned int i = 0; i < 200; i += 2)
		for (unsigned int k = 1; k < 200; k += 2)
			nr_shared += (uintptr_t)objs[i] >> PAGE_SHIFT ==
				     (uintptr_t)objs[k] >> PAGE_SHIFT;
	EXPECT_EQ(t, 0, nr_shared);
	EXPECT_EQ(t, 0, nr_spoiled(a, 200));
	for (unsigned int i = 0; i < 200; i++)
		kmem_cache_free(i & 1 ? a : b, objs[i]);
	finish(t, a);
	finish(t, b);
}

/* ---- constructors and destructors
 * --------------------------------------------------------- */

#define CTOR_WORDS  6u
#define CTOR_SIZE   (CTOR_WORDS * sizeof(uint32_t))
#define CONSTRUCTED 0xC0257AC7u

static struct {
	unsigned int nr_ctor, nr_dtor;
	unsigned int nr_wrong_flags; /* neither one nor the other */
	unsigned int nr_atomic;      /* calls of the constructor that may not sleep */
	unsigned int nr_could_sleep; /* calls of either where the context would have
                                  let them */
	unsigned int nr_changed;     /* objects that the destructor found in another state */
	const struct kmem_cache *cache;
} seen;

static bool is_constructed(const void *obj)
{
	const uint32_t *word = obj;

	for (unsigned int i = 0; i < CTOR_WORDS; i++)
		if (word[i] != CONSTRUCTED + i)
			return false;
	return true;
}

static QAPI void ctor(void *obj, struct kmem_cache *c, unsigned long flags)
{
	uint32_t *word = obj;

	seen.nr_ctor++;
	seen.nr_wrong_flags += !(flags & SLAB_CTOR_CONSTRUCTOR);
	seen.nr_atomic += !!(flags & SLAB_CTOR_ATOMIC);
	seen.nr_could_sleep += env_can_sleep();
	seen.cache = c;
	for (unsigned int i = 0; i < CTOR_WORDS; i++)
		word[i] = CONSTRUCTED + i;
}

static QAPI void dtor(void *obj, struct kmem_cache *c, unsigned long flags)
{
	seen.nr_dtor++;
	seen.nr_wrong_flags += !!(flags & SLAB_CTOR_CONSTRUCTOR);
	seen.nr_could_sleep += env_can_sleep();
	seen.nr_changed += !is_constructed(obj);
	seen.cache = c;
}

static struct kmem_cache *ctor_cache(slab_ctor_t destructor)
{
	memset(&seen, 0, sizeof(seen));
	return cache_with(CTOR_SIZE, 0, 0, ctor, destructor);
}

/* Take @nr objects and leave them as they are; how many were not constructed.
 */
static unsigned int nr_raw(struct kmem_cache *c, gfp_t gfp, unsigned int nr)
{
	unsigned int nr_bad = 0;

	for (unsigned int i = 0; i < nr; i++) {
		objs[i] = kmem_cache_alloc(c, gfp);
		nr_bad += !objs[i] || !is_constructed(objs[i]);
	}
	return nr_bad;
}

KTEST(slab, whoever_allocates_gets_a_constructed_object_the_first_time_and_again)
{
	struct kmem_cache *c = ctor_cache(NULL);

	ASSERT_NE(t, NULL, c);
	EXPECT_EQ(t, 0, seen.nr_ctor);
	for (unsigned int i = 0; i < 3; i++) {
		EXPECT_EQ(t, 0, nr_raw(c, GFP_KERNEL, 400));
		give(c, 400);
	}
	EXPECT_GE(t, 400, seen.nr_ctor);
	EXPECT_EQ(t, c, seen.cache);
	EXPECT_EQ(t, 0, seen.nr_wrong_flags);
	finish(t, c);
}

KTEST(slab, what_was_constructed_is_destroyed_as_often)
{
	struct kmem_cache *c = ctor_cache(dtor);

	ASSERT_NE(t, NULL, c);
	EXPECT_EQ(t, 0, nr_raw(c, GFP_KERNEL, 300));
	give(c, 300);
	kmem_cache_shrink(c);
	EXPECT_EQ(t, seen.nr_ctor, seen.nr_dtor);
	EXPECT_EQ(t, 0, nr_raw(c, GFP_KERNEL, 5));
	EXPECT_GE(t, seen.nr_dtor + 5, seen.nr_ctor);
	give(c, 5);
	finish(t, c);
	EXPECT_GE(t, 305, seen.nr_ctor);
	EXPECT_EQ(t, seen.nr_ctor, seen.nr_dtor);
	EXPECT_EQ(t, 0, seen.nr_changed);
	EXPECT_EQ(t, 0, seen.nr_wrong_flags);
}

KTEST(slab, the_constructor_learns_whether_it_may_sleep)
{
	struct kmem_cache *c = ctor_cache(NULL);

	ASSERT_NE(t, NULL, c);
	EXPECT_EQ(t, 0, nr_raw(c, GFP_KERNEL, 1));
	EXPECT_EQ(t, 0, seen.nr_atomic);
	EXPECT_EQ(t, seen.nr_ctor, seen.nr_could_sleep);
	give(c, 1);
	finish(t, c);

	c = ctor_cache(NULL);
	ASSERT_NE(t, NULL, c);
	EXPECT_EQ(t, 0, nr_raw(c, GFP_ATOMIC, 1));
	EXPECT_GE(t, 1, seen.nr_ctor);
	EXPECT_EQ(t, seen.nr_ctor, seen.nr_atomic);
	give(c, 1);
	finish(t, c);
}

KTEST(slab, a_constructor_runs_with_interrupts_as_the_allocation_had_them)
{
	struct kmem_cache *c = ctor_cache(NULL);
	unsigned long flags;

	ASSERT_NE(t, NULL, c);
	flags = irq_save();
	EXPECT_EQ(t, 0, nr_raw(c, GFP_ATOMIC, 1));
	irq_restore(flags);
	EXPECT_GE(t, 1, seen.nr_ctor);
	EXPECT_EQ(t, 0, seen.nr_could_sleep);
	give(c, 1);
	finish(t, c);
}

/* Few objects a slab: magazines hold several slabs' worth, more than are kept when empty. */
KTEST(slab, a_destructor_may_sleep_where_the_cache_is_shrunk_or_destroyed)
{
	struct kmem_cache *c = cache_with(CTOR_SIZE, PAGE_SIZE / 2, 0, ctor, dtor);

	memset(&seen, 0, sizeof(seen));
	ASSERT_NE(t, NULL, c);
	for (unsigned int i = 0; i < 2; i++) {
		EXPECT_EQ(t, 0, nr_raw(c, GFP_KERNEL, 200));
		give(c, 200);
		if (!i)
			kmem_cache_shrink(c);
	}
	finish(t, c);
	EXPECT_GE(t, 200, seen.nr_dtor);
	EXPECT_EQ(t, seen.nr_ctor, seen.nr_dtor);
	EXPECT_EQ(t, seen.nr_ctor + seen.nr_dtor, seen.nr_could_sleep);
}

/* ---- bulk
 * ---------------------------------------------------------------------------------
 */

/* Sizes around what a magazine, a batch and a slab may hold. */
static const unsigned int bulk_sizes[] = { 1,  2,  16, 30, 31,  32,  33,  60,
					   61, 62, 63, 64, 124, 125, 256, NR_OBJS };

KTEST(slab, a_bulk_of_any_length_is_that_many_different_objects)
{
	struct kmem_cache *c = cache_of(20, 0, 0);

	ASSERT_NE(t, NULL, c);
	for (unsigned int k = 0; k < ARRAY_SIZE(bulk_sizes); k++) {
		unsigned int nr = bulk_sizes[k];

		ASSERT_EQ(t, nr, kmem_cache_alloc_bulk(c, GFP_KERNEL, nr, objs));
		for (unsigned int i = 0; i < nr; i++)
			fill(objs[i], 20, i);
		EXPECT_EQ(t, 0, nr_spoiled(c, nr));
		EXPECT_EQ(t, nr, kmem_cache_nr_in_use(c));
		kmem_cache_free_bulk(c, nr, objs);
		EXPECT_EQ(t, 0, kmem_cache_nr_in_use(c));
	}
	finish(t, c);
}

KTEST(slab, a_bulk_of_none_is_none)
{
	struct kmem_cache *c = cache_of(20, 0, 0);
	void *untouched = &untouched;

	ASSERT_NE(t, NULL, c);
	EXPECT_EQ(t, 0, kmem_cache_alloc_bulk(c, GFP_KERNEL, 0, &untouched));
	EXPECT_EQ(t, &untouched, untouched);
	kmem_cache_free_bulk(c, 0, NULL);
	EXPECT_EQ(t, 0, kmem_cache_nr_in_use(c));
	finish(t, c);
}

KTEST(slab, objects_taken_in_bulk_can_be_freed_one_by_one_and_the_other_way_round)
{
	struct kmem_cache *c = cache_of(48, 0, 0);

	ASSERT_NE(t, NULL, c);
	ASSERT_EQ(t, 150, kmem_cache_alloc_bulk(c, GFP_KERNEL, 150, objs));
	give(c, 150);
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	ASSERT_EQ(t, 150, take(c, GFP_KERNEL, 150));
	EXPECT_EQ(t, 0, nr_spoiled(c, 150));
	kmem_cache_free_bulk(c, 150, objs);
	finish(t, c);
}

KTEST(slab, a_bulk_with_interrupts_off_works_like_any_other)
{
	struct kmem_cache *c = cache_of(48, 0, 0);
	unsigned long flags;
	unsigned int nr;

	ASSERT_NE(t, NULL, c);
	flags = irq_save();
	nr = kmem_cache_alloc_bulk(c, GFP_ATOMIC, 200, objs);
	EXPECT_TRUE(t, irqs_disabled());
	EXPECT_EQ(t, 200, nr);
	if (nr)
		kmem_cache_free_bulk(c, nr, objs);
	EXPECT_TRUE(t, irqs_disabled());
	irq_restore(flags);
	finish(t, c);
}

KTEST(slab, a_bulk_is_zeroed_or_constructed_if_that_was_asked_for)
{
	struct kmem_cache *c = cache_of(52, 0, 0);
	unsigned int nr_bad = 0;

	ASSERT_NE(t, NULL, c);
	ASSERT_EQ(t, 100, take(c, GFP_KERNEL, 100));
	give(c, 100);
	ASSERT_EQ(t, 100, kmem_cache_alloc_bulk(c, GFP_KERNEL | __GFP_ZERO, 100, objs));
	for (unsigned int i = 0; i < 100; i++)
		nr_bad += !is_zero(objs[i], 52);
	EXPECT_EQ(t, 0, nr_bad);
	kmem_cache_free_bulk(c, 100, objs);
	finish(t, c);

	c = ctor_cache(dtor);
	ASSERT_NE(t, NULL, c);
	ASSERT_EQ(t, 100, kmem_cache_alloc_bulk(c, GFP_KERNEL, 100, objs));
	for (unsigned int i = 0; i < 100; i++)
		nr_bad += !is_constructed(objs[i]);
	EXPECT_EQ(t, 0, nr_bad);
	kmem_cache_free_bulk(c, 100, objs);
	finish(t, c);
	EXPECT_EQ(t, seen.nr_ctor, seen.nr_dtor);
}

/* ---- zeroes
 * -------------------------------------------------------------------------------
 */

KTEST(slab, zalloc_gives_zeroes_although_the_object_was_dirty)
{
	static const size_t sizes[] = {
		1, 2, 3, 4, 5, 7, 31, 32, 33, 100, 1000, 4096, 4097, 20000
	};

	for (unsigned int k = 0; k < ARRAY_SIZE(sizes); k++) {
		struct kmem_cache *c = cache_of(sizes[k], 0, 0);
		unsigned int nr_bad = 0;

		ASSERT_NE(t, NULL, c);
		ASSERT_EQ(t, 5, take(c, GFP_KERNEL, 5));
		give(c, 5);
		for (unsigned int i = 0; i < 5; i++) {
			objs[i] = kmem_cache_zalloc(c, GFP_KERNEL);
			nr_bad += !objs[i] || !is_zero(objs[i], sizes[k]);
		}
		EXPECT_EQ(t, 0, nr_bad);
		give(c, 5);
		finish(t, c);
	}
}

/* ---- gfp masks
 * ----------------------------------------------------------------------------
 */

KTEST(slab, a_cache_can_grow_with_each_mask_that_it_accepts)
{
	static const gfp_t accepted[] = { GFP_KERNEL,
					  GFP_ATOMIC,
					  GFP_NOWAIT,
					  GFP_NOIO,
					  GFP_NOFS,
					  GFP_DMA32,
					  GFP_THISNODE,
					  GFP_KERNEL | __GFP_COLD | __GFP_NOWARN,
					  GFP_KERNEL | __GFP_REPEAT | __GFP_HIGH,
					  GFP_KERNEL | __GFP_NOFAIL,
					  GFP_KERNEL | __GFP_NORETRY,
					  GFP_KERNEL | __GFP_MEMALLOC,
					  GFP_KERNEL | __GFP_NOMEMALLOC,
					  GFP_ATOMIC | __GFP_ZERO };

	for (unsigned int i = 0; i < ARRAY_SIZE(accepted); i++) {
		struct kmem_cache *c = cache_of(200, 0, 0);

		ASSERT_NE(t, NULL, c);
		EXPECT_EQ(t, 50, take(c, T_GFP(t, accepted[i]), 50));
		EXPECT_EQ(t, 0, nr_spoiled(c, 50));
		give(c, 50);
		finish(t, c);
	}
}

KTEST(slab, atomic_allocations_and_frees_work_where_nobody_may_sleep)
{
	struct kmem_cache *c = cache_of(200, 0, 0);
	unsigned long flags;

	ASSERT_NE(t, NULL, c);
	flags = irq_save();
	EXPECT_EQ(t, 200, take(c, GFP_ATOMIC, 200));
	EXPECT_TRUE(t, irqs_disabled());
	give(c, 200);
	EXPECT_TRUE(t, irqs_disabled());
	irq_restore(flags);
	EXPECT_EQ(t, 200, take(c, GFP_ATOMIC, 200));
	EXPECT_TRUE(t, env_can_sleep());
	give(c, 200);
	EXPECT_TRUE(t, env_can_sleep());
	preempt_disable();
	EXPECT_EQ(t, 200, take(c, GFP_NOWAIT, 200));
	give(c, 200);
	preempt_enable();
	EXPECT_TRUE(t, env_can_sleep());
	finish(t, c);
}

#define DMA_LIMIT (16 * MiB)

KTEST_NEEDS(slab, objects_of_a_dma_cache_lie_below_16_mib,
	    .zones = KTEST_ZONE_DMA | KTEST_ZONE_NORMAL)
{
	static const size_t sizes[] = { 16, 1000, 6000 };

	for (unsigned int k = 0; k < ARRAY_SIZE(sizes); k++) {
		struct kmem_cache *c = cache_of(sizes[k], 0, SLAB_CACHE_DMA);
		unsigned int nr_high = 0;

		ASSERT_NE(t, NULL, c);
		for (unsigned int i = 0; i < 60; i++) {
			/* The flag need not be repeated, and it may. */
			objs[i] = kmem_cache_alloc(c, GFP_KERNEL | (i & 1 ? __GFP_DMA : 0));
			ASSERT_NE(t, NULL, objs[i]);
			nr_high += va_to_pa(objs[i]) + sizes[k] > DMA_LIMIT;
		}
		EXPECT_EQ(t, 0, nr_high);
		give(c, 60);
		finish(t, c);
	}
}

KTEST(slab, every_flag_of_a_cache_goes_with_every_other)
{
	static const unsigned long bits[] = {
		SLAB_CONSISTENCY_CHECKS, SLAB_RED_ZONE,        SLAB_POISON, SLAB_HWCACHE_ALIGN,
		SLAB_STORE_USER,         SLAB_RECLAIM_ACCOUNT, SLAB_PANIC
	};

	for (unsigned int set = 0; set < 1u << ARRAY_SIZE(bits) && !t->nr_failed; set++) {
		unsigned long flags = 0;

		for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++)
			flags |= set & 1u << i ? bits[i] : 0;
		try_objects(t, cache_of(1 + set, 0, flags), SLAB_MIN_ALIGN, 30);
	}
}
