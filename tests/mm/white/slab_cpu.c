/*
 * slab_cpu.c - the magazines of slab caches; and the calls that they serve, interrupted at each
 * instruction.
 *
 * THEORY.  Each test makes sure that its cache has a magazine, and ends where none can have one:
 * with slab_debug= on the command line, or with fewer magazines than caches.  What is in a magazine
 * is seen from inside.
 *
 * The fast paths are restartable sequences.  The port steps through a call and, at the n-th
 * instruction inside a sequence, runs an interruption that takes, gives or drains objects of the
 * same cache.  Afterwards each object is in one place: free in its slab, in a magazine, or in the
 * hands of one of the two.
 *
 * STATE.  Objects that a test holds; static, because the stack is small.
 */
#include "slab_objs.h"

#include <quarry/align.h>
#include <quarry/asm/restart.h>
#include <quarry/config.h>
#include <quarry/ktest.h>
#include <quarry/printk.h>

#include "../../../mm/debug/watch.h"
#include "../helpers.h"

static struct kmem_cache *cache_of(size_t size, unsigned long flags)
{
	static unsigned int nr;
	char name[SLAB_NAME_MAX];

	snprintf(name, sizeof(name), "slab-magazine-%u", ++nr);
	return kmem_cache_create(name, size, 0, flags | SLAB_PANIC, NULL, NULL);
}

/* ---- magazines ------------------------------------------------------------------------------ */

static struct percpu_stack *magazine_of(const struct kmem_cache *c)
{
	return this_cpu_ptr(c->magazine);
}

/* May @c be without a magazine?  Debugged caches are, and those for which none was left. */
static bool may_lack_magazine(const struct kmem_cache *c)
{
	unsigned long nr_others = kmem_cache_nr_in_use(&cache_cache);

	return slab_debugged(c) || nr_others + 1 >= CONFIG_SLAB_MAGAZINES || objects_watched();
}

/* A cache with a magazine, a shared one, and room for several batches; NULL: none may have it. */
static struct kmem_cache *magazine_cache(struct ktest *t)
{
	struct kmem_cache *c = cache_of(64, 0);

	if (!c->magazine_limit && may_lack_magazine(c)) {
		EXPECT_EQ(t, 0, kmem_cache_destroy(c));
		return NULL;
	}
	EXPECT_GE(t, 2, c->magazine_limit);
	EXPECT_GE(t, 2, c->batch);
	EXPECT_LE(t, c->magazine_limit, c->batch);
	return c;
}

KTEST(slab_magazine, an_empty_magazine_is_refilled_with_a_batch)
{
	struct kmem_cache *c = magazine_cache(t);

	if (!c)
		return;
	for (unsigned int i = 0; i < 2 * c->batch; i++) {
		ASSERT_NE(t, NULL, objs[i] = kmem_cache_alloc(c, GFP_KERNEL));
		EXPECT_EQ(t, c->batch - 1 - i % c->batch, magazine_of(c)->nr);
		EXPECT_EQ(t, i / c->batch + 1, c->nr_taken / c->batch);
		EXPECT_EQ(t, i + 1, kmem_cache_nr_in_use(c));
	}
	give(c, 0, 2 * c->batch);
	finish(t, c);
}

/* The batch that a full magazine gives away goes to the shared one, oldest objects first. */
KTEST(slab_magazine, a_full_magazine_gives_its_oldest_batch_to_the_shared_one)
{
	struct kmem_cache *c = magazine_cache(t);
	unsigned int limit;

	if (!c)
		return;
	limit = c->magazine_limit;
	ASSERT_EQ(t, limit + 1, take(c, limit + 1));
	magazine_drain(c);
	cache_drain_shared(c);
	give(c, 0, limit);
	EXPECT_EQ(t, limit, magazine_of(c)->nr);
	EXPECT_EQ(t, 0, c->nr_shared);
	give(c, limit, limit + 1);
	EXPECT_EQ(t, limit + 1 - c->batch, magazine_of(c)->nr);
	ASSERT_EQ(t, c->batch, c->nr_shared);
	for (unsigned int i = 0; i < c->batch; i++)
		EXPECT_EQ(t, objs[i], c->shared[i]);
	EXPECT_EQ(t, limit + 1, c->nr_taken);
	EXPECT_EQ(t, 0, kmem_cache_nr_in_use(c));
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	/* Back in the order of their frees, newest first, through both. */
	for (unsigned int i = limit + 1; i-- > 0;)
		EXPECT_EQ(t, objs[i], kmem_cache_alloc(c, GFP_KERNEL));
	EXPECT_EQ(t, 0, c->nr_shared);
	give(c, 0, limit + 1);
	finish(t, c);
}

KTEST(slab_magazine, what_the_shared_magazine_has_no_room_for_goes_to_its_slabs)
{
	struct kmem_cache *c = magazine_cache(t);
	unsigned int nr;

	if (!c)
		return;
	nr = c->magazine_limit + c->shared_limit + 3 * c->batch;
	ASSERT_EQ(t, nr, take(c, nr));
	give(c, 0, nr);
	EXPECT_EQ(t, c->shared_limit, c->nr_shared);
	EXPECT_LE(t, c->magazine_limit + c->shared_limit, c->nr_taken);
	EXPECT_EQ(t, c->nr_taken, magazine_nr_objs(c));
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	finish(t, c);
}

KTEST(slab_magazine, draining_leaves_no_object_in_a_magazine)
{
	struct kmem_cache *c = magazine_cache(t);

	if (!c)
		return;
	ASSERT_EQ(t, 200, take(c, 200));
	give(c, 0, 200);
	EXPECT_GE(t, 1, magazine_of(c)->nr);
	EXPECT_GE(t, 1, c->nr_shared);
	magazine_drain(c);
	EXPECT_EQ(t, 0, magazine_of(c)->nr);
	cache_drain_shared(c);
	EXPECT_EQ(t, 0, c->nr_shared);
	EXPECT_EQ(t, 0, c->nr_taken);
	EXPECT_EQ(t, 0, magazine_nr_objs(c));
	finish(t, c);
}

KTEST(slab_magazine, a_debugged_cache_has_no_magazine)
{
	static const unsigned long bits[] = { SLAB_CONSISTENCY_CHECKS, SLAB_RED_ZONE, SLAB_POISON,
					      SLAB_STORE_USER };

	for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++) {
		struct kmem_cache *c = cache_of(64, bits[i]);

		EXPECT_EQ(t, 0, c->magazine_limit);
		EXPECT_EQ(t, 0, c->shared_limit);
		ASSERT_EQ(t, 20, take(c, 20));
		EXPECT_EQ(t, 20, c->nr_taken);
		give(c, 0, 20);
		EXPECT_EQ(t, 0, c->nr_taken);
		EXPECT_EQ(t, 0, magazine_of(c)->nr);
		EXPECT_EQ(t, 0, magazine_of(c)->limit);
		finish(t, c);
	}
}

/* Large objects are not hoarded; the bound is one object at least. */
KTEST(slab_magazine, magazines_of_large_objects_are_short)
{
	unsigned int before = PERCPU_STACK_SLOTS, nr_tried = 0;

	for (size_t size = 64; size <= SLAB_OBJECT_SIZE_MAX; size *= 2) {
		struct kmem_cache *c = cache_of(size, 0);

		if (c->magazine_limit || !may_lack_magazine(c)) {
			EXPECT_GE(t, 1, c->magazine_limit);
			EXPECT_LE(t, before, c->magazine_limit);
			before = c->magazine_limit;
			nr_tried++;
		}
		finish(t, c);
	}
	if (nr_tried)
		EXPECT_LE(t, PERCPU_STACK_SLOTS, before * 2);
}

KTEST(slab_magazine, the_check_finds_what_does_not_belong_into_a_magazine)
{
	struct kmem_cache *c = magazine_cache(t);
	struct percpu_stack *m;
	void *saved;

	if (!c)
		return;
	ASSERT_EQ(t, c->magazine_limit + 1, take(c, c->magazine_limit + 1));
	give(c, 0, c->magazine_limit + 1);
	m = magazine_of(c);
	ASSERT_TRUE(t, m->nr >= 2 && c->nr_shared >= 1);
	saved = m->slot[0];
	m->slot[0] = m->slot[1];
	EXPECT_EQ(t, 1, nr_found(c));
	m->slot[0] = c->shared[0];
	EXPECT_EQ(t, 1, nr_found(c));
	m->slot[0] = (char *)saved + 4;
	EXPECT_EQ(t, 1, nr_found(c));
	m->slot[0] = c;
	EXPECT_EQ(t, 1, nr_found(c));
	m->slot[0] = saved;
	m->limit++;
	EXPECT_EQ(t, 1, nr_found(c));
	m->limit--;
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	finish(t, c);
}

/* ---- interrupted ---------------------------------------------------------------------------- */

#define NR_HELD 160u /* objects that the interrupted one and the interruption share */
#define MAX_NTH 64u  /* more instructions than all sequences of a call have */

/* Of the interruption; what it holds is in objs[0 .. nr_held). */
static struct {
	struct kmem_cache *c;
	unsigned int nr_held;
} other;

static void other_takes(unsigned int nr)
{
	while (nr-- && other.nr_held < NR_OBJS) {
		objs[other.nr_held] = kmem_cache_alloc(other.c, GFP_ATOMIC);
		if (objs[other.nr_held])
			other.nr_held++;
	}
}

static void other_gives(unsigned int nr)
{
	while (nr-- && other.nr_held)
		kmem_cache_free(other.c, objs[--other.nr_held]);
}

static QAPI void interrupt_nothing(void)
{
}

static QAPI void interrupt_take(void)
{
	other_takes(1);
}

static QAPI void interrupt_give(void)
{
	other_gives(1);
}

/* The same object leaves and comes back, at the same place. */
static QAPI void interrupt_take_then_give(void)
{
	other_takes(1);
	other_gives(1);
}

/* Another object is where one was. */
static QAPI void interrupt_give_then_take_two(void)
{
	other_gives(1);
	other_takes(2);
}

/* The magazine is emptied and refilled; is filled and flushed. */
static QAPI void interrupt_take_many(void)
{
	other_takes(PERCPU_STACK_SLOTS + 1);
}

static QAPI void interrupt_give_many(void)
{
	other_gives(PERCPU_STACK_SLOTS + 1);
}

static QAPI void interrupt_drain(void)
{
	struct percpu_stack *m = magazine_of(other.c);

	cache_give(other.c, m->nr, m->slot, false);
	m->nr = 0;
	cache_drain_shared(other.c);
}

typedef QAPI void (*interruption_fn)(void);

static const interruption_fn interruptions[] = {
	interrupt_nothing,
	interrupt_take,
	interrupt_give,
	interrupt_take_then_give,
	interrupt_give_then_take_two,
	interrupt_take_many,
	interrupt_give_many,
	interrupt_drain,
};

/* @nr objects in the magazine if it has room, others held by the interruption. */
static bool prepare(struct kmem_cache *c, unsigned int nr)
{
	other.c = c;
	other.nr_held = take(c, NR_HELD);
	if (other.nr_held < NR_HELD)
		return false;
	magazine_drain(c);
	cache_drain_shared(c);
	other_gives(min(nr, c->magazine_limit));
	return true;
}

static bool is_held_once(const struct kmem_cache *c, unsigned int i)
{
	const struct percpu_stack *m = magazine_of(c);

	for (unsigned int k = 0; k < i; k++)
		if (objs[k] == objs[i])
			return false;
	for (unsigned int k = 0; k < m->nr; k++)
		if (m->slot[k] == objs[i])
			return false;
	for (unsigned int k = 0; k < c->nr_shared; k++)
		if (c->shared[k] == objs[i])
			return false;
	return true;
}

/*
 * Each object is in one place: those held are different and in no magazine, those in magazines are
 * taken and different (the check says so), and together they are all that slabs miss.
 */
static void expect_each_once(struct ktest *t, struct kmem_cache *c)
{
	unsigned int nr_bad = 0;

	for (unsigned int i = 0; i < other.nr_held; i++)
		nr_bad += !is_held_once(c, i);
	EXPECT_EQ(t, 0, nr_bad);
	EXPECT_EQ(t, other.nr_held, kmem_cache_nr_in_use(c));
	EXPECT_EQ(t, 0, kmem_cache_check(c));
}

/* The ways in: what the compiler makes of constant masks, of others, and of zeroes. */
static const struct {
	const void *fn;
	gfp_t gfp;
} allocators[] = {
	{ (const void *)slab_alloc, GFP_ATOMIC },
	{ (const void *)slab_alloc_any, GFP_ATOMIC | __GFP_ZERO },
	{ (const void *)slab_alloc_kernel, 0 },
	{ (const void *)slab_alloc_atomic, 0 },
};

/* One with @nr objects in the magazine, interrupted at each instruction in turn. */
static unsigned int alloc_interrupted_by(struct ktest *t, struct kmem_cache *c, unsigned int k,
					 interruption_fn fn, unsigned int nr)
{
	for (unsigned int nth = 1; nth < MAX_NTH && !t->nr_failed; nth++) {
		bool hit;
		void *obj;

		if (!prepare(c, nr))
			return MAX_NTH;
		obj = (void *)restart_step_call(allocators[k].fn, (uintptr_t)c, allocators[k].gfp,
						nth, &hit, fn);
		EXPECT_NE(t, NULL, obj);
		if (obj)
			objs[other.nr_held++] = obj;
		expect_each_once(t, c);
		other_gives(other.nr_held);
		if (!hit)
			return nth - 1;
	}
	return MAX_NTH;
}

static unsigned int free_interrupted_by(struct ktest *t, struct kmem_cache *c, bool by_kfree,
					interruption_fn fn, unsigned int nr)
{
	for (unsigned int nth = 1; nth < MAX_NTH && !t->nr_failed; nth++) {
		uintptr_t obj;
		bool hit;

		if (!prepare(c, nr))
			return MAX_NTH;
		obj = (uintptr_t)objs[--other.nr_held];
		if (by_kfree)
			restart_step_call((const void *)kfree, obj, 0, nth, &hit, fn);
		else
			restart_step_call((const void *)kmem_cache_free, (uintptr_t)c, obj, nth,
					  &hit, fn);
		expect_each_once(t, c);
		other_gives(other.nr_held);
		if (!hit)
			return nth - 1;
	}
	return MAX_NTH;
}

/* Empty, nearly so, nearly full, full. */
static unsigned int fill_level(const struct kmem_cache *c, unsigned int i)
{
	const unsigned int levels[] = { 0, 1, 2, c->magazine_limit - !!c->magazine_limit,
					c->magazine_limit };

	return levels[i];
}

#define NR_LEVELS 5u

/* Call number @k with each interruption at each level: the most instructions that it had. */
static unsigned int most_instructions(struct ktest *t, struct kmem_cache *c, bool frees,
				      unsigned int k)
{
	unsigned int most = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(interruptions); i++)
		for (unsigned int l = 0; l < NR_LEVELS && !t->nr_failed; l++) {
			unsigned int level = fill_level(c, l);
			unsigned int nr =
				frees ? free_interrupted_by(t, c, k, interruptions[i], level) :
					alloc_interrupted_by(t, c, k, interruptions[i], level);

			EXPECT_LE(t, MAX_NTH - 1, nr);
			most = max(most, nr);
		}
	return most;
}

KTEST(slab_magazine,
      an_allocation_interrupted_at_any_instruction_neither_loses_nor_doubles_an_object)
{
	struct kmem_cache *c = cache_of(64, 0);

	for (unsigned int k = 0; k < ARRAY_SIZE(allocators); k++)
		EXPECT_GE(t, c->magazine_limit ? RESTART_LEAST : 1,
			  most_instructions(t, c, false, k));
	finish(t, c);
}

KTEST(slab_magazine, a_free_interrupted_at_any_instruction_neither_loses_nor_doubles_an_object)
{
	struct kmem_cache *c = cache_of(64, 0);

	for (unsigned int k = 0; k < 2; k++)
		EXPECT_GE(t, c->magazine_limit ? RESTART_LEAST : 1,
			  most_instructions(t, c, true, k));
	finish(t, c);
}
