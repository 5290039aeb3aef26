/*
 * Layer: mm
 * shrinker.h - how caches give memory back when the page allocator runs low.
 */
#ifndef QUARRY_SHRINKER_H
#define QUARRY_SHRINKER_H

#include <quarry/compiler.h>
#include <quarry/list.h>
#include <quarry/types.h>

/*
 * A cache that can give pages back.  The structure is the cache's and stays registered until
 * shrinker_unregister().  @shrink is called in the context of the allocation that ran dry: it may
 * sleep only if @gfp says so, and it must not allocate without PF_MEMALLOC.
 */
struct shrinker {
	const char *name;
	/* Free about @nr pages; the number really freed. */
	QAPI unsigned long (*shrink)(struct shrinker *s, unsigned long nr, gfp_t gfp);
	struct list_head link;   /* reclaim.c's */
	unsigned int nr_running; /* reclaim.c's */
};

/**
 * shrinker_register - @s is asked for pages from now on, after those registered before it.
 *
 * Context: thread.
 */
QAPI void shrinker_register(struct shrinker *s);

/**
 * shrinker_unregister - @s is asked no more, and is not running: others that ask it just now are
 * waited for.
 *
 * Context: a thread that may sleep; not @s itself.
 */
QAPI void shrinker_unregister(struct shrinker *s);

/* A cache of free memory that mm_quiesce() empties; @drain may sleep. */
struct drain_hook {
	QAPI void (*drain)(void);
	struct list_head link; /* reclaim.c's */
};

/**
 * drain_register - mm_quiesce() calls @h from now on, before it empties the per-CPU lists.
 * @h: must stay.
 *
 * It is called before those registered earlier, from whom it may have its memory.
 * Context: thread, boot.
 */
QAPI void drain_register(struct drain_hook *h);

/**
 * reclaim_background - bring every zone back above its high watermark.
 *
 * What the kernel's background thread calls after env_wake_reclaim().
 * Return:  pages freed.
 * Context: a thread that may sleep.
 */
QAPI unsigned long reclaim_background(void);

#endif
