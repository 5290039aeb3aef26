/*
 * Layer: mm
 * page_owner.h - two faces: who has each page and since when, or nothing.
 *
 * Called from slow paths only: with page_owner=1 the per-CPU lists are out of use, so every block
 * comes by here, and without it no fast path knows of it.
 */
#ifndef MM_DEBUG_PAGE_OWNER_H
#define MM_DEBUG_PAGE_OWNER_H

#include <quarry/compiler.h>
#include <quarry/config.h>
#include <quarry/errno.h>
#include <quarry/gfp.h>
#include <quarry/mm_types.h>
#include <quarry/port.h>

struct out;

#define NAME_PAGE_OWNERS "page owners"

#if CONFIG_PAGE_OWNER

#define OWNER_TAKEN_BY 6u /* return addresses that are kept of an allocation */
#define OWNER_GIVEN_BY 4u /* and of a free */

/* What is known of one frame. */
struct page_owner {
	uint64_t when_taken, when_given; /* clock_cycles(); 0: never */
	gfp_t gfp;
	uint8_t order; /* of the block that it headed last */
	bool taken;    /* it heads a block that somebody has */
	bool of_area;  /* that one is part of an area of vmalloc() */
	const void *taken_by[OWNER_TAKEN_BY], *given_by[OWNER_GIVEN_BY];
};

static_assert(sizeof(struct page_owner) <= 24 + (OWNER_TAKEN_BY + OWNER_GIVEN_BY) * sizeof(void *),
	      "paid once per 4 KiB frame, with page_owner=1");

/* One for each frame below max_pfn; NULL: the option is not in force. */
extern struct page_owner *page_owners;

/* When something was taken: a member that costs nothing without the option's code. */
struct owner_stamp {
	uint64_t cycles;
};

static inline void owner_stamp_now(struct owner_stamp *s)
{
	s->cycles = clock_cycles();
}

/* Boot option page_owner=1: 0, or -EINVAL. */
QAPI int page_owner_parse(const char *value);

/* Once mem_map has its place, and memblock is still open: make the records, if they are wanted. */
QAPI void page_owner_init(void);

/* Once the allocator is up: take the per-CPU lists out of use if the option is in force. */
QAPI void page_owner_start(void);

QAPI void page_owner_alloc_slow(const struct page *page, unsigned int order, gfp_t gfp);
QAPI void page_owner_free_slow(const struct page *page);
QAPI void page_owner_split_slow(const struct page *page, unsigned int order);
QAPI void page_owner_forget_slow(const struct page *page);
QAPI void page_owner_of_area_slow(unsigned long nr, struct page *const *pages);

/* Print who has @page, or had it last, and who gave it back last; nothing if that is not known. */
QAPI void page_owner_show(struct out *o, const struct page *page);

/* Print the function that a return address leads into, "unknown" for NULL. */
QAPI void owner_caller_show(struct out *o, const void *caller);

/*
 * O1: the blocks that somebody has are all that is managed and not free.  The number of violations,
 * each printed.  Says nothing if somebody allocates meanwhile.
 */
QAPI unsigned int page_owner_check(void);

/* Is the option in force? */
static inline bool page_owner_on(void)
{
	return unlikely(page_owners);
}

/* A block goes to its owner. */
static inline void page_owner_alloc(const struct page *page, unsigned int order, gfp_t gfp)
{
	if (unlikely(page_owners))
		page_owner_alloc_slow(page, order, gfp);
}

/* The block that @page heads comes back. */
static inline void page_owner_free(const struct page *page)
{
	if (unlikely(page_owners))
		page_owner_free_slow(page);
}

/* Each page of a block becomes a block, of the same owner. */
static inline void page_owner_split(const struct page *page, unsigned int order)
{
	if (unlikely(page_owners))
		page_owner_split_slow(page, order);
}

/* A page that was nobody's becomes the allocator's. */
static inline void page_owner_forget(const struct page *page)
{
	if (unlikely(page_owners))
		page_owner_forget_slow(page);
}

/* These blocks of one page are part of an area: reports count them there. */
static inline void page_owner_of_area(unsigned long nr, struct page *const *pages)
{
	if (unlikely(page_owners))
		page_owner_of_area_slow(nr, pages);
}

#else

struct owner_stamp {};

static inline void owner_stamp_now(struct owner_stamp *s)
{
	(void)s;
}

/* Not in this kernel: that it was asked for is told as a bad value. */
static inline QAPI int page_owner_parse(const char *value)
{
	(void)value;
	return -EINVAL;
}

static inline bool page_owner_on(void)
{
	return false;
}

static inline void page_owner_init(void)
{
}

static inline void page_owner_start(void)
{
}

static inline void page_owner_alloc(const struct page *page, unsigned int order, gfp_t gfp)
{
	(void)page;
	(void)order;
	(void)gfp;
}

static inline void page_owner_free(const struct page *page)
{
	(void)page;
}

static inline void page_owner_split(const struct page *page, unsigned int order)
{
	(void)page;
	(void)order;
}

static inline void page_owner_forget(const struct page *page)
{
	(void)page;
}

static inline void page_owner_of_area(unsigned long nr, struct page *const *pages)
{
	(void)nr;
	(void)pages;
}

static inline void page_owner_show(struct out *o, const struct page *page)
{
	(void)o;
	(void)page;
}

static inline unsigned int page_owner_check(void)
{
	return 0;
}

#endif
#endif
