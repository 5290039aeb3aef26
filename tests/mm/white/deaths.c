/*
 * deaths.c - crimes that take somebody who knows mm/ from inside.
 *
 * THEORY.  What a cache with SLAB_CONSISTENCY_CHECKS verifies at each call is its own: a slab's
 * list of free objects and the count of the others.  No user reaches them but by a stray write:
 * here it is done to the very word.  And a crime may be found in more than one place, the fast
 * path and the slow one: where an object comes from decides about that.  Ranges of addresses have
 * no users outside of mm/ at all.
 *
 * CONTEXT.  A thread, after boot; tests/death/death.c has the crimes of users.
 */
#include "../../death/death.h"

#include <quarry/slab.h>
#include <quarry/string.h>

#include "../../../mm/slab.h"
#include "../../../mm/va_range.h"

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

static QAPI void construct(void *obj, struct kmem_cache *c, unsigned long flags)
{
	(void)c;
	(void)flags;
	memset(obj, 0x11, VICTIM_SIZE);
}

/* The object comes from a magazine: the slow path, which looks at the mask, is not taken. */
static void slab_alloc_zeroed_of_constructor_again(void)
{
	struct kmem_cache *c = kmem_cache_create("victims", VICTIM_SIZE, 0, 0, construct, NULL);

	kmem_cache_free(c, kmem_cache_alloc(c, GFP_KERNEL));
	pr_info("got %p\n", kmem_cache_zalloc(c, GFP_KERNEL));
}

/* A range goes into its neighbour; these two have a hole between them. */
static void va_range_absorb_beyond_a_hole(void)
{
	static struct va_space space;
	static struct va_range ranges[3];

	va_space_init(&space, 16 * PAGE_SIZE, 32 * PAGE_SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(ranges); i++) {
		if (va_range_reserve(&space, &ranges[i], PAGE_SIZE, PAGE_SIZE, 0))
			return;
	}
	va_range_release(&space, &ranges[1]);
	va_range_absorb(&space, &ranges[0], &ranges[2]);
}

const struct death white_deaths[] = {
	DEATH(debug_alloc_of_broken_list),    DEATH(debug_free_of_broken_list),
	DEATH(debug_free_of_straying_list),   DEATH(slab_alloc_zeroed_of_constructor_again),
	DEATH(va_range_absorb_beyond_a_hole), { NULL, NULL },
};
