/*
 * model.c - the oracle: an array of frames, a list of objects; everything is looked for one by one.
 *
 * FRAMES.  After boot a frame is free, the kernel's, or no RAM that anybody can have.  An owner's
 * frames are taken from the free ones.  The kernel may give back what it had at boot when memory is
 * short, so its frames are possible but not certain: what is certain must succeed, what is not even
 * possible must fail.
 *
 *	NOT_RAM          never anybody's
 *	KERNEL, FREE     may be given to an owner; FREE is certain
 *	HELD             an owner's: given to nobody else
 *
 * OBJECTS.  Ranges of addresses that must not overlap.  Each has a byte, different from its
 * neighbours' in time, that fills it until it is freed.
 *
 * Contents of frames are written and read by the bus, so that no mapping of mm/ is trusted.
 *
 * STATE.  frames, objects, next_id.
 *
 * CONTEXT.  A child of the fuzzer.
 */
#include "model.h"
#include "../../arch/hosted/hosted.h"
#include "fuzz.h"
#include <quarry/align.h>
#include <quarry/mm.h>

#define FRAMES_MAX (128 * MiB / PAGE_SIZE)
/* Per-CPU lists have blocks below this order, and ask no watermark; __GFP_COLD is not theirs. */
#define LISTED_ORDERS 4u
#define BYTES         251u /* patterns: a prime, so that equal sizes do not get equal ones */

enum frame { NOT_RAM, KERNEL, FREE, HELD };

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
		frames[pfn] = pfn_to_page(pfn)->flags & PG_reserved ? NOT_RAM : KERNEL;
	for (pfn_t pfn = 0; pfn < max_pfn; pfn++) {
		const struct page *page = pfn_to_page(pfn);

		if (!(page->flags & PG_buddy))
			continue;
		for (unsigned long i = 0; i < 1ul << (page->flags >> PG_ORDER_SHIFT); i++)
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

	return (highest == ZONE_HIGHMEM || pfn < mm_layout.lowmem_end_pfn) &&
	       (highest != ZONE_DMA || pfn < ZONE_DMA_LIMIT >> PAGE_SHIFT);
}

/* Frames of the zone that are at least @least. */
static unsigned long count(const struct zone *z, enum frame least)
{
	unsigned long nr = 0;

	for (pfn_t pfn = z->start_pfn; pfn < zone_end_pfn(z) && pfn < max_pfn; pfn++)
		nr += frames[pfn] != HELD && frames[pfn] >= least;
	return nr;
}

/* Has the zone an aligned run of frames that are at least @least? */
static bool has_run(const struct zone *z, unsigned int order, enum frame least)
{
	unsigned long nr = 1ul << order, run = 0;

	for (pfn_t pfn = z->start_pfn; pfn < zone_end_pfn(z) && pfn < max_pfn; pfn++) {
		run = pfn % nr ? run : 0;
		run += frames[pfn] != HELD && frames[pfn] >= least;
		if (run == nr)
			return true;
	}
	return false;
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

enum model_answer model_pages(gfp_t gfp, unsigned int order)
{
	enum model_answer answer = MUST_FAIL;

	if (order >= MAX_ORDER)
		return MUST_FAIL;
	for (unsigned int zone = 0; zone <= (unsigned int)highest_zone(gfp); zone++) {
		const struct zone *z = &zones[zone];
		unsigned long wanted = floor_of(z, gfp) + (1ul << order);

		if (count(z, FREE) >= wanted && has_run(z, order, FREE))
			return MUST_SUCCEED;
		if (order < LISTED_ORDERS && !(gfp & __GFP_COLD))
			wanted = 1ul << order;
		if (count(z, KERNEL) >= wanted && has_run(z, order, KERNEL))
			answer = MAY_DO_EITHER;
	}
	return answer;
}

void model_take(pfn_t pfn, unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++) {
		FUZZ_CHECK(pfn + i < max_pfn && frames[pfn + i] != NOT_RAM, "frame %#lx is no RAM",
			   pfn + i);
		FUZZ_CHECK(frames[pfn + i] != HELD, "frame %#lx is an owner's already", pfn + i);
		frames[pfn + i] = HELD;
	}
}

void model_give(pfn_t pfn, unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++) {
		FUZZ_CHECK(frames[pfn + i] == HELD, "frame %#lx is nobody's", pfn + i);
		frames[pfn + i] = FREE;
	}
}

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

static void must_be_apart(const struct model_object *o)
{
	for (unsigned int i = 0; i < MODEL_OBJECTS; i++) {
		const struct model_object *p = &objects[i];

		FUZZ_CHECK(!p->used || p == o || o->start >= p->start + p->size + p->guard ||
				   p->start >= o->start + o->size + o->guard,
			   "%#lx, of %zu bytes, overlaps %#lx, of %zu bytes", o->start, o->size,
			   p->start, p->size);
	}
}

struct model_object *model_add(const void *start, size_t size, size_t guard)
{
	struct model_object *o = objects;

	while (o->used)
		FUZZ_CHECK(++o < objects + MODEL_OBJECTS,
			   "more objects than the model has room for");
	*o = (struct model_object){ (uintptr_t)start, size, guard, next_id++, true };
	must_be_apart(o);
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
	o->used = false;
}

void model_move(struct model_object *o, const void *start, size_t size, size_t kept)
{
	o->start = (uintptr_t)start;
	must_hold(o, kept);
	o->size = size;
	must_be_apart(o);
	host_fill((void *)o->start, model_pattern(o->id), size);
}

/* From each object's end, and from the start, to the next object. */
static size_t gap_from(uintptr_t from, uintptr_t end)
{
	for (unsigned int i = 0; i < MODEL_OBJECTS; i++) {
		const struct model_object *p = &objects[i];

		if (p->used && p->start >= from)
			end = min(end, p->start);
	}
	return end > from ? end - from : 0;
}

size_t model_largest_gap(uintptr_t start, uintptr_t end)
{
	size_t largest = gap_from(start, end);

	for (unsigned int i = 0; i < MODEL_OBJECTS; i++) {
		const struct model_object *p = &objects[i];
		uintptr_t after = p->start + p->size + p->guard;

		if (p->used && after >= start && after < end)
			largest = max(largest, gap_from(after, end));
	}
	return largest;
}
