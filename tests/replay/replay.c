/*
 * replay.c - the requests of an allocation trace, made again.
 *
 * IDEA.  A boot module has the records, as they are in the file behind its text header.  They are
 * gone through once to see that they make sense and what they need: the highest number of an
 * object, and the sizes of objects of caches, each of which gets a cache of exactly that size.
 * Then they are gone through again, and done.  Then everything that is still alive is freed, and
 * all pages must be back.
 *
 *	record                        call                  with
 *	MALLOC, CALLOC, KMALLOC       kmalloc()             CALLOC: __GFP_ZERO
 *	REALLOC                       krealloc()
 *	MEMALIGN                      kmalloc()             a power of two that is aligned so
 *	FREE, KFREE                   kfree()
 *	CACHE_ALLOC, CACHE_FREE       kmem_cache_alloc()    the cache of objects of that size
 *	PAGE_ALLOC, PAGE_FREE         alloc_pages()
 *	VMALLOC, VFREE                __vmalloc()           HIGHMEM first
 *
 * Pages behind Linux's slabs and areas are left out, as our slabs and areas take their own; where
 * the page allocator is replayed alone, nothing else is done.  What a request said of its context
 * becomes a mask; an interrupt is no context here, a request without __GFP_WAIT is.
 *
 * Measured or checked: never both, because stamps leave other contents in the cache and cost time.
 * Costs are of the calls alone (calls.c); the footprint is looked at after every one (tally.c).
 *
 * STATE.  One struct replay, as it is large; its tables are areas, made before pages are counted.
 *
 * CONTEXT.  A thread; nobody else allocates meanwhile.
 */
#include <quarry/replay.h>

#include <quarry/align.h>
#include <quarry/bits.h>
#include <quarry/config.h>
#include <quarry/errno.h>
#include <quarry/kernel.h>
#include <quarry/kmalloc.h>
#include <quarry/mm.h>
#include <quarry/pgtable.h>
#include <quarry/printk.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

#include "replay.h"

#define NR_CACHES_MAX 256u
#define NR_CHECKS     16u  /* runs of every validator in a checked replay */
#define NR_TOLD_MAX   10u  /* problems that are printed; all are counted */
#define KMALLOC_ALIGN 8u   /* what every size has */
#define SPEC_MAX      128u /* bytes */

/* What kmalloc() and caches have no use for, or take as a crime. */
#define GFP_PAGES_ONLY (__GFP_HIGHMEM | __GFP_MOVABLE | __GFP_RECLAIMABLE)

enum what { WHAT_ALL, WHAT_OBJECTS, WHAT_PAGES };

enum owner { NOBODY, OF_KMALLOC, OF_CACHE, OF_PAGES, OF_AREA };

struct object {
	void *p; /* memory; OF_PAGES: struct page; NULL: the allocation failed */
	uint32_t size;
	uint8_t owner; /* enum owner */
	uint8_t order;
};

struct replay {
	struct out *out;
	const struct trace_record *records;
	unsigned long nr_records;
	enum what what;
	bool no_zeroes, check;

	uint32_t id_max;
	struct object *objects; /* by number: id_max + 1 of them */
	unsigned int nr_caches;
	struct {
		uint32_t size;
		struct kmem_cache *cache;
	} caches[NR_CACHES_MAX];

	struct tally tally;
	unsigned long now; /* index of the record at work */
	unsigned long nr_done, nr_failed;
	unsigned int nr_problems;
};

/* ---- problems ---------------------------------------------------------------------------- */

static void problem(struct replay *r, const char *what, uint32_t id, size_t number)
{
	if (r->nr_problems++ < NR_TOLD_MAX)
		out_printf(r->out, "replay problem=\"%s\" record=%lu id=%u number=%zu\n", what,
			   r->now, id, number);
}

/* ---- reading the trace -------------------------------------------------------------------- */

static bool is_selected(const struct replay *r, const struct trace_record *rec)
{
	bool of_pages = rec->op == TRACE_PAGE_ALLOC || rec->op == TRACE_PAGE_FREE;

	if (r->what == WHAT_ALL)
		return !of_pages || !(rec->flags & TRACE_BACKING);
	return of_pages == (r->what == WHAT_PAGES);
}

/* Make room in caches[] for this size; false: there are too many. */
static bool note_cache(struct replay *r, uint32_t size)
{
	unsigned int i = 0;

	while (i < r->nr_caches && r->caches[i].size != size)
		i++;
	if (i == NR_CACHES_MAX || !size || size > SLAB_OBJECT_SIZE_MAX)
		return false;
	r->caches[i].size = size;
	r->nr_caches = max(r->nr_caches, i + 1);
	return true;
}

/* Whose an object is that this operation makes; NOBODY: it makes none. */
static enum owner owner_made(uint8_t op)
{
	switch (op) {
	case TRACE_MALLOC:
	case TRACE_CALLOC:
	case TRACE_MEMALIGN:
	case TRACE_KMALLOC:
		return OF_KMALLOC;
	case TRACE_CACHE_ALLOC:
		return OF_CACHE;
	case TRACE_PAGE_ALLOC:
		return OF_PAGES;
	case TRACE_VMALLOC:
		return OF_AREA;
	default:
		return NOBODY;
	}
}

/* The same of one that it needs. */
static enum owner owner_needed(uint8_t op)
{
	switch (op) {
	case TRACE_FREE:
	case TRACE_REALLOC:
	case TRACE_KFREE:
		return OF_KMALLOC;
	case TRACE_CACHE_FREE:
		return OF_CACHE;
	case TRACE_PAGE_FREE:
		return OF_PAGES;
	case TRACE_VFREE:
		return OF_AREA;
	default:
		return NOBODY;
	}
}

/* What a record must be, apart from the others. */
static bool is_sound(struct replay *r, const struct trace_record *rec)
{
	if (owner_made(rec->op) == NOBODY && owner_needed(rec->op) == NOBODY)
		return false;
	if (!rec->id || rec->id > r->nr_records)
		return false;
	if (rec->op == TRACE_CACHE_ALLOC && is_selected(r, rec))
		return note_cache(r, rec->size);
	if (rec->op == TRACE_PAGE_ALLOC || rec->op == TRACE_PAGE_FREE)
		return rec->arg < MAX_ORDER && rec->size == PAGE_SIZE << rec->arg;
	return rec->op != TRACE_MEMALIGN || rec->arg < BITS_PER_LONG;
}

static bool look_through(struct replay *r)
{
	for (r->now = 0; r->now < r->nr_records; r->now++) {
		const struct trace_record *rec = &r->records[r->now];

		if (!is_sound(r, rec)) {
			problem(r, "no record of a trace", rec->id, rec->op);
			return false;
		}
		r->id_max = max(r->id_max, rec->id);
	}
	return true;
}

/* ---- masks -------------------------------------------------------------------------------- */

static gfp_t mask_of(const struct replay *r, const struct trace_record *rec)
{
	static const struct {
		uint8_t bit;
		gfp_t gfp;
	} bits[] = { { TRACE_HIGH, __GFP_HIGH },       { TRACE_ZERO, __GFP_ZERO },
		     { TRACE_HIGHMEM, __GFP_HIGHMEM }, { TRACE_DMA, __GFP_DMA },
		     { TRACE_DMA32, __GFP_DMA32 },     { TRACE_MOVABLE, __GFP_MOVABLE } };
	gfp_t gfp = rec->cls & TRACE_ATOMIC ? GFP_NOWAIT : GFP_KERNEL;

	for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++)
		gfp |= rec->cls & bits[i].bit ? bits[i].gfp : 0;
	if ((rec->flags & TRACE_RECLAIMABLE) && !(gfp & __GFP_MOVABLE))
		gfp |= __GFP_RECLAIMABLE;
	if (rec->flags & TRACE_MAY_FAIL)
		gfp |= __GFP_NORETRY | __GFP_NOWARN;
	if (rec->op == TRACE_CALLOC)
		gfp |= __GFP_ZERO;
	return r->no_zeroes ? gfp & ~__GFP_ZERO : gfp;
}

/* ---- one operation ------------------------------------------------------------------------ */

static struct kmem_cache *cache_for(const struct replay *r, uint32_t size)
{
	unsigned int i = 0;

	while (i < r->nr_caches && r->caches[i].size != size)
		i++;
	return i < r->nr_caches ? r->caches[i].cache : NULL;
}

/* What an aligned request must ask for. */
static size_t kmalloc_size(const struct trace_record *rec)
{
	size_t align = rec->op == TRACE_MEMALIGN ? (size_t)1 << rec->arg : 1;

	if (align <= KMALLOC_ALIGN || rec->size > KMALLOC_MAX_SIZE)
		return rec->size;
	return (size_t)1 << log2_roundup(max((size_t)rec->size, align));
}

static void *alloc_from_cache(struct kmem_cache *c, gfp_t gfp)
{
	if (gfp == GFP_KERNEL)
		return replay_call_cache_alloc_kernel(c);
	return gfp == GFP_ATOMIC ? replay_call_cache_alloc_atomic(c) :
				   replay_call_cache_alloc(c, gfp);
}

static void *allocate(struct replay *r, const struct trace_record *rec, enum owner owner, gfp_t gfp)
{
	static const enum replay_kind kinds[] = {
		[OF_KMALLOC] = KIND_KMALLOC,
		[OF_CACHE] = KIND_CACHE_ALLOC,
		[OF_PAGES] = KIND_ALLOC_PAGES,
		[OF_AREA] = KIND_VMALLOC,
	};
	void *p = NULL;

	if (owner == OF_KMALLOC)
		p = replay_call_kmalloc(kmalloc_size(rec), gfp & ~GFP_PAGES_ONLY);
	else if (owner == OF_CACHE)
		p = alloc_from_cache(cache_for(r, rec->size), gfp & ~(GFP_PAGES_ONLY | __GFP_DMA));
	else if (owner == OF_PAGES)
		p = replay_call_alloc_pages(gfp, rec->arg);
	else
		p = replay_call_vmalloc(rec->size, GFP_KERNEL | __GFP_HIGHMEM | (gfp & __GFP_ZERO));
	tally_cost(&r->tally, kinds[owner]);
	return p;
}

static void release(struct replay *r, const struct object *obj)
{
	static const enum replay_kind kinds[] = {
		[OF_KMALLOC] = KIND_KFREE,
		[OF_CACHE] = KIND_CACHE_FREE,
		[OF_PAGES] = KIND_FREE_PAGES,
		[OF_AREA] = KIND_VFREE,
	};

	if (obj->owner == OF_KMALLOC)
		replay_call_kfree(obj->p);
	else if (obj->owner == OF_CACHE)
		replay_call_cache_free(cache_for(r, obj->size), obj->p);
	else if (obj->owner == OF_PAGES)
		replay_call_free_pages(obj->p, obj->order);
	else
		replay_call_vfree(obj->p);
	tally_cost(&r->tally, kinds[obj->owner]);
}

static void count_live(struct replay *r, const struct object *obj, long sign)
{
	if (obj->owner == OF_PAGES)
		tally_live(&r->tally, sign, 0, sign * (1l << obj->order));
	else
		tally_live(&r->tally, sign, sign * (long)obj->size, 0);
}

static void failed(struct replay *r, const struct trace_record *rec)
{
	r->nr_failed++;
	problem(r, "an allocation failed", rec->id, rec->size);
}

/* ---- contents ------------------------------------------------------------------------------ */

static enum place place_of(const struct object *obj)
{
	return obj->owner == OF_PAGES ? PLACE_PAGES : PLACE_MEMORY;
}

static void write_stamp(const struct replay *r, const struct object *obj, uint32_t id)
{
	if (r->check && obj->p)
		stamp_write(place_of(obj), obj->p, obj->size, id);
}

static void verify_stamp(struct replay *r, const struct object *obj, uint32_t id, size_t size)
{
	size_t good;

	if (!r->check || !obj->p)
		return;
	good = stamp_verify(place_of(obj), obj->p, size, id);
	if (good < size)
		problem(r, "contents changed at this offset", id, good);
}

static void verify_new(struct replay *r, const struct trace_record *rec, const struct object *obj,
		       gfp_t gfp)
{
	size_t good = obj->size;

	if (!r->check || !obj->p)
		return;
	if (gfp & __GFP_ZERO)
		good = stamp_zeroes(place_of(obj), obj->p, obj->size);
	if (good < obj->size)
		problem(r, "not zero at this offset", rec->id, good);
	if (rec->op == TRACE_MEMALIGN && !IS_ALIGNED((uintptr_t)obj->p, 1ul << rec->arg))
		problem(r, "not aligned", rec->id, (uintptr_t)obj->p);
}

/* ---- the records, done ---------------------------------------------------------------------- */

static void do_allocate(struct replay *r, const struct trace_record *rec, struct object *obj)
{
	gfp_t gfp = mask_of(r, rec);
	enum owner owner = owner_made(rec->op);

	*obj = (struct object){ .size = rec->size, .owner = (uint8_t)owner, .order = rec->arg };
	obj->p = allocate(r, rec, owner, gfp);
	if (!obj->p)
		failed(r, rec);
	verify_new(r, rec, obj, gfp);
	write_stamp(r, obj, rec->id);
	count_live(r, obj, 1);
}

static void do_reallocate(struct replay *r, const struct trace_record *rec, struct object *obj)
{
	uint32_t old = obj->size;
	void *p;

	verify_stamp(r, obj, rec->id, old);
	p = replay_call_krealloc(obj->p, rec->size, GFP_KERNEL);
	tally_cost(&r->tally, KIND_KREALLOC);
	if (!p) {
		failed(r, rec);
		return;
	}
	obj->p = p;
	verify_stamp(r, obj, rec->id, min(old, rec->size));
	count_live(r, obj, -1);
	obj->size = rec->size;
	count_live(r, obj, 1);
	write_stamp(r, obj, rec->id);
}

static void do_free(struct replay *r, uint32_t id, struct object *obj)
{
	verify_stamp(r, obj, id, obj->size);
	if (obj->p)
		release(r, obj);
	count_live(r, obj, -1);
	obj->owner = NOBODY;
}

/* False: the record does not fit to those before it. */
static bool do_record(struct replay *r, const struct trace_record *rec)
{
	struct object *obj = &r->objects[rec->id];

	if (obj->owner != owner_needed(rec->op))
		return false;
	if (rec->op == TRACE_REALLOC)
		do_reallocate(r, rec, obj);
	else if (obj->owner)
		do_free(r, rec->id, obj);
	else
		do_allocate(r, rec, obj);
	r->nr_done++;
	tally_pages(&r->tally);
	return true;
}

#if CONFIG_CHECK
static void run_validators(struct replay *r)
{
	unsigned int nr_bad = mm_check_all();

	if (nr_bad)
		problem(r, "violations", 0, nr_bad);
}
#else
static void run_validators(struct replay *r)
{
	(void)r;
}
#endif

static void do_records(struct replay *r)
{
	unsigned long interval = r->nr_records / NR_CHECKS + 1;

	for (r->now = 0; r->now < r->nr_records; r->now++) {
		const struct trace_record *rec = &r->records[r->now];

		if (is_selected(r, rec) && !do_record(r, rec)) {
			problem(r, "does not fit to the records before", rec->id, rec->op);
			return;
		}
		if (r->check && r->now % interval == interval - 1)
			run_validators(r);
	}
}

static void give_back(struct replay *r, const struct object *obj)
{
	if (!obj->p)
		return;
	if (obj->owner == OF_KMALLOC)
		kfree(obj->p);
	else if (obj->owner == OF_CACHE)
		kmem_cache_free(cache_for(r, obj->size), obj->p);
	else if (obj->owner == OF_PAGES)
		__free_pages(obj->p, obj->order);
	else
		vfree(obj->p);
}

/* Not by calls.c: these are no operations of the trace, and cost it nothing. */
static void free_the_living(struct replay *r)
{
	for (uint32_t id = 1; id <= r->id_max; id++) {
		struct object *obj = &r->objects[id];

		if (!obj->owner)
			continue;
		verify_stamp(r, obj, id, obj->size);
		give_back(r, obj);
		count_live(r, obj, -1);
		obj->owner = NOBODY;
	}
}

/* ---- the stage ------------------------------------------------------------------------------ */

static bool make_caches(struct replay *r)
{
	for (unsigned int i = 0; i < r->nr_caches; i++) {
		char name[SLAB_NAME_MAX];

		snprintf(name, sizeof(name), "replay-%u", r->caches[i].size);
		r->caches[i].cache = kmem_cache_create(name, r->caches[i].size, 0, 0, NULL, NULL);
		if (!r->caches[i].cache)
			return false;
	}
	return true;
}

static void destroy_caches(struct replay *r)
{
	for (unsigned int i = 0; i < r->nr_caches; i++) {
		if (kmem_cache_destroy(r->caches[i].cache))
			problem(r, "objects are left in the cache of this size", 0,
				r->caches[i].size);
	}
}

/* Page tables are never freed: those that were made are not lost. */
static unsigned long quiet_nr_free(void)
{
	mm_quiesce();
	return nr_free_pages() + pgtable_nr_pages();
}

static void show(struct replay *r, const char *name)
{
	static const char *const words[] = { "all", "objects", "pages" };

	out_printf(r->out, "replay trace=%s what=%s check=%u zeroes=%u records=%lu\n", name,
		   words[r->what], r->check, !r->no_zeroes, r->nr_records);
	out_printf(r->out,
		   "replay ops=%lu failed=%lu live_at_end=%lu live_bytes=%lu live_pages=%lu\n",
		   r->nr_done, r->nr_failed, r->tally.live.nr_objects, r->tally.live.bytes,
		   r->tally.live.pages);
	tally_show(r->out, &r->tally);
}

static void play(struct replay *r, const char *name)
{
	unsigned long nr_free = quiet_nr_free(), nr_after;

	tally_start(&r->tally);
	do_records(r);
	show(r, name);
	free_the_living(r);
	nr_after = quiet_nr_free();
	if (nr_after != nr_free)
		problem(r, "pages did not come back", 0, nr_free - nr_after);
	if (r->check)
		run_validators(r);
}

static int play_on_stage(struct replay *r, const char *name)
{
	int err = -ENOMEM;

	if (!look_through(r))
		return -EINVAL;
	r->objects = vzalloc(((size_t)r->id_max + 1) * sizeof(*r->objects));
	if (r->objects && tally_init(&r->tally)) {
		if (make_caches(r)) {
			play(r, name);
			err = 0;
		}
		destroy_caches(r);
		tally_free(&r->tally);
	}
	vfree(r->objects);
	return err;
}

/* ---- the module ----------------------------------------------------------------------------- */

static int find_module(const char *name, const struct trace_record **records, unsigned long *nr)
{
	for (unsigned int i = 0; i < kernel_bootinfo->nr_modules; i++) {
		const struct boot_module *m = &kernel_bootinfo->modules[i];

		if (strcmp(m->name, name))
			continue;
		if (!m->size || m->size % sizeof(struct trace_record) ||
		    m->start + m->size > mm_layout.lowmem_end)
			return -EINVAL;
		*records = pa_to_va(m->start);
		*nr = (unsigned long)m->size / sizeof(struct trace_record);
		return 0;
	}
	return -ENOENT;
}

/* ---- the words ------------------------------------------------------------------------------ */

static int take_word(struct replay *r, const char *word)
{
	if (!strcmp(word, "objects"))
		r->what = WHAT_OBJECTS;
	else if (!strcmp(word, "pages"))
		r->what = WHAT_PAGES;
	else if (!strcmp(word, "nozero"))
		r->no_zeroes = true;
	else if (!strcmp(word, "check"))
		r->check = true;
	else
		return -EINVAL;
	return 0;
}

/* Cut @text at its first comma: what is behind it, NULL if there is none. */
static char *cut_at_comma(char *text)
{
	char *comma = strchr(text, ',');

	if (!comma)
		return NULL;
	*comma = '\0';
	return comma + 1;
}

static int take_words(struct replay *r, const char *words)
{
	char text[SPEC_MAX], *word = text, *next;

	if (strlcpy(text, words, sizeof(text)) >= sizeof(text))
		return -EINVAL;
	for (; word && *word; word = next) {
		next = cut_at_comma(word);
		if (take_word(r, word))
			return -EINVAL;
	}
	return 0;
}

/* ---- the calls ------------------------------------------------------------------------------ */

QAPI int replay_records(struct out *o, const char *name, const struct trace_record *records,
			unsigned long nr, const char *words)
{
	static struct replay replay;
	struct replay *r = &replay;
	int err;

	memset(r, 0, sizeof(*r));
	r->out = o;
	r->records = records;
	r->nr_records = nr;
	err = take_words(r, words);
	if (!err)
		err = play_on_stage(r, name);
	if (err)
		return err;
	out_printf(o, "replay done problems=%u\n", r->nr_problems);
	return (int)r->nr_problems;
}

QAPI int replay_run(struct out *o, const char *spec)
{
	const struct trace_record *records;
	char name[SPEC_MAX], *words;
	unsigned long nr;
	int err;

	if (strlcpy(name, spec, sizeof(name)) >= sizeof(name))
		return -EINVAL;
	words = cut_at_comma(name);
	err = find_module(name, &records, &nr);
	return err ? err : replay_records(o, name, records, nr, words ? words : "");
}
