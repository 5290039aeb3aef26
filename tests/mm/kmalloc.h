/*
 * Layer: tests
 * kmalloc.h - what the tests of kmalloc() and of its relatives share: requests and contents.
 */
#ifndef TESTS_MM_KMALLOC_H
#define TESTS_MM_KMALLOC_H

#include "helpers.h"

#include <quarry/slab.h>
#include <quarry/string.h>

#define NR_LIVE 4u /* allocations that lie there at a time */
#define DIRT    0xa5

/* A slab with guards around its objects is at most so many times as large as they are. */
#define SLAB_BULK 4u

/* The same number, of which the compiler knows nothing. */
static inline size_t hidden(size_t n)
{
	__asm__ volatile("" : "+r"(n));
	return n;
}

/* kmalloc() of a size unknown to the compiler; NULL only if there is no block for it. */
static inline void *take(struct ktest *t, size_t size, gfp_t gfp)
{
	void *p = kmalloc(hidden(size), gfp | __GFP_NOWARN);

	if (!p)
		EXPECT_LE(t, SLAB_BULK * size, (size_t)PAGE_SIZE << largest_order(gfp));
	return p;
}

static inline size_t class_size(unsigned int i)
{
	return kmem_cache_size(kmalloc_caches[0][i]);
}

/* All bytes, each another than its neighbours'. */
static inline void fill(void *p, size_t size, unsigned int tag)
{
	uint8_t *byte = p;

	for (size_t i = 0; i < size; i++)
		byte[i] = (uint8_t)(tag + i * 7 + (i >> 8));
}

/* The first @size bytes of what fill() left there. */
static inline bool filled(const void *p, size_t size, unsigned int tag)
{
	const uint8_t *byte = p;

	for (size_t i = 0; i < size; i++)
		if (byte[i] != (uint8_t)(tag + i * 7 + (i >> 8)))
			return false;
	return true;
}

static inline bool is_zero(const void *p, size_t size)
{
	return !memchr_inv(p, 0, size);
}

/* Free memory of a class, NR_LIVE objects of it at least, has no zero byte. */
static inline void make_dirty(struct ktest *t, size_t size, gfp_t gfp)
{
	void *p[NR_LIVE];

	for (unsigned int i = 0; i < NR_LIVE; i++) {
		p[i] = take(t, size, gfp);
		if (p[i])
			memset(p[i], DIRT, ksize(p[i]));
	}
	for (unsigned int i = 0; i < NR_LIVE; i++)
		kfree(p[i]);
}

#endif
