/*
 * model.c - the oracle: an array of frames, a list of objects; everything is looked for one by one.
 *
 * FRAMES.  What mm/ has for itself, in slabs and page tables, bears its mark; a slab may come back
 * when somebody waits for it, or not.  So a frame without a mark that nobody holds is certain, one
 * of a slab is possible: what is certain must succeed, what is not even possible must fail.
 *
 *	GONE    never anybody's: no RAM, or the kernel's since boot
 *	HELD    an owner's: given to nobody else
 *	LATER   given back, but kept until the next flush: certain for who can wait
 *	FREE    free, or marked as mm's own
 *
 * No count of mm/ is believed: world.c compares them.  Watermarks are settings, taken as such.
 *
 * OBJECTS.  Ranges of addresses that must not overlap.  Each has a byte, different from its
 * neighbours' in time, that fills it until it is freed.  Whole frames of lowmem in it are held.
 *
 * Contents of frames are written and read by the bus, so that no mapping of mm/ is trusted.
 *
 * STATE.  frames, objects, next_id.  CONTEXT.  A child of the fuzzer.
 */
#include "model.h"
#include "../../arch/hosted/hosted.h"
#include "fuzz.h"
#include <quarry/align.h>
#include <quarry/mm.h>

#define FRAMES_MAX (128 * MiB / PAGE_SIZE)
/* Per-CPU lists have blocks below this order, and ask no watermark; __GFP_COLD is not theirs. */
#define LISTED_ORDERS 4u
#define BYTES         251u /* of patterns: a prime, so that equal sizes do not get equal ones */
#define MARKS         (PG_slab | PG_pgtable)

enum frame { GONE, HELD, LATER, FREE };
enum grade { POSSIBLE, UNMARKED, SURE }; /* what is asked of a frame; who waits asks less */

static uint8_t frames[FRAMES_MAX];
static struct model_object objects[MODEL_OBJECTS];
static unsigned int next_id;

int model_pattern(unsigned int id)
{
	return (int)(1 + id % BYTES);
}

/* ---- frames ------------------------------------------------------------------------------ */

void model_init(void)
{
	FUZZ_CHECK(max_pfn <= FRAMES_MAX, "more RAM than the model knows of");
	for (pfn_t pfn = 0; pfn < max_pfn; pfn++)
		frames[pfn] = pfn_to_page(pfn)->flags & MARKS ? FREE : GONE;
	for (pfn_t pfn = 0; pfn < max_pfn; pfn++) {
		unsigned long flags = pfn_to_page(pfn)->flags;

		for (pfn_t i = 0; flags & PG_buddy && i < 1ul << (flags >> PG_ORDER_SHIFT); i++)
			frames[pfn + i] = FREE;
	}
}

static enum zone_type highest_zone(gfp_t gfp)
{
	if (gfp & __GFP_DMA)
		return ZONE_DMA;
	return (gfp & __GFP_HIGHMEM) && !(gfp & __GFP_DMA32) ? ZONE_HIGHMEM : ZONE_NORMAL;
}

bool model_reaches(gfp_t gfp, pfn_t pfn)
{
	enum zone_type highest = highest_zone(gfp);

	return highest == ZONE_HIGHMEM ||
	       (pfn < mm_layout.lowmem_end_pfn &&
		(highest == ZONE_NORMAL || pfn < ZONE_DMA_LIMIT >> PAGE_SHIFT));
}

static bool is_there(pfn_t pfn, enum grade grade)
{
	return frames[pfn] >= (grade == SURE ? FREE : LATER) &&
	       !(pfn_to_page(pfn)->flags & (grade == POSSIBLE ? PG_pgtable : MARKS));
}

static bool is_run(pfn_t pfn, unsigned int order, enum grade grade)
{
	for (pfn_t end = pfn + (1ul << order); pfn < end; pfn++)
		if (!is_there(pfn, grade))
			return false;
	return true;
}

/* Aligned runs of 2^@order such frames in @z, below @limit. */
static unsigned long nr_runs(const struct zone *z, unsigned int order, pfn_t limit,
			     enum grade grade)
{
	pfn_t end = min(zone_end_pfn(z), max_pfn), step = 1ul << order;
	unsigned long nr = 0;

	for (pfn_t pfn = ALIGN_UP(z->start_pfn, step); pfn + step <= min(end, limit); pfn += step)
		nr += is_run(pfn, order, grade);
	return nr;
}

static unsigned long nr_frames(const struct zone *z, enum grade grade)
{
	return nr_runs(z, 0, MODEL_NO_LIMIT, grade);
}

/* Pages of the zone that a request must leave there, however deep it may reach. */
static unsigned long floor_of(const struct zone *z, gfp_t gfp)
{
	unsigned long floor = z->watermark[WMARK_MIN];

	if ((gfp & __GFP_MEMALLOC) && !(gfp & __GFP_NOMEMALLOC))
		return 0;
	if (gfp & __GFP_HIGH) {
		floor -= floor / 2;
		if (!(gfp & __GFP_WAIT))
			floor -= floor / 4;
	}
	return floor + z->lowmem_reserve[highest_zone(gfp)];
}

enum model_answer model_pages(gfp_t gfp, unsigned int order, pfn_t limit)
{
	enum model_answer answer = MUST_FAIL;
	enum grade sure = gfp & __GFP_WAIT ? UNMARKED : SURE;

	if (order >= MAX_ORDER)
		return MUST_FAIL;
	for (const struct zone *z = zones; z <= &zones[highest_zone(gfp)]; z++) {
		unsigned long wanted = floor_of(z, gfp) + (1ul << order);

		if (nr_frames(z, sure) >= wanted && nr_runs(z, order, limit, sure))
			return MUST_SUCCEED;
		if (order < LISTED_ORDERS && !(gfp & __GFP_COLD))
			wanted = 1ul << order;
		if (nr_frames(z, sure - 1) >= wanted && nr_runs(z, order, limit, sure - 1))
			answer = MAY_DO_EITHER;
	}
	return answer;
}

unsigned long model_nr_sure(gfp_t gfp, unsigned int order)
{
	enum grade sure = gfp & __GFP_WAIT ? UNMARKED : SURE;
	unsigned long nr = 0;

	for (const struct zone *z = zones; z <= &zones[highest_zone(gfp)]; z++) {
		unsigned long kept = z->watermark[WMARK_LOW] + z->lowmem_reserve[highest_zone(gfp)];
		unsigned long more = max(nr_frames(z, sure), kept) - kept;

		nr += min(more >> order, nr_runs(z, order, MODEL_NO_LIMIT, sure));
	}
	return nr;
}

unsigned long model_nr_possible(gfp_t gfp)
{
	unsigned long nr = 0;

	for (const struct zone *z = zones; z <= &zones[highest_zone(gfp)]; z++)
		nr += nr_frames(z, POSSIBLE);
	return nr;
}

void model_take(pfn_t pfn, unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++) {
		FUZZ_CHECK(pfn + i < max_pfn && frames[pfn + i] != GONE,
			   "frame %#lx is not to be given", pfn + i);
		FUZZ_CHECK(frames[pfn + i] != HELD, "frame %#lx is an owner's already", pfn + i);
		frames[pfn + i] = HELD;
	}
}

void model_give(pfn_t pfn, unsigned long nr, bool later)
{
	for (unsigned long i = 0; i < nr; i++) {
		FUZZ_CHECK(frames[pfn + i] == HELD, "frame %#lx is nobody's", pfn + i);
		frames[pfn + i] = later ? LATER : FREE;
	}
}

void model_flushed(void)
{
	for (pfn_t pfn = 0; pfn < max_pfn; pfn++)
		frames[pfn] = frames[pfn] == LATER ? FREE : frames[pfn];
}

bool model_is_free(pfn_t pfn)
{
	return is_there(pfn, SURE);
}

/* ---- contents ---------------------------------------------------------------------------- */

void model_mark(pfn_t pfn, unsigned long nr, unsigned int id)
{
	host_fill(bus + pfn * PAGE_SIZE, model_pattern(id), nr * PAGE_SIZE);
}

void model_verify(pfn_t pfn, unsigned long nr, unsigned int id)
{
	for (unsigned long i = 0; i < nr; i++)
		FUZZ_CHECK(host_holds(bus + (pfn + i) * PAGE_SIZE, model_pattern(id), PAGE_SIZE),
			   "somebody wrote to frame %#lx, which has an owner", pfn + i);
}

bool model_zero(pfn_t pfn, unsigned long nr)
{
	return host_holds(bus + pfn * PAGE_SIZE, 0, nr * PAGE_SIZE);
}

/* ---- objects ----------------------------------------------------------------------------- */

static uintptr_t end_of(const struct model_object *o)
{
	return o->start + o->size + o->guard;
}

static void must_be_apart(const struct model_object *o)
{
	for (const struct model_object *p = objects; p < objects + MODEL_OBJECTS; p++)
		FUZZ_CHECK(!p->used || p == o || o->start >= end_of(p) || p->start >= end_of(o),
			   "%#lx, of %zu bytes, overlaps %#lx, of %zu bytes", o->start, o->size,
			   p->start, p->size);
}

/* The frames of lowmem that lie in it wholly: given once, like any. */
static void hold_frames(const struct model_object *o, bool hold)
{
	pfn_t first = (pfn_t)((o->start - PAGE_OFFSET + PAGE_SIZE - 1) >> PAGE_SHIFT);
	pfn_t end = (pfn_t)((o->start - PAGE_OFFSET + o->size) >> PAGE_SHIFT);

	if (!virt_addr_valid((const void *)o->start) || first >= end)
		return;
	if (hold)
		model_take(first, end - first);
	else
		model_give(first, end - first, false);
}

struct model_object *model_add(const void *start, size_t size, size_t guard)
{
	struct model_object *o = objects;

	while (o->used)
		FUZZ_CHECK(++o < objects + MODEL_OBJECTS,
			   "more objects than the model has room for");
	*o = (struct model_object){ (uintptr_t)start, size, guard, next_id++, true };
	must_be_apart(o);
	hold_frames(o, true);
	host_fill((void *)o->start, model_pattern(o->id), size);
	return o;
}

static void must_hold(const struct model_object *o, size_t size)
{
	FUZZ_CHECK(host_holds((void *)o->start, model_pattern(o->id), size),
		   "somebody wrote to an object of %zu bytes at %#lx", o->size, o->start);
}

void model_drop(struct model_object *o)
{
	must_hold(o, o->size);
	hold_frames(o, false);
	o->used = false;
}

void model_move(struct model_object *o, const void *start, size_t size, size_t kept)
{
	hold_frames(o, false);
	o->start = (uintptr_t)start;
	must_hold(o, kept);
	o->size = size;
	must_be_apart(o);
	hold_frames(o, true);
	host_fill((void *)o->start, model_pattern(o->id), size);
}

/* From each object's end, and from the start, to the next object. */
size_t model_largest_gap(uintptr_t start, uintptr_t end)
{
	uintptr_t from = start;
	size_t largest = 0;

	for (unsigned int i = 0; i <= MODEL_OBJECTS; i++) {
		uintptr_t to = end;

		for (const struct model_object *p = objects; p < objects + MODEL_OBJECTS; p++)
			if (p->used && p->start >= from)
				to = min(to, p->start);
		largest = max(largest, from < to ? to - from : 0);
		from = i < MODEL_OBJECTS && objects[i].used ? end_of(&objects[i]) : end;
	}
	return largest;
}
