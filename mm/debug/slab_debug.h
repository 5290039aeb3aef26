/*
 * Layer: mm
 * slab_debug.h - red zones, poison, users and consistency checks of slab objects; nothing at all
 * when configured off.
 */
#ifndef MM_DEBUG_SLAB_DEBUG_H
#define MM_DEBUG_SLAB_DEBUG_H

#include <quarry/config.h>
#include <quarry/errno.h>

#include "../slab.h"

/* Who took or gave an object, and when. */
struct slab_user {
	const void *caller; /* NULL: nobody yet */
	uint64_t when;      /* clock_cycles() */
};

/* In objects of caches with SLAB_STORE_USER. */
struct slab_track {
	struct slab_user alloc, free;
};

#if CONFIG_SLAB_DEBUG

/* Boot option slab_debug=FZPU[,glob]: 0, or -EINVAL. */
QAPI int slab_debug_parse(const char *value);

/* The debug flags that slab_debug= adds to a cache of this name. */
QAPI unsigned long slab_debug_flags(const char *name);

/* Widen @c->stride by what its flags need, and set the offsets of it. */
QAPI void slab_debug_layout(struct kmem_cache *c);

/* An object of a new slab: as if it had just been freed. */
QAPI void slab_debug_init(const struct kmem_cache *c, void *obj);

/* @obj left its slab, will go back to it.  What is wrong is a BUG. */
QAPI void slab_debug_alloc(const struct kmem_cache *c, void *obj, const void *caller);
QAPI void slab_debug_free(const struct kmem_cache *c, void *obj, const void *caller);

/* Count and print what is wrong with an object; @taken: somebody has it. */
QAPI unsigned int slab_debug_check(const struct kmem_cache *c, void *obj, bool taken);

/* Last user; NULL when not known. */
QAPI const struct slab_track *slab_debug_track(const struct kmem_cache *c, const void *obj);

#else

/* Not in this kernel: that it was asked for is told as a bad value. */
static inline QAPI int slab_debug_parse(const char *value)
{
	(void)value;
	return -EINVAL;
}

static inline unsigned long slab_debug_flags(const char *name)
{
	(void)name;
	return 0;
}

static inline void slab_debug_layout(struct kmem_cache *c)
{
	(void)c;
}

static inline void slab_debug_init(const struct kmem_cache *c, void *obj)
{
	(void)c;
	(void)obj;
}

static inline void slab_debug_alloc(const struct kmem_cache *c, void *obj, const void *caller)
{
	(void)c;
	(void)obj;
	(void)caller;
}

static inline void slab_debug_free(const struct kmem_cache *c, void *obj, const void *caller)
{
	(void)c;
	(void)obj;
	(void)caller;
}

static inline unsigned int slab_debug_check(const struct kmem_cache *c, void *obj, bool taken)
{
	(void)c;
	(void)obj;
	(void)taken;
	return 0;
}

static inline const struct slab_track *slab_debug_track(const struct kmem_cache *c, const void *obj)
{
	(void)c;
	(void)obj;
	return NULL;
}

#endif

#endif
