/*
 * leaks.c - who has memory, the largest first: pages, areas, objects; all, or since a mark.
 *
 * THEORY.  A report is a sum by caller over thousands of things, and must not allocate, or it
 * would be part of what it reports.  So it has room for GROUPS callers and works in passes: each
 * pass sums up the GROUPS callers of the lowest addresses above those of the pass before it, and
 * what it found is merged into the GROUPS largest of all.  One pass is enough for most machines;
 * the result is exact for any number of callers, and what is not shown is counted.
 *
 * Nothing is counted twice.  An area's pages carry that in their record; the slabs of a cache that
 * knows the users of its objects are no leak, because the objects are what can be one; and what
 * the library itself took to describe an area or a slab is known by the function that took it.
 *
 * STATE.  The groups, of one report at a time; the mark.
 *
 * LOCKING.  leaks_lock, a leaf, guards the mark and who has the groups.  Pages are looked at
 * without a lock, so the cache that one names is searched for before it is believed; areas are
 * copied one at a time, a cache is summed up under its lock.  So a report is exact if nobody takes
 * or gives meanwhile; otherwise each of its lines was true at some moment.
 *
 * CONTEXT.  A thread that may sleep.
 *
 * NOT HERE.  One page's owner: page_owner.c.  One object's: slab_report.c.
 */
#include <quarry/align.h>
#include <quarry/ksyms.h>
#include <quarry/leaks.h>
#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/slab.h>
#include <quarry/spinlock.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

#include "../dma.h"
#include "../internal.h"
#include "../slab.h"
#include "../vmalloc.h"
#include "page_owner.h"
#include "slab_debug.h"

#define GROUPS LEAKS_SHOWN_MAX

enum kind {
	KIND_PAGE,
	KIND_KMALLOC,
	KIND_SLAB,
	KIND_PGTABLE,
	KIND_VMALLOC,
	KIND_VMAP,
	KIND_IOREMAP,
	KIND_OBJECT,
};

static const char *const kind_names[] = {
	[KIND_PAGE] = "page",       [KIND_KMALLOC] = "kmalloc", [KIND_SLAB] = "slab",
	[KIND_PGTABLE] = "pgtable", [KIND_VMALLOC] = "vmalloc", [KIND_VMAP] = "vmap",
	[KIND_IOREMAP] = "ioremap",
};

/* Everything of one kind that one caller took; of slabs and objects, from one cache. */
struct group {
	uintptr_t caller;
	uintptr_t cache; /* struct kmem_cache, 0: none; it may be gone */
	enum kind kind;
	unsigned long nr;     /* allocations */
	unsigned long amount; /* pages; of objects, bytes */
};

/* One report of one kind of things. */
struct sums {
	uint64_t since; /* clock_cycles(): what was taken later counts */
	bool leaks;     /* not all, only what can have leaked */

	struct group pass[GROUPS]; /* of this pass, in order */
	unsigned int nr_pass;
	struct group done; /* the last one of the passes before */
	bool again;        /* there were others, behind the last one */

	struct group largest[GROUPS];
	unsigned int nr_largest;
	struct group all; /* nr, amount */
	unsigned long nr_groups;
};

static struct sums the_sums;
static bool busy;
static uint64_t mark;
static spinlock_t leaks_lock = SPINLOCK_INIT;

/* ---- groups ----------------------------------------------------------------------------- */

/* Below 0, 0, above 0: @a before @b, the same group, behind it. */
static int compare(const struct group *a, const struct group *b)
{
	if (a->caller != b->caller)
		return a->caller < b->caller ? -1 : 1;
	if (a->cache != b->cache)
		return a->cache < b->cache ? -1 : 1;
	return (int)a->kind - (int)b->kind;
}

/* Make room at @i of an array that holds @nr; a full one loses its last. */
static unsigned int make_room(struct group *groups, unsigned int nr, unsigned int i)
{
	unsigned int nr_kept = min(nr, GROUPS - 1);

	memmove(&groups[i + 1], &groups[i], (nr_kept - i) * sizeof(*groups));
	return nr_kept + 1;
}

/* Where in this pass's groups @g is, or would be. */
static unsigned int place_of(const struct sums *s, const struct group *g)
{
	unsigned int low = 0, high = s->nr_pass;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (compare(&s->pass[middle], g) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Add what @g says to the group that it names. */
static void add(struct sums *s, const struct group *g)
{
	unsigned int i;

	if (s->done.nr && compare(g, &s->done) <= 0)
		return;
	i = place_of(s, g);
	if (i < s->nr_pass && !compare(&s->pass[i], g)) {
		s->pass[i].nr += g->nr;
		s->pass[i].amount += g->amount;
		return;
	}
	s->again |= s->nr_pass == GROUPS;
	if (i == GROUPS)
		return;
	s->nr_pass = make_room(s->pass, s->nr_pass, i);
	s->pass[i] = *g;
}

/* A group is complete. */
static void rank(struct sums *s, const struct group *g)
{
	unsigned int i = s->nr_largest;

	s->nr_groups++;
	s->all.nr += g->nr;
	s->all.amount += g->amount;
	while (i && s->largest[i - 1].amount < g->amount)
		i--;
	if (i == GROUPS)
		return;
	s->nr_largest = make_room(s->largest, s->nr_largest, i);
	s->largest[i] = *g;
}

/* Let @walk add everything that there is, as often as it takes. */
static void sum_up(struct sums *s, void (*walk)(struct sums *s))
{
	s->done.nr = 0;
	s->all = (struct group){ 0 };
	s->nr_groups = 0;
	s->nr_largest = 0;
	do {
		s->again = false;
		s->nr_pass = 0;
		walk(s);
		for (unsigned int i = 0; i < s->nr_pass; i++)
			rank(s, &s->pass[i]);
		if (s->nr_pass)
			s->done = s->pass[s->nr_pass - 1];
	} while (s->again);
}

/* ---- what there is ---------------------------------------------------------------------- */

static enum kind kind_of_page(const struct page *page)
{
	if (page->flags & PG_slab)
		return KIND_SLAB;
	if (page->flags & PG_pgtable)
		return KIND_PGTABLE;
	return page->flags & PG_kmalloc ? KIND_KMALLOC : KIND_PAGE;
}

static bool knows_users(const struct kmem_cache *c)
{
	return CONFIG_SLAB_DEBUG && (c->flags & SLAB_STORE_USER);
}

/* What a page said is its cache, pinned; NULL: none, it was read while the page changed hands. */
static struct kmem_cache *find_cache(uintptr_t cache)
{
	struct kmem_cache *c = slab_cache_next(NULL);

	while (c && (uintptr_t)c != cache)
		c = slab_cache_next(c);
	return c;
}

/* Slabs whose objects say who has them, and tables, which nobody gives back. */
static bool cannot_leak(const struct group *g)
{
	struct kmem_cache *c;
	bool knows;

	if (g->kind != KIND_SLAB)
		return g->kind == KIND_PGTABLE;
	c = find_cache(g->cache);
	if (!c)
		return false;
	knows = knows_users(c);
	slab_cache_unpin(c);
	return knows;
}

static void walk_pages(struct sums *s)
{
	for (pfn_t pfn = 0; pfn < max_pfn; pfn++) {
		const struct page_owner *r = &page_owners[pfn];
		const struct page *page = pfn_to_page(pfn);
		struct group g = { .nr = 1 };

		if (!r->taken || r->of_area || r->when_taken <= s->since)
			continue;
		g.kind = kind_of_page(page);
		g.cache = g.kind == KIND_SLAB ? (uintptr_t)READ_ONCE(page->slab_cache) : 0;
		if (s->leaks && cannot_leak(&g))
			continue;
		g.caller = (uintptr_t)r->taken_by[0];
		g.amount = 1ul << r->order;
		add(s, &g);
	}
}

static enum kind kind_of_area(const struct vm_area *area)
{
	if (area->flags & VM_ALLOC)
		return KIND_VMALLOC;
	return area->flags & VM_MAP ? KIND_VMAP : KIND_IOREMAP;
}

static void walk_areas(struct sums *s)
{
	struct vm_area area;

	for (uintptr_t va = mm_layout.vmalloc_start; vm_area_copy(va, &area);
	     va = area.range.grip_end) {
		struct group g = { .nr = 1, .caller = (uintptr_t)area.caller };

		if (area.freed || area.taken.cycles <= s->since)
			continue;
		g.kind = kind_of_area(&area);
		g.amount = area.size >> PAGE_SHIFT;
		add(s, &g);
	}
}

/*
 * The library's own note of an area, of a slab or, if pages have owners, of DMA memory: what it
 * describes is reported, or is no leak.
 */
static bool is_note(const void *caller)
{
	uintptr_t va = (uintptr_t)caller;
	unsigned long offset;

	if (!ksym_lookup(va, &offset, NULL))
		return false;
	return va - offset == (uintptr_t)vm_area_get || va - offset == (uintptr_t)cache_grow ||
	       (page_owners && va - offset == (uintptr_t)dma_mem_get);
}

/* One that somebody has, taken since the mark. */
static bool object_counts(const struct sums *s, const struct slab_user *u)
{
	return u->when > s->since && !is_note(u->caller);
}

static void walk_slabs(struct sums *s, const struct kmem_cache *c, const struct list_head *slabs)
	__must_hold(c->lock)
{
	const struct slab *slab;

	list_for_each_entry(slab, slabs, link) {
		for (unsigned int i = 0; i < slab->layout->nr_objs; i++) {
			const struct slab_track *t = slab_debug_track(c, slab_object(c, slab, i));
			struct group g = { .nr = 1, .kind = KIND_OBJECT };

			if (slab_next_free(c, slab, i) != SLAB_TAKEN ||
			    !object_counts(s, &t->alloc))
				continue;
			g.caller = (uintptr_t)t->alloc.caller;
			g.cache = (uintptr_t)c;
			g.amount = c->object_size;
			add(s, &g);
		}
	}
}

static void walk_objects(struct sums *s)
{
	for (struct kmem_cache *c = slab_cache_next(NULL); c; c = slab_cache_next(c)) {
		unsigned long flags;

		if (!knows_users(c))
			continue;
		flags = spin_lock_irqsave(&c->lock);
		walk_slabs(s, c, &c->full);
		walk_slabs(s, c, &c->partial);
		spin_unlock_irqrestore(&c->lock, flags);
	}
}

static bool any_cache_knows_users(void)
{
	for (struct kmem_cache *c = slab_cache_next(NULL); c; c = slab_cache_next(c)) {
		if (knows_users(c)) {
			slab_cache_unpin(c);
			return true;
		}
	}
	return false;
}

/* ---- text ------------------------------------------------------------------------------- */

/* A cache may have been destroyed since its page was looked at. */
static void show_cache(struct out *o, uintptr_t cache)
{
	struct kmem_cache *c = find_cache(cache);

	if (!c)
		return;
	out_printf(o, " cache=%s", c->name);
	slab_cache_unpin(c);
}

static void show_group(struct out *o, const char *what, const struct group *g)
{
	if (g->kind == KIND_OBJECT)
		out_printf(o, "%s bytes=%lu nr=%lu", what, g->amount, g->nr);
	else
		out_printf(o, "%s pages=%lu kib=%lu nr=%lu kind=%s", what, g->amount,
			   g->amount * (PAGE_SIZE / KiB), g->nr, kind_names[g->kind]);
	if (g->cache)
		show_cache(o, g->cache);
	out_printf(o, " by=");
	owner_caller_show(o, (const void *)g->caller);
	out_printf(o, "\n");
}

/* @what: in the singular. */
static void show_sums(struct out *o, const struct sums *s, const char *what)
{
	const char *unit = strcmp(what, "object") ? "pages" : "bytes";
	struct group rest = s->all;

	out_printf(o, "%ss %s=%lu nr=%lu callers=%lu\n", what, unit, s->all.amount, s->all.nr,
		   s->nr_groups);
	for (unsigned int i = 0; i < s->nr_largest; i++) {
		show_group(o, what, &s->largest[i]);
		rest.nr -= s->largest[i].nr;
		rest.amount -= s->largest[i].amount;
	}
	if (s->nr_groups > s->nr_largest)
		out_printf(o, "%s %s=%lu nr=%lu more_callers=%lu\n", what, unit, rest.amount,
			   rest.nr, s->nr_groups - s->nr_largest);
}

static void show_pages(struct out *o, struct sums *s)
{
	if (!page_owners) {
		out_printf(o, "pages unknown: boot with page_owner=1\n");
		return;
	}
	sum_up(s, walk_pages);
	show_sums(o, s, "page");
}

static void show_areas(struct out *o, struct sums *s)
{
	sum_up(s, walk_areas);
	show_sums(o, s, "area");
}

static void show_objects(struct out *o, struct sums *s)
{
	if (!any_cache_knows_users()) {
		out_printf(o, "objects unknown: boot with slab_debug=U\n");
		return;
	}
	sum_up(s, walk_objects);
	show_sums(o, s, "object");
}

/* ---- reports ---------------------------------------------------------------------------- */

/* The groups, for one report; NULL: another one has them. */
static struct sums *sums_get(struct out *o, bool leaks)
{
	unsigned long flags = spin_lock_irqsave(&leaks_lock);
	struct sums *s = busy ? NULL : &the_sums;

	busy = true;
	if (s) {
		s->leaks = leaks;
		s->since = leaks ? mark : 0;
	}
	spin_unlock_irqrestore(&leaks_lock, flags);
	if (!s)
		out_printf(o, "busy: another report is being made\n");
	return s;
}

static void sums_put(void)
{
	unsigned long flags = spin_lock_irqsave(&leaks_lock);

	busy = false;
	spin_unlock_irqrestore(&leaks_lock, flags);
}

QAPI void pageowner_show(struct out *o)
{
	struct sums *s = sums_get(o, false);

	if (!s)
		return;
	show_pages(o, s);
	show_areas(o, s);
	sums_put();
}

QAPI void leaks_mark(void)
{
	unsigned long flags = spin_lock_irqsave(&leaks_lock);

	mark = clock_cycles();
	spin_unlock_irqrestore(&leaks_lock, flags);
}

QAPI void leaks_show(struct out *o)
{
	struct sums *s;

	mm_quiesce();
	s = sums_get(o, true);
	if (!s)
		return;
	show_pages(o, s);
	show_areas(o, s);
	show_objects(o, s);
	sums_put();
}
