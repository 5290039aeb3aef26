/*
 * slab_debug.c - who wrote past an object, or to one that was free?  And who had it?
 *
 * IDEA.  Everything happens when an object leaves its slab and when it comes back, in caches whose
 * flags ask for it:
 *
 *	SLAB_RED_ZONE    guard bytes before and behind the object: ZONE_TAKEN while somebody has
 *	                 it, ZONE_FREE otherwise; verified when the object changes hands
 *	SLAB_POISON      a free object holds POISON, and POISON_END in its last byte; verified
 *	                 when it is handed out
 *	SLAB_STORE_USER  caller and time of the last allocation and the last free
 *	SLAB_CONSISTENCY_CHECKS
 *	                 the free list of the object's slab is walked
 *
 * The guard before an object is the end of the stride before it, so that it costs no alignment.
 *
 * STATE.  What slab_debug= said.
 *
 * INVARIANTS, checked by kmem_cache_check():
 *   D1  the guards of an object say whether it is taken;
 *   D2  a free object of a poisoned cache is filled.
 *
 * LOCKING.  None: an object that changes hands is nobody else's.  The list is walked under c->lock.
 *
 * CONTEXT.  Any.
 */
#include <quarry/align.h>
#include <quarry/mm.h>
#include <quarry/port.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#include "slab_debug.h"

#define ZONE_FREE   0xbbu
#define ZONE_TAKEN  0xccu
#define POISON      0x6bu
#define POISON_END  0xa5u
#define ZONE_BYTES  8u /* of each guard, at least */
#define TRACK_ALIGN 8u

/* ---- the option ------------------------------------------------------------------------- */

static struct {
	unsigned long flags;
	char glob[SLAB_NAME_MAX];
} option;

static unsigned long flag_of(char letter)
{
	switch (letter) {
	case 'F':
		return SLAB_CONSISTENCY_CHECKS;
	case 'Z':
		return SLAB_RED_ZONE;
	case 'P':
		return SLAB_POISON;
	case 'U':
		return SLAB_STORE_USER;
	default:
		return 0;
	}
}

__init QAPI int slab_debug_parse(const char *value)
{
	unsigned long flags = 0;
	const char *glob = "*";

	for (; *value && *value != ','; value++) {
		if (!flag_of(*value))
			return -EINVAL;
		flags |= flag_of(*value);
	}
	if (*value == ',')
		glob = value + 1;
	if (!*glob || strlen(glob) >= sizeof(option.glob))
		return -EINVAL;
	strlcpy(option.glob, glob, sizeof(option.glob));
	option.flags = flags ? flags : SLAB_DEBUG_FLAGS;
	return 0;
}

QAPI unsigned long slab_debug_flags(const char *name)
{
	return option.flags && glob_match(option.glob, name) ? option.flags : 0;
}

/* ---- layout ----------------------------------------------------------------------------- */

QAPI void slab_debug_layout(struct kmem_cache *c)
{
	unsigned int end = c->object_size;

	if (!(c->flags & (SLAB_RED_ZONE | SLAB_STORE_USER)))
		return;
	if (c->flags & SLAB_RED_ZONE) {
		end += ZONE_BYTES;
		c->left_zone = ZONE_BYTES;
	}
	c->track_offset = ALIGN_UP(end, TRACK_ALIGN);
	end = c->track_offset;
	if (c->flags & SLAB_STORE_USER)
		end += sizeof(struct slab_track);
	c->stride = ALIGN_UP(end + c->left_zone, c->align);
}

static struct slab_track *track_of(const struct kmem_cache *c, const void *obj)
{
	return (struct slab_track *)((uintptr_t)obj + c->track_offset);
}

QAPI const struct slab_track *slab_debug_track(const struct kmem_cache *c, const void *obj)
{
	return c->flags & SLAB_STORE_USER ? track_of(c, obj) : NULL;
}

/* ---- bytes that must be what they were --------------------------------------------------- */

static void set_zones(const struct kmem_cache *c, void *obj, unsigned char with)
{
	if (!(c->flags & SLAB_RED_ZONE))
		return;
	memset((char *)obj - c->left_zone, with, c->left_zone);
	memset((char *)obj + c->object_size, with, c->track_offset - c->object_size);
}

static void set_poison(const struct kmem_cache *c, void *obj)
{
	if (!(c->flags & SLAB_POISON))
		return;
	memset(obj, POISON, c->object_size - 1);
	((unsigned char *)obj)[c->object_size - 1] = POISON_END;
}

/* The first byte of the guard before, the guard behind, the poison, that is wrong; or NULL. */
static const unsigned char *wrong_before(const struct kmem_cache *c, const void *obj,
					 unsigned char want)
{
	if (!(c->flags & SLAB_RED_ZONE))
		return NULL;
	return memchr_inv((const char *)obj - c->left_zone, want, c->left_zone);
}

static const unsigned char *wrong_behind(const struct kmem_cache *c, const void *obj,
					 unsigned char want)
{
	if (!(c->flags & SLAB_RED_ZONE))
		return NULL;
	return memchr_inv((const char *)obj + c->object_size, want,
			  c->track_offset - c->object_size);
}

static const unsigned char *wrong_poison(const struct kmem_cache *c, const void *obj,
					 unsigned char *want)
{
	const unsigned char *last = (const unsigned char *)obj + c->object_size - 1;
	const unsigned char *wrong;

	*want = POISON;
	if (!(c->flags & SLAB_POISON))
		return NULL;
	wrong = memchr_inv(obj, POISON, c->object_size - 1);
	if (wrong || *last == POISON_END)
		return wrong;
	*want = POISON_END;
	return last;
}

static void verify_zones(const struct kmem_cache *c, const void *obj, unsigned char want,
			 const char *what_before, const char *what_behind)
{
	const unsigned char *wrong = wrong_before(c, obj, want);

	if (wrong)
		slab_bad_byte(c, obj, what_before, wrong, want);
	wrong = wrong_behind(c, obj, want);
	if (wrong)
		slab_bad_byte(c, obj, what_behind, wrong, want);
}

/* Is the free list of @obj's slab what its count says? */
static void verify_slab(const struct kmem_cache *c, const void *obj)
{
	struct slab *s = page_slab(virt_to_page(obj));
	unsigned int nr = 0, nr_objs = s->layout->nr_objs;
	unsigned long flags;

	if (!(c->flags & SLAB_CONSISTENCY_CHECKS))
		return;
	flags = spin_lock_irqsave((spinlock_t *)&c->lock);
	for (unsigned int i = s->free; i != SLAB_END && nr <= nr_objs; nr++) {
		if (i >= nr_objs)
			slab_bad_object(c, obj, "lies in a slab whose list leads out of it");
		i = slab_next_free(c, s, i);
	}
	if (nr + s->nr_taken != nr_objs)
		slab_bad_object(c, obj, "lies in a slab whose list is broken");
	spin_unlock_irqrestore((spinlock_t *)&c->lock, flags);
}

/* ---- an object changes hands ------------------------------------------------------------ */

static void note_user(const struct kmem_cache *c, struct slab_user *u, const void *caller)
{
	if (!(c->flags & SLAB_STORE_USER))
		return;
	u->caller = caller;
	u->when = clock_cycles();
}

QAPI void slab_debug_init(const struct kmem_cache *c, void *obj)
{
	set_zones(c, obj, ZONE_FREE);
	set_poison(c, obj);
	if (c->flags & SLAB_STORE_USER)
		memset(track_of(c, obj), 0, sizeof(struct slab_track));
}

QAPI void slab_debug_alloc(const struct kmem_cache *c, void *obj, const void *caller)
{
	unsigned char want;
	const unsigned char *wrong = wrong_poison(c, obj, &want);

	verify_slab(c, obj);
	if (wrong)
		slab_bad_byte(c, obj, "was written to while it was free", wrong, want);
	verify_zones(c, obj, ZONE_FREE, "was written before its start while it was free",
		     "was written past its end while it was free");
	set_zones(c, obj, ZONE_TAKEN);
	note_user(c, &track_of(c, obj)->alloc, caller);
}

QAPI void slab_debug_free(const struct kmem_cache *c, void *obj, const void *caller)
{
	verify_slab(c, obj);
	verify_zones(c, obj, ZONE_TAKEN, "was written before its start",
		     "was written past its end");
	set_zones(c, obj, ZONE_FREE);
	set_poison(c, obj);
	note_user(c, &track_of(c, obj)->free, caller);
}

QAPI unsigned int slab_debug_check(const struct kmem_cache *c, void *obj, bool taken)
{
	unsigned char want_zone = taken ? ZONE_TAKEN : ZONE_FREE, want_poison;
	unsigned int nr_bad = 0;

	if (wrong_before(c, obj, want_zone)) {
		pr_err("slab_check: D1 broken: %s: guard before %p\n", c->name, obj);
		nr_bad++;
	}
	if (wrong_behind(c, obj, want_zone)) {
		pr_err("slab_check: D1 broken: %s: guard behind %p\n", c->name, obj);
		nr_bad++;
	}
	if (!taken && wrong_poison(c, obj, &want_poison)) {
		pr_err("slab_check: D2 broken: %s: %p was written to while free\n", c->name, obj);
		nr_bad++;
	}
	return nr_bad;
}
