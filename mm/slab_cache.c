/*
 * slab_cache.c - caches: how one is laid out, made and unmade, and the list of all of them.
 *
 * THEORY.  A layout is an order and what follows from it.  More pages waste less at the end and
 * make refills rarer; fewer are easier to find.  So the wanted order is the least one that leaves
 * at most 1/8 over and has at least 8 objects; from the last order on whose blocks come from
 * per-CPU lists, any number of objects will do; if no order is good, the one that leaves least.
 *
 * Management lies on-slab, in front of the objects, or off-slab in a kmalloc cache: whichever takes
 * less memory an object.  Where objects are aligned to their size, on-slab costs a whole one.
 *
 * BOOTSTRAP.  A cache is an object of the cache of caches, which is a static structure and set up
 * first.  Then come the kmalloc caches, smallest first.  While the caches that could hold
 * management do not exist, management is on-slab; so those caches have theirs on-slab, and making
 * a slab takes at most one object of another cache, whose slabs need nobody.  Magazines are static
 * per-CPU memory.  Nothing ever waits for itself.
 *
 * UNDER PRESSURE.  A shrinker empties magazines and gives empty slabs back; mm_quiesce() does the
 * same through a drain hook, so that counts of pages are comparable after it.
 *
 * STATE.  slab_caches, in the order of creation.
 *
 * INVARIANTS.  C1: names are unique.  C2: a cache is unlinked only when nobody stands on it.
 *
 * LOCKING.  caches_lock, a leaf, guards the list and the pins.  Whoever walks the list pins the
 * cache on which it stands and holds no lock meanwhile.
 *
 * CONTEXT.  Threads that may sleep, but for slab_cache_find().
 */
#include <quarry/align.h>
#include <quarry/bug.h>
#include <quarry/div64.h>
#include <quarry/env.h>
#include <quarry/errno.h>
#include <quarry/mm.h>
#include <quarry/printk.h>
#include <quarry/shrinker.h>
#include <quarry/string.h>

#include "debug/slab_debug.h"
#include "debug/watch.h"
#include "internal.h"
#include "slab.h"

#define SLAB_OBJS_WANTED   8u /* objects of a slab, if that does not need a large block */
#define SLAB_WASTE_SHARE   8u /* of a slab's bytes may be wasted */
#define SLAB_CHEAP_ORDER   (PCP_ORDERS - 1)
#define SLAB_PIN_WAIT_MS   1u
#define MAGAZINE_BYTES_MAX (256 * KiB) /* of objects in one magazine */
#define MAGAZINE_SHARE     512ul       /* of lowmem: the same on a small machine */
#define LIVE_SHOWN_MAX     16u         /* objects that a refused destroy names */

LIST_HEAD(slab_caches);
struct kmem_cache cache_cache;

static spinlock_t caches_lock = SPINLOCK_INIT;

/* ---- the list --------------------------------------------------------------------------- */

QAPI struct kmem_cache *slab_cache_next(struct kmem_cache *prev)
{
	unsigned long flags = spin_lock_irqsave(&caches_lock);
	struct list_head *next = prev ? prev->link.next : slab_caches.next;
	struct kmem_cache *c = NULL;

	if (next != &slab_caches) {
		c = list_entry(next, struct kmem_cache, link);
		c->nr_pins++;
	}
	if (prev)
		prev->nr_pins--;
	spin_unlock_irqrestore(&caches_lock, flags);
	return c;
}

QAPI void slab_cache_unpin(struct kmem_cache *c)
{
	unsigned long flags = spin_lock_irqsave(&caches_lock);

	c->nr_pins--;
	spin_unlock_irqrestore(&caches_lock, flags);
}

static struct kmem_cache *find_locked(const char *name) __must_hold(caches_lock)
{
	struct kmem_cache *c;

	list_for_each_entry(c, &slab_caches, link) {
		if (!strcmp(c->name, name))
			return c;
	}
	return NULL;
}

QAPI struct kmem_cache *slab_cache_find(const char *name)
{
	unsigned long flags = spin_lock_irqsave(&caches_lock);
	struct kmem_cache *c = find_locked(name);

	spin_unlock_irqrestore(&caches_lock, flags);
	return c;
}

static void add_cache(struct kmem_cache *c)
{
	unsigned long flags = spin_lock_irqsave(&caches_lock);

	if (find_locked(c->name))
		panic("kmem_cache_create: there is a cache named %s already", c->name);
	list_add_tail(&c->link, &slab_caches);
	spin_unlock_irqrestore(&caches_lock, flags);
}

/* Unlink it, unless somebody stands there. */
static bool try_remove_cache(struct kmem_cache *c)
{
	unsigned long flags = spin_lock_irqsave(&caches_lock);
	bool free = !c->nr_pins;

	if (free)
		list_del(&c->link);
	spin_unlock_irqrestore(&caches_lock, flags);
	return free;
}

/* ---- layout ----------------------------------------------------------------------------- */

static unsigned int index_bytes(const struct kmem_cache *c)
{
	return c->wide ? sizeof(uint16_t) : sizeof(uint8_t);
}

/* struct slab and its index list, which has whole words. */
static unsigned int management_bytes(const struct kmem_cache *c, unsigned int nr)
{
	return sizeof(struct slab) + ALIGN_UP(nr * index_bytes(c), (unsigned int)sizeof(uint32_t));
}

/* Where object 0 starts in a slab of @nr objects. */
static unsigned int first_offset(const struct kmem_cache *c, unsigned int nr, bool off_slab)
{
	unsigned int head = off_slab ? 0 : management_bytes(c, nr);

	return ALIGN_UP(head + c->left_zone, c->align);
}

/* Bytes of a slab with @nr objects: the guard before an object after the last is not needed. */
static unsigned int slab_extent(const struct kmem_cache *c, unsigned int nr, bool off_slab)
{
	return first_offset(c, nr, off_slab) + nr * c->stride - c->left_zone;
}

static struct slab_layout layout_of_order(const struct kmem_cache *c, unsigned int order,
					  bool off_slab)
{
	unsigned int bytes = (unsigned int)PAGE_SIZE << order;
	unsigned int nr = (bytes + c->left_zone) / c->stride;
	struct slab_layout l = { .order = order };

	if (!c->wide)
		nr = min(nr, (unsigned int)SLAB_BYTE_OBJS_MAX);
	while (nr && slab_extent(c, nr, off_slab) > bytes)
		nr--;
	l.nr_objs = nr;
	if (nr) {
		l.first = first_offset(c, nr, off_slab);
		l.nr_colours = (bytes - slab_extent(c, nr, off_slab)) / c->colour_unit + 1;
	}
	return l;
}

/* Bytes of a slab that are neither objects nor their indices: what a larger slab has less of. */
static unsigned int slab_rest(const struct kmem_cache *c, const struct slab_layout *l,
			      bool off_slab)
{
	unsigned int per_obj = c->stride + (off_slab ? 0 : index_bytes(c));

	return ((unsigned int)PAGE_SIZE << l->order) - l->nr_objs * per_obj;
}

static bool is_good(const struct kmem_cache *c, const struct slab_layout *l, bool off_slab)
{
	unsigned int bytes = (unsigned int)PAGE_SIZE << l->order;

	return l->nr_objs >= (l->order < SLAB_CHEAP_ORDER ? SLAB_OBJS_WANTED : 1) &&
	       slab_rest(c, l, off_slab) <= bytes / SLAB_WASTE_SHARE;
}

/* A slab's rest as if it had the largest order: for comparing two. */
static uint64_t rest_share(const struct kmem_cache *c, const struct slab_layout *l, bool off_slab)
{
	return (uint64_t)slab_rest(c, l, off_slab) << (MAX_ORDER - l->order);
}

/* The wanted layout for this kind of management, and the one of the least order. */
static void choose_layouts(const struct kmem_cache *c, bool off_slab,
			   struct slab_layout layouts[SLAB_NR_LAYOUTS])
{
	struct slab_layout *wanted = &layouts[SLAB_LAYOUT_WANTED];
	struct slab_layout *least = &layouts[SLAB_LAYOUT_LEAST];
	unsigned int order = 0, last;

	do {
		*least = layout_of_order(c, order++, off_slab);
	} while (!least->nr_objs && order < MAX_ORDER);
	*wanted = *least;
	last = max(least->order + 1, SLAB_OBJECT_ORDER_MAX);
	for (; order <= last && order < MAX_ORDER && !is_good(c, wanted, off_slab); order++) {
		struct slab_layout l = layout_of_order(c, order, off_slab);

		if (is_good(c, &l, off_slab) ||
		    rest_share(c, &l, off_slab) < rest_share(c, wanted, off_slab))
			*wanted = l;
	}
}

/* The cache that can hold off-slab management of @nr objects: one whose own is on-slab. */
static struct kmem_cache *management_cache(const struct kmem_cache *c, unsigned int nr)
{
	unsigned int bytes = management_bytes(c, nr);
	struct kmem_cache *m =
		bytes <= KMALLOC_CACHE_MAX ? kmalloc_caches[0][kmalloc_index(bytes)] : NULL;

	return m && !m->off_slab ? m : NULL;
}

static unsigned int most_objs(const struct slab_layout layouts[SLAB_NR_LAYOUTS])
{
	return max(layouts[SLAB_LAYOUT_WANTED].nr_objs, layouts[SLAB_LAYOUT_LEAST].nr_objs);
}

/* Memory for one object, in units of 2^-16 bytes; @elsewhere: bytes of off-slab management. */
static uint64_t cost_of_object(const struct slab_layout *l, unsigned int elsewhere)
{
	uint64_t bytes = ((uint64_t)PAGE_SIZE << l->order) + elsewhere;

	return div_u64(bytes << 16, l->nr_objs);
}

static void lay_out(struct kmem_cache *c)
{
	struct slab_layout off[SLAB_NR_LAYOUTS];
	struct kmem_cache *m;

	c->wide = (PAGE_SIZE - sizeof(struct slab)) / (c->stride + 1) > SLAB_BYTE_OBJS_MAX;
	choose_layouts(c, false, c->layouts);
	choose_layouts(c, true, off);
	if (!c->layouts[SLAB_LAYOUT_LEAST].nr_objs || !off[SLAB_LAYOUT_LEAST].nr_objs)
		panic("%s: no slab has room for an object of %u bytes aligned to %u", c->name,
		      c->stride, c->align);
	m = management_cache(c, most_objs(off));
	if (m && cost_of_object(&off[SLAB_LAYOUT_WANTED], m->stride) <
			 cost_of_object(&c->layouts[SLAB_LAYOUT_WANTED], 0)) {
		memcpy(c->layouts, off, sizeof(off));
		c->off_slab = m;
	}
}

/* ---- creating --------------------------------------------------------------------------- */

/* A blank or anything else that would break a line of slabinfo? */
static bool has_blank(const char *name)
{
	for (; *name; name++) {
		if ((unsigned char)*name <= ' ')
			return true;
	}
	return false;
}

static void check_parameters(const char *name, size_t size, size_t align, unsigned long flags,
			     slab_ctor_t ctor, slab_ctor_t dtor)
{
	size_t len = name ? strnlen(name, SLAB_NAME_MAX) : 0;

	if (!len || len == SLAB_NAME_MAX || has_blank(name))
		panic("kmem_cache_create: a name has 1 to %u bytes without blanks, not '%s'",
		      SLAB_NAME_MAX - 1, name ? name : "(null)");
	if (!size || size > SLAB_OBJECT_SIZE_MAX)
		panic("kmem_cache_create(%s): size %zu is not in 1..%lu", name, size,
		      (unsigned long)SLAB_OBJECT_SIZE_MAX);
	if ((align & (align - 1)) || align > SLAB_ALIGN_MAX)
		panic("kmem_cache_create(%s): alignment %zu is no power of two up to %lu", name,
		      align, (unsigned long)SLAB_ALIGN_MAX);
	if (flags & ~(unsigned long)SLAB_ALL_FLAGS)
		panic("kmem_cache_create(%s): flags %#lx are not all known", name, flags);
	if (dtor && !ctor)
		panic("kmem_cache_create(%s): a destructor without a constructor", name);
}

/* HWCACHE_ALIGN: to a cache line, or to the part of one that the object fits into. */
static unsigned int final_align(size_t size, size_t align, unsigned long flags)
{
	unsigned int least = max((unsigned int)align, SLAB_MIN_ALIGN), line = SLAB_CACHE_LINE;

	if (!(flags & SLAB_HWCACHE_ALIGN))
		return least;
	while (size <= line / 2)
		line /= 2;
	return max(least, line);
}

/* Bytes that the objects of a magazine, or those of the empty slabs, may have. */
static unsigned long bytes_to_keep(void)
{
	return (unsigned long)(mm_layout.lowmem_end / MAGAZINE_SHARE);
}

/* Objects of a magazine: what fits a bound in bytes, so that large objects are not hoarded. */
static unsigned int magazine_objs(const struct kmem_cache *c)
{
	unsigned long bytes = min(bytes_to_keep(), MAGAZINE_BYTES_MAX);

	return clamp((unsigned int)(bytes / c->stride), 1u, PERCPU_STACK_SLOTS);
}

static unsigned int allowed_limit(const struct kmem_cache *c)
{
	return objects_watched() ? 0 : magazine_objs(c);
}

/*
 * Empty slabs are kept for two batches, within the bound of a magazine: what a full one may give
 * away and soon want again.
 */
static void set_limits(struct kmem_cache *c)
{
	unsigned long bytes = bytes_to_keep();
	const struct slab_layout *wanted = &c->layouts[SLAB_LAYOUT_WANTED];

	c->magazine_limit = allowed_limit(c);
	c->shared_limit = slab_debugged(c) ? 0 : c->magazine_limit;
	c->batch = slab_debugged(c) ? 1 : max(magazine_objs(c) / 2, 1u);
	c->nr_empty_max = clamp(2 * c->batch / wanted->nr_objs + 1, 1ul,
				max(bytes >> (PAGE_SHIFT + wanted->order), 1ul));
}

static void init_cache(struct kmem_cache *c, const char *name, size_t size, size_t align,
		       unsigned long flags)
{
	memset(c, 0, sizeof(*c));
	strlcpy(c->name, name, sizeof(c->name));
	c->flags = flags | slab_debug_flags(name);
	c->object_size = (unsigned int)size;
	c->align = final_align(size, align, flags);
	c->stride = ALIGN_UP(c->object_size, c->align);
	slab_debug_layout(c);
	c->colour_unit = max(c->align, SLAB_CACHE_LINE);
	c->reciprocal = (uint32_t)(((1ull << 32) - 1) / c->stride + 1);
	c->gfp = (flags & SLAB_CACHE_DMA ? __GFP_DMA : 0) |
		 (flags & SLAB_RECLAIM_ACCOUNT ? __GFP_RECLAIMABLE : 0);
	c->page_limit = PFN_NO_LIMIT;
	spin_lock_init(&c->lock);
	list_init(&c->full);
	list_init(&c->partial);
	list_init(&c->empty);
	lay_out(c);
	set_limits(c);
	magazine_attach(c);
}

/* Until nobody changed them while we did: the last word is the watchers'. */
static void follow_watchers(struct kmem_cache *c)
{
	unsigned int limit;

	do {
		limit = allowed_limit(c);
		magazine_set_limit(c, limit);
	} while (limit != allowed_limit(c));
}

QAPI struct kmem_cache *slab_cache_create(const char *name, size_t size, size_t align,
					  unsigned long flags, slab_ctor_t ctor, slab_ctor_t dtor,
					  gfp_t gfp)
{
	struct kmem_cache *c;

	check_parameters(name, size, align, flags, ctor, dtor);
	c = kmem_cache_alloc(&cache_cache, gfp);
	if (!c) {
		if (flags & SLAB_PANIC)
			panic("kmem_cache_create(%s): out of memory", name);
		return NULL;
	}
	init_cache(c, name, size, align, flags);
	c->ctor = ctor;
	c->dtor = dtor;
	add_cache(c);
	/* Whoever changed all limits meanwhile did not find it on the list. */
	if (unlikely(c->magazine_limit != allowed_limit(c)))
		follow_watchers(c);
	return c;
}

QAPI struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align,
					  unsigned long flags, slab_ctor_t ctor, slab_ctor_t dtor)
{
	might_sleep();
	return slab_cache_create(name, size, align, flags, ctor, dtor, GFP_KERNEL);
}

/* ---- destroying ------------------------------------------------------------------------- */

struct live_objects {
	unsigned int nr;
	const void *objs[LIVE_SHOWN_MAX];
};

static void collect_live(const struct kmem_cache *c, const struct list_head *slabs,
			 struct live_objects *live) __must_hold(c->lock)
{
	struct slab *s;

	list_for_each_entry(s, slabs, link) {
		for (unsigned int i = 0; i < s->layout->nr_objs; i++) {
			if (live->nr == LIVE_SHOWN_MAX)
				return;
			if (slab_next_free(c, s, i) == SLAB_TAKEN)
				live->objs[live->nr++] = slab_object(c, s, i);
		}
	}
}

static void report_live(struct kmem_cache *c, unsigned long nr_live)
{
	struct live_objects live = { 0 };
	unsigned long flags = spin_lock_irqsave(&c->lock);

	collect_live(c, &c->full, &live);
	collect_live(c, &c->partial, &live);
	spin_unlock_irqrestore(&c->lock, flags);
	pr_err("kmem_cache_destroy(%s): refused, %lu objects are in use\n", c->name, nr_live);
	for (unsigned int i = 0; i < live.nr; i++)
		slab_object_show(&out_console, live.objs[i]);
	if (nr_live > live.nr)
		pr_err("and %lu more\n", nr_live - live.nr);
}

QAPI int kmem_cache_destroy(struct kmem_cache *c)
{
	unsigned long nr_live;

	might_sleep();
	if (!c)
		return 0;
	if (c->permanent)
		panic("kmem_cache_destroy(%s): it is the allocator's own", c->name);
	kmem_cache_shrink(c);
	nr_live = kmem_cache_nr_in_use(c);
	if (nr_live) {
		report_live(c, nr_live);
		return -EBUSY;
	}
	while (!try_remove_cache(c))
		BUG_ON(!env_wait_for_memory(SLAB_PIN_WAIT_MS));
	magazine_detach(c);
	kmem_cache_free(&cache_cache, c);
	return 0;
}

/* ---- shrinking -------------------------------------------------------------------------- */

static unsigned long shrink_cache(struct kmem_cache *c, unsigned long nr_max)
{
	unsigned long nr_before = READ_ONCE(c->nr_pages), nr_after;

	magazine_drain(c);
	cache_drain_shared(c);
	cache_free_empty(c, nr_max);
	nr_after = READ_ONCE(c->nr_pages);
	return nr_before > nr_after ? nr_before - nr_after : 0;
}

QAPI unsigned long kmem_cache_shrink(struct kmem_cache *c)
{
	might_sleep();
	return shrink_cache(c, ~0ul);
}

/* By how much the pages of all slabs are fewer than @nr. */
static unsigned long nr_freed_since(unsigned long nr)
{
	unsigned long now = slab_nr_pages(true) + slab_nr_pages(false);

	return nr > now ? nr - now : 0;
}

/* One pass over the caches, until @nr_max pages are free. */
static void shrink_each(unsigned long nr_max)
{
	unsigned long nr_freed = 0;
	struct kmem_cache *c;

	for (c = slab_cache_next(NULL); c && nr_freed < nr_max; c = slab_cache_next(c))
		nr_freed += shrink_cache(c, nr_max - nr_freed);
	if (c)
		slab_cache_unpin(c);
}

/* Off-slab management of one cache is objects of another: a further pass finds those freed. */
static unsigned long shrink_all(unsigned long nr_max)
{
	unsigned long nr_first = slab_nr_pages(true) + slab_nr_pages(false);
	unsigned long nr_before, nr_freed = 0;

	do {
		nr_before = nr_freed;
		shrink_each(nr_max - nr_freed);
		nr_freed = nr_freed_since(nr_first);
	} while (nr_freed > nr_before && nr_freed < nr_max);
	return nr_freed;
}

QAPI unsigned long kmem_cache_reap(void)
{
	might_sleep();
	return shrink_all(~0ul);
}

static QAPI unsigned long shrink_for_reclaim(struct shrinker *s, unsigned long nr, gfp_t gfp)
{
	(void)s;
	(void)gfp;
	return shrink_all(nr);
}

static QAPI void drain_all(void)
{
	shrink_all(~0ul);
}

QAPI void slab_magazines_enable(bool on)
{
	struct kmem_cache *c;

	for (c = slab_cache_next(NULL); c; c = slab_cache_next(c))
		magazine_set_limit(c, on ? magazine_objs(c) : 0);
}

/* ---- small questions -------------------------------------------------------------------- */

QAPI unsigned int kmem_cache_size(const struct kmem_cache *c)
{
	return c->object_size;
}

QAPI const char *kmem_cache_name(const struct kmem_cache *c)
{
	return c->name;
}

QAPI unsigned long kmem_cache_nr_in_use(const struct kmem_cache *c)
{
	unsigned long nr_cached = magazine_nr_objs(c), nr_taken = READ_ONCE(c->nr_taken);

	return nr_taken > nr_cached ? nr_taken - nr_cached : 0;
}

QAPI unsigned long slab_nr_pages(bool reclaimable)
{
	unsigned long flags = spin_lock_irqsave(&caches_lock), nr = 0;
	struct kmem_cache *c;

	list_for_each_entry(c, &slab_caches, link) {
		if (!!(c->flags & SLAB_RECLAIM_ACCOUNT) == reclaimable)
			nr += READ_ONCE(c->nr_pages);
	}
	spin_unlock_irqrestore(&caches_lock, flags);
	return nr;
}

/* ---- the beginning ---------------------------------------------------------------------- */

__init QAPI void kmem_cache_init(void)
{
	static struct shrinker shrinker = { .name = "slab", .shrink = shrink_for_reclaim };
	static struct drain_hook hook = { .drain = drain_all };

	init_cache(&cache_cache, "kmem_cache", sizeof(struct kmem_cache),
		   __alignof__(struct kmem_cache), SLAB_HWCACHE_ALIGN);
	cache_cache.permanent = true;
	add_cache(&cache_cache);
	shrinker_register(&shrinker);
	drain_register(&hook);
}
