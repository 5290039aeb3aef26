/*
 * slab.c - the slabs of one cache: where objects come from and go back to.
 *
 * THEORY.  A slab is a run of pages cut into objects of one size.  Which of them are free is a list
 * of indices kept apart from the objects (mm/slab.h draws both), so that an object holds nothing of
 * the allocator's: a write after its free cannot lead the allocator astray, a constructed object
 * stays constructed, and an object that is handed out is marked as such, which is how a second free
 * is known for certain.  The list is last in, first out.
 *
 * A cache keeps its slabs on three lists: full, partial, empty.  Objects are taken from partial
 * slabs before empty ones, so that empty slabs stay empty; a few of those are kept for the next
 * user, the rest goes back to the page allocator at once.
 *
 * Every page of a slab leads to its cache and its slab (page->slab_cache, page->slab), so a free
 * needs no search.  Successive slabs start their objects at different distances from the page
 * boundary, as far as the bytes left over allow: their colour.  Objects of equal index in two slabs
 * then do not compete for one cache line.
 *
 * GROWTH.  The wanted layout has enough objects to be worth its page allocation; if there is no
 * block of its order, the layout of the least order will do.  A slab remembers which one it has.
 *
 * STATE.  struct kmem_cache, below its lock.
 *
 * INVARIANTS, all checked by kmem_cache_check():
 *   S1  a slab on full, partial, empty has all, some, none of its objects taken;
 *   S2  every index of a slab is either SLAB_TAKEN or once on its list;
 *   S3  PG_slab, slab_cache and slab are set in every page of a slab, and in no other page;
 *   S4  the cache's counts are the sums over its slabs;
 *   S5  every page lies below the cache's limit.
 *
 * LOCKING.  c->lock, irq-safe, a leaf: pages and off-slab management are allocated before it is
 * taken and freed after it is left.
 *
 * CONTEXT.  Any; cache_grow() as its mask says.
 *
 * NOT HERE.  Magazines and the calls themselves: slab_cpu.c.  Caches: slab_cache.c.  Reports:
 * slab_report.c.
 *
 * SOURCES.  Bonwick, "The slab allocator: an object-caching kernel memory allocator", USENIX 1994.
 */
#include <quarry/align.h>
#include <quarry/mm.h>
#include <quarry/string.h>

#include "debug/alloc_trace.h"
#include "debug/fault_inject.h"
#include "debug/slab_debug.h"
#include "internal.h"
#include "slab.h"

/* What a request for an object passes on to the page allocator. */
#define GFP_PAGES_MASK (GFP_SLAB_FAST | __GFP_NOFAIL)

/* What must not be done, and which reserves not touched, for a block that is merely better. */
#define GFP_INSISTENT (__GFP_WAIT | __GFP_NOFAIL | __GFP_REPEAT | __GFP_HIGH | __GFP_MEMALLOC)

/* ---- pages ------------------------------------------------------------------------------ */

static void mark_pages(struct kmem_cache *c, struct slab *s, struct page *page)
{
	for (unsigned int i = 0; i < 1u << s->layout->order; i++) {
		page_flags_set(&page[i], PG_slab);
		page[i].slab_cache = c;
		page[i].slab = s;
	}
}

static void unmark_pages(struct page *page, unsigned int order)
{
	for (unsigned int i = 0; i < 1u << order; i++) {
		page_flags_clear(&page[i], PG_slab);
		page[i].slab_cache = NULL;
		page[i].slab = NULL;
	}
}

/* The first page of a slab: what it was allocated as. */
static struct page *slab_pages(const struct slab *s)
{
	pfn_t pfn = page_to_pfn(virt_to_page(s->objs));

	return pfn_to_page(ALIGN_DOWN(pfn, 1ul << s->layout->order));
}

static struct page *get_block(const struct kmem_cache *c, gfp_t gfp, unsigned int order)
{
	if (unlikely(c->page_limit != PFN_NO_LIMIT))
		return alloc_pages_below(gfp, order, c->page_limit);
	return alloc_pages(gfp, order);
}

/* Larger blocks only if they are easily had: there is a layout that does without. */
static struct page *get_pages(struct kmem_cache *c, gfp_t gfp, const struct slab_layout **layout)
{
	const struct slab_layout *wanted = &c->layouts[SLAB_LAYOUT_WANTED];
	const struct slab_layout *least = &c->layouts[SLAB_LAYOUT_LEAST];

	gfp = (gfp & GFP_PAGES_MASK) | c->gfp;
	*layout = wanted;
	if (wanted->order > least->order) {
		const gfp_t trying = (gfp & ~GFP_INSISTENT) | __GFP_NOMEMALLOC | __GFP_NOWARN;
		struct page *page = get_block(c, trying, wanted->order);

		if (page)
			return page;
		*layout = least;
	}
	return get_block(c, gfp, (*layout)->order);
}

/* ---- making and unmaking a slab --------------------------------------------------------- */

static unsigned int next_colour(struct kmem_cache *c, const struct slab_layout *layout)
{
	unsigned long flags = spin_lock_irqsave(&c->lock);
	unsigned int colour = c->colour_next++ % layout->nr_colours;

	spin_unlock_irqrestore(&c->lock, flags);
	return colour * c->colour_unit;
}

/*
 * Every index on the list, in ascending order: i is followed by i + 1.  Written by words, each of
 * which holds the next two or four indices; the list's room is whole words.
 */
static void init_list(const struct kmem_cache *c, struct slab *s)
{
	unsigned int nr = s->layout->nr_objs;
	uint32_t *word = (uint32_t *)(s + 1);
	uint32_t value = c->wide ? 0x00020001u : 0x04030201u;
	uint32_t step = c->wide ? 0x00020002u : 0x04040404u;
	unsigned int per_word = c->wide ? 2 : 4;

	for (unsigned int i = 0; i < nr; i += per_word, value += step)
		*word++ = value;
	slab_list_set(s, nr - 1, SLAB_END, c->wide);
	s->free = 0;
	s->nr_taken = 0;
}

/* With SLAB_POISON objects are constructed when they are handed out instead. */
static bool constructs_slabs(const struct kmem_cache *c)
{
	return c->ctor && !(c->flags & SLAB_POISON);
}

static void init_objects(struct kmem_cache *c, const struct slab *s, gfp_t gfp)
{
	unsigned long ctor_flags =
		SLAB_CTOR_CONSTRUCTOR | (gfp & __GFP_WAIT ? 0ul : SLAB_CTOR_ATOMIC);

	if (!slab_debugged(c) && !c->ctor)
		return;
	for (unsigned int i = 0; i < s->layout->nr_objs; i++) {
		void *obj = slab_object(c, s, i);

		if (slab_debugged(c))
			slab_debug_init(c, obj);
		if (constructs_slabs(c))
			c->ctor(obj, c, ctor_flags);
	}
}

static void add_slab(struct kmem_cache *c, struct slab *s)
{
	unsigned long flags = spin_lock_irqsave(&c->lock);

	list_add(&s->link, &c->empty);
	c->nr_slabs++;
	c->nr_empty++;
	ADD_ONCE(c->nr_pages, 1ul << s->layout->order);
	c->nr_objs += s->layout->nr_objs;
	spin_unlock_irqrestore(&c->lock, flags);
}

QAPI bool cache_grow(struct kmem_cache *c, gfp_t gfp)
{
	const struct slab_layout *layout;
	struct page *page;
	struct slab *s;
	char *base;

	if (fault_slab(gfp, c->object_size))
		return false;
	page = get_pages(c, gfp, &layout);
	if (!page)
		return false;
	base = (char *)page_address(page) + next_colour(c, layout);
	s = c->off_slab ? slab_alloc_any(c->off_slab, gfp & GFP_PAGES_MASK) : (struct slab *)base;
	if (!s) {
		__free_pages(page, layout->order);
		return false;
	}
	s->layout = layout;
	s->objs = base + layout->first;
	init_list(c, s);
	mark_pages(c, s, page);
	alloc_trace_behind(ALLOC_TRACE_OF_SLAB, 1, &page);
	if (c->off_slab)
		alloc_trace_own(s);
	init_objects(c, s, gfp);
	add_slab(c, s);
	return true;
}

/* Of a slab that is on no list of the cache any more. */
static void destroy_slab(struct kmem_cache *c, struct slab *s)
{
	struct page *page = slab_pages(s);
	unsigned int order = s->layout->order;

	if (c->dtor && constructs_slabs(c)) {
		for (unsigned int i = 0; i < s->layout->nr_objs; i++)
			c->dtor(slab_object(c, s, i), c, 0);
	}
	unmark_pages(page, order);
	if (c->off_slab)
		kmem_cache_free(c->off_slab, s);
	__free_pages(page, order);
}

static void destroy_slabs(struct kmem_cache *c, struct list_head *slabs)
{
	struct slab *s, *next;

	list_for_each_entry_safe(s, next, slabs, link)
		destroy_slab(c, s);
}

/* An empty slab leaves the cache; the caller destroys it without the lock. */
static void remove_slab(struct kmem_cache *c, struct slab *s, struct list_head *to)
	__must_hold(c->lock)
{
	list_move(&s->link, to);
	c->nr_slabs--;
	c->nr_empty--;
	ADD_ONCE(c->nr_pages, -(1ul << s->layout->order));
	c->nr_objs -= s->layout->nr_objs;
}

/* ---- taking objects --------------------------------------------------------------------- */

/* Up to @nr objects, the newest to objs[-1] and so on downwards. */
static inline unsigned int take_newest(const struct kmem_cache *c, struct slab *s, unsigned int nr,
				       void **objs, bool wide)
{
	unsigned int i = s->free, nr_got = 0;

	do {
		*--objs = slab_object(c, s, i);
		s->free = (uint16_t)slab_list_get(s, i, wide);
		slab_list_set(s, i, SLAB_TAKEN, wide);
		i = s->free;
	} while (++nr_got < nr && i != SLAB_END);
	return nr_got;
}

static unsigned int take_from_slab(struct kmem_cache *c, struct slab *s, unsigned int nr,
				   void **objs) __must_hold(c->lock)
{
	unsigned int nr_got =
		c->wide ? take_newest(c, s, nr, objs, true) : take_newest(c, s, nr, objs, false);

	if (!s->nr_taken)
		c->nr_empty--;
	s->nr_taken = (uint16_t)(s->nr_taken + nr_got);
	list_move(&s->link, s->free == SLAB_END ? &c->full : &c->partial);
	return nr_got;
}

/* Partial slabs first: an empty one may yet go back to the page allocator. */
static struct slab *slab_to_take_from(struct kmem_cache *c) __must_hold(c->lock)
{
	if (!list_empty(&c->partial))
		return list_first_entry(&c->partial, struct slab, link);
	if (!list_empty(&c->empty))
		return list_first_entry(&c->empty, struct slab, link);
	return NULL;
}

/* Up to @nr objects, to below @end. */
static unsigned int take_shared(struct kmem_cache *c, unsigned int nr, void **end)
	__must_hold(c->lock)
{
	nr = min(nr, c->nr_shared);
	ADD_ONCE(c->nr_shared, -nr);
	memcpy(end - nr, c->shared + c->nr_shared, nr * sizeof(*end));
	return nr;
}

QAPI unsigned int cache_take(struct kmem_cache *c, unsigned int nr, void **objs)
{
	unsigned long flags = spin_lock_irqsave(&c->lock);
	unsigned int nr_shared = take_shared(c, nr, objs + nr), nr_left = nr - nr_shared;
	struct slab *s;

	while (nr_left && (s = slab_to_take_from(c)) != NULL)
		nr_left -= take_from_slab(c, s, nr_left, objs + nr_left);
	ADD_ONCE(c->nr_taken, nr - nr_shared - nr_left);
	spin_unlock_irqrestore(&c->lock, flags);
	return nr - nr_left;
}

/* ---- giving objects back ---------------------------------------------------------------- */

static __cold __noreturn void bad_free(const struct kmem_cache *c, const struct slab *s,
				       const void *obj)
{
	unsigned int offset = (unsigned int)((const char *)obj - s->objs);
	unsigned int i = slab_index_of(c, offset);

	if (i * c->stride != offset || i >= s->layout->nr_objs)
		slab_bad_object(c, obj, "is freed but is no object's start");
	slab_bad_object(c, obj, "is freed twice");
}

/* The index of an object that is really taken; anything else is a BUG. */
static inline unsigned int index_of_taken(const struct kmem_cache *c, const struct slab *s,
					  const void *obj, bool wide)
{
	unsigned int offset = (unsigned int)((const char *)obj - s->objs);
	unsigned int i = slab_index_of(c, offset);

	if (unlikely(i * c->stride != offset) || unlikely(i >= s->layout->nr_objs) ||
	    unlikely(slab_list_get(s, i, wide) != SLAB_TAKEN))
		bad_free(c, s, obj);
	return i;
}

QAPI void cache_verify_taken(const struct kmem_cache *c, const void *obj)
{
	index_of_taken(c, page_slab(virt_to_page(obj)), obj, c->wide);
}

/* @s has one object less taken: is it on the wrong list now? */
static void note_free(struct kmem_cache *c, struct slab *s, bool was_full) __must_hold(c->lock)
{
	if (!s->nr_taken) {
		list_move(&s->link, &c->empty);
		c->nr_empty++;
	} else if (was_full) {
		list_move(&s->link, &c->partial);
	}
}

static inline void give_each(struct kmem_cache *c, unsigned int nr, void **objs, bool wide)
	__must_hold(c->lock)
{
	for (unsigned int i = 0; i < nr; i++) {
		struct slab *s = page_slab(virt_to_page(objs[i]));
		unsigned int index = index_of_taken(c, s, objs[i], wide);
		bool was_full = s->free == SLAB_END;

		slab_list_set(s, index, s->free, wide);
		s->free = (uint16_t)index;
		if (unlikely(--s->nr_taken == 0) || unlikely(was_full))
			note_free(c, s, was_full);
	}
}

static void give_to_slabs(struct kmem_cache *c, unsigned int nr, void **objs) __must_hold(c->lock)
{
	if (c->wide)
		give_each(c, nr, objs, true);
	else
		give_each(c, nr, objs, false);
	ADD_ONCE(c->nr_taken, -(unsigned long)nr);
}

/* Oldest first, so that the newest is on top.  Returns how many there was room for. */
static unsigned int give_shared(struct kmem_cache *c, unsigned int nr, void **objs)
	__must_hold(c->lock)
{
	nr = min(nr, c->shared_limit - c->nr_shared);
	memcpy(c->shared + c->nr_shared, objs, nr * sizeof(*objs));
	ADD_ONCE(c->nr_shared, nr);
	return nr;
}

QAPI void cache_give(struct kmem_cache *c, unsigned int nr, void **objs, bool to_shared)
{
	LIST_HEAD(surplus);
	unsigned long flags = spin_lock_irqsave(&c->lock);
	unsigned int nr_shared = to_shared ? give_shared(c, nr, objs) : 0;

	give_to_slabs(c, nr - nr_shared, objs + nr_shared);
	while (c->nr_empty > c->nr_empty_max)
		remove_slab(c, list_last_entry(&c->empty, struct slab, link), &surplus);
	spin_unlock_irqrestore(&c->lock, flags);
	destroy_slabs(c, &surplus);
}

QAPI void cache_return(struct kmem_cache *c, unsigned int nr, void **objs)
{
	unsigned long flags = spin_lock_irqsave(&c->lock);

	give_to_slabs(c, nr, objs);
	spin_unlock_irqrestore(&c->lock, flags);
}

/* Empty the shared magazine; then it may hold @limit, or NULL: as much as before. */
static void empty_shared(struct kmem_cache *c, const unsigned int *limit)
{
	void *objs[PERCPU_STACK_SLOTS];
	unsigned long flags = spin_lock_irqsave(&c->lock);
	unsigned int nr = take_shared(c, ARRAY_SIZE(objs), objs + ARRAY_SIZE(objs));

	if (limit)
		c->shared_limit = *limit;
	spin_unlock_irqrestore(&c->lock, flags);
	cache_return(c, nr, objs + ARRAY_SIZE(objs) - nr);
}

QAPI void cache_set_shared_limit(struct kmem_cache *c, unsigned int limit)
{
	empty_shared(c, &limit);
}

QAPI void cache_drain_shared(struct kmem_cache *c)
{
	empty_shared(c, NULL);
}

/* ---- empty slabs ------------------------------------------------------------------------ */

QAPI unsigned long cache_free_empty(struct kmem_cache *c, unsigned long nr_max)
{
	LIST_HEAD(surplus);
	unsigned long flags = spin_lock_irqsave(&c->lock);
	unsigned long nr_before = c->nr_pages, nr_freed = 0;

	while (c->nr_empty && (nr_freed < nr_max || c->nr_empty > c->nr_empty_max)) {
		remove_slab(c, list_last_entry(&c->empty, struct slab, link), &surplus);
		nr_freed = nr_before - c->nr_pages;
	}
	spin_unlock_irqrestore(&c->lock, flags);
	destroy_slabs(c, &surplus);
	return nr_freed;
}
