/*
 * fault_inject.c - allocations that fail on purpose.
 *
 * THEORY.  An error path that never runs is a guess.  Real shortages come where they like; so each
 * place where memory may be missing asks here first whether it is to be missing now.  Two things
 * can be asked for: that the n-th point from now on fails, which is how every point of a test is
 * tried, one after the other; and that points fail by chance, with Linux's attributes.
 *
 *	point of an armed kind:  counted -> the n-th?  fails
 *	                                 -> interval, probability, space, times allow it?  fails
 *
 * A point must not be missed because a per-CPU list happened to have what was asked for: arming
 * pages takes those lists out of use, as page_owner=1 does, and arming objects the magazines, as
 * the slab's debug flags do.  So the fast paths know nothing of all this.
 *
 * STATE.  fault_armed, read without the lock as a hint; attrs, counts, nth, and the generator.
 *
 * INVARIANTS.  F1: a request with __GFP_NOFAIL never fails here.  F2: fault_armed has the kinds
 * with a probability and those of nth.
 *
 * LOCKING.  fault_lock, irq-safe, a leaf: points come by in any context.
 *
 * CONTEXT.  Any; arming: a thread, or boot.
 *
 * SOURCES.  Names and meanings of the attributes: Linux, Documentation/fault-injection.
 */
#include "fault_inject.h"

#include <quarry/env.h>
#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/printk.h>
#include <quarry/spinlock.h>
#include <quarry/string.h>

#include "../internal.h"
#include "../slab.h"
#include "watch.h"

#define PERCENT     100u
#define VERBOSE_MAX 2u
#define INT_MAX     0x7fffffff
#define WORD_BYTES  24u /* of a name or number in an option */
#define KIND_ALL    "all"

static const char *const kind_names[FAULT_NR_KINDS] = { "page",    "object",  "slab",
							"vmalloc", "pgtable", "memblock" };

unsigned int fault_armed;

static spinlock_t fault_lock = SPINLOCK_INIT;
static struct fault_attr attrs[FAULT_NR_KINDS];
static unsigned long could_fail[FAULT_NR_KINDS]; /* points that interval= counts */
static struct fault_counts counts;
static unsigned int nr_suspended;
static uint64_t random_state;

/* What fault_nth() was told, and the points of its kinds since. */
static struct nth {
	unsigned int kinds;
	unsigned long at, times, seen;
} nth;

static bool started;   /* there are per-CPU lists */
static bool mm_stands; /* before, nothing fails by chance: there would be no machine to try */

/* ---- a point ---------------------------------------------------------------------------- */

/* splitmix64: Steele, Lea and Flood, OOPSLA 2014. */
static unsigned int random_percent(void) __must_hold(fault_lock)
{
	uint64_t x = random_state += 0x9E3779B97F4A7C15ull;

	x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9ull;
	x = (x ^ x >> 27) * 0x94D049BB133111EBull;
	return (unsigned int)((x >> 32) * PERCENT >> 32);
}

/* Is it one of those that may fail by chance at all? */
static bool is_eligible(const struct fault_attr *a, enum fault_kind kind, gfp_t gfp,
			unsigned int order)
{
	if (a->ignore_gfp_wait && (gfp & __GFP_WAIT))
		return false;
	if (kind != FAULT_PAGE)
		return true;
	return order >= a->min_order && !(a->ignore_gfp_highmem && (gfp & __GFP_HIGHMEM));
}

static bool by_chance(enum fault_kind kind, gfp_t gfp, size_t size, unsigned int order)
	__must_hold(fault_lock)
{
	struct fault_attr *a = &attrs[kind];

	if (!mm_stands || !a->probability || !a->times || !is_eligible(a, kind, gfp, order))
		return false;
	if (a->space > 0 && (size_t)a->space > size) {
		a->space -= (int)size;
		return false;
	}
	a->space = 0;
	if (++could_fail[kind] % a->interval)
		return false;
	if (random_percent() >= a->probability)
		return false;
	a->times -= a->times > 0;
	return true;
}

static bool by_number(enum fault_kind kind) __must_hold(fault_lock)
{
	if (!(nth.kinds & 1u << kind))
		return false;
	nth.seen++;
	return nth.at && nth.seen >= nth.at && nth.seen - nth.at < nth.times;
}

static __cold void report(enum fault_kind kind, unsigned long number, const struct fault_attr *a)
{
	if (!a->verbose)
		return;
	pr_info("fault_inject: %s point %lu fails: interval=%u probability=%u space=%d times=%d\n",
		kind_names[kind], number, a->interval, a->probability, a->space, a->times);
	if (a->verbose >= VERBOSE_MAX)
		env_dump_stack();
}

QAPI bool fault_hit(enum fault_kind kind, gfp_t gfp, size_t size, unsigned int order)
{
	struct fault_attr a;
	unsigned long flags, number;
	bool number_hit, hit;

	if (gfp & __GFP_NOFAIL)
		return false;
	flags = spin_lock_irqsave(&fault_lock);
	if (nr_suspended) {
		spin_unlock_irqrestore(&fault_lock, flags);
		return false;
	}
	number = ++counts.seen[kind];
	number_hit = by_number(kind);
	hit = number_hit || by_chance(kind, gfp, size, order);
	counts.failed[kind] += hit;
	a = attrs[kind];
	spin_unlock_irqrestore(&fault_lock, flags);
	if (hit && !number_hit)
		report(kind, number, &a);
	return hit;
}

/* ---- arming ----------------------------------------------------------------------------- */

/* What goes around its point is out of use; F2. */
static void apply(void)
{
	unsigned int armed = nth.kinds, before = fault_armed;

	for (unsigned int kind = 0; kind < FAULT_NR_KINDS; kind++)
		armed |= attrs[kind].probability ? 1u << kind : 0;
	WRITE_ONCE(fault_armed, armed);
	if (!started)
		return;
	if ((armed ^ before) & 1u << FAULT_PAGE)
		pcp_enable(!pages_watched());
	if ((armed ^ before) & 1u << FAULT_OBJECT)
		slab_magazines_enable(!objects_watched());
}

__init QAPI void fault_start(void)
{
	started = true;
	if (fault_on(FAULT_PAGE))
		pcp_enable(false);
}

__init QAPI void fault_mm_stands(void)
{
	mm_stands = true;
}

QAPI int fault_attr_set(enum fault_kind kind, const struct fault_attr *attr)
{
	unsigned long flags;

	if (kind == FAULT_MEMBLOCK || attr->probability > PERCENT || !attr->interval ||
	    attr->times < -1 || attr->space < 0 || attr->verbose > VERBOSE_MAX)
		return -EINVAL;
	flags = spin_lock_irqsave(&fault_lock);
	attrs[kind] = *attr;
	could_fail[kind] = 0;
	spin_unlock_irqrestore(&fault_lock, flags);
	apply();
	return 0;
}

QAPI void fault_attr_get(enum fault_kind kind, struct fault_attr *attr)
{
	unsigned long flags = spin_lock_irqsave(&fault_lock);

	*attr = attrs[kind];
	spin_unlock_irqrestore(&fault_lock, flags);
}

QAPI void fault_nth(unsigned int kinds, unsigned long at, unsigned long times)
{
	unsigned long flags = spin_lock_irqsave(&fault_lock);

	nth.kinds = kinds & FAULT_KINDS_ALL;
	nth.at = at;
	nth.times = times;
	nth.seen = 0;
	spin_unlock_irqrestore(&fault_lock, flags);
	apply();
}

QAPI void fault_off(void)
{
	unsigned long flags = spin_lock_irqsave(&fault_lock);

	for (unsigned int kind = 0; kind < FAULT_NR_KINDS; kind++)
		attrs[kind].probability = 0;
	nth.kinds = 0;
	spin_unlock_irqrestore(&fault_lock, flags);
	apply();
}

QAPI unsigned int fault_kinds(void)
{
	return READ_ONCE(fault_armed);
}

QAPI void fault_suspend(void)
{
	unsigned long flags = spin_lock_irqsave(&fault_lock);

	nr_suspended++;
	spin_unlock_irqrestore(&fault_lock, flags);
}

QAPI void fault_resume(void)
{
	unsigned long flags = spin_lock_irqsave(&fault_lock);

	BUG_ON(!nr_suspended);
	nr_suspended--;
	spin_unlock_irqrestore(&fault_lock, flags);
}

QAPI void fault_seed(uint64_t seed)
{
	unsigned long flags = spin_lock_irqsave(&fault_lock);

	random_state = seed;
	spin_unlock_irqrestore(&fault_lock, flags);
}

QAPI void fault_count(struct fault_counts *c)
{
	unsigned long flags = spin_lock_irqsave(&fault_lock);

	*c = counts;
	spin_unlock_irqrestore(&fault_lock, flags);
}

QAPI void fault_count_reset(void)
{
	unsigned long flags = spin_lock_irqsave(&fault_lock);

	counts = (struct fault_counts){ 0 };
	spin_unlock_irqrestore(&fault_lock, flags);
}

/* ---- in words --------------------------------------------------------------------------- */

QAPI const char *fault_kind_name(enum fault_kind kind)
{
	return kind_names[kind];
}

/* Cut the next word off @text, which ends at @end or with it: false if there is none or no room. */
static bool cut_word(const char **text, char end, char word[WORD_BYTES])
{
	const char *stop = strchr(*text, end);
	size_t len = stop ? (size_t)(stop - *text) : strlen(*text);

	if (!len || len >= WORD_BYTES)
		return false;
	memcpy(word, *text, len);
	word[len] = '\0';
	*text += len + (stop != NULL);
	return true;
}

/* Something is missing behind it. */
static bool ends_with_comma(const char *text)
{
	return *text && text[strlen(text) - 1] == ',';
}

/* -1, or a number up to INT_MAX. */
static int parse_int(const char *word, int *value)
{
	const char *end;
	uint64_t n;

	if (!strcmp(word, "-1")) {
		*value = -1;
		return 0;
	}
	if (parse_u64(word, &end, &n) || *end || n > INT_MAX)
		return -EINVAL;
	*value = (int)n;
	return 0;
}

/* The member called @name; NULL: none. */
static unsigned int *find_unsigned(struct fault_attr *a, const char *name)
{
	return !strcmp(name, "interval")    ? &a->interval :
	       !strcmp(name, "probability") ? &a->probability :
	       !strcmp(name, "verbose")     ? &a->verbose :
	       !strcmp(name, "min-order")   ? &a->min_order :
					      NULL;
}

static bool *find_bool(struct fault_attr *a, const char *name)
{
	return !strcmp(name, "ignore-gfp-wait")    ? &a->ignore_gfp_wait :
	       !strcmp(name, "ignore-gfp-highmem") ? &a->ignore_gfp_highmem :
						     NULL;
}

static int set_named(struct fault_attr *a, const char *name, int value)
{
	if (find_unsigned(a, name) && value >= 0)
		*find_unsigned(a, name) = (unsigned int)value;
	else if (find_bool(a, name) && (value == 0 || value == 1))
		*find_bool(a, name) = value;
	else if (!strcmp(name, "times"))
		a->times = value;
	else if (!strcmp(name, "space"))
		a->space = value;
	else
		return -EINVAL;
	return 0;
}

/* INTERVAL,PROBABILITY,SPACE,TIMES by their places, then by their names. */
static int parse_spec(const char *text, struct fault_attr *a)
{
	static const char *const places[] = { "interval", "probability", "space", "times" };
	char item[2 * WORD_BYTES], word[WORD_BYTES];
	unsigned int place = 0;
	int value;

	while (*text) {
		const char *comma = strchr(text, ','), *p = item;
		size_t len = comma ? (size_t)(comma - text) : strlen(text);

		if (len >= sizeof(item))
			return -EINVAL;
		memcpy(item, text, len);
		item[len] = '\0';
		text += len + (comma != NULL);
		if (strchr(item, '=')) {
			place = ARRAY_SIZE(places); /* no more by place */
			if (!cut_word(&p, '=', word) || parse_int(p, &value))
				return -EINVAL;
		} else if (place < ARRAY_SIZE(places) && !parse_int(item, &value)) {
			strlcpy(word, places[place++], sizeof(word));
		} else {
			return -EINVAL;
		}
		if (set_named(a, word, value))
			return -EINVAL;
	}
	return 0;
}

static int set_spec(enum fault_kind kind, const char *text)
{
	struct fault_attr a = FAULT_ATTR_DEFAULT;

	if (!*text || ends_with_comma(text) || parse_spec(text, &a))
		return -EINVAL;
	return fault_attr_set(kind, &a);
}

/* Bits of the kinds called @name; 0: none. */
static unsigned int kinds_called(const char *name)
{
	for (unsigned int kind = 0; kind < FAULT_NR_KINDS; kind++) {
		if (!strcmp(name, kind_names[kind]))
			return 1u << kind;
	}
	return strcmp(name, KIND_ALL) ? 0 : FAULT_KINDS_ALL;
}

/* KIND,K[,TIMES] */
static int parse_nth(const char *text)
{
	char kind[WORD_BYTES], word[WORD_BYTES];
	int at, times = 1;

	if (ends_with_comma(text) || !cut_word(&text, ',', kind) || !kinds_called(kind))
		return -EINVAL;
	if (!cut_word(&text, ',', word) || parse_int(word, &at) || at < 0)
		return -EINVAL;
	if (*text && (parse_int(text, &times) || !times))
		return -EINVAL;
	fault_nth(kinds_called(kind), (unsigned long)at, times < 0 ? ~0ul : (unsigned long)times);
	return 0;
}

QAPI int fault_parse(const char *text)
{
	char word[WORD_BYTES];

	if (!strcmp(text, "off")) {
		fault_off();
		return 0;
	}
	if (!strchr(text, ':') || !cut_word(&text, ':', word))
		return -EINVAL;
	if (!strcmp(word, "nth"))
		return parse_nth(text);
	for (unsigned int kind = 0; kind < FAULT_NR_KINDS; kind++) {
		if (!strcmp(word, kind_names[kind]))
			return set_spec((enum fault_kind)kind, text);
	}
	return -EINVAL;
}

__init QAPI int fault_page_parse(const char *value)
{
	return set_spec(FAULT_PAGE, value);
}

__init QAPI int fault_object_parse(const char *value)
{
	return set_spec(FAULT_OBJECT, value);
}

__init QAPI int fault_option_parse(const char *value)
{
	return fault_parse(value);
}

/* ---- showing ---------------------------------------------------------------------------- */

QAPI void fault_show(struct out *o)
{
	struct nth now;
	struct fault_counts c;
	unsigned long flags;

	fault_count(&c);
	for (unsigned int kind = 0; kind < FAULT_NR_KINDS; kind++) {
		struct fault_attr a;

		fault_attr_get((enum fault_kind)kind, &a);
		out_printf(o, "fault kind=%s armed=%d seen=%lu failed=%lu", kind_names[kind],
			   fault_on((enum fault_kind)kind), c.seen[kind], c.failed[kind]);
		if (a.probability)
			out_printf(o,
				   " interval=%u probability=%u space=%d times=%d min-order=%u "
				   "ignore-gfp-wait=%d ignore-gfp-highmem=%d verbose=%u",
				   a.interval, a.probability, a.space, a.times, a.min_order,
				   a.ignore_gfp_wait, a.ignore_gfp_highmem, a.verbose);
		out_printf(o, "\n");
	}
	flags = spin_lock_irqsave(&fault_lock);
	now = nth;
	spin_unlock_irqrestore(&fault_lock, flags);
	if (now.kinds)
		out_printf(o, "fault nth=%lu times=%ld seen=%lu\n", now.at, (long)now.times,
			   now.seen);
}
