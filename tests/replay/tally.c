/*
 * tally.c - what a replay cost, by kind of call, and how many pages it took.
 *
 * THEORY.  Costs are counted by value, so that a median is exact without keeping each.  What the
 * stamps themselves cost is measured in the same way and subtracted.
 *
 * Pages out of the buddy are the footprint that counts for everybody else; those in per-CPU lists
 * are among them, and told apart.  What objects hold is all but what page operations have: slabs,
 * areas, page tables, and what caches keep for later.  Free pages are looked at after every
 * operation, so no peak is missed.
 *
 * CONTEXT.  A thread.
 */
#include <quarry/align.h>
#include <quarry/mm.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

#include "replay.h"

#define NR_CALIBRATION 101u /* of which the least counts: nothing makes a stamp cheaper */

static const char *const kind_names[NR_KINDS] = {
	"kmalloc",     "kfree",      "krealloc", "cache_alloc", "cache_free",
	"alloc_pages", "free_pages", "vmalloc",  "vfree",
};

static uint32_t last_cost(void)
{
	return replay_stamps[1] - replay_stamps[0];
}

static uint32_t measure_bracket(void)
{
	uint32_t least = ~0u;

	for (unsigned int i = 0; i < NR_CALIBRATION; i++) {
		replay_call_nothing();
		least = min(least, last_cost());
	}
	return least;
}

QAPI bool tally_init(struct tally *t)
{
	uint32_t *room = vzalloc(NR_KINDS * TICKS_MAX * sizeof(*room));

	memset(t, 0, sizeof(*t));
	if (!room)
		return false;
	for (unsigned int kind = 0; kind < NR_KINDS; kind++)
		t->kinds[kind] =
			(struct kind_tally){ .min = ~0u, .by_cost = room + kind * TICKS_MAX };
	t->bracket = measure_bracket();
	return true;
}

QAPI void tally_free(struct tally *t)
{
	vfree(t->kinds[0].by_cost);
}

QAPI void tally_start(struct tally *t)
{
	struct mm_account a;

	mm_account(&a);
	t->pages.nr_start = (long)(a.nr_free + a.nr_pcp);
}

QAPI void tally_cost(struct tally *t, enum replay_kind kind)
{
	struct kind_tally *k = &t->kinds[kind];
	uint32_t cost = last_cost();

	cost -= min(cost, t->bracket);
	k->nr++;
	k->total += cost;
	k->min = min(k->min, cost);
	k->max = max(k->max, cost);
	k->by_cost[min(cost, TICKS_MAX - 1)]++;
}

QAPI void tally_live(struct tally *t, long nr_objects, long bytes, long pages)
{
	struct live *l = &t->live;

	l->nr_objects += (unsigned long)nr_objects;
	l->bytes += (unsigned long)bytes;
	l->pages += (unsigned long)pages;
	l->peak_bytes = max(l->peak_bytes, l->bytes);
	l->peak_pages = max(l->peak_pages, l->pages);
	l->peak_both = max(l->peak_both, l->bytes + l->pages * PAGE_SIZE);
}

static void note_objects(struct footprint *f, long nr)
{
	struct vm_counts areas;

	if (nr <= f->peak_objects)
		return;
	vm_count(&areas);
	f->peak_objects = nr;
	f->lazy = areas.nr_lazy_pages;
}

QAPI void tally_pages(struct tally *t)
{
	struct footprint *f = &t->pages;
	struct mm_account a;

	mm_account(&a);
	f->taken = f->nr_start - (long)a.nr_free;
	f->held = f->taken - (long)a.nr_pcp;
	f->peak_taken = max(f->peak_taken, f->taken);
	f->peak_held = max(f->peak_held, f->held);
	note_objects(f, f->held - (long)t->live.pages);
}

/* Half of the operations cost no more. */
static uint32_t median(const struct kind_tally *k)
{
	uint32_t cost = 0;

	for (uint32_t nr = k->by_cost[0]; nr < (k->nr + 1) / 2; nr += k->by_cost[cost])
		cost++;
	return cost;
}

QAPI void tally_show(struct out *o, const struct tally *t)
{
	for (unsigned int kind = 0; kind < NR_KINDS; kind++) {
		const struct kind_tally *k = &t->kinds[kind];

		if (k->nr)
			out_printf(o, "replay kind=%s n=%u total=%llu min=%u median=%u max=%u\n",
				   kind_names[kind], k->nr, (unsigned long long)k->total, k->min,
				   median(k), k->max);
	}
	out_printf(o, "replay peak_live bytes=%lu object_bytes=%lu pages=%lu\n", t->live.peak_both,
		   t->live.peak_bytes, t->live.peak_pages);
	out_printf(o, "replay peak_pages taken=%ld held=%ld objects=%ld lazy=%lu\n",
		   t->pages.peak_taken, t->pages.peak_held, t->pages.peak_objects, t->pages.lazy);
}
