/*
 * Layer: mm
 * mempool.h - a reserve of elements for whoever must make progress when there is no memory.
 *
 * A pool keeps a number of elements aside.  An allocation asks the pool's allocator first; only
 * when that fails, an element of the reserve is given.  A free fills the reserve up first.  So at
 * any time at least that many elements exist: held by users, who will give them back, or reserved.
 *
 * MISUSE is a BUG that names the pool and who made it: a size out of range, __GFP_WAIT where
 * sleeping is forbidden (on every call), a mask that the reserve could not keep, a pool destroyed
 * while somebody has an element of its reserve, and a bad mempool_free(): see there.
 */
#ifndef QUARRY_MEMPOOL_H
#define QUARRY_MEMPOOL_H

#include <quarry/compiler.h>
#include <quarry/types.h>

struct kmem_cache;
struct mempool;
struct out;

typedef struct mempool mempool_t;

/* Where elements come from; @pool_data is the pool's. */
typedef QAPI void *(*mempool_alloc_t)(gfp_t gfp, void *pool_data);
typedef QAPI void (*mempool_free_t)(void *element, void *pool_data);

/* The largest reserve: its table of pointers is one kmalloc(). */
#define MEMPOOL_MAX (131072u / (unsigned int)sizeof(void *)) /* their table is one kmalloc() */

/**
 * mempool_create - make a pool and fill its reserve.
 * @min_nr:    elements of the reserve, 1..MEMPOOL_MAX; others are a BUG.
 * @alloc:     makes an element or returns NULL; may sleep only if the mask that it gets says so.
 * @free:      takes one back; any context in which mempool_free() is called.
 * @pool_data: for both.
 *
 * Return:  NULL when there is no memory for the pool or for any element.
 * Owner:   the caller, until mempool_destroy().
 * Context: a thread that may sleep.
 */
QAPI mempool_t *mempool_create(unsigned int min_nr, mempool_alloc_t alloc, mempool_free_t free,
			       void *pool_data) __must_check;

/**
 * mempool_create_slab_pool, mempool_create_kmalloc_pool, mempool_create_page_pool - pools of
 * objects of a cache, of kmalloc()ed memory of @size bytes, of blocks of 2^@order pages (elements
 * are struct page pointers).
 *
 * As mempool_create().  Of a cache, @c must live longer than the pool.  No cache, a @size of 0 and
 * an @order that is no block's are a BUG.
 */
QAPI mempool_t *mempool_create_slab_pool(unsigned int min_nr, struct kmem_cache *c) __must_check;
QAPI mempool_t *mempool_create_kmalloc_pool(unsigned int min_nr, size_t size) __must_check;
QAPI mempool_t *mempool_create_page_pool(unsigned int min_nr, unsigned int order) __must_check;

/**
 * mempool_alloc - take an element.
 * @gfp: __GFP_ZERO, __GFP_DMA and __GFP_COMP are a BUG: an element of the reserve was used before,
 *       lies where it lies, and is what it is.  The allocator never takes the page allocator's last
 *       reserves (__GFP_NOMEMALLOC is added) and is silent when it fails.
 *
 * The allocator is asked once with a mask that allows nothing which takes long, then the reserve is
 * tapped, newest element first.  If that is empty and @gfp may wait, the allocator is asked to
 * reclaim once (__GFP_NORETRY is added), and the caller waits for memory or for a mempool_free();
 * all this again, until there is an element.
 * Return:  the element.  NULL only if @gfp may not wait and nothing is left, or if it may but this
 *          kernel has nobody else to wait for: that is reported unless __GFP_NOWARN is set, and a
 *          panic with __GFP_NOFAIL.
 * Owner:   the caller, until mempool_free() to the same pool.
 * Context: with __GFP_WAIT a thread that may sleep; without it any in which the allocator may run.
 * Cost:    of a pool of slab objects the pop from the cache's magazine; otherwise the allocator.
 */
QAPI void *mempool_alloc(mempool_t *pool, gfp_t gfp) __must_check;

/**
 * mempool_free - give an element back: to the reserve if that is not full, else to the allocator.
 * @element: NULL is ignored.
 *
 * A BUG at once: the element that is the newest of the reserve (or, when the reserve is to be
 * filled, one of the MEMPOOL_LOOK_BACK newest) is freed again; an element that is to go to the
 * reserve, and is no object of the pool's cache, or no block of the pool's order.  What goes to the
 * allocator is checked there.
 * Context: any in which the pool's free function may run.
 */
QAPI void mempool_free(void *element, mempool_t *pool);

#define MEMPOOL_LOOK_BACK 16u

/**
 * mempool_resize - change the size of the reserve.
 * @new_min_nr: 1..MEMPOOL_MAX; others are a BUG.
 *
 * A larger reserve gets its new elements at once; those that users have are still owed to it.  A
 * smaller one gives what it has too much to the allocator; it is owed the less.
 * Return:  0; -ENOMEM when there is no memory for a larger reserve: then the pool is as it was.
 * Context: a thread that may sleep; others may use the pool, but not resize it.
 */
QAPI int mempool_resize(mempool_t *pool, unsigned int new_min_nr) __must_check;

/**
 * mempool_destroy - give the pool and its reserve back.
 * @pool: NULL is ignored.  A pool whose reserve is not full is a BUG: somebody has an element.
 *
 * Context: a thread that may sleep.
 */
QAPI void mempool_destroy(mempool_t *pool);

/* Ready-made allocators, for mempool_create(): pool_data is the cache, the size, the order. */
QAPI void *mempool_alloc_slab(gfp_t gfp, void *pool_data);
QAPI void mempool_free_slab(void *element, void *pool_data);
QAPI void *mempool_kmalloc(gfp_t gfp, void *pool_data);
QAPI void mempool_kfree(void *element, void *pool_data);
QAPI void *mempool_alloc_pages(gfp_t gfp, void *pool_data);
QAPI void mempool_free_pages(void *element, void *pool_data);

/**
 * mempool_check - verify the invariants of a pool: the number of violations, each printed.
 *
 * Context: any; holds the pool's lock throughout.  Cost: the square of the reserve.
 */
QAPI unsigned int mempool_check(mempool_t *pool);

/**
 * mempools_check - mempool_check() of every pool.
 *
 * Context: a thread, with nobody making or destroying pools.
 */
QAPI unsigned int mempools_check(void);

/**
 * mempools_show - every pool, a line each, key=value: where it is, who made it, what its elements
 * are, the size of its reserve and how many are in it.
 *
 * A pool that is made or destroyed meanwhile may be missing, and others with it.
 * Context: any.
 */
QAPI void mempools_show(struct out *o);

#endif
