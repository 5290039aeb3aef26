/*
 * slab_cpu.c - magazines: a stack of free objects for each cache on each CPU; and the calls
 * themselves, which mostly end there.
 *
 * THEORY.  An object that was just freed is still in this CPU's cache, and nobody else wants it.
 * So each CPU keeps, for each cache, a small stack of free objects.  An allocation pops, a free
 * pushes: no lock, no locked instruction, and where the port has restartable sequences nothing is
 * switched off either (<quarry/percpu.h> says what pop and push promise; the port argues why they
 * keep it).  An object in a magazine is taken as far as its slab knows.
 *
 * An empty magazine is refilled with a batch, a full one gives its oldest batch away: first to and
 * from the shared magazine of the cache, then to and from its slabs, under one lock for the batch.
 *
 * FAST PATH.  slab_alloc...(): the context is checked on every call, then one pop; the two masks
 * that nearly all calls have get a function each, which needs no mask.  kmem_cache_free():
 * the page behind the pointer leads to the cache, which must be @c; then one push, which refuses
 * the object that is on top already.  Everything else is out of line.  A cache with debug flags has
 * a magazine whose limit is 0, so that every call goes out of line, and only there are debug
 * flags looked at.
 *
 * STATE.  magazines[]: a fixed number of per-CPU stacks, handed to caches as they are created;
 * number 0 belongs to all that have none and is always empty.  Those caches have no shared magazine
 * either, so that each free reaches its slab.
 *
 * INVARIANTS, checked by kmem_cache_check():
 *   M1  what is in a magazine is a taken object of its cache, and not also in the shared one;
 *   M2  nr <= limit.
 *
 * LOCKING.  A magazine is touched by its own CPU only, with interrupts off where more than one pop
 * or push is needed; others ask it through env_for_each_cpu().  magazines_lock, a leaf, guards
 * which of them are in use.
 *
 * CONTEXT.  Any; allocations as their mask says.
 *
 * SOURCES.  Bonwick and Adams, "Magazines and vmem", USENIX 2001.
 */
#include <quarry/align.h>
#include <quarry/bitmap.h>
#include <quarry/bug.h>
#include <quarry/env.h>
#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#include "debug/alloc_trace.h"
#include "debug/fault_inject.h"
#include "debug/slab_debug.h"
#include "slab.h"

/* Objects that a bulk call moves under one lock, with interrupts off. */
#define BULK_CHUNK 64u

static DEFINE_PER_CPU(struct percpu_stack, magazines[CONFIG_SLAB_MAGAZINES]);
static unsigned long magazines_used[DIV_ROUND_UP(CONFIG_SLAB_MAGAZINES, BITS_PER_LONG)] = { 1 };
static spinlock_t magazines_lock = SPINLOCK_INIT;

/* ---- misuse -------------------------------------------------------------------------- */

#define NAMES_BYTES 256u
#define NO_ZEROES   "asks for zeroes of a cache with a constructor"

static __cold __noreturn void bad_request(const struct kmem_cache *c, gfp_t gfp, const char *what)
{
	char names[NAMES_BYTES];
	struct out_buf b;

	out_buf_init(&b, names, sizeof(names));
	gfp_show(&b.out, gfp);
	pr_emerg("BUG: %s: mask %#x is %s\n", c->name, gfp, names);
	panic("%s: request of mask %#x %s", c->name, gfp, what);
}

/* ---- the fast paths --------------------------------------------------------------------- */

QAPI void *slab_alloc_kernel(struct kmem_cache *c)
{
	void *obj;

	if (unlikely(!env_can_sleep()))
		return slab_alloc_slow(c, GFP_KERNEL, __builtin_return_address(0));
	obj = percpu_stack_pop(c->magazine);
	if (unlikely(!obj))
		return slab_alloc_slow(c, GFP_KERNEL, __builtin_return_address(0));
	return obj;
}

QAPI void *slab_alloc_atomic(struct kmem_cache *c)
{
	void *obj = percpu_stack_pop(c->magazine);

	if (unlikely(!obj))
		return slab_alloc_slow(c, GFP_ATOMIC, __builtin_return_address(0));
	return obj;
}

QAPI void *slab_alloc(struct kmem_cache *c, gfp_t gfp)
{
	void *obj;

	if (unlikely(!env_can_sleep()) && unlikely(gfp & __GFP_WAIT))
		return slab_alloc_slow(c, gfp, __builtin_return_address(0));
	obj = percpu_stack_pop(c->magazine);
	if (unlikely(!obj))
		return slab_alloc_slow(c, gfp, __builtin_return_address(0));
	return obj;
}

/* Of a cache without debug flags: the padding up to the stride is nobody's. */
static __noinline QAPI void *zeroed(const struct kmem_cache *c, void *obj)
{
	if (unlikely(c->ctor))
		bad_request(c, __GFP_ZERO, NO_ZEROES);
	memset32(obj, 0, c->stride / sizeof(uint32_t));
	return obj;
}

QAPI void *slab_alloc_any(struct kmem_cache *c, gfp_t gfp)
{
	void *obj;

	if (unlikely(!env_can_sleep()) && unlikely(gfp & __GFP_WAIT))
		return slab_alloc_slow(c, gfp, __builtin_return_address(0));
	if (unlikely(gfp & ~(GFP_SLAB_FAST | __GFP_ZERO)))
		return slab_alloc_slow(c, gfp, __builtin_return_address(0));
	obj = percpu_stack_pop(c->magazine);
	if (unlikely(!obj))
		return slab_alloc_slow(c, gfp, __builtin_return_address(0));
	return gfp & __GFP_ZERO ? zeroed(c, obj) : obj;
}

QAPI void kmem_cache_free(struct kmem_cache *c, void *obj)
{
	const struct page *page = lowmem_page(obj);

	if (unlikely(!page) || unlikely(page->slab_cache != c))
		slab_free_bad(c, obj);
	else if (unlikely(!percpu_stack_push(c->magazine, obj)))
		slab_free_slow(__builtin_return_address(0), obj);
}

QAPI void kfree(const void *p)
{
	const struct page *page = lowmem_page(p);

	if (likely(page) && likely(page->flags & PG_slab)) {
		struct kmem_cache *c = page->slab_cache;

		if (unlikely(!percpu_stack_push(c->magazine, (void *)(uintptr_t)p)))
			slab_free_slow(__builtin_return_address(0), (void *)(uintptr_t)p);
		return;
	}
	if (p)
		kfree_slow(p);
}

/* ---- allocating, the slow path ---------------------------------------------------------- */

static void check_request(const struct kmem_cache *c, gfp_t gfp)
{
	if ((gfp & __GFP_WAIT) && !env_can_sleep())
		bad_request(c, gfp, "may sleep, but its context may not");
	if (gfp & (GFP_SLAB_FORBIDDEN | ~__GFP_ALL))
		bad_request(c, gfp, "asks for what no object has");
	if ((gfp & __GFP_DMA) && !(c->flags & SLAB_CACHE_DMA))
		bad_request(c, gfp, "asks for DMA memory of a cache without it");
	if ((gfp & __GFP_NOFAIL) && (!(gfp & __GFP_WAIT) || (gfp & __GFP_NORETRY)))
		bad_request(c, gfp, "may not fail, but may not do what it takes either");
	if ((gfp & __GFP_ZERO) && c->ctor)
		bad_request(c, gfp, NO_ZEROES);
}

/* The first ones of @objs, the last of them on top: the number that there was room for. */
static unsigned int push_many(struct kmem_cache *c, unsigned int nr, void **objs)
{
	unsigned long flags = irq_save();
	struct percpu_stack *s = this_cpu_ptr(c->magazine);

	if (nr && s->nr && s->slot[s->nr - 1] == objs[0])
		slab_bad_object(c, objs[0], "is freed twice");
	nr = min(nr, s->limit - s->nr);
	memcpy(s->slot + s->nr, objs, nr * sizeof(*objs));
	ADD_ONCE(s->nr, nr);
	irq_restore(flags);
	return nr;
}

/* One object for the caller, the rest of a batch for the magazine; NULL: a new slab is needed. */
static void *refill(struct kmem_cache *c)
{
	void *buffer[PERCPU_STACK_SLOTS], **objs;
	unsigned int nr = cache_take(c, c->batch, buffer), nr_pushed;

	if (!nr)
		return NULL;
	objs = buffer + c->batch - nr;
	nr_pushed = push_many(c, nr - 1, objs);
	/* An interrupt filled it meanwhile. */
	if (unlikely(nr_pushed < nr - 1))
		cache_give(c, nr - 1 - nr_pushed, objs + nr_pushed, true);
	return objs[nr - 1];
}

/* What is done to an object of a cache that is not simply one. */
static void prepare(struct kmem_cache *c, void *obj, gfp_t gfp, const void *caller)
{
	if (slab_debugged(c)) {
		slab_debug_alloc(c, obj, caller);
		if (c->ctor && (c->flags & SLAB_POISON))
			c->ctor(obj, c,
				SLAB_CTOR_CONSTRUCTOR |
					(gfp & __GFP_WAIT ? 0ul : SLAB_CTOR_ATOMIC));
	}
	if (gfp & __GFP_ZERO)
		memset(obj, 0, c->object_size);
}

static void *take_or_grow(struct kmem_cache *c, gfp_t gfp)
{
	void *obj;

	while ((obj = percpu_stack_pop(c->magazine)) == NULL && (obj = refill(c)) == NULL) {
		if (!cache_grow(c, gfp))
			return NULL;
	}
	return obj;
}

__noinline QAPI void *slab_alloc_slow(struct kmem_cache *c, gfp_t gfp, const void *caller)
{
	void *obj;

	check_request(c, gfp);
	obj = fault_object(gfp, c->object_size) ? NULL : take_or_grow(c, gfp);
	if (obj)
		prepare(c, obj, gfp, caller);
	alloc_trace_object(c, obj, gfp, caller);
	return obj;
}

/* ---- freeing, the slow path ------------------------------------------------------------- */

/* @obj is in no slab of @c: nothing, or a crime. */
__noinline QAPI void slab_free_bad(const struct kmem_cache *c, const void *obj)
{
	const struct page *page = lowmem_page(obj);

	if (!obj)
		return;
	if (page && (page->flags & PG_slab))
		slab_bad_object(c, obj, "is freed to the wrong cache");
	slab_bad_object(c, obj, "is freed but lies in no slab");
}

static void free_debugged(struct kmem_cache *c, void *obj, const void *caller)
{
	cache_verify_taken(c, obj);
	if (c->dtor && (c->flags & SLAB_POISON))
		c->dtor(obj, c, 0);
	slab_debug_free(c, obj, caller);
	cache_give(c, 1, &obj, false);
}

/* The magazine is full, or has @obj on top already: that is a second free. */
static void free_to_full(struct kmem_cache *c, void *obj)
{
	void *objs[PERCPU_STACK_SLOTS + 1];
	unsigned long flags = irq_save();
	struct percpu_stack *s = this_cpu_ptr(c->magazine);
	unsigned int nr = 0;

	if (s->nr && s->slot[s->nr - 1] == obj)
		slab_bad_object(c, obj, "is freed twice");
	if (s->nr >= s->limit) {
		nr = min(c->batch, s->nr);
		memcpy(objs, s->slot, nr * sizeof(*objs));
		memmove(s->slot, s->slot + nr, (s->nr - nr) * sizeof(*objs));
		ADD_ONCE(s->nr, -nr);
	}
	if (s->nr < s->limit) {
		s->slot[s->nr] = obj;
		ADD_ONCE(s->nr, 1);
	} else {
		objs[nr++] = obj;
	}
	irq_restore(flags);
	cache_give(c, nr, objs, true);
}

__noinline QAPI void slab_free_slow(const void *caller, void *obj)
{
	struct kmem_cache *c = virt_to_page(obj)->slab_cache;

	alloc_trace_object_free(obj, caller);
	if (slab_debugged(c))
		free_debugged(c, obj, caller);
	else
		free_to_full(c, obj);
}

/* ---- many at once ----------------------------------------------------------------------- */

/* Up to @nr objects, to below @end. */
static unsigned int take_from_magazine(struct kmem_cache *c, unsigned int nr, void **end)
{
	unsigned long flags = irq_save();
	struct percpu_stack *s = this_cpu_ptr(c->magazine);

	nr = min(nr, s->nr);
	ADD_ONCE(s->nr, -nr);
	memcpy(end - nr, s->slot + s->nr, nr * sizeof(*end));
	irq_restore(flags);
	return nr;
}

/* All of @nr, or none: false. */
static bool take_many(struct kmem_cache *c, gfp_t gfp, unsigned int nr, void **objs)
{
	unsigned int nr_left = nr - take_from_magazine(c, nr, objs + nr);

	while (nr_left) {
		unsigned int nr_now = min(nr_left, BULK_CHUNK);
		unsigned int nr_got = cache_take(c, nr_now, objs + nr_left - nr_now);

		nr_left -= nr_got;
		if (!nr_got && !cache_grow(c, gfp))
			break;
	}
	if (!nr_left)
		return true;
	cache_give(c, nr - nr_left, objs + nr_left, true);
	return false;
}

QAPI unsigned int kmem_cache_alloc_bulk(struct kmem_cache *c, gfp_t gfp, unsigned int nr,
					void **objs)
{
	const void *caller = __builtin_return_address(0);

	check_request(c, gfp);
	if (fault_object(gfp, c->object_size) || !take_many(c, gfp, nr, objs)) {
		alloc_trace_object(c, NULL, gfp, caller);
		return 0;
	}
	if (slab_debugged(c) || (gfp & __GFP_ZERO)) {
		for (unsigned int i = 0; i < nr; i++)
			prepare(c, objs[i], gfp, caller);
	}
	for (unsigned int i = 0; i < nr && alloc_trace_on(); i++)
		alloc_trace_object(c, objs[i], gfp, caller);
	return nr;
}

static __cold __noreturn void bad_bulk_free(const struct kmem_cache *c, const void *obj)
{
	if (!obj)
		slab_bad_object(c, obj, "is freed in bulk but is NULL");
	slab_free_bad(c, obj);
	BUG();
}

/* Objects of @c, and no two neighbours the same. */
static void check_bulk_free(const struct kmem_cache *c, unsigned int nr, void **objs)
{
	const void *before = NULL;

	for (unsigned int i = 0; i < nr; i++) {
		const void *obj = objs[i];
		const struct page *page = lowmem_page(obj);

		if (unlikely(!page) || unlikely(page->slab_cache != c))
			bad_bulk_free(c, obj);
		if (unlikely(obj == before))
			slab_bad_object(c, obj, "is freed twice");
		before = obj;
	}
}

QAPI void kmem_cache_free_bulk(struct kmem_cache *c, unsigned int nr, void **objs)
{
	const void *caller = __builtin_return_address(0);
	unsigned int nr_kept, nr_now;

	check_bulk_free(c, nr, objs);
	for (unsigned int i = 0; i < nr && alloc_trace_on(); i++)
		alloc_trace_object_free(objs[i], caller);
	if (slab_debugged(c)) {
		for (unsigned int i = 0; i < nr; i++)
			free_debugged(c, objs[i], caller);
		return;
	}
	for (nr_kept = push_many(c, nr, objs); nr_kept < nr; nr_kept += nr_now) {
		nr_now = min(nr - nr_kept, BULK_CHUNK);
		cache_give(c, nr_now, objs + nr_kept, true);
	}
}

/* ---- magazines -------------------------------------------------------------------------- */

/* Number of a magazine that nobody has; 0, which is everybody's, if there is none. */
static unsigned int take_magazine(void)
{
	unsigned long flags = spin_lock_irqsave(&magazines_lock);
	unsigned long i = find_next_zero_bit(magazines_used, CONFIG_SLAB_MAGAZINES, 0);

	if (i < CONFIG_SLAB_MAGAZINES)
		__set_bit(i, magazines_used);
	else
		i = 0;
	spin_unlock_irqrestore(&magazines_lock, flags);
	return (unsigned int)i;
}

static QAPI void set_limit_here(void *arg)
{
	const struct kmem_cache *c = arg;

	this_cpu_ptr(c->magazine)->limit = c->magazine_limit;
}

QAPI void magazine_attach(struct kmem_cache *c)
{
	unsigned int i = slab_debugged(c) ? 0 : take_magazine();

	c->magazine = &magazines[i];
	if (!i) {
		c->magazine_limit = 0;
		c->shared_limit = 0;
		c->batch = 1;
	}
	env_for_each_cpu(set_limit_here, c);
}

QAPI void magazine_detach(struct kmem_cache *c)
{
	unsigned long i = (unsigned long)(c->magazine - magazines);
	unsigned long flags;

	c->magazine_limit = 0;
	env_for_each_cpu(set_limit_here, c);
	c->magazine = NULL; /* whoever goes on using the cache faults at once */
	if (!i)
		return;
	flags = spin_lock_irqsave(&magazines_lock);
	__clear_bit(i, magazines_used);
	spin_unlock_irqrestore(&magazines_lock, flags);
}

static QAPI void drain_here(void *arg)
{
	struct kmem_cache *c = arg;
	void *objs[PERCPU_STACK_SLOTS];
	unsigned int nr = take_from_magazine(c, ARRAY_SIZE(objs), objs + ARRAY_SIZE(objs));

	cache_return(c, nr, objs + ARRAY_SIZE(objs) - nr);
}

/* Nothing in between: what is above its limit would not do as a magazine. */
static QAPI void change_limit_here(void *arg)
{
	unsigned long flags = irq_save();

	set_limit_here(arg);
	drain_here(arg);
	irq_restore(flags);
}

QAPI void magazine_set_limit(struct kmem_cache *c, unsigned int limit)
{
	if (c->magazine == &magazines[0])
		return;
	c->magazine_limit = limit;
	env_for_each_cpu(change_limit_here, c);
	cache_set_shared_limit(c, limit);
}

QAPI void magazine_drain(struct kmem_cache *c)
{
	if (c->magazine_limit)
		env_for_each_cpu(drain_here, c);
}

QAPI unsigned long magazine_nr_objs(const struct kmem_cache *c)
{
	unsigned long nr = READ_ONCE(c->nr_shared);

	for (unsigned int cpu = 0; cpu < env_nr_cpus(); cpu++)
		nr += READ_ONCE(per_cpu_ptr(c->magazine, cpu)->nr);
	return nr;
}
