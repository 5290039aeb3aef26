/*
 * slab_check.c - every invariant of slab caches, verified: S1 to S4 of slab.c, M1 and M2 of
 * slab_cpu.c, C1 of slab_cache.c.
 *
 * IDEA.  A violation is printed and counted, and the check goes on.  Nothing that is broken is
 * followed further than it can be trusted.
 *
 * LOCKING.  c->lock is held while the slabs of a cache are walked; what is broken is printed under
 * it.  Each CPU's magazines are looked at by that CPU.
 *
 * CONTEXT.  A thread that may sleep.
 */
#include <quarry/align.h>
#include <quarry/env.h>
#include <quarry/mm.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#include "debug/slab_debug.h"
#include "internal.h"
#include "slab.h"

/* What a walk over the slabs of a cache has counted. */
struct tally {
	unsigned long nr_slabs, nr_empty, nr_pages, nr_objs, nr_taken;
};

/* ---- slabs ------------------------------------------------------------------------------ */

static unsigned int check_pages(const struct kmem_cache *c, const struct slab *s)
{
	pfn_t pfn = page_to_pfn(virt_to_page(s->objs));
	const struct page *page = pfn_to_page(ALIGN_DOWN(pfn, 1ul << s->layout->order));
	unsigned int nr_bad = 0;

	for (unsigned int i = 0; i < 1u << s->layout->order; i++) {
		if (!(page[i].flags & PG_slab) || page[i].slab_cache != c || page[i].slab != s)
			BAD(nr_bad, "slab_check: S3 broken: %s, slab %p, page %u of it\n", c->name,
			    (const void *)s, i);
		if (page_to_pfn(page + i) >= c->page_limit)
			BAD(nr_bad, "slab_check: S5 broken: %s, pfn %#lx, limit %#lx\n", c->name,
			    page_to_pfn(page + i), c->page_limit);
	}
	return nr_bad;
}

/* Follow the list of free indices: how long it is; more than there are objects: it is broken. */
static unsigned int free_list_length(const struct kmem_cache *c, const struct slab *s)
{
	unsigned int nr = 0;

	for (unsigned int i = s->free; i != SLAB_END; i = slab_next_free(c, s, i)) {
		if (i >= s->layout->nr_objs || nr > s->layout->nr_objs)
			return s->layout->nr_objs + 1;
		nr++;
	}
	return nr;
}

static unsigned int check_objects(const struct kmem_cache *c, const struct slab *s)
{
	unsigned int nr_bad = 0, nr_taken = 0;

	for (unsigned int i = 0; i < s->layout->nr_objs; i++) {
		bool taken = slab_next_free(c, s, i) == SLAB_TAKEN;

		nr_taken += taken;
		if (slab_debugged(c))
			nr_bad += slab_debug_check(c, slab_object(c, s, i), taken);
	}
	if (nr_taken != s->nr_taken || free_list_length(c, s) != s->layout->nr_objs - nr_taken)
		BAD(nr_bad,
		    "slab_check: S2 broken: %s, slab %p: %u marked, %u counted, %u listed of %u\n",
		    c->name, (const void *)s, nr_taken, s->nr_taken, free_list_length(c, s),
		    s->layout->nr_objs);
	return nr_bad;
}

static unsigned int check_slab(const struct kmem_cache *c, const struct slab *s, unsigned int least,
			       bool may_be_full, struct tally *t)
{
	unsigned int nr_bad = 0, nr = s->layout->nr_objs;

	if (s->layout != &c->layouts[SLAB_LAYOUT_WANTED] &&
	    s->layout != &c->layouts[SLAB_LAYOUT_LEAST]) {
		BAD(nr_bad, "slab_check: S4 broken: %s, slab %p has a layout of its own\n", c->name,
		    (const void *)s);
		return nr_bad;
	}
	if (s->nr_taken < least || (s->nr_taken == nr) != may_be_full)
		BAD(nr_bad, "slab_check: S1 broken: %s, slab %p: %u of %u on the wrong list\n",
		    c->name, (const void *)s, s->nr_taken, nr);
	t->nr_slabs++;
	t->nr_pages += 1ul << s->layout->order;
	t->nr_objs += nr;
	t->nr_taken += s->nr_taken;
	return nr_bad + check_pages(c, s) + check_objects(c, s);
}

static unsigned int check_lists(const struct kmem_cache *c, struct tally *t) __must_hold(c->lock)
{
	unsigned int nr_bad = 0;
	struct slab *s;

	list_for_each_entry(s, &c->full, link)
		nr_bad += check_slab(c, s, 1, true, t);
	list_for_each_entry(s, &c->partial, link)
		nr_bad += check_slab(c, s, 1, false, t);
	list_for_each_entry(s, &c->empty, link) {
		nr_bad += check_slab(c, s, 0, false, t);
		t->nr_empty++;
		if (s->nr_taken)
			BAD(nr_bad, "slab_check: S1 broken: %s, slab %p is not empty\n", c->name,
			    (const void *)s);
	}
	return nr_bad;
}

static unsigned int check_counts(const struct kmem_cache *c, const struct tally *t)
{
	unsigned int nr_bad = 0;

	if (t->nr_slabs != c->nr_slabs || t->nr_empty != c->nr_empty ||
	    t->nr_pages != c->nr_pages || t->nr_objs != c->nr_objs || t->nr_taken != c->nr_taken)
		BAD(nr_bad,
		    "slab_check: S4 broken: %s: slabs %lu/%lu empty %lu/%lu pages %lu/%lu "
		    "objects %lu/%lu taken %lu/%lu\n",
		    c->name, t->nr_slabs, c->nr_slabs, t->nr_empty, c->nr_empty, t->nr_pages,
		    c->nr_pages, t->nr_objs, c->nr_objs, t->nr_taken, c->nr_taken);
	return nr_bad;
}

/* ---- magazines -------------------------------------------------------------------------- */

static bool is_taken_object(const struct kmem_cache *c, const void *obj)
{
	const struct page *page = lowmem_page(obj);
	const struct slab *s;
	unsigned int offset, index;

	if (!page || !(page->flags & PG_slab) || page->slab_cache != c)
		return false;
	s = page_slab(page);
	offset = (unsigned int)((const char *)obj - s->objs);
	index = slab_index_of(c, offset);
	return index < s->layout->nr_objs && index * c->stride == offset &&
	       slab_next_free(c, s, index) == SLAB_TAKEN;
}

static unsigned int check_slots(const struct kmem_cache *c, void *const *slots, unsigned int nr)
{
	unsigned int nr_bad = 0;

	for (unsigned int i = 0; i < nr; i++) {
		if (!is_taken_object(c, slots[i]))
			BAD(nr_bad, "slab_check: M1 broken: %s: %p in a magazine is no object\n",
			    c->name, slots[i]);
		for (unsigned int j = 0; j < i; j++) {
			if (slots[i] == slots[j])
				BAD(nr_bad, "slab_check: M1 broken: %s: %p is in it twice\n",
				    c->name, slots[i]);
		}
	}
	return nr_bad;
}

/* The same object in two magazines. */
static unsigned int check_both(const struct kmem_cache *c, const struct percpu_stack *m)
{
	unsigned int nr_bad = 0;

	for (unsigned int i = 0; i < m->nr; i++) {
		for (unsigned int j = 0; j < c->nr_shared; j++) {
			if (m->slot[i] == c->shared[j])
				BAD(nr_bad, "slab_check: M1 broken: %s: %p is in two magazines\n",
				    c->name, m->slot[i]);
		}
	}
	return nr_bad;
}

struct magazine_check {
	struct kmem_cache *c;
	unsigned int nr_bad;
};

static QAPI void check_magazine_here(void *arg)
{
	struct magazine_check *check = arg;
	const struct kmem_cache *c = check->c;
	const struct percpu_stack *m = this_cpu_ptr(c->magazine);
	unsigned long flags;

	if (m->nr > m->limit || m->limit != c->magazine_limit || m->bottom) {
		BAD(check->nr_bad, "slab_check: M2 broken: %s: magazine of %u, limit %u not %u\n",
		    c->name, m->nr, m->limit, c->magazine_limit);
		return;
	}
	check->nr_bad += check_slots(c, m->slot, m->nr);
	flags = spin_lock_irqsave(&check->c->lock);
	check->nr_bad += check_both(c, m);
	spin_unlock_irqrestore(&check->c->lock, flags);
}

/* ---- caches ----------------------------------------------------------------------------- */

QAPI unsigned int kmem_cache_check(struct kmem_cache *c)
{
	struct tally t = { 0 };
	struct magazine_check m = { .c = c };
	unsigned int nr_bad;
	unsigned long flags = spin_lock_irqsave(&c->lock);

	nr_bad = check_lists(c, &t);
	nr_bad += check_counts(c, &t);
	if (c->nr_shared > c->shared_limit)
		BAD(nr_bad, "slab_check: M2 broken: %s: shared magazine of %u, limit %u\n", c->name,
		    c->nr_shared, c->shared_limit);
	nr_bad += check_slots(c, c->shared, min(c->nr_shared, PERCPU_STACK_SLOTS));
	spin_unlock_irqrestore(&c->lock, flags);
	env_for_each_cpu(check_magazine_here, &m);
	return nr_bad + m.nr_bad;
}

static unsigned long nr_slab_pages(void)
{
	unsigned long nr = 0;

	for (pfn_t pfn = 0; pfn < mm_layout.lowmem_end_pfn; pfn++)
		nr += !!(pfn_to_page(pfn)->flags & PG_slab);
	return nr;
}

QAPI unsigned int slab_check_all(void)
{
	unsigned long nr_pages = slab_nr_pages(true) + slab_nr_pages(false);
	unsigned int nr_bad = 0;

	if (nr_slab_pages() != nr_pages)
		BAD(nr_bad, "slab_check: S3 broken: %lu pages are marked, caches have %lu\n",
		    nr_slab_pages(), nr_pages);
	for (struct kmem_cache *c = slab_cache_next(NULL); c; c = slab_cache_next(c)) {
		nr_bad += kmem_cache_check(c);
		if (slab_cache_find(c->name) != c)
			BAD(nr_bad, "slab_check: C1 broken: two caches named %s\n", c->name);
	}
	return nr_bad;
}
