/*
 * walks.c - each part of mm/ by several CPUs at once, alone and together, with interrupts.
 *
 * THEORY.  walk.c.  Fewer kinds at a time meet more often; all together meet in more ways.
 */
#include "walk.h"

#include "../../../mm/helpers.h"
#include <quarry/config.h>
#include <quarry/fault_inject.h>
#include <quarry/kmem_cache.h>

#define DRY_SHARE 16ul /* of the machine's free pages is left to a walk that runs dry */

#define KINDS(...)                                                 \
	.kinds = (const struct item_kind *const[]){ __VA_ARGS__ }, \
	.nr_kinds = sizeof((const struct item_kind *const[]){ __VA_ARGS__ }) / sizeof(void *)
#define EVENTS(...)                                                  \
	.events = (void (*const[])(struct walker *)){ __VA_ARGS__ }, \
	.nr_events = sizeof((void (*const[])(struct walker *)){ __VA_ARGS__ }) / sizeof(void *)

static void walk_on_objects(struct ktest *t, const struct walk *walk)
{
	ASSERT_TRUE(t, objects_begin());
	walk_run(t, walk);
	objects_end(t);
}

#if CONFIG_FAULT_INJECT
KTEST_NEEDS(smp_walk, objects_that_cannot_all_be_had_are_given_back, .cpus = 2)
{
	static const char *const names[] = { "walk-object", "walk-many", "walk-element" };
	unsigned long nr = 0;
	bool done = false;

	while (!done) {
		fault_nth(FAULT_KINDS_ALL, ++nr, ~0ul);
		done = objects_begin();
		fault_off();
		for (unsigned int i = 0; i < ARRAY_SIZE(names) && !done; i++)
			EXPECT_EQ(t, NULL, slab_cache_find(names[i]));
	}
	EXPECT_GE(t, ARRAY_SIZE(names) + 1, nr);
	objects_end(t);
}
#endif

static void walk_on_areas(struct ktest *t, const struct walk *walk)
{
	ASSERT_TRUE(t, areas_begin());
	walk_run(t, walk);
	areas_end();
}

KTEST_NEEDS(smp_walk, pages_of_all_orders_and_zones_have_one_owner, .cpus = 2)
{
	const struct walk walk = { KINDS(&kind_block, &kind_block, &kind_bulk, &kind_exact),
				   .interrupts = true };

	walk_run(t, &walk);
}

KTEST_NEEDS(smp_walk, lists_drained_from_elsewhere_lose_no_page, .cpus = 2)
{
	const struct walk walk = { KINDS(&kind_block, &kind_bulk), EVENTS(event_drain),
				   .interrupts = true };

	walk_run(t, &walk);
}

KTEST_NEEDS(smp_walk, objects_freed_on_another_cpu_have_one_owner, .cpus = 2)
{
	const struct walk walk = { KINDS(&kind_kmalloc, &kind_object, &kind_many) };

	walk_on_objects(t, &walk);
}

KTEST_NEEDS(smp_walk, interrupts_take_and_free_objects_at_any_point, .cpus = 2)
{
	const struct walk walk = { KINDS(&kind_object, &kind_many, &kind_kmalloc),
				   EVENTS(event_shrink), .interrupts = true };

	walk_on_objects(t, &walk);
}

KTEST_NEEDS(smp_walk, caches_come_go_and_shrink_while_others_are_used, .cpus = 2)
{
	const struct walk walk = { KINDS(&kind_object, &kind_kmalloc),
				   EVENTS(event_shrink, event_cache, event_cache), .busy = true,
				   .interrupts = true };

	walk_on_objects(t, &walk);
}

KTEST_NEEDS(smp_walk, a_pool_serves_all_cpus, .cpus = 2)
{
	const struct walk walk = { KINDS(&kind_element), EVENTS(event_shrink), .interrupts = true };

	walk_on_objects(t, &walk);
}

KTEST_NEEDS(smp_walk, coherent_memory_has_one_owner, .cpus = 2)
{
	const struct walk walk = { KINDS(&kind_dma, &kind_block), EVENTS(event_report),
				   .interrupts = true };

	walk_on_objects(t, &walk);
}

KTEST_NEEDS(smp_walk, areas_are_mapped_and_freed_by_all_cpus, .cpus = 2)
{
	const struct walk walk = { KINDS(&kind_area, &kind_vmap), EVENTS(event_unmap_aliases) };

	walk_on_areas(t, &walk);
}

KTEST_NEEDS(smp_walk, slots_of_kmap_show_their_page, .cpus = 2)
{
	const struct walk walk = { KINDS(&kind_kmap), EVENTS(event_kmap_round, event_local),
				   .busy = true };

	walk_on_areas(t, &walk);
}

KTEST_NEEDS(smp_walk, all_of_it_at_once, .cpus = 2)
{
	const struct walk walk = {
		KINDS(&kind_block, &kind_bulk, &kind_kmalloc, &kind_object, &kind_many,
		      &kind_element, &kind_area, &kind_vmap, &kind_kmap, &kind_dma),
		EVENTS(event_shrink, event_cache, event_drain, event_unmap_aliases,
		       event_kmap_round, event_local, event_shrinker, event_report),
		.interrupts = true
	};

	ASSERT_TRUE(t, areas_begin());
	walk_on_objects(t, &walk);
	areas_end();
}

/* A small machine, and large things: most requests are served by reclaim, or not at all. */
KTEST_NEEDS(smp_walk, all_cpus_run_dry_at_once, .cpus = 2)
{
	const struct walk walk = { KINDS(&kind_block, &kind_object, &kind_area, &kind_kmalloc),
				   EVENTS(event_shrink, event_shrinker, event_drain),
				   .interrupts = true };
	HOARD(h);
	unsigned long nr_left = nr_free_pages() / DRY_SHARE;

	hoard_everything(&h, GFP_HIGHUSER);
	while (nr_free_pages() < nr_left && hoard_free_one(&h))
		;
	walk_on_objects(t, &walk);
	hoard_free(&h);
}

KTEST_NEEDS(smp_walk, a_shrinker_that_has_gone_is_asked_no_more, .cpus = 2)
{
	const struct walk walk = { KINDS(&kind_object), EVENTS(event_shrinker, event_reclaim),
				   .busy = true };

	walk_on_objects(t, &walk);
}
