/*
 * mempool.c - crimes against memory pools.
 *
 * CONTEXT.  A thread, after boot.
 */
#include "death.h"

#include <quarry/env.h>
#include <quarry/mempool.h>
#include <quarry/slab.h>

/* ---- pools ------------------------------------------------------------------------------ */

/* An allocator that has elements for the reserve of one, and no more. */
static QAPI void *one_element(gfp_t gfp, void *pool_data)
{
	static bool given;
	bool first = !given;

	(void)gfp;
	given = true;
	return first ? pool_data : NULL;
}

static QAPI void no_free(void *element, void *pool_data)
{
	(void)element;
	(void)pool_data;
}

static inline mempool_t *pool_of_one(void)
{
	static char element[8];

	return mempool_create(1, one_element, no_free, element);
}

/* Take the whole machine, and what the pool can give. */
static void *empty_pool(mempool_t *pool)
{
	void *last = NULL, *element;

	while (alloc_page(GFP_NOWAIT | __GFP_NOWARN))
		;
	while ((element = mempool_alloc(pool, GFP_NOWAIT)) != NULL)
		last = element;
	return last;
}

static void mempool_destroy_in_use(void)
{
	mempool_t *pool = pool_of_one();

	pr_info("got %p\n", mempool_alloc(pool, GFP_KERNEL));
	mempool_destroy(pool);
}

static void mempool_free_twice(void)
{
	mempool_t *pool = pool_of_one();
	void *element = mempool_alloc(pool, GFP_KERNEL);

	mempool_free(element, pool);
	mempool_free(element, pool);
}

static void mempool_free_foreign_object(void)
{
	mempool_t *pool = mempool_create_kmalloc_pool(2, 64);
	void *foreign = kmalloc(32, GFP_KERNEL);

	empty_pool(pool);
	mempool_free(foreign, pool);
}

static void mempool_free_wrong_order(void)
{
	mempool_t *pool = mempool_create_page_pool(2, 1);
	struct page *page = victim(GFP_KERNEL, 2);

	empty_pool(pool);
	mempool_free(page, pool);
}

static void mempool_free_no_page(void)
{
	static struct page impostor;
	mempool_t *pool = mempool_create_page_pool(1, 0);

	empty_pool(pool);
	mempool_free(&impostor, pool);
}

/* In the map, but not where a struct page begins. */
static void mempool_free_inside_page(void)
{
	mempool_t *pool = mempool_create_page_pool(1, 0);
	char *page = empty_pool(pool);

	mempool_free(page + 4, pool);
}

static void mempool_zero(void)
{
	pr_info("got %p\n",
		mempool_alloc(mempool_create_kmalloc_pool(1, 64), GFP_KERNEL | __GFP_ZERO));
}

static void mempool_dma(void)
{
	pr_info("got %p\n", mempool_alloc(mempool_create_kmalloc_pool(1, 64), GFP_DMA));
}

static void mempool_wait_in_atomic(void)
{
	mempool_t *pool = mempool_create_kmalloc_pool(1, 64);

	preempt_disable();
	pr_info("got %p\n", mempool_alloc(pool, GFP_NOIO));
}

static void mempool_nofail_without_wait(void)
{
	pr_info("got %p\n", mempool_alloc(pool_of_one(), GFP_ATOMIC | __GFP_NOFAIL));
}

static void mempool_nofail_with_nobody_to_wait_for(void)
{
	mempool_t *pool = pool_of_one();

	pr_info("got %p\n", mempool_alloc(pool, GFP_KERNEL));
	pr_info("got %p\n", mempool_alloc(pool, GFP_KERNEL | __GFP_NOFAIL));
}

static void mempool_of_nothing(void)
{
	pr_info("got %p\n", mempool_create_kmalloc_pool(0, 64));
}

static void mempool_too_large(void)
{
	pr_info("got %p\n", mempool_create_kmalloc_pool(MEMPOOL_MAX + 1, 64));
}

static void mempool_of_empty_elements(void)
{
	pr_info("got %p\n", mempool_create_kmalloc_pool(1, 0));
}

static void mempool_without_alloc(void)
{
	pr_info("got %p\n", mempool_create(1, NULL, no_free, NULL));
}

static void mempool_without_free(void)
{
	pr_info("got %p\n", mempool_create(1, one_element, NULL, NULL));
}

static void mempool_of_no_cache(void)
{
	pr_info("got %p\n", mempool_create_slab_pool(1, NULL));
}

static void mempool_of_order_too_large(void)
{
	pr_info("got %p\n", mempool_create_page_pool(1, MAX_ORDER));
}

static void mempool_resize_to_nothing(void)
{
	pr_info("got %d\n", mempool_resize(mempool_create_kmalloc_pool(1, 64), 0));
}

static void mempool_create_in_atomic(void)
{
	preempt_disable();
	pr_info("got %p\n", pool_of_one());
}

/* ---- the table -------------------------------------------------------------------------- */

const struct death mempool_deaths[] = {
	DEATH(mempool_destroy_in_use),
	DEATH(mempool_free_twice),
	DEATH(mempool_free_foreign_object),
	DEATH(mempool_free_wrong_order),
	DEATH(mempool_free_no_page),
	DEATH(mempool_free_inside_page),
	DEATH(mempool_zero),
	DEATH(mempool_dma),
	DEATH(mempool_wait_in_atomic),
	DEATH(mempool_nofail_without_wait),
	DEATH(mempool_nofail_with_nobody_to_wait_for),
	DEATH(mempool_of_nothing),
	DEATH(mempool_too_large),
	DEATH(mempool_of_empty_elements),
	DEATH(mempool_without_alloc),
	DEATH(mempool_without_free),
	DEATH(mempool_of_no_cache),
	DEATH(mempool_of_order_too_large),
	DEATH(mempool_resize_to_nothing),
	DEATH(mempool_create_in_atomic),
	{ NULL, NULL },
};
