/*
 * reclaim.c - getting memory back: caches that can shrink, and the per-CPU lists.
 *
 * THEORY.  The page allocator knows no cache.  Whoever keeps memory that it could do without
 * registers a shrinker; when a request that may wait finds nothing, one round asks each shrinker
 * for pages and then empties every CPU's lists, because blocks that are scattered over those cannot
 * merge.
 *
 * Shrinkers allocate and free themselves.  So the thread that runs a round carries PF_MEMALLOC: its
 * own requests may take all reserves and never start another round.
 *
 * STATE.  shrinkers, in the order of registration; drain_hooks, the last registered first, because
 * who came later may have memory from those before.  Hooks are never taken away.
 *
 * INVARIANTS.
 *   R1  a round never nests in itself;
 *   R2  a shrinker that a round stands at is on the list: nr_running counts those rounds, and
 *       shrinker_unregister() waits for them.
 *
 * LOCKING.  shrinkers_lock guards the list and the counts; it is not held while a shrinker runs.
 *
 * CONTEXT.  A thread that may sleep.
 *
 * NOT HERE.  When to reclaim: zonelist.c.  The background thread itself: the kernel's.
 */
#include <quarry/env.h>
#include <quarry/highmem.h>
#include <quarry/mm.h>
#include <quarry/panic.h>
#include <quarry/shrinker.h>
#include <quarry/spinlock.h>

#include "internal.h"

#define UNREGISTER_WAIT_MS 1u /* at a time, for somebody who asks it for pages */

static LIST_HEAD(shrinkers);
static LIST_HEAD(drain_hooks);
static spinlock_t shrinkers_lock = SPINLOCK_INIT;

QAPI void shrinker_register(struct shrinker *s)
{
	unsigned long flags = spin_lock_irqsave(&shrinkers_lock);

	s->nr_running = 0;
	list_add_tail(&s->link, &shrinkers);
	spin_unlock_irqrestore(&shrinkers_lock, flags);
}

static bool try_unregister(struct shrinker *s)
{
	unsigned long flags = spin_lock_irqsave(&shrinkers_lock);
	bool idle = !s->nr_running;

	if (idle)
		list_del(&s->link);
	spin_unlock_irqrestore(&shrinkers_lock, flags);
	return idle;
}

QAPI void shrinker_unregister(struct shrinker *s)
{
	might_sleep();
	while (!try_unregister(s))
		if (!env_wait_for_memory(UNREGISTER_WAIT_MS))
			panic("shrinker %s is unregistered by itself, while it runs", s->name);
}

/* The shrinker behind @s, or the first one, which stays meanwhile; @s need not.  NULL: no more. */
static struct shrinker *next_shrinker(struct shrinker *s)
{
	unsigned long flags = spin_lock_irqsave(&shrinkers_lock);
	struct list_head *link = s ? s->link.next : shrinkers.next;
	struct shrinker *next = link == &shrinkers ? NULL : list_entry(link, struct shrinker, link);

	if (s)
		s->nr_running--;
	if (next)
		next->nr_running++;
	spin_unlock_irqrestore(&shrinkers_lock, flags);
	return next;
}

QAPI unsigned long reclaim_round(unsigned long nr, gfp_t gfp)
{
	struct env_task *task = env_current();
	unsigned long freed = 0;

	might_sleep();
	BUG_ON(task->flags & PF_MEMALLOC);
	task->flags |= PF_MEMALLOC;
	for (struct shrinker *s = next_shrinker(NULL); s; s = next_shrinker(s))
		freed += s->shrink(s, nr, gfp);
	task->flags &= ~PF_MEMALLOC;
	pcp_drain_all();
	return freed;
}

QAPI void drain_register(struct drain_hook *h)
{
	unsigned long flags = spin_lock_irqsave(&shrinkers_lock);

	list_add(&h->link, &drain_hooks);
	spin_unlock_irqrestore(&shrinkers_lock, flags);
}

QAPI void mm_quiesce(void)
{
	struct drain_hook *h;

	might_sleep();
	list_for_each_entry(h, &drain_hooks, link)
		h->drain();
	kmap_flush_unused();
	pcp_drain_all();
}

static unsigned long pages_below_high(void)
{
	unsigned long nr = 0;
	struct zone *z;

	for_each_zone(z) {
		unsigned long nr_free = READ_ONCE(z->nr_free);

		if (nr_free < z->watermark[WMARK_HIGH])
			nr += z->watermark[WMARK_HIGH] - nr_free;
	}
	return nr;
}

QAPI unsigned long reclaim_background(void)
{
	unsigned long freed = 0, round, wanted;

	while ((wanted = pages_below_high()) != 0) {
		round = reclaim_round(wanted, GFP_KERNEL);
		freed += round;
		if (!round)
			break;
	}
	return freed;
}
