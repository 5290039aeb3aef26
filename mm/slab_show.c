/*
 * slab_show.c - slab caches as text.
 *
 * THEORY.  slabinfo_show() has the format of Linux 6.1's /proc/slabinfo, version 2.1, so that
 * slabtop and its like read it.  Where the words of that format leave a choice:
 *
 *	active_objs	objects that somebody has: those in magazines are not among them
 *	num_objs	objects of all slabs
 *	objsize		bytes from object to object
 *	objperslab, pagesperslab	of the wanted layout; a slab made in need may be smaller
 *	sharedfactor	limit of the shared magazine, in batches
 *	sharedavail	objects in it
 *
 * slab_cache_show() says what that format has no room for, one subject a line, key=value.
 *
 * LOCKING.  What c->lock guards is copied under it and printed after, because a sink may be slow.
 * The slabs of a list are copied a few at a time; between two such chunks the list may change, so
 * a slab that moves meanwhile may be shown twice or not at all.  A cache is pinned while
 * slabinfo_show() stands on it.
 *
 * CONTEXT.  A thread that may sleep.
 *
 * NOT HERE.  One object: slab_report.c.  What is wrong with a cache: slab_check.c.
 */
#include <quarry/align.h>
#include <quarry/env.h>
#include <quarry/ksyms.h>
#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/percpu.h>

#include "slab.h"

#define SLABS_SHOWN_MAX 64u /* of each list: a cache may have thousands */
#define SLABS_CHUNK     16u /* copied at a time: a bound on how long the lock is held */

/* The counts of a cache at one moment. */
struct cache_counts {
	unsigned long nr_slabs, nr_empty, nr_pages, nr_objs;
	unsigned long nr_taken;  /* objects that are not on their slab's list */
	unsigned long nr_cached; /* of them: in magazines */
	unsigned int nr_shared;  /* of these: in the shared one */
};

static void cache_count(struct kmem_cache *c, struct cache_counts *n)
{
	unsigned long flags = spin_lock_irqsave(&c->lock);

	n->nr_slabs = c->nr_slabs;
	n->nr_empty = c->nr_empty;
	n->nr_pages = c->nr_pages;
	n->nr_objs = c->nr_objs;
	n->nr_taken = c->nr_taken;
	n->nr_shared = c->nr_shared;
	n->nr_cached = magazine_nr_objs(c);
	spin_unlock_irqrestore(&c->lock, flags);
	/* Another CPU may have pushed in between what this one had counted as taken. */
	n->nr_cached = min(n->nr_cached, n->nr_taken);
}

/* ---- slabinfo --------------------------------------------------------------------------- */

static void show_slabinfo_line(struct out *o, struct kmem_cache *c)
{
	const struct slab_layout *wanted = &c->layouts[SLAB_LAYOUT_WANTED];
	struct cache_counts n;

	cache_count(c, &n);
	out_printf(o, "%-17s %6lu %6lu %6u %4u %4d", c->name, n.nr_taken - n.nr_cached, n.nr_objs,
		   c->stride, wanted->nr_objs, 1 << wanted->order);
	out_printf(o, " : tunables %4u %4u %4u", c->magazine_limit, c->batch,
		   c->shared_limit / c->batch);
	out_printf(o, " : slabdata %6lu %6lu %6u\n", n.nr_slabs - n.nr_empty, n.nr_slabs,
		   n.nr_shared);
}

QAPI void slabinfo_show(struct out *o)
{
	out_printf(o, "slabinfo - version: 2.1\n"
		      "# name            <active_objs> <num_objs> <objsize> <objperslab> "
		      "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata "
		      "<active_slabs> <num_slabs> <sharedavail>\n");
	for (struct kmem_cache *c = slab_cache_next(NULL); c; c = slab_cache_next(c))
		show_slabinfo_line(o, c);
}

/* ---- one cache -------------------------------------------------------------------------- */

static const struct {
	unsigned long flag;
	const char *name;
} flag_names[] = {
	{ SLAB_CONSISTENCY_CHECKS, "consistency_checks" },
	{ SLAB_RED_ZONE, "red_zone" },
	{ SLAB_POISON, "poison" },
	{ SLAB_HWCACHE_ALIGN, "hwcache_align" },
	{ SLAB_CACHE_DMA, "cache_dma" },
	{ SLAB_STORE_USER, "store_user" },
	{ SLAB_RECLAIM_ACCOUNT, "reclaim_account" },
	{ SLAB_PANIC, "panic" },
};

static void show_flags(struct out *o, unsigned long flags)
{
	const char *between = "";

	for (unsigned int i = 0; i < ARRAY_SIZE(flag_names); i++) {
		if (!(flags & flag_names[i].flag))
			continue;
		out_printf(o, "%s%s", between, flag_names[i].name);
		between = "|";
	}
	if (!*between)
		out_printf(o, "none");
}

static void show_function(struct out *o, const char *what, slab_ctor_t fn)
{
	const char *name = fn ? ksym_lookup((uintptr_t)fn, NULL, NULL) : "none";

	if (name)
		out_printf(o, " %s=%s", what, name);
	else
		out_printf(o, " %s=0x%08lx", what, (unsigned long)(uintptr_t)fn);
}

static void show_geometry(struct out *o, const struct kmem_cache *c)
{
	static const char *const which[SLAB_NR_LAYOUTS] = {
		[SLAB_LAYOUT_WANTED] = "wanted",
		[SLAB_LAYOUT_LEAST] = "least",
	};

	out_printf(o, "cache name=%s at=0x%08lx object_size=%u stride=%u align=%u flags=", c->name,
		   (unsigned long)(uintptr_t)c, c->object_size, c->stride, c->align);
	show_flags(o, c->flags);
	show_function(o, "ctor", c->ctor);
	show_function(o, "dtor", c->dtor);
	out_printf(o, "\nmanagement place=%s cache=%s index_bits=%u\n",
		   c->off_slab ? "off-slab" : "on-slab", c->off_slab ? c->off_slab->name : "none",
		   c->wide ? 16 : 8);
	for (unsigned int i = 0; i < SLAB_NR_LAYOUTS; i++) {
		const struct slab_layout *l = &c->layouts[i];

		out_printf(o,
			   "layout kind=%s order=%u objs=%u first=%u colours=%u colour_unit=%u\n",
			   which[i], l->order, l->nr_objs, l->first, l->nr_colours, c->colour_unit);
	}
}

static void show_magazines(struct out *o, const struct kmem_cache *c, const struct cache_counts *n)
{
	for (unsigned int cpu = 0; cpu < env_nr_cpus(); cpu++) {
		const struct percpu_stack *m = per_cpu_ptr(c->magazine, cpu);

		out_printf(o, "magazine cpu=%u objs=%u limit=%u batch=%u\n", cpu, READ_ONCE(m->nr),
			   c->magazine_limit, c->batch);
	}
	out_printf(o, "magazine cpu=shared objs=%u limit=%u\n", n->nr_shared, c->shared_limit);
}

/* What is shown of a slab. */
struct slab_copy {
	const struct slab *at;
	const char *objs;
	unsigned int nr_taken, nr_objs, free;
};

/* Copy the slabs of @list behind the first @skip: how many, at most SLABS_CHUNK. */
static unsigned int copy_slabs(struct kmem_cache *c, const struct list_head *list,
			       unsigned int skip, struct slab_copy *copies)
{
	unsigned int nr = 0;
	unsigned long flags = spin_lock_irqsave(&c->lock);
	struct slab *s;

	list_for_each_entry(s, list, link) {
		if (skip) {
			skip--;
			continue;
		}
		copies[nr++] =
			(struct slab_copy){ s, s->objs, s->nr_taken, s->layout->nr_objs, s->free };
		if (nr == SLABS_CHUNK)
			break;
	}
	spin_unlock_irqrestore(&c->lock, flags);
	return nr;
}

static void show_slab(struct out *o, const char *list, const struct slab_copy *s)
{
	out_printf(o, "slab list=%s address=0x%08lx objects=0x%08lx taken=%u of=%u free=", list,
		   (unsigned long)(uintptr_t)s->at, (unsigned long)(uintptr_t)s->objs, s->nr_taken,
		   s->nr_objs);
	if (s->free == SLAB_END)
		out_printf(o, "none\n");
	else
		out_printf(o, "%u\n", s->free);
}

/* How many of them were shown. */
static unsigned int show_slabs(struct out *o, struct kmem_cache *c, const char *name,
			       const struct list_head *list)
{
	struct slab_copy copies[SLABS_CHUNK];
	unsigned int nr_shown = 0, nr;

	do {
		nr = copy_slabs(c, list, nr_shown, copies);
		for (unsigned int i = 0; i < nr; i++)
			show_slab(o, name, &copies[i]);
		nr_shown += nr;
	} while (nr == SLABS_CHUNK && nr_shown < SLABS_SHOWN_MAX);
	return nr_shown;
}

QAPI void slab_cache_show(struct out *o, struct kmem_cache *c)
{
	struct cache_counts n;
	unsigned long nr_shown;

	cache_count(c, &n);
	show_geometry(o, c);
	out_printf(o,
		   "counts in_use=%lu cached=%lu objs=%lu slabs=%lu empty=%lu empty_max=%lu "
		   "pages=%lu\n",
		   n.nr_taken - n.nr_cached, n.nr_cached, n.nr_objs, n.nr_slabs, n.nr_empty,
		   c->nr_empty_max, n.nr_pages);
	show_magazines(o, c, &n);
	nr_shown = show_slabs(o, c, "full", &c->full);
	nr_shown += show_slabs(o, c, "partial", &c->partial);
	nr_shown += show_slabs(o, c, "empty", &c->empty);
	if (n.nr_slabs > nr_shown)
		out_printf(o, "slabs not_shown=%lu\n", n.nr_slabs - nr_shown);
}
