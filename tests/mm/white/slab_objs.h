/*
 * Layer: tests
 * slab_objs.h - objects that a white-box test of slab caches holds; the stack is small.
 */
#ifndef TESTS_MM_WHITE_SLAB_OBJS_H
#define TESTS_MM_WHITE_SLAB_OBJS_H

#include "../../../mm/slab.h"

#include <quarry/ktest.h>
#include <quarry/printk.h>

#define NR_OBJS 1200u

static void *objs[NR_OBJS];

/* How many of @nr there were. */
static inline unsigned int take(struct kmem_cache *c, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		objs[i] = kmem_cache_alloc(c, GFP_KERNEL);
		if (!objs[i])
			return i;
	}
	return nr;
}

static inline void give(struct kmem_cache *c, unsigned int from, unsigned int to)
{
	for (unsigned int i = from; i < to; i++)
		kmem_cache_free(c, objs[i]);
}

static inline void finish(struct ktest *t, struct kmem_cache *c)
{
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	EXPECT_EQ(t, 0, kmem_cache_nr_in_use(c));
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

/* Violations of @c; their reports are not for the log. */
static inline unsigned int nr_found(struct kmem_cache *c)
{
	int level = console_loglevel;
	unsigned int nr;

	console_loglevel = 0;
	nr = kmem_cache_check(c);
	console_loglevel = level;
	return nr;
}

#endif
