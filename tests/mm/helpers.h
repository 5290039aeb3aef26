/*
 * Layer: tests
 * helpers.h - what the tests of mm/ share: hoards of blocks, patterns, captured console text.
 */
#ifndef TESTS_MM_HELPERS_H
#define TESTS_MM_HELPERS_H

#include <quarry/compiler.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/list.h>
#include <quarry/mm.h>
#include <quarry/printk.h>
#include <quarry/types.h>

/* ---- hoards ------------------------------------------------------------------------------ */

/* Blocks that a test holds, linked by page->lru; the order of each is in page->private. */
struct hoard {
	struct list_head blocks;
	unsigned long nr_pages;
};

#define HOARD(name) struct hoard name = { LIST_HEAD_INIT((name).blocks), 0 }

/* Take one block; the head page, or NULL. */
QAPI struct page *hoard_take(struct hoard *h, gfp_t gfp, unsigned int order);

/* Take blocks of @order until there are no more; the pages taken now. */
QAPI unsigned long hoard_all(struct hoard *h, gfp_t gfp, unsigned int order);

/*
 * Take all that requests of @gfp can get, whatever the order: largest blocks first, which is a
 * thousand times less work than page by page; the pages taken.
 */
QAPI unsigned long hoard_everything(struct hoard *h, gfp_t gfp);

/*
 * Take everything of one zone, reserves included, in blocks of 2^@largest pages as long as there
 * are any, then in smaller ones; the pages taken.
 */
QAPI unsigned long hoard_zone(struct hoard *h, enum zone_type type, unsigned int largest);

/* Take everything of all zones, reserves included. */
QAPI unsigned long hoard_machine(struct hoard *h);

/* Give everything back, in another order than it was taken. */
QAPI void hoard_free(struct hoard *h);

/* Give one page back, splitting a block for it; false when the hoard is empty. */
QAPI bool hoard_free_one(struct hoard *h);

/* The flags that lead to @type first and pass every watermark, silently. */
QAPI gfp_t gfp_of_zone(enum zone_type type);

/* Is @word one of the words of the kernel's command line? */
QAPI bool option_given(const char *word);

/* Does slab_debug= give caches called @name one of the flags @letters?  "": to all caches. */
QAPI bool slab_debug_given(const char *name, const char *letters);

/* The options that want to see every page take the per-CPU lists out of use. */
QAPI bool lists_in_use(void);

/* GFP_KERNEL in the larger zone of lowmem: a very small one has no per-CPU lists. */
QAPI gfp_t gfp_with_lists(void);

/* ---- the state of the zones --------------------------------------------------------------- */

/* Free blocks of one order, all mobilities together. */
QAPI unsigned long zone_nr_blocks(const struct zone *z, unsigned int order);

/*
 * The largest order of which a plain request of @gfp can be expected to find a block: one is free
 * in a zone that would be left above every watermark and reserve.
 */
QAPI unsigned int largest_order(gfp_t gfp);

struct zones_state {
	unsigned long nr_free[NR_ZONES];
	unsigned long nr_blocks[NR_ZONES][MAX_ORDER];
};

/* After mm_quiesce(). */
QAPI void zones_snapshot(struct zones_state *s);

/* Count the differences between @s and now, and fail @t for each. */
QAPI unsigned int zones_compare(struct ktest *t, const struct zones_state *s);

/* Pages in free lists and in per-CPU lists. */
QAPI unsigned long nr_available(void);

/* ---- contents ----------------------------------------------------------------------------- */

/* Fill a block with words made of @tag and the page's number in the block; highmem too. */
QAPI void block_fill(struct page *head, unsigned int order, uint32_t tag);
QAPI bool block_holds(struct page *head, unsigned int order, uint32_t tag);
QAPI bool block_is_zero(struct page *head, unsigned int order);
QAPI bool block_is_all(struct page *head, unsigned int order, uint32_t word);

/* ---- captured console text ------------------------------------------------------------------ */

#define CAPTURE_MAX 16384u

/* The console text between capture_begin() and capture_end(); what does not fit is dropped. */
struct capture {
	struct console console;
	size_t len;
	char text[CAPTURE_MAX];
};

/* One capture at a time: the buffer is static. */
QAPI struct capture *capture_begin(void);
QAPI void capture_end(struct capture *c);
QAPI unsigned int capture_count(const struct capture *c, const char *what);

/*
 * Where nothing is mapped in the vmalloc range: the lowest @size bytes from the start of what one
 * table maps; 0: nowhere.
 */
QAPI uintptr_t unmapped_range(size_t size);

#endif
