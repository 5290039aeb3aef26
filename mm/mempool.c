/*
 * mempool.c - pools: a reserve of elements behind any allocator.
 *
 * THEORY.  Who must free memory may need some to do it.  A pool that keeps min_nr elements aside
 * breaks the circle: as long as each user needs one element at a time and gives it back, somebody
 * can go on.  The allocator is asked first, so that the reserve stays for the worst case; a free
 * fills the reserve first, so that it does not stay empty.
 *
 * The reserve is a stack.  min_nr - curr_nr is what it is owed: that many elements were taken from
 * it, and the next that come back, whichever they are, settle the debt.
 *
 * FAST PATH.  A pool of slab objects knows its cache: an allocation pops the magazine of the cache
 * itself, and a free to a full reserve goes to kmem_cache_free().  Any other pool has a magazine
 * that is always empty, so that one pop is also the test for which kind it is.
 *
 * A free looks at free_to and newest (others: at the counts) without the lock.  Nothing is missed:
 * the element that it holds came to it from an allocation.  If that took it from the reserve, all
 * of them were changed before the element was handed out, and whoever passed it on did so in order:
 * they are as new as the element.  Other changes may be seen late; then the element goes to the
 * allocator, as it would have a moment earlier.
 *
 * STATE.  struct mempool; pools, the list of all, in the order of creation.
 *
 * INVARIANTS, checked by mempool_check():
 *   E1  1 <= min_nr, curr_nr <= min_nr;
 *   E2  elements[0 .. curr_nr) are neither NULL nor twice the same;
 *   E3  newest is elements[curr_nr - 1], NULL if there is none; free_to is the cache, NULL if there
 *       is none or the reserve is not full;
 *   E4  what is in the reserve is of the pool's kind, as far as the kind is known.
 *
 * LOCKING.  pool->lock guards one reserve, mempools_lock the list: both are leaves.  No function of
 * an allocator is called under either.  What mempool_resize() changes, only it changes.
 *
 * CONTEXT.  As <quarry/mempool.h> says.
 *
 * NOT HERE.  Waking: a free wakes nobody, because who waits looks again after GFP_WAIT_MS.
 */
#include <quarry/mempool.h>

#include <quarry/align.h>
#include <quarry/bug.h>
#include <quarry/env.h>
#include <quarry/errno.h>
#include <quarry/ksyms.h>
#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#include "internal.h"
#include "slab.h"

struct mempool {
	struct percpu_stack *magazine; /* of the cache, or the one that is always empty */
	struct kmem_cache *cache;      /* of a pool of slab objects, otherwise NULL */
	mempool_alloc_t alloc;
	mempool_free_t free;
	void *pool_data;
	const void *creator; /* return address of the call that made it */

	spinlock_t lock;
	/* Guarded by lock. */
	unsigned int min_nr, curr_nr;
	void *newest;               /* of the reserve; NULL: it is empty */
	struct kmem_cache *free_to; /* cache while the reserve is full, otherwise NULL */
	void **elements;

	/* Guarded by mempools_lock. */
	struct list_head link;
};

static_assert(MEMPOOL_MAX * sizeof(void *) <= KMALLOC_MAX_SIZE, "the table is one kmalloc()");

/* What an element of the reserve could not keep. */
#define MEMPOOL_GFP_FORBIDDEN (__GFP_ZERO | __GFP_DMA | __GFP_COMP)

/* Added for the allocator: the pool's reserve comes before the zones', and waiting is done here. */
#define MEMPOOL_GFP_ADDED (__GFP_NOMEMALLOC | __GFP_NORETRY | __GFP_NOWARN)

#define NAME_BYTES 80u

static DEFINE_PER_CPU(struct percpu_stack, always_empty);
static LIST_HEAD(pools);
static spinlock_t mempools_lock = SPINLOCK_INIT;

/* ---- the fast paths --------------------------------------------------------------------- */

static void *alloc_slow(mempool_t *pool, gfp_t gfp, const void *caller);
static void free_slow(void *element, mempool_t *pool);

QAPI void *mempool_alloc(mempool_t *pool, gfp_t gfp)
{
	void *element;

	if (unlikely(gfp & ~GFP_SLAB_FAST) ||
	    (unlikely(!env_can_sleep()) && unlikely(gfp & __GFP_WAIT)))
		return alloc_slow(pool, gfp, __builtin_return_address(0));
	element = percpu_stack_pop(pool->magazine);
	if (unlikely(!element))
		return alloc_slow(pool, gfp, __builtin_return_address(0));
	return element;
}

QAPI void mempool_free(void *element, mempool_t *pool)
{
	struct kmem_cache *c = READ_ONCE(pool->free_to);

	if (unlikely(!c) || unlikely(pool->newest == element))
		free_slow(element, pool);
	else
		kmem_cache_free(c, element);
}

/* ---- pools in words --------------------------------------------------------------------- */

/* Print an address by the function that it lies in. */
static void show_symbol(struct out *o, const void *va)
{
	unsigned long offset;
	const char *name = ksym_lookup((uintptr_t)va, &offset, NULL);

	if (name && !offset)
		out_printf(o, "%s", name);
	else if (name)
		out_printf(o, "%s+%#lx", name, offset);
	else
		out_printf(o, "%p", va);
}

/* Print what a pool's elements are. */
static void show_kind(struct out *o, const struct mempool *pool)
{
	if (pool->cache) {
		out_printf(o, "%s", kmem_cache_name(pool->cache));
	} else if (pool->alloc == mempool_alloc_pages) {
		out_printf(o, "pages:%lu", (unsigned long)(uintptr_t)pool->pool_data);
	} else if (pool->alloc == mempool_kmalloc) {
		out_printf(o, "kmalloc:%lu", (unsigned long)(uintptr_t)pool->pool_data);
	} else {
		show_symbol(o, (const void *)(uintptr_t)pool->alloc);
	}
}

static void show_pool(struct out *o, const struct mempool *pool)
{
	out_printf(o, "mempool pool=%p by=", (const void *)pool);
	show_symbol(o, pool->creator);
	out_printf(o, " of=");
	show_kind(o, pool);
	out_printf(o, " min_nr=%u curr_nr=%u", READ_ONCE(pool->min_nr), READ_ONCE(pool->curr_nr));
}

static __cold __noreturn void pool_bad(const struct mempool *pool, const char *what)
{
	char line[2 * NAME_BYTES];
	struct out_buf b;

	out_buf_init(&b, line, sizeof(line));
	show_pool(&b.out, pool);
	pr_emerg("BUG: mempool %s\n", what);
	panic("%s: %s", line, what);
}

static __cold __noreturn void element_bad(const struct mempool *pool, const void *element,
					  const char *what)
{
	char text[NAME_BYTES];

	snprintf(text, sizeof(text), "element %p %s", element, what);
	pool_bad(pool, text);
}

/* What is wrong with @element as one of the pool's; NULL: nothing that can be seen. */
static const char *element_fault(const struct mempool *pool, const void *element)
{
	const struct page *page = pool->cache ? lowmem_page(element) : element;

	if (pool->cache && (!page || !(page->flags & PG_slab) || page->slab_cache != pool->cache))
		return "is no object of the pool's cache";
	if (pool->free != mempool_free_pages)
		return NULL;
	if (page < mem_map || page >= mem_map + max_pfn ||
	    ((uintptr_t)page - (uintptr_t)mem_map) % sizeof(*page))
		return "is no struct page";
	if (atomic_read(&page->_count) != 1 || (page->flags & PG_buddy))
		return "is a page that is free or shared";
	if (block_order(page) != (unsigned int)(uintptr_t)pool->pool_data)
		return "is a block of another order than the pool's";
	return NULL;
}

/* ---- the reserve ------------------------------------------------------------------------ */

/* The reserve has @nr elements, of @min_nr, from now on: tell those who look without the lock. */
static void reserve_set(struct mempool *pool, unsigned int nr, unsigned int min_nr)
	__must_hold(pool->lock)
{
	WRITE_ONCE(pool->curr_nr, nr);
	WRITE_ONCE(pool->min_nr, min_nr);
	WRITE_ONCE(pool->newest, nr ? pool->elements[nr - 1] : NULL);
	WRITE_ONCE(pool->free_to, nr == min_nr ? pool->cache : NULL);
}

/* The newest element, the pool's no more; NULL: the reserve is empty. */
static void *take_top(struct mempool *pool) __must_hold(pool->lock)
{
	void *element = pool->newest;

	if (element)
		reserve_set(pool, pool->curr_nr - 1, pool->min_nr);
	return element;
}

static void *reserve_take(struct mempool *pool)
{
	unsigned long flags = spin_lock_irqsave(&pool->lock);
	void *element = take_top(pool);

	spin_unlock_irqrestore(&pool->lock, flags);
	return element;
}

/* Is @element one of the newest? */
static bool reserve_has(const struct mempool *pool, const void *element) __must_hold(pool->lock)
{
	for (unsigned int i = 0; i < min(pool->curr_nr, MEMPOOL_LOOK_BACK); i++) {
		if (pool->elements[pool->curr_nr - 1 - i] == element)
			return true;
	}
	return false;
}

/* False: the reserve is full. */
static bool reserve_give(struct mempool *pool, void *element)
{
	const char *fault = element_fault(pool, element);
	unsigned long flags = spin_lock_irqsave(&pool->lock);
	bool full = pool->curr_nr >= pool->min_nr, twice = reserve_has(pool, element);

	if (!full && !fault && !twice) {
		pool->elements[pool->curr_nr] = element;
		reserve_set(pool, pool->curr_nr + 1, pool->min_nr);
	}
	spin_unlock_irqrestore(&pool->lock, flags);
	if (twice)
		element_bad(pool, element, "is freed twice: it is in the reserve");
	if (!full && fault)
		element_bad(pool, element, fault);
	return !full;
}

/* ---- allocating and freeing, the slow paths --------------------------------------------- */

static void *ask_allocator(struct mempool *pool, gfp_t gfp, const void *caller)
{
	if (pool->cache)
		return slab_alloc_slow(pool->cache, gfp, caller);
	return pool->alloc(gfp, pool->pool_data);
}

static void check_request(const struct mempool *pool, gfp_t gfp)
{
	if ((gfp & __GFP_WAIT) && !env_can_sleep())
		pool_bad(pool, "is asked to wait where sleeping is forbidden");
	if (gfp & __GFP_ZERO)
		pool_bad(pool, "is asked for zeroes");
	if (gfp & (MEMPOOL_GFP_FORBIDDEN | ~__GFP_ALL))
		pool_bad(pool, "is asked for what its reserve may not have");
	if ((gfp & __GFP_NOFAIL) && !(gfp & __GFP_WAIT))
		pool_bad(pool, "may not fail, but may not wait either");
}

/* The reserve is empty, nothing can be reclaimed, and nobody else is there to free an element. */
static __cold void *give_up(const struct mempool *pool, gfp_t gfp)
{
	char line[2 * NAME_BYTES];
	struct out_buf b;

	if (gfp & __GFP_NOFAIL)
		pool_bad(pool, "is empty: it may not fail, and there is nobody to wait for");
	if (gfp & __GFP_NOWARN)
		return NULL;
	out_buf_init(&b, line, sizeof(line));
	show_pool(&b.out, pool);
	pr_warn("%s: mempool allocation failure: mode:%#x %s\n", env_current()->name, gfp, line);
	env_dump_stack();
	return NULL;
}

static void *alloc_waiting(struct mempool *pool, gfp_t gfp, const void *caller)
{
	gfp_t reclaiming = (gfp & ~(gfp_t)__GFP_NOFAIL) | MEMPOOL_GFP_ADDED;

	do {
		void *element = ask_allocator(pool, reclaiming, caller);

		if (!element)
			element = reserve_take(pool);
		if (element)
			return element;
	} while (env_wait_for_memory(GFP_WAIT_MS));
	return give_up(pool, gfp);
}

static __noinline void *alloc_slow(mempool_t *pool, gfp_t gfp, const void *caller)
{
	gfp_t quick = (gfp & ~(gfp_t)(GFP_KERNEL | __GFP_NOFAIL)) | MEMPOOL_GFP_ADDED;
	void *element;

	check_request(pool, gfp);
	element = ask_allocator(pool, quick, caller);
	if (!element)
		element = reserve_take(pool);
	if (!element && (gfp & __GFP_WAIT))
		element = alloc_waiting(pool, gfp, caller);
	return element;
}

static __noinline void free_slow(void *element, mempool_t *pool)
{
	if (!element)
		return;
	if (READ_ONCE(pool->newest) == element)
		element_bad(pool, element, "is freed twice: it is in the reserve");
	if (READ_ONCE(pool->curr_nr) < READ_ONCE(pool->min_nr) && reserve_give(pool, element))
		return;
	pool->free(element, pool->pool_data);
}

/* ---- ready-made allocators -------------------------------------------------------------- */

QAPI void *mempool_alloc_slab(gfp_t gfp, void *pool_data)
{
	return kmem_cache_alloc(pool_data, gfp);
}

QAPI void mempool_free_slab(void *element, void *pool_data)
{
	kmem_cache_free(pool_data, element);
}

QAPI void *mempool_kmalloc(gfp_t gfp, void *pool_data)
{
	return kmalloc((size_t)(uintptr_t)pool_data, gfp);
}

QAPI void mempool_kfree(void *element, void *pool_data)
{
	(void)pool_data;
	kfree(element);
}

QAPI void *mempool_alloc_pages(gfp_t gfp, void *pool_data)
{
	return alloc_pages(gfp, (unsigned int)(uintptr_t)pool_data);
}

QAPI void mempool_free_pages(void *element, void *pool_data)
{
	__free_pages(element, (unsigned int)(uintptr_t)pool_data);
}

/* ---- making, resizing, destroying ------------------------------------------------------- */

static void check_size(const struct mempool *pool, unsigned int min_nr)
{
	char text[NAME_BYTES];

	if (min_nr >= 1 && min_nr <= MEMPOOL_MAX)
		return;
	snprintf(text, sizeof(text), "shall have a reserve of %u, which is not 1..%u", min_nr,
		 MEMPOOL_MAX);
	pool_bad(pool, text);
}

/* The cache behind the ready-made allocators; NULL: there is none. */
static struct kmem_cache *cache_behind(const struct mempool *pool)
{
	size_t size = (size_t)(uintptr_t)pool->pool_data;

	if (pool->alloc == mempool_alloc_slab && pool->free == mempool_free_slab)
		return pool->pool_data;
	if (pool->alloc == mempool_kmalloc && pool->free == mempool_kfree &&
	    size <= KMALLOC_CACHE_MAX)
		return kmalloc_caches[0][kmalloc_index(size)];
	return NULL;
}

static void check_kind(const struct mempool *pool)
{
	if (!pool->alloc || !pool->free)
		pool_bad(pool, "has no functions to make and free elements");
	if (pool->alloc == mempool_alloc_slab && !pool->pool_data)
		pool_bad(pool, "has no cache");
	if (pool->alloc == mempool_kmalloc && !pool->pool_data)
		pool_bad(pool, "shall have elements of 0 bytes");
	if (pool->alloc == mempool_alloc_pages && (uintptr_t)pool->pool_data >= MAX_ORDER)
		pool_bad(pool, "shall have blocks of an order that there is not");
}

/* Take @nr elements from the allocator; all, or none: false. */
static bool collect(struct mempool *pool, unsigned int nr, void **elements)
{
	for (unsigned int i = 0; i < nr; i++) {
		elements[i] = ask_allocator(pool, GFP_KERNEL, pool->creator);
		if (elements[i])
			continue;
		while (i-- > 0)
			pool->free(elements[i], pool->pool_data);
		return false;
	}
	return true;
}

/* A table for a reserve of @min_nr, @nr_new of them collected; NULL: no memory. */
static void **table_with(struct mempool *pool, unsigned int min_nr, unsigned int nr_new)
{
	void **elements = kmalloc_array(min_nr, sizeof(*elements), GFP_KERNEL);

	if (elements && !collect(pool, nr_new, elements)) {
		kfree(elements);
		return NULL;
	}
	return elements;
}

/* The new elements come to lie below those that are there.  A pool that is being made has none. */
static int grow(struct mempool *pool, unsigned int new_min_nr)
{
	unsigned int nr_new = new_min_nr - pool->min_nr;
	void **elements = table_with(pool, new_min_nr, nr_new), **old;
	unsigned long flags;

	if (!elements)
		return -ENOMEM;
	flags = spin_lock_irqsave(&pool->lock);
	old = pool->elements;
	memcpy(elements + nr_new, old, pool->curr_nr * sizeof(*old));
	pool->elements = elements;
	reserve_set(pool, pool->curr_nr + nr_new, new_min_nr);
	spin_unlock_irqrestore(&pool->lock, flags);
	kfree(old);
	return 0;
}

static void link_pool(struct mempool *pool)
{
	unsigned long flags = spin_lock_irqsave(&mempools_lock);

	list_add_tail(&pool->link, &pools);
	spin_unlock_irqrestore(&mempools_lock, flags);
}

static void unlink_pool(struct mempool *pool)
{
	unsigned long flags = spin_lock_irqsave(&mempools_lock);

	list_del(&pool->link);
	spin_unlock_irqrestore(&mempools_lock, flags);
}

/* @wanted has what the caller of the public function said, and zeroes. */
static mempool_t *pool_make(const struct mempool *wanted)
{
	struct mempool *pool;

	might_sleep();
	check_size(wanted, wanted->min_nr);
	check_kind(wanted);
	pool = kmalloc(sizeof(*pool), GFP_KERNEL);
	if (!pool)
		return NULL;
	*pool = *wanted;
	spin_lock_init(&pool->lock);
	pool->cache = cache_behind(pool);
	pool->magazine = pool->cache ? pool->cache->magazine : &always_empty;
	pool->min_nr = 0;
	if (grow(pool, wanted->min_nr)) {
		kfree(pool);
		return NULL;
	}
	link_pool(pool);
	return pool;
}

QAPI mempool_t *mempool_create(unsigned int min_nr, mempool_alloc_t alloc, mempool_free_t free,
			       void *pool_data)
{
	struct mempool wanted = { .alloc = alloc,
				  .free = free,
				  .pool_data = pool_data,
				  .min_nr = min_nr,
				  .creator = __builtin_return_address(0) };

	return pool_make(&wanted);
}

QAPI mempool_t *mempool_create_slab_pool(unsigned int min_nr, struct kmem_cache *c)
{
	struct mempool wanted = { .alloc = mempool_alloc_slab,
				  .free = mempool_free_slab,
				  .pool_data = c,
				  .min_nr = min_nr,
				  .creator = __builtin_return_address(0) };

	return pool_make(&wanted);
}

QAPI mempool_t *mempool_create_kmalloc_pool(unsigned int min_nr, size_t size)
{
	struct mempool wanted = { .alloc = mempool_kmalloc,
				  .free = mempool_kfree,
				  .pool_data = (void *)(uintptr_t)size,
				  .min_nr = min_nr,
				  .creator = __builtin_return_address(0) };

	return pool_make(&wanted);
}

QAPI mempool_t *mempool_create_page_pool(unsigned int min_nr, unsigned int order)
{
	struct mempool wanted = { .alloc = mempool_alloc_pages,
				  .free = mempool_free_pages,
				  .pool_data = (void *)(uintptr_t)order,
				  .min_nr = min_nr,
				  .creator = __builtin_return_address(0) };

	return pool_make(&wanted);
}

/*
 * Lower min_nr to what the reserve has without its newest element, which is the result, but not
 * below @new_min_nr; NULL: no element is too much.
 */
static void *shrink_by_one(struct mempool *pool, unsigned int new_min_nr)
{
	unsigned long flags = spin_lock_irqsave(&pool->lock);
	void *element = pool->curr_nr > new_min_nr ? take_top(pool) : NULL;

	reserve_set(pool, pool->curr_nr, max(pool->curr_nr, new_min_nr));
	spin_unlock_irqrestore(&pool->lock, flags);
	return element;
}

/* The table stays as large as it is. */
static void shrink(struct mempool *pool, unsigned int new_min_nr)
{
	void *element;

	while ((element = shrink_by_one(pool, new_min_nr)) != NULL)
		pool->free(element, pool->pool_data);
}

QAPI int mempool_resize(mempool_t *pool, unsigned int new_min_nr)
{
	might_sleep();
	check_size(pool, new_min_nr);
	if (new_min_nr > pool->min_nr)
		return grow(pool, new_min_nr);
	shrink(pool, new_min_nr);
	return 0;
}

QAPI void mempool_destroy(mempool_t *pool)
{
	void *element;

	might_sleep();
	if (!pool)
		return;
	if (pool->curr_nr < pool->min_nr)
		pool_bad(pool, "is destroyed while somebody has elements of its reserve");
	unlink_pool(pool);
	while ((element = reserve_take(pool)) != NULL)
		pool->free(element, pool->pool_data);
	kfree(pool->elements);
	kfree(pool);
}

/* ---- seeing and checking ---------------------------------------------------------------- */

static unsigned int check_element(const struct mempool *pool, unsigned int i)
	__must_hold(pool->lock)
{
	const void *element = pool->elements[i];
	const char *fault = element ? element_fault(pool, element) : NULL;
	unsigned int nr_bad = 0;

	if (!element)
		BAD(nr_bad, "mempool_check: E2 broken: %p has no element %u\n", (const void *)pool,
		    i);
	for (unsigned int other = 0; element && other < i; other++) {
		if (pool->elements[other] == element)
			BAD(nr_bad, "mempool_check: E2 broken: %p has %p at %u and %u\n",
			    (const void *)pool, element, other, i);
	}
	if (fault)
		BAD(nr_bad, "mempool_check: E4 broken: %p: element %p %s\n", (const void *)pool,
		    element, fault);
	return nr_bad;
}

QAPI unsigned int mempool_check(mempool_t *pool)
{
	unsigned long flags = spin_lock_irqsave(&pool->lock);
	unsigned int nr = pool->curr_nr, nr_bad = 0;

	if (!pool->min_nr || nr > pool->min_nr)
		BAD(nr_bad, "mempool_check: E1 broken: %p has %u of %u\n", (const void *)pool, nr,
		    pool->min_nr);
	nr = min(nr, pool->min_nr);
	for (unsigned int i = 0; i < nr; i++)
		nr_bad += check_element(pool, i);
	if (pool->newest != (nr ? pool->elements[nr - 1] : NULL) ||
	    pool->free_to != (nr == pool->min_nr ? pool->cache : NULL))
		BAD(nr_bad, "mempool_check: E3 broken: %p: newest is %p, frees go to %p\n",
		    (const void *)pool, pool->newest, (const void *)pool->free_to);
	spin_unlock_irqrestore(&pool->lock, flags);
	return nr_bad;
}

QAPI unsigned int mempools_check(void)
{
	unsigned int nr_bad = 0;
	struct mempool *pool;

	list_for_each_entry(pool, &pools, link)
		nr_bad += mempool_check(pool);
	return nr_bad;
}

/* Line number @nr of the report, in @b; false: there are not that many. */
static bool show_nth(struct out_buf *b, unsigned int nr)
{
	unsigned long flags = spin_lock_irqsave(&mempools_lock);
	const struct mempool *pool;
	bool found = false;

	list_for_each_entry(pool, &pools, link) {
		found = !nr--;
		if (found)
			break;
	}
	if (found)
		show_pool(&b->out, pool);
	spin_unlock_irqrestore(&mempools_lock, flags);
	return found;
}

QAPI void mempools_show(struct out *o)
{
	char line[2 * NAME_BYTES];
	struct out_buf b;

	for (unsigned int nr = 0;; nr++) {
		out_buf_init(&b, line, sizeof(line));
		if (!show_nth(&b, nr))
			break;
		out_printf(o, "%s\n", line);
	}
}
