/*
 * Layer: mm
 * kmem_cache.h - caches of objects of one size: what <quarry/slab.h> is about.
 *
 * FLAGS of a cache
 *
 *	SLAB_CONSISTENCY_CHECKS  verify the slab on every allocation and free
 *	SLAB_RED_ZONE            guard bytes on both sides of each object
 *	SLAB_POISON              fill free objects, and verify that nobody wrote to them
 *	SLAB_STORE_USER          keep caller and time of each object's last allocation and free
 *	SLAB_HWCACHE_ALIGN       objects start at cache lines; small ones share a line evenly
 *	SLAB_CACHE_DMA           memory below 16 MiB; only such a cache takes __GFP_DMA
 *	SLAB_RECLAIM_ACCOUNT     objects can be reclaimed: their pages are grouped with their like
 *	SLAB_PANIC               panic when the cache cannot be created
 *
 * The first four are the debug flags; slab_debug=FZPU[,glob] adds them at boot, in this order.  A
 * cache with any of them has no magazines, so that each call reaches the slab, where the checks
 * are: a crime is found at the call that commits it or, for a write after the free, at the next
 * allocation of the object.
 *
 * GFP MASKS.  As for pages, but: __GFP_HIGHMEM, __GFP_COMP, __GFP_MOVABLE, __GFP_RECLAIMABLE and
 * bits that are no flag are a BUG; so is __GFP_DMA for a cache without SLAB_CACHE_DMA, and
 * __GFP_ZERO for a cache with a constructor, and __GFP_NOFAIL without __GFP_WAIT or with
 * __GFP_NORETRY.
 */
#ifndef QUARRY_KMEM_CACHE_H
#define QUARRY_KMEM_CACHE_H

#include <quarry/asm/layout.h>
#include <quarry/compiler.h>
#include <quarry/config.h>
#include <quarry/gfp.h>
#include <quarry/sizes.h>
#include <quarry/types.h>

struct kmem_cache;
struct out;

/* Enums, because the debug information has no macros. */
enum slab_flag {
	SLAB_CONSISTENCY_CHECKS = 0x00000100,
	SLAB_RED_ZONE = 0x00000400,
	SLAB_POISON = 0x00000800,
	SLAB_HWCACHE_ALIGN = 0x00002000,
	SLAB_CACHE_DMA = 0x00004000,
	SLAB_STORE_USER = 0x00010000,
	SLAB_RECLAIM_ACCOUNT = 0x00020000,
	SLAB_PANIC = 0x00040000,
	SLAB_DEBUG_FLAGS = SLAB_CONSISTENCY_CHECKS | SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER,
	SLAB_ALL_FLAGS = SLAB_DEBUG_FLAGS | SLAB_HWCACHE_ALIGN | SLAB_CACHE_DMA |
			 SLAB_RECLAIM_ACCOUNT | SLAB_PANIC,
};

/* What a constructor or destructor is told. */
enum slab_ctor_flag {
	SLAB_CTOR_CONSTRUCTOR = 0x1, /* construct; without it: destruct */
	SLAB_CTOR_ATOMIC = 0x2,      /* this call may not sleep */
};

typedef QAPI void (*slab_ctor_t)(void *obj, struct kmem_cache *c, unsigned long flags);

/* The largest object has 2^this pages. */
#define SLAB_OBJECT_ORDER_MAX 5u
#define SLAB_OBJECT_SIZE_MAX  (PAGE_SIZE << SLAB_OBJECT_ORDER_MAX)
#define SLAB_NAME_MAX         32u /* bytes, the final 0 included */

/* The least alignment of every object, and the largest that can be asked for. */
#define SLAB_MIN_ALIGN  ((unsigned int)sizeof(void *))
#define SLAB_CACHE_LINE 64u
#define SLAB_ALIGN_MAX  SLAB_OBJECT_SIZE_MAX

/* ---- caches ----------------------------------------------------------------------------- */

/**
 * kmem_cache_create - make a cache of objects of one size.
 * @name:  unique, 1..SLAB_NAME_MAX - 1 bytes, no blanks; copied.
 * @size:  bytes, 1..SLAB_OBJECT_SIZE_MAX.
 * @align: bytes, a power of two up to SLAB_ALIGN_MAX; 0: SLAB_MIN_ALIGN.
 * @flags: SLAB_*.
 * @ctor:  called for each object when its slab is made, so that a free object is a constructed
 *         one: whoever frees it leaves it as the constructor did.  In a cache with SLAB_POISON it
 *         is called at every allocation, and @dtor at every free.  NULL: none.
 * @dtor:  called for each object before its slab is given back; NULL: none.  Needs @ctor.
 *
 * A bad name, size, alignment or flag, a name in use, and a destructor alone are a BUG.
 * Return:  NULL when there is no memory, unless SLAB_PANIC.
 * Owner:   the caller, until kmem_cache_destroy().
 * Context: a thread that may sleep.  @ctor and @dtor run without a lock, in the context of the
 *          allocation or free that makes or unmakes a slab: @ctor may sleep if its flags lack
 *          SLAB_CTOR_ATOMIC, @dtor may not.  Neither may use the cache itself.
 */
QAPI struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align,
					  unsigned long flags, slab_ctor_t ctor, slab_ctor_t dtor);

/* A cache for objects of a structure, aligned as the compiler aligns them. */
#define KMEM_CACHE(struct_name, flags)                              \
	kmem_cache_create(#struct_name, sizeof(struct struct_name), \
			  __alignof__(struct struct_name), (flags), NULL, NULL)

/**
 * kmem_cache_destroy - give a cache and its slabs back.
 * @c: NULL is ignored.
 *
 * Return:  0; -EBUSY when objects are still in use: their number, their addresses and, with
 *          SLAB_STORE_USER, who allocated them are printed, and the cache lives on.
 * Context: a thread that may sleep; nobody else uses the cache.
 */
QAPI int kmem_cache_destroy(struct kmem_cache *c);

/**
 * kmem_cache_shrink - empty a cache's magazines into its slabs, and give every empty slab back.
 *
 * Return:  pages freed.
 * Context: a thread that may sleep.
 */
QAPI unsigned long kmem_cache_shrink(struct kmem_cache *c);

/**
 * kmem_cache_reap - kmem_cache_shrink() of every cache.
 *
 * Return:  pages freed.
 * Context: a thread that may sleep.
 */
QAPI unsigned long kmem_cache_reap(void);

/* Bytes that the user of an object may use; the name.  Context: any. */
QAPI unsigned int kmem_cache_size(const struct kmem_cache *c);
QAPI const char *kmem_cache_name(const struct kmem_cache *c);

/* ---- objects ---------------------------------------------------------------------------- */

/* What the first lines of an allocation do not look at, because they need nothing done. */
#define GFP_SLAB_FAST                                                                        \
	(__GFP_WAIT | __GFP_HIGH | __GFP_IO | __GFP_FS | __GFP_COLD | __GFP_NOWARN |         \
	 __GFP_REPEAT | __GFP_NORETRY | __GFP_MEMALLOC | __GFP_NOMEMALLOC | __GFP_THISNODE | \
	 __GFP_DMA32)

/* kmem_cache_alloc() of GFP_KERNEL, of GFP_ATOMIC, of a mask within GFP_SLAB_FAST, of any. */
QAPI void *slab_alloc_kernel(struct kmem_cache *c) __must_check;
QAPI void *slab_alloc_atomic(struct kmem_cache *c) __must_check;
QAPI void *slab_alloc(struct kmem_cache *c, gfp_t gfp) __must_check;
QAPI void *slab_alloc_any(struct kmem_cache *c, gfp_t gfp) __must_check;

/**
 * kmem_cache_alloc - take an object.
 * @gfp: see above.
 *
 * Return:  the object, at least kmem_cache_size() bytes, aligned as the cache says; contents are
 *          undefined, or constructed, or zero with __GFP_ZERO.  NULL when there is no memory.
 * Owner:   the caller, until kmem_cache_free() to the same cache.
 * Context: with __GFP_WAIT a thread that may sleep, otherwise a BUG on every call; without it any,
 *          interrupts included.
 * Cost:    a pop from this CPU's magazine; every some dozens of calls a refill under the cache's
 *          lock, and if its slabs are full, the price of a new slab.
 */
static inline void *kmem_cache_alloc(struct kmem_cache *c, gfp_t gfp) __must_check;
static inline void *kmem_cache_alloc(struct kmem_cache *c, gfp_t gfp)
{
	/* The compiler judges a constant mask. */
	if (!__builtin_constant_p(gfp) || (gfp & ~GFP_SLAB_FAST))
		return slab_alloc_any(c, gfp);
	if (gfp == GFP_KERNEL)
		return slab_alloc_kernel(c);
	return gfp == GFP_ATOMIC ? slab_alloc_atomic(c) : slab_alloc(c, gfp);
}

/**
 * kmem_cache_zalloc - kmem_cache_alloc() of an object that is all zeroes.
 */
static inline void *kmem_cache_zalloc(struct kmem_cache *c, gfp_t gfp) __must_check;
static inline void *kmem_cache_zalloc(struct kmem_cache *c, gfp_t gfp)
{
	return kmem_cache_alloc(c, gfp | __GFP_ZERO);
}

/**
 * kmem_cache_free - give an object back to its cache.
 * @obj: what kmem_cache_alloc() of the same cache returned; NULL is ignored.
 *
 * A pointer that is in no slab, or in another cache's, is a BUG at once.  One that is no object's
 * start, or an object that is free already, is a BUG when it reaches its slab; at once if it is the
 * newest in the magazine, or if the cache has debug flags.
 * Context: any.
 * Cost:    a push to this CPU's magazine; when that is full, its oldest part goes to the slabs.
 */
QAPI void kmem_cache_free(struct kmem_cache *c, void *obj);

/**
 * kmem_cache_alloc_bulk - take @nr objects.
 * @objs: receives them.
 *
 * Return:  @nr, or 0 when not all could be had: then none is taken.
 * Context, cost: as kmem_cache_alloc(); one lock for many objects.
 */
QAPI unsigned int kmem_cache_alloc_bulk(struct kmem_cache *c, gfp_t gfp, unsigned int nr,
					void **objs) __must_check;

/**
 * kmem_cache_free_bulk - give @nr objects of one cache back.
 * @objs: none of them NULL.
 *
 * Context: any.
 */
QAPI void kmem_cache_free_bulk(struct kmem_cache *c, unsigned int nr, void **objs);

/* ---- seeing and checking ----------------------------------------------------------------- */

/**
 * kmem_cache_check - verify every invariant of a cache: its lists, its slabs, its magazines, and
 * with debug flags each object's guard bytes and poison.
 *
 * Return:  the number of violations, each printed.
 * Context: a thread that may sleep.  Cost: every object.
 */
QAPI unsigned int kmem_cache_check(struct kmem_cache *c);

/**
 * kmem_cache_nr_in_use - objects of @c that somebody has: those in magazines are free.
 *
 * Context: any; exact when nobody uses the cache meanwhile.
 */
QAPI unsigned long kmem_cache_nr_in_use(const struct kmem_cache *c);

/**
 * slabinfo_show - every cache, a line each: the format of /proc/slabinfo, version 2.1.
 *
 * Context: a thread that may sleep.
 */
QAPI void slabinfo_show(struct out *o);

/**
 * slab_cache_find - the cache of that name.
 *
 * Return:  NULL if there is none.  The cache is good as long as nobody destroys it.
 * Context: any.
 */
QAPI struct kmem_cache *slab_cache_find(const char *name);

/**
 * slab_cache_show - one cache in key=value lines: geometry, counts, magazines, then its slabs.
 *
 * Context: a thread that may sleep.
 */
QAPI void slab_cache_show(struct out *o, struct kmem_cache *c);

#endif
