/*
 * objects.c - objects as things of a walk: of kmalloc(), of a cache, in bulk, of a pool.
 */
#include "walk.h"

#include "../../../mm/helpers.h"

#include <quarry/asm/sched.h>
#include <quarry/dma.h>
#include <quarry/env.h>
#include <quarry/fixmap.h>
#include <quarry/highmem.h>
#include <quarry/mempool.h>
#include <quarry/mm.h>
#include <quarry/printk.h>
#include <quarry/shrinker.h>
#include <quarry/slab.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>
#include <quarry/whatis.h>

#define OBJECT_SIZE  200u
#define ELEMENT_SIZE 96u
#define MANY_MAX     24u
#define POOL_MIN     4u

struct many {
	void *objs[MANY_MAX];
};

static struct kmem_cache *object_cache, *many_cache, *element_cache;
static mempool_t *pool;

static gfp_t any_gfp(struct walker *w)
{
	static const gfp_t gfps[] = {
		GFP_KERNEL, GFP_KERNEL, GFP_ATOMIC, GFP_NOWAIT, GFP_KERNEL | __GFP_ZERO, GFP_DMA
	};

	return (w->in_interrupt ? GFP_ATOMIC : gfps[walker_random(w, ARRAY_SIZE(gfps))]) |
	       __GFP_NOWARN;
}

#define DMA_MASK 0xffffffull /* what a device on ISA reaches */

static struct device device = { .name = "walk" };

static bool scarce;

/* Every second time there is nothing: the reserve is used. */
static QAPI void *alloc_now_and_then(gfp_t gfp, void *cache)
{
	static atomic_t nr;

	if (scarce && atomic_fetch_add(&nr, 1) & 1)
		return NULL;
	return mempool_alloc_slab(gfp, cache);
}

/* What could not be had is NULL, and nothing to destroy. */
static int caches_destroy(void)
{
	int err;

	mempool_destroy(pool);
	err = kmem_cache_destroy(object_cache);
	err = kmem_cache_destroy(many_cache) ?: err;
	return kmem_cache_destroy(element_cache) ?: err;
}

bool objects_begin(void)
{
	BUG_ON(dma_set_mask_and_coherent(&device, DMA_MASK));
	object_cache = kmem_cache_create("walk-object", OBJECT_SIZE, 0, 0, NULL, NULL);
	many_cache =
		kmem_cache_create("walk-many", OBJECT_SIZE + 8, 0, SLAB_HWCACHE_ALIGN, NULL, NULL);
	element_cache = kmem_cache_create("walk-element", ELEMENT_SIZE, 0, 0, NULL, NULL);
	pool = element_cache ? mempool_create(POOL_MIN, alloc_now_and_then, mempool_free_slab,
					      element_cache) :
			       NULL;
	scarce = object_cache && many_cache && pool;
	if (!scarce)
		BUG_ON(caches_destroy());
	return scarce;
}

void objects_end(struct ktest *t)
{
	EXPECT_EQ(t, 0, kmem_cache_nr_in_use(object_cache));
	EXPECT_EQ(t, 0, kmem_cache_nr_in_use(many_cache));
	EXPECT_EQ(t, POOL_MIN, kmem_cache_nr_in_use(element_cache));
	scarce = false;
	EXPECT_EQ(t, 0, caches_destroy());
}

/* ---- kmalloc() ------------------------------------------------------------------------------ */

static bool take_kmalloc(struct walker *w, struct item *item)
{
	item->size = 1 + walker_random(w, 1u << walker_random(w, 16));
	item->p = kmalloc(item->size, any_gfp(w) & ~(gfp_t)__GFP_ZERO);
	if (!item->p)
		return false;
	mark_bytes(item->p, item->size, item->mark);
	return true;
}

static void give_kmalloc(struct walker *w, struct item *item)
{
	if (!bytes_hold(item->p, item->size, item->mark))
		walker_bad(w, "memory of kmalloc() changed");
	kfree(item->p);
}

const struct item_kind kind_kmalloc = { "kmalloc", take_kmalloc, give_kmalloc, true };

/* ---- a cache -------------------------------------------------------------------------------- */

static bool take_object(struct walker *w, struct item *item)
{
	item->p = kmem_cache_alloc(object_cache, any_gfp(w) & ~(gfp_t)__GFP_DMA);
	if (!item->p)
		return false;
	mark_bytes(item->p, OBJECT_SIZE, item->mark);
	return true;
}

static void give_object(struct walker *w, struct item *item)
{
	if (!bytes_hold(item->p, OBJECT_SIZE, item->mark))
		walker_bad(w, "an object changed");
	kmem_cache_free(object_cache, item->p);
}

const struct item_kind kind_object = { "object", take_object, give_object, true };

static bool take_many(struct walker *w, struct item *item)
{
	unsigned int nr = 1 + walker_random(w, MANY_MAX);
	struct many *many = kmalloc(sizeof(*many), GFP_ATOMIC | __GFP_NOWARN);

	if (!many)
		return false;
	if (!kmem_cache_alloc_bulk(many_cache, GFP_ATOMIC | __GFP_NOWARN, nr, many->objs)) {
		kfree(many);
		return false;
	}
	for (unsigned int i = 0; i < nr; i++)
		mark_bytes(many->objs[i], OBJECT_SIZE, item->mark + i);
	item->p = many;
	item->size = nr;
	return true;
}

static void give_many(struct walker *w, struct item *item)
{
	struct many *many = item->p;

	for (unsigned int i = 0; i < item->size; i++)
		if (!bytes_hold(many->objs[i], OBJECT_SIZE, item->mark + i))
			walker_bad(w, "an object of many changed");
	kmem_cache_free_bulk(many_cache, (unsigned int)item->size, many->objs);
	kfree(many);
}

const struct item_kind kind_many = { "many", take_many, give_many, true };

/* ---- a pool --------------------------------------------------------------------------------- */

static bool take_element(struct walker *w, struct item *item)
{
	item->p = mempool_alloc(pool, GFP_ATOMIC | __GFP_NOWARN);
	if (!item->p)
		return false;
	(void)w;
	mark_bytes(item->p, ELEMENT_SIZE, item->mark);
	return true;
}

static void give_element(struct walker *w, struct item *item)
{
	if (!bytes_hold(item->p, ELEMENT_SIZE, item->mark))
		walker_bad(w, "an element changed");
	mempool_free(item->p, pool);
}

const struct item_kind kind_element = { "element", take_element, give_element, true };

/* ---- DMA ------------------------------------------------------------------------------------ */

static bool take_dma(struct walker *w, struct item *item)
{
	dma_addr_t handle;

	item->size = 1 + walker_random(w, 3 * PAGE_SIZE);
	item->p = dma_alloc_coherent(&device, item->size, &handle, GFP_ATOMIC | __GFP_NOWARN);
	if (!item->p)
		return false;
	item->more = (void *)(uintptr_t)handle;
	mark_bytes(item->p, item->size, item->mark);
	return true;
}

static void give_dma(struct walker *w, struct item *item)
{
	if (!bytes_hold(item->p, item->size, item->mark))
		walker_bad(w, "coherent memory changed");
	dma_free_coherent(&device, item->size, item->p, (uintptr_t)item->more);
}

const struct item_kind kind_dma = { "dma", take_dma, give_dma, true };

/* ---- events --------------------------------------------------------------------------------- */

void event_drain(struct walker *w)
{
	(void)w;
	mm_quiesce();
}

void event_shrink(struct walker *w)
{
	switch (walker_random(w, 3)) {
	case 0:
		kmem_cache_shrink(object_cache);
		break;
	case 1:
		kmem_cache_shrink(many_cache);
		break;
	default:
		kmem_cache_reap();
	}
}

void event_cache(struct walker *w)
{
	struct kmem_cache *c;
	void *objs[MANY_MAX];
	unsigned int nr = 0;
	char name[SLAB_NAME_MAX];

	snprintf(name, sizeof(name), "walk-event-%u", w->nr);
	c = kmem_cache_create(name, 8u << walker_random(w, 9), 0, 0, NULL, NULL);
	if (!c)
		return;
	while (nr < MANY_MAX && (objs[nr] = kmem_cache_alloc(c, GFP_KERNEL | __GFP_NOWARN)) != NULL)
		nr++;
	while (nr)
		kmem_cache_free(c, objs[--nr]);
	if (kmem_cache_destroy(c))
		walker_bad(w, "a cache that nobody uses cannot be destroyed");
}

/* More than the machine has: every shrinker is asked, then the request is given up. */
void event_reclaim(struct walker *w)
{
	HOARD(h);

	hoard_all(&h, GFP_KERNEL | __GFP_NORETRY, MAX_ORDER - 1);
	hoard_free(&h);
	opaque(w);
}

static QAPI unsigned long shrink_nothing(struct shrinker *s, unsigned long nr, gfp_t gfp)
{
	(void)s;
	(void)nr;
	(void)gfp;
	sched_point();
	return 0;
}

/* Its memory is cleared at once: nobody may look at it any more. */
void event_shrinker(struct walker *w)
{
	struct shrinker s = { .name = "walk", .shrink = shrink_nothing };

	shrinker_register(&s);
	if (walker_random(w, 2))
		event_reclaim(w);
	sched_point();
	shrinker_unregister(&s);
	memset(&s, 0, sizeof(s));
	barrier(); /* so that it is */
}

static QAPI void drop(struct out *o, const char *text, size_t n)
{
	(void)o;
	(void)text;
	(void)n;
}

typedef QAPI void (*report_fn)(struct out *o);

/* Reports are made while others go on: what they say need not add up. */
void event_report(struct walker *w)
{
	static const report_fn reports[] = { buddyinfo_show,   zoneinfo_show, pagetypeinfo_show,
					     meminfo_show,     slabinfo_show, mempools_show,
					     vmallocinfo_show, pkmap_show,    fixmap_show,
					     dma_show };
	struct out sink = { .write = drop };

	reports[walker_random(w, ARRAY_SIZE(reports))](&sink);
	slab_cache_show(&sink, object_cache);
	whatis_show(&sink, mm_layout.vmalloc_start + walker_random(w, 64) * PAGE_SIZE);
	page_show(&sink, pfn_to_page(walker_random(w, (uint32_t)max_pfn)));
}
