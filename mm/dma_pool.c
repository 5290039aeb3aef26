/*
 * dma_pool.c - coherent memory in small blocks: slab caches whose pages a device reaches.
 *
 * THEORY.  A pool of blocks is a cache of objects, but for two things.  Its pages lie below the
 * device's mask: the cache has a limit, which slab.c passes on to the page allocator.  And no block
 * may cross a boundary, because devices count addresses in fewer bits than they drive: 16 on ISA.
 *
 * A slab is aligned to its size, so no block crosses a boundary that is at least that large.  For a
 * smaller one blocks are aligned to the power of two that their size is rounded up to, and then
 * each lies between two multiples of it, hence between two of any larger power of two.
 *
 * So a block costs what an object costs, and a pool has what a cache has: magazines, the search for
 * double and foreign frees (no link lies in a block, where a device could overwrite it), reports of
 * what is left, slab_debug=, whatis, slabinfo.
 *
 * STATE.  The list of pools.  A pool's cache is called dmaN-NAME.
 *
 * INVARIANTS.  S5 of slab.c: every page of a pool lies below its limit.
 *
 * LOCKING.  pools_lock, irq-safe, a leaf, guards the list and next_number.
 *
 * CONTEXT.  Making and destroying: a thread that may sleep.
 */
#include <quarry/align.h>
#include <quarry/bits.h>
#include <quarry/bug.h>
#include <quarry/env.h>
#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#include "dma.h"
#include "internal.h"
#include "slab.h"

#define POOLS_MAX 4096u /* that a search without a lock believes in */

static LIST_HEAD(pools);
static unsigned int next_number;
static spinlock_t pools_lock = SPINLOCK_INIT;

/* ---- making ------------------------------------------------------------------------------ */

static unsigned int take_number(void)
{
	unsigned long flags = spin_lock_irqsave(&pools_lock);
	unsigned int number = next_number++;

	spin_unlock_irqrestore(&pools_lock, flags);
	return number;
}

/* A name that slabinfo can print. */
static void name_cache(char name[SLAB_NAME_MAX], const char *pool_name)
{
	snprintf(name, SLAB_NAME_MAX, "dma%u-%s", take_number(), pool_name);
	for (char *p = name; *p; p++) {
		if ((unsigned char)*p <= ' ')
			*p = '_';
	}
}

/* Bytes of the largest slab, to which all are aligned. */
static size_t largest_slab(const struct kmem_cache *c)
{
	return PAGE_SIZE << max(c->layouts[SLAB_LAYOUT_WANTED].order,
				c->layouts[SLAB_LAYOUT_LEAST].order);
}

static struct kmem_cache *make_cache(const struct dma_pool *pool)
{
	char name[SLAB_NAME_MAX];
	struct kmem_cache *c;

	name_cache(name, pool->name);
	c = kmem_cache_create(name, pool->size, pool->align, 0, NULL, NULL);
	if (!c || !pool->boundary || pool->boundary >= largest_slab(c))
		return c;
	kmem_cache_destroy(c);
	return kmem_cache_create(name, pool->size,
				 max(pool->align, (size_t)1 << log2_roundup(pool->size)), 0, NULL,
				 NULL);
}

QAPI struct dma_pool *dma_pool_create(const char *name, struct device *dev, size_t size,
				      size_t align, size_t boundary)
{
	struct dma_pool *pool;
	unsigned long flags;

	might_sleep();
	if (boundary && ((boundary & (boundary - 1)) || boundary < size))
		panic("dma_pool_create(%s): boundary %zu is no power of two from %zu on", name,
		      boundary, size);
	pool = kzalloc(sizeof(*pool), GFP_KERNEL);
	if (!pool)
		return NULL;
	strlcpy(pool->name, name, sizeof(pool->name));
	pool->dev = dev;
	pool->size = size;
	pool->align = align;
	pool->boundary = boundary;
	pool->cache = make_cache(pool);
	if (!pool->cache) {
		kfree(pool);
		return NULL;
	}
	pool->align = pool->cache->align;
	pool->cache->page_limit = dma_limit(dev->coherent_dma_mask);
	flags = spin_lock_irqsave(&pools_lock);
	list_add_tail(&pool->link, &pools);
	spin_unlock_irqrestore(&pools_lock, flags);
	return pool;
}

QAPI int dma_pool_destroy(struct dma_pool *pool)
{
	unsigned long flags;
	int err;

	might_sleep();
	if (!pool)
		return 0;
	flags = spin_lock_irqsave(&pools_lock);
	list_del(&pool->link);
	spin_unlock_irqrestore(&pools_lock, flags);
	err = kmem_cache_destroy(pool->cache);
	if (!err) {
		kfree(pool);
		return 0;
	}
	flags = spin_lock_irqsave(&pools_lock);
	list_add_tail(&pool->link, &pools);
	spin_unlock_irqrestore(&pools_lock, flags);
	return err;
}

__cold QAPI void dma_pool_bad_handle(const struct dma_pool *pool, const void *va, dma_addr_t handle)
{
	panic("dma_pool_free(%s): %p has not the handle 0x%llx", pool->name, va, handle);
}

/* ---- looking ----------------------------------------------------------------------------- */

static struct dma_pool *nth_pool(unsigned int i) __must_hold(pools_lock)
{
	struct dma_pool *pool;

	list_for_each_entry(pool, &pools, link) {
		if (!i--)
			return pool;
	}
	return NULL;
}

QAPI bool dma_pool_copy(unsigned int i, struct dma_pool_state *copy)
{
	unsigned long flags = spin_lock_irqsave(&pools_lock);
	const struct dma_pool *pool = nth_pool(i);

	if (pool) {
		copy->pool = *pool;
		copy->limit = pool->cache->page_limit;
		copy->nr_in_use = kmem_cache_nr_in_use(pool->cache);
	}
	spin_unlock_irqrestore(&pools_lock, flags);
	return pool != NULL;
}

QAPI bool dma_pool_describe(struct out *o, uintptr_t va)
{
	const struct page *page = lowmem_page((const void *)va);
	const struct list_head *pos = READ_ONCE(pools.next);

	if (!page || !(page->flags & PG_slab))
		return false;
	for (unsigned int i = 0; i < POOLS_MAX && lowmem_page(pos) && pos != &pools; i++) {
		const struct dma_pool *pool = list_entry(pos, struct dma_pool, link);

		if (pool->cache == page->slab_cache) {
			out_printf(o, "dma kind=pool handle=0x%08llx size=%zu pool=%s dev=%s\n",
				   va_to_pa((const void *)va), pool->size, pool->name,
				   pool->dev->name);
			return true;
		}
		pos = READ_ONCE(pos->next);
	}
	return false;
}
