/*
 * Layer: mm
 * alloc_trace.h - where calls are recorded from; nothing at all when configured off.
 *
 * What is taken is noted after it was taken, what is given before it is: so a record of an address
 * stands before those of its next owner, on whatever CPU.
 */
#ifndef MM_DEBUG_ALLOC_TRACE_H
#define MM_DEBUG_ALLOC_TRACE_H

#include <quarry/config.h>
#include <quarry/mm.h>

#include "../slab.h"

enum alloc_trace_behind { ALLOC_TRACE_OF_SLAB, ALLOC_TRACE_OF_AREA };

/* What the functions below do while it is on. */
QAPI void alloc_trace_object_slow(const struct kmem_cache *c, const void *obj, gfp_t gfp,
				  const void *caller);
QAPI void alloc_trace_object_free_slow(const void *obj, const void *caller);
QAPI void alloc_trace_pages_slow(const struct page *page, unsigned int order, gfp_t gfp);
QAPI void alloc_trace_pages_free_slow(const struct page *page);
QAPI void alloc_trace_large_slow(const void *p, size_t size, gfp_t gfp);
QAPI void alloc_trace_large_free_slow(const void *p);
QAPI void alloc_trace_area_slow(const void *va, size_t size, gfp_t gfp, const void *caller);
QAPI void alloc_trace_area_free_slow(const void *va, const void *caller);
QAPI void alloc_trace_behind_slow(enum alloc_trace_behind what, unsigned long nr,
				  struct page *const *pages);
QAPI void alloc_trace_own_slow(const void *obj);
QAPI void alloc_trace_split_slow(const struct page *page, unsigned int order);

#if CONFIG_ALLOC_TRACE

/* Is it on?  Read without a lock: a hint that is right once all per-CPU lists are out of use. */
extern bool alloc_trace_armed;

static inline bool alloc_trace_on(void)
{
	return unlikely(READ_ONCE(alloc_trace_armed));
}

#else

static inline bool alloc_trace_on(void)
{
	return false;
}

#endif

/* @obj of @c goes to its owner; NULL: it could not be had. */
static inline void alloc_trace_object(const struct kmem_cache *c, const void *obj, gfp_t gfp,
				      const void *caller)
{
	if (alloc_trace_on())
		alloc_trace_object_slow(c, obj, gfp, caller);
}

/* @obj, which lies in a slab, comes back. */
static inline void alloc_trace_object_free(const void *obj, const void *caller)
{
	if (alloc_trace_on())
		alloc_trace_object_free_slow(obj, caller);
}

/* A block goes to its owner, NULL: it could not be had; it comes back. */
static inline void alloc_trace_pages(const struct page *page, unsigned int order, gfp_t gfp)
{
	if (alloc_trace_on())
		alloc_trace_pages_slow(page, order, gfp);
}

static inline void alloc_trace_pages_free(const struct page *page)
{
	if (alloc_trace_on())
		alloc_trace_pages_free_slow(page);
}

/* The same of a kmalloc() of whole pages; those are behind it. */
static inline void alloc_trace_large(const void *p, size_t size, gfp_t gfp)
{
	if (alloc_trace_on())
		alloc_trace_large_slow(p, size, gfp);
}

static inline void alloc_trace_large_free(const void *p)
{
	if (alloc_trace_on())
		alloc_trace_large_free_slow(p);
}

/* The same of an area of vmalloc(). */
static inline void alloc_trace_area(const void *va, size_t size, gfp_t gfp, const void *caller)
{
	if (alloc_trace_on())
		alloc_trace_area_slow(va, size, gfp, caller);
}

static inline void alloc_trace_area_free(const void *va, const void *caller)
{
	if (alloc_trace_on())
		alloc_trace_area_free_slow(va, caller);
}

/* These blocks, just taken, are behind a slab or an area. */
static inline void alloc_trace_behind(enum alloc_trace_behind what, unsigned long nr,
				      struct page *const *pages)
{
	if (alloc_trace_on())
		alloc_trace_behind_slow(what, nr, pages);
}

/* An object, just taken, that the allocator itself needs. */
static inline void alloc_trace_own(const void *obj)
{
	if (alloc_trace_on())
		alloc_trace_own_slow(obj);
}

/* Each page of a block becomes a block. */
static inline void alloc_trace_split(const struct page *page, unsigned int order)
{
	if (alloc_trace_on())
		alloc_trace_split_slow(page, order);
}

#endif
