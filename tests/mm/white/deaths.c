/*
 * deaths.c - crimes that only somebody inside mm/ can commit.
 *
 * THEORY.  What a cache with SLAB_CONSISTENCY_CHECKS verifies at each call is its own: a slab's list
 * of free objects and the count of the others.  No user reaches them except by a stray write, so the
 * stray write is done here, to the very word.
 *
 * CONTEXT.  A thread, after boot; tests/death/death.c has the crimes of users.
 */
#include "../../death/death.h"

#include <quarry/slab.h>

#include "../../../mm/slab.h"

#define VICTIM_SIZE 100u

static struct kmem_cache *victims(void)
{
	return kmem_cache_create("victims", VICTIM_SIZE, 0, SLAB_DEBUG_FLAGS, NULL, NULL);
}

static void debug_alloc_of_broken_list(void)
{
	struct kmem_cache *c = victims();
	void *obj = kmem_cache_alloc(c, GFP_KERNEL);

	page_slab(virt_to_page(obj))->nr_taken++;
	pr_info("got %p\n", kmem_cache_alloc(c, GFP_KERNEL));
}

static void debug_free_of_broken_list(void)
{
	struct kmem_cache *c = victims();
	void *obj = kmem_cache_alloc(c, GFP_KERNEL);

	page_slab(virt_to_page(obj))->nr_taken++;
	kmem_cache_free(c, obj);
}

static void debug_free_of_straying_list(void)
{
	struct kmem_cache *c = victims();
	void *obj = kmem_cache_alloc(c, GFP_KERNEL);
	struct slab *s = page_slab(virt_to_page(obj));

	s->free = (uint16_t)s->layout->nr_objs;
	kmem_cache_free(c, obj);
}

const struct death white_deaths[] = {
	DEATH(debug_alloc_of_broken_list),
	DEATH(debug_free_of_broken_list),
	DEATH(debug_free_of_straying_list),
	{ NULL, NULL },
};
