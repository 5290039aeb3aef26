/*
 * Layer: mm
 * slab.h - what the files of slab caches, kmalloc and memory pools share.
 *
 *	slab of a cache, 2^order pages
 *	+----------------+--------------+----+-----------------------+---------+-- -- -+-------+
 *	| colour: offset | struct slab, |    | object 0              | object 1|       |       |
 *	| of this slab   | index list   | LZ | size | RZ | users | LZ |  ...    |       | waste |
 *	+----------------+--------------+----+-----------------------+---------+-- -- -+-------+
 *	                  (on-slab only)      ^ slab->objs            ^ slab->objs + c->stride
 *
 * Without debug flags, an object is nothing but its bytes and padding up to the stride.  With them:
 * RZ is the guard behind the object, then comes who used it, then LZ, the guard before the next.
 */
#ifndef MM_SLAB_H
#define MM_SLAB_H

#include <quarry/list.h>
#include <quarry/mm.h>
#include <quarry/percpu.h>
#include <quarry/slab.h>
#include <quarry/spinlock.h>

/*
 * The free objects of a slab are a list of indices: first is slab->free, the next of i is
 * index[i].  An object that was handed out has SLAB_TAKEN there.  A list of bytes as long as the
 * two marks are no index, otherwise of 16-bit words.
 */
enum slab_index {
	SLAB_TAKEN = 0xffff, /* as a byte: 0xff */
	SLAB_END = 0xfffe,
	SLAB_BYTE_OBJS_MAX = 0xfe, /* objects of a slab whose list has bytes */
};

/* How a slab of a cache is cut. */
struct slab_layout {
	unsigned int order; /* of its pages */
	unsigned int nr_objs;
	unsigned int first;      /* bytes from the slab's start to object 0, without colour */
	unsigned int nr_colours; /* object 0 starts at first + colour * c->colour_unit */
};

/* Management of one slab; the index list follows it. */
struct slab {
	struct list_head link; /* c->full, c->partial or c->empty */
	const struct slab_layout *layout;
	char *objs; /* object 0 */
	uint16_t nr_taken;
	uint16_t free; /* newest free object, or SLAB_END */
};

/* The preferred layout; and one of the least order, for when there are no larger blocks. */
enum { SLAB_LAYOUT_WANTED, SLAB_LAYOUT_LEAST, SLAB_NR_LAYOUTS };

struct kmem_cache {
	/* Fixed once the cache exists. */
	struct percpu_stack *magazine; /* per CPU; limit 0: none */
	unsigned int object_size;      /* bytes that the user has */
	unsigned int stride;           /* bytes from object to object */
	uint32_t reciprocal;           /* index = bytes * this >> 32: see slab_index_of() */
	unsigned int batch;            /* objects moved at a time */
	unsigned long flags;           /* SLAB_* */
	gfp_t gfp;                     /* added to every request for pages */
	pfn_t page_limit;              /* all pages lie below: PFN_NO_LIMIT, or a device's reach */
	unsigned int align;
	unsigned int colour_unit;
	bool wide;                   /* the index lists have 16-bit words */
	bool permanent;              /* the allocator's own: it stays */
	struct kmem_cache *off_slab; /* has the management; NULL: it is on-slab */
	slab_ctor_t ctor, dtor;
	struct slab_layout layouts[SLAB_NR_LAYOUTS];
	unsigned int track_offset; /* struct slab_track, from the object on */
	unsigned int left_zone;    /* bytes of LZ */
	unsigned int magazine_limit;
	unsigned long nr_empty_max; /* empty slabs that are kept */

	spinlock_t lock;
	/* Guarded by lock. */
	struct list_head full, partial, empty;
	unsigned long nr_slabs, nr_empty;
	unsigned long nr_pages;
	unsigned long nr_objs;  /* of all slabs */
	unsigned long nr_taken; /* of them: not in their slab's list */
	unsigned int colour_next;
	unsigned int nr_shared, shared_limit;
	void *shared[PERCPU_STACK_SLOTS]; /* the magazine behind those of the CPUs */

	/* Guarded by caches_lock of slab_cache.c. */
	struct list_head link; /* slab_caches */
	unsigned int nr_pins;  /* somebody walks the list and stands here */

	char name[SLAB_NAME_MAX];
};

/* All caches, in the order of creation. */
extern struct list_head slab_caches;
extern struct kmem_cache cache_cache; /* of struct kmem_cache */

/* The cache behind @prev, pinned, or the first; @prev is unpinned.  NULL at the end. */
QAPI struct kmem_cache *slab_cache_next(struct kmem_cache *prev);
QAPI void slab_cache_unpin(struct kmem_cache *c);

/* ---- objects and slabs ------------------------------------------------------------------ */

static inline bool slab_debugged(const struct kmem_cache *c)
{
	return c->flags & SLAB_DEBUG_FLAGS;
}

/*
 * The index of the object that starts @offset bytes behind object 0; something for any other
 * offset.  reciprocal is 2^32 / stride rounded up: exact for multiples of stride below 4 MiB.
 */
static inline unsigned int slab_index_of(const struct kmem_cache *c, unsigned int offset)
{
	return (unsigned int)((uint64_t)offset * c->reciprocal >> 32);
}

static inline void *slab_object(const struct kmem_cache *c, const struct slab *s, unsigned int i)
{
	return s->objs + i * c->stride;
}

/* The index behind @i on its slab's list; @wide is the cache's. */
static inline unsigned int slab_list_get(const struct slab *s, unsigned int i, bool wide)
{
	unsigned int next;

	if (wide)
		return ((const uint16_t *)(s + 1))[i];
	next = ((const uint8_t *)(s + 1))[i];
	return next >= SLAB_BYTE_OBJS_MAX ? next | 0xff00u : next;
}

static inline void slab_list_set(struct slab *s, unsigned int i, unsigned int next, bool wide)
{
	if (wide)
		((uint16_t *)(s + 1))[i] = (uint16_t)next;
	else
		((uint8_t *)(s + 1))[i] = (uint8_t)next;
}

static inline unsigned int slab_next_free(const struct kmem_cache *c, const struct slab *s,
					  unsigned int i)
{
	return slab_list_get(s, i, c->wide);
}

static inline struct slab *page_slab(const struct page *page)
{
	return page->slab;
}

/* ---- slab.c: slabs of one cache --------------------------------------------------------- */

/*
 * Take up to @nr objects from the shared magazine and the slabs: the number taken.  They fill
 * @objs[0..@nr) from its end, where the newest is, downwards.  No new slab is made.
 */
QAPI unsigned int cache_take(struct kmem_cache *c, unsigned int nr, void **objs);

/* Make a slab.  False: no memory.  May sleep if @gfp says so. */
QAPI bool cache_grow(struct kmem_cache *c, gfp_t gfp);

/* BUG unless @obj is an object of @c that somebody has. */
QAPI void cache_verify_taken(const struct kmem_cache *c, const void *obj);

/* Give @nr objects back: @to_shared lets the shared magazine keep what it has room for. */
QAPI void cache_give(struct kmem_cache *c, unsigned int nr, void **objs, bool to_shared);

/* Give @nr objects back to their slabs, and keep slabs that are empty then. */
QAPI void cache_return(struct kmem_cache *c, unsigned int nr, void **objs);

/* Give the shared magazine's objects to their slabs; then it may hold @limit. */
QAPI void cache_set_shared_limit(struct kmem_cache *c, unsigned int limit);
QAPI void cache_drain_shared(struct kmem_cache *c);

/* Free empty slabs until @nr_max pages are free, and those above nr_empty_max: the pages freed. */
QAPI unsigned long cache_free_empty(struct kmem_cache *c, unsigned long nr_max);

/* ---- slab_cpu.c: magazines -------------------------------------------------------------- */

/* Give @c a magazine on every CPU, if there is one left and its flags allow it. */
QAPI void magazine_attach(struct kmem_cache *c);
QAPI void magazine_detach(struct kmem_cache *c);

/*
 * Empty the magazine of @c and the shared one, if it has its own; each may hold @limit objects from
 * now on.
 */
QAPI void magazine_set_limit(struct kmem_cache *c, unsigned int limit);

/* Empty every CPU's magazine of @c into its slabs. */
QAPI void magazine_drain(struct kmem_cache *c);

/* Objects in all magazines of @c, the shared one included. */
QAPI unsigned long magazine_nr_objs(const struct kmem_cache *c);

/*
 * What an allocation, a free do that their first lines could not.  @caller: for reports.  The free
 * knows that @obj lies in a slab, whose cache is meant.
 */
QAPI void *slab_alloc_slow(struct kmem_cache *c, gfp_t gfp, const void *caller);
QAPI void slab_free_slow(const void *caller, void *obj);

/* @obj is NULL, or in no slab of @c: a BUG. */
QAPI void slab_free_bad(const struct kmem_cache *c, const void *obj);

/* kfree() of what is in no slab and is not NULL. */
QAPI void kfree_slow(const void *p);

/* What no request for an object may ask for. */
#define GFP_SLAB_FORBIDDEN (__GFP_HIGHMEM | __GFP_COMP | __GFP_MOVABLE | __GFP_RECLAIMABLE)

/* ---- misuse: stop, naming cache, slab, object, offset and users ------------------------- */

/*
 * @obj was given to @c, or found in it, and @what is wrong with it.  @c may be NULL (kfree).
 */
QAPI void slab_bad_object(const struct kmem_cache *c, const void *obj, const char *what)
	__noreturn __cold;

/* The same of one byte that is not what the allocator wrote there. */
QAPI void slab_bad_byte(const struct kmem_cache *c, const void *obj, const char *what,
			const unsigned char *at, unsigned char expected) __noreturn __cold;

/* A line on an address inside a slab, key=value; then its users, if they are known. */
QAPI void slab_object_show(struct out *o, const void *addr);

/* Pages of all slabs of caches with, or without, SLAB_RECLAIM_ACCOUNT. */
QAPI unsigned long slab_nr_pages(bool reclaimable);

/*
 * Take all magazines out of use, or put them back, as objects_watched() says: caches made from then
 * on follow it by themselves.  Boot, or one thread at a time.
 */
QAPI void slab_magazines_enable(bool on);

/* Verify every cache: the number of violations. */
QAPI unsigned int slab_check_all(void);

/* kmem_cache_create() with a mask of its own: for boot, where nothing may sleep. */
QAPI struct kmem_cache *slab_cache_create(const char *name, size_t size, size_t align,
					  unsigned long flags, slab_ctor_t ctor, slab_ctor_t dtor,
					  gfp_t gfp);

/* ---- init ------------------------------------------------------------------------------- */

QAPI void kmem_cache_init(void);
QAPI void kmalloc_init(void);

#endif
