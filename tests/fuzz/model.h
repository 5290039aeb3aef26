/*
 * Layer: tests
 * model.h - the oracle: an allocator too simple to be wrong, which is told what mm/ answered.
 */
#ifndef TESTS_FUZZ_MODEL_H
#define TESTS_FUZZ_MODEL_H

#include <quarry/compiler.h>
#include <quarry/gfp.h>
#include <quarry/types.h>

enum model_answer { MUST_FAIL, MAY_DO_EITHER, MUST_SUCCEED };

/* Look at the machine as it is after boot: once, with nothing in any cache. */
void model_init(void);

/* ---- frames ------------------------------------------------------------------------------ */

#define MODEL_NO_LIMIT (~(pfn_t)0)

/*
 * What must come of a request for a block of pages that all lie below @limit, if nothing but what
 * was told here, and what is marked as mm's own, holds frames.
 */
enum model_answer model_pages(gfp_t gfp, unsigned int order, pfn_t limit);

/*
 * Blocks that requests of @gfp have for certain, one after the other, even if each spoils the best
 * one there is: above the low watermark, where nobody has to ask twice.
 */
unsigned long model_nr_sure(gfp_t gfp, unsigned int order);

/* Frames of which one cannot say that no request of @gfp gets them. */
unsigned long model_nr_possible(gfp_t gfp);

/*
 * @nr frames from @pfn on are an owner's now, and no longer; @later: they are free after the next
 * flush.  Both complain when that cannot be.
 */
void model_take(pfn_t pfn, unsigned long nr);
void model_give(pfn_t pfn, unsigned long nr, bool later);

/* There was a flush; is this frame free then, in mm_quiesce()'s sense? */
void model_flushed(void);
bool model_is_free(pfn_t pfn);

/* May a request of @gfp get this frame? */
bool model_reaches(gfp_t gfp, pfn_t pfn);

/* Frames from @pfn on get the pattern of @id, by the bus; and must still have it. */
void model_mark(pfn_t pfn, unsigned long nr, unsigned int id);
void model_verify(pfn_t pfn, unsigned long nr, unsigned int id);
bool model_zero(pfn_t pfn, unsigned long nr);

/* The byte of which the pattern of @id is made. */
int model_pattern(unsigned int id);

/* ---- objects ----------------------------------------------------------------------------- */

#define MODEL_OBJECTS 512u

/* An object of addresses: [start, start + size), and what follows it that nobody may have. */
struct model_object {
	uintptr_t start;
	size_t size;  /* bytes that have the pattern */
	size_t guard; /* bytes behind it */
	unsigned int id;
	bool used;
};

/*
 * A new object, whose bytes are filled with its pattern; complains when it overlaps another one.
 * @size 0: its addresses are of no use to anybody, and never read.
 */
struct model_object *model_add(const void *start, size_t size, size_t guard);

/* Its pattern must be there; then it is forgotten. */
void model_drop(struct model_object *o);

/* It has another size or place now, and the pattern in its first @kept bytes. */
void model_move(struct model_object *o, const void *start, size_t size, size_t kept);

/* Bytes of the longest gap between objects within [@start, @end). */
size_t model_largest_gap(uintptr_t start, uintptr_t end);

#endif
