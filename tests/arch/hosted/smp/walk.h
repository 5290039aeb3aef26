/*
 * Layer: tests
 * walk.h - what the walks on several CPUs share: things that threads hold, exchange and give back.
 */
#ifndef TESTS_ARCH_HOSTED_SMP_WALK_H
#define TESTS_ARCH_HOSTED_SMP_WALK_H

#include <quarry/asm/smp.h>
#include <quarry/compiler.h>
#include <quarry/ktest.h>
#include <quarry/types.h>

struct walker;
struct item;

/* A kind of thing: how it is got, and how it is verified and given back. */
struct item_kind {
	const char *name;
	bool (*take)(struct walker *w, struct item *item); /* false: not to be had */
	void (*give)(struct walker *w, struct item *item);
	bool in_interrupt; /* both may happen in one */
};

struct item {
	const struct item_kind *kind; /* NULL: nothing */
	void *p;
	unsigned long size; /* order, bytes or pages: the kind's */
	void *more;         /* the kind's */
	uint32_t mark;      /* what it was filled with */
};

#define WALKER_ITEMS 12u

/* A thread, or a CPU's interrupts. */
struct walker {
	unsigned int nr;
	uint64_t rng;
	bool in_interrupt;
	unsigned long nr_taken;
	const char *bad; /* what was found wrong first; NULL: nothing */
	struct item items[WALKER_ITEMS];
};

/* What a walk is about. */
struct walk {
	const struct item_kind *const *kinds;
	unsigned int nr_kinds;
	void (*const *events)(struct walker *w); /* now and then: drains, shrinking, ... */
	unsigned int nr_events;
	bool busy;            /* much oftener than that */
	bool interrupts;      /* that take and give, too */
	unsigned long steps;  /* of each thread in a round; 0: the usual */
	unsigned int rounds;  /* each of another seed; 0: as steps= says */
	unsigned int threads; /* 0: half as many again as there are CPUs */
};

/* Walk on all CPUs, round after round; validate after each; fail @t for what was wrong. */
void walk_run(struct ktest *t, const struct walk *walk);

uint32_t walker_random(struct walker *w, uint32_t limit);
void walker_bad(struct walker *w, const char *what);

/* First and last words of memory. */
void mark_bytes(void *p, unsigned long size, uint32_t mark);
bool bytes_hold(const void *p, unsigned long size, uint32_t mark);

extern const struct item_kind kind_block, kind_bulk, kind_exact; /* pages.c */
extern const struct item_kind kind_kmalloc, kind_object, kind_many, kind_element, kind_dma;
extern const struct item_kind kind_area, kind_vmap, kind_kmap; /* areas.c */

/* objects.c, areas.c: what these kinds stand on; before and after a walk. */
bool objects_begin(void);
void objects_end(struct ktest *t);
bool areas_begin(void);
void areas_end(void);

void event_drain(struct walker *w); /* every list and magazine of every CPU */
void event_shrink(struct walker *w);
void event_cache(struct walker *w);    /* a cache comes and goes */
void event_shrinker(struct walker *w); /* comes, shrinks, goes */
void event_reclaim(struct walker *w);  /* a round of it, whatever is free */
void event_report(struct walker *w);
void event_unmap_aliases(struct walker *w);
void event_kmap_round(struct walker *w);
void event_local(struct walker *w); /* kmap_local_page(), nested */

#endif
