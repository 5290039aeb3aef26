/*
 * Layer: mm
 * page_poison.h - two faces: the debug options on free pages, or nothing.
 *
 * Called from slow paths only: with one of the options set the per-CPU lists are out of use, so
 * every block comes by here, and without them no fast path knows of it.
 */
#ifndef MM_DEBUG_PAGE_POISON_H
#define MM_DEBUG_PAGE_POISON_H

#include <quarry/compiler.h>
#include <quarry/config.h>
#include <quarry/mm_types.h>

#define PAGE_POISON_CHECK  1u /* page_poison=1: fill at free, verify at allocation */
#define PAGE_POISON_INIT_A 2u /* init_on_alloc=1: zero at allocation */
#define PAGE_POISON_INIT_F 4u /* init_on_free=1: zero at free */

#if CONFIG_PAGE_POISON

/* Options in force; 0 in the ordinary case. */
extern unsigned int page_poison_mode;

/* Boot: switch one option. */
QAPI void page_poison_set(unsigned int option, bool on);

QAPI void page_poison_alloc_slow(struct page *page, unsigned int order);
QAPI void page_poison_free_slow(struct page *page, unsigned int order);

/* Once the allocator is up: take the per-CPU lists out of use if an option is in force. */
QAPI void page_poison_start(void);

/* Does any option want to see each page? */
static inline bool page_poison_on(void)
{
	return unlikely(page_poison_mode);
}

static inline void page_poison_alloc(struct page *page, unsigned int order)
{
	if (unlikely(page_poison_mode))
		page_poison_alloc_slow(page, order);
}

static inline void page_poison_free(struct page *page, unsigned int order)
{
	if (unlikely(page_poison_mode))
		page_poison_free_slow(page, order);
}

#else

static inline bool page_poison_on(void)
{
	return false;
}

static inline void page_poison_alloc(struct page *page, unsigned int order)
{
	(void)page;
	(void)order;
}

static inline void page_poison_free(struct page *page, unsigned int order)
{
	(void)page;
	(void)order;
}

static inline void page_poison_set(unsigned int option, bool on)
{
	(void)option;
	(void)on;
}

static inline void page_poison_start(void)
{
}

#endif
#endif
