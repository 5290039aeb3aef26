/*
 * Layer: mm
 * gfp.h - "get free pages": where frames may come from, and what the caller may do while waiting.
 *
 * THE FLAGS, and what each one does here:
 *
 *	__GFP_DMA          only ZONE_DMA (below 16 MiB on x86)
 *	__GFP_HIGHMEM      ZONE_HIGHMEM first; the page may have no kernel address
 *	__GFP_DMA32        only below 4 GiB: served from lowmem, all of which is
 *	__GFP_MOVABLE      the owner can move or drop the page: grouped with its like
 *	__GFP_RECLAIMABLE  a shrinker can free it: grouped with its like
 *	__GFP_WAIT         may sleep and reclaim; a BUG where sleeping is forbidden
 *	__GFP_HIGH         urgent: may take half of what lies below the min watermark, and five
 *	                   eighths of it if it cannot wait either
 *	__GFP_IO           reclaim may start I/O (shrinkers see it)
 *	__GFP_FS           reclaim may call into file systems (shrinkers see it)
 *	__GFP_COLD         contents will not be touched soon: not from the per-CPU lists, which
 *	                   hold what the cache still knows
 *	__GFP_NOWARN       no report when it fails
 *	__GFP_REPEAT       try harder: reclaim again GFP_REPEAT_ROUNDS times before giving up
 *	__GFP_NOFAIL       never returns NULL: waits for ever, or panics where nobody is there to
 *	                   wait for
 *	__GFP_NORETRY      one round of reclaim, no waiting, no out-of-memory handling
 *	__GFP_MEMALLOC     all reserves, no watermark: for whoever is about to free more
 *	__GFP_NOMEMALLOC   not all reserves, not even for a PF_MEMALLOC thread; __GFP_HIGH keeps
 *	                   its share
 *	__GFP_COMP         the block is one compound page: every page of it knows its head
 *	__GFP_ZERO         contents are zero
 *	__GFP_THISNODE     only this node; there is one, so it changes nothing but who is told:
 *	                   such a request does not wake the background reclaim
 *
 * FLAGS THAT CONTRADICT EACH OTHER:
 *
 *	DMA + HIGHMEM           DMA: the narrower promise is the one a device depends on
 *	DMA + DMA32             DMA, for the same reason
 *	DMA32 + HIGHMEM         DMA32: lowmem
 *	NOMEMALLOC + MEMALLOC   NOMEMALLOC: the request for restraint wins
 *	NORETRY + NOFAIL        BUG: no answer could satisfy both
 *	WAIT in atomic context  BUG, on every call, not only when it would really sleep
 *	MOVABLE + RECLAIMABLE   one warning; treated as unmovable
 *	NOFAIL without WAIT     BUG: it would have to spin
 *	NOFAIL above MAX_ORDER  BUG: it could never be served
 *	HIGHMEM for a kernel address (__get_free_pages)  BUG: the page may have none
 *	bits that are no flag   BUG
 */
#ifndef QUARRY_GFP_H
#define QUARRY_GFP_H

#include <quarry/compiler.h>
#include <quarry/mm_types.h>
#include <quarry/types.h>

/* The low five bits choose zone and mobility by one table look-up: keep them together. */
#define __GFP_DMA         0x00001u
#define __GFP_HIGHMEM     0x00002u
#define __GFP_DMA32       0x00004u
#define __GFP_MOVABLE     0x00008u
#define __GFP_RECLAIMABLE 0x00010u
#define __GFP_WAIT        0x00020u
#define __GFP_HIGH        0x00040u
#define __GFP_IO          0x00080u
#define __GFP_FS          0x00100u
#define __GFP_COLD        0x00200u
#define __GFP_NOWARN      0x00400u
#define __GFP_REPEAT      0x00800u
#define __GFP_NOFAIL      0x01000u
#define __GFP_NORETRY     0x02000u
#define __GFP_MEMALLOC    0x04000u
#define __GFP_NOMEMALLOC  0x08000u
#define __GFP_COMP        0x10000u
#define __GFP_ZERO        0x20000u
#define __GFP_THISNODE    0x40000u

#define __GFP_BITS     19u
#define __GFP_ALL      ((1u << __GFP_BITS) - 1u)
#define GFP_PLACE_MASK 0x1fu /* the bits that choose zone and mobility */

#define GFP_NOWAIT           0u
#define GFP_ATOMIC           __GFP_HIGH
#define GFP_NOIO             __GFP_WAIT
#define GFP_NOFS             (__GFP_WAIT | __GFP_IO)
#define GFP_KERNEL           (__GFP_WAIT | __GFP_IO | __GFP_FS)
#define GFP_USER             (__GFP_WAIT | __GFP_IO | __GFP_FS)
#define GFP_HIGHUSER         (GFP_USER | __GFP_HIGHMEM)
#define GFP_HIGHUSER_MOVABLE (GFP_HIGHUSER | __GFP_MOVABLE)
#define GFP_DMA              __GFP_DMA
#define GFP_DMA32            __GFP_DMA32
#define GFP_THISNODE         (__GFP_THISNODE | __GFP_NOWARN | __GFP_NORETRY)

#define GFP_REPEAT_ROUNDS 8u
#define GFP_WAIT_MS       20u /* one wait of a request that may not give up */

/**
 * alloc_pages - allocate 2^@order physically contiguous page frames.
 * @gfp:   see above.
 * @order: log2 of the number of pages, 0..MAX_ORDER - 1; above that NULL, with one warning.
 *
 * Return:  the head page, reference count 1, aligned to 2^order pages; NULL when no zone that
 *          @gfp allows can give the block.  Contents are undefined unless __GFP_ZERO is set.
 *          With __GFP_HIGHMEM the page may have no kernel address: see page_address().
 * Owner:   the caller, until __free_pages(page, order) with the same order.
 * Context: with __GFP_WAIT a thread that may sleep; without it any, interrupts included.
 * Cost:    O(1) from the per-CPU lists up to order 3, otherwise O(MAX_ORDER) under zone->lock.
 */
QAPI struct page *alloc_pages(gfp_t gfp, unsigned int order) __must_check;

/**
 * alloc_page - alloc_pages() of order 0.
 */
static inline struct page *alloc_page(gfp_t gfp) __must_check;
static inline struct page *alloc_page(gfp_t gfp)
{
	return alloc_pages(gfp, 0);
}

/**
 * __get_free_pages - alloc_pages(), as a kernel address.
 *
 * Return:  the address of the block; 0 when it cannot be had.  __GFP_HIGHMEM is a BUG.
 * Owner, context, cost: as alloc_pages(); given back by free_pages().
 */
QAPI unsigned long __get_free_pages(gfp_t gfp, unsigned int order) __must_check;

static inline unsigned long __get_free_page(gfp_t gfp) __must_check;
static inline unsigned long __get_free_page(gfp_t gfp)
{
	return __get_free_pages(gfp, 0);
}

/**
 * get_zeroed_page - one page of zeroes, as a kernel address.
 */
static inline unsigned long get_zeroed_page(gfp_t gfp) __must_check;
static inline unsigned long get_zeroed_page(gfp_t gfp)
{
	return __get_free_pages(gfp | __GFP_ZERO, 0);
}

/**
 * __get_dma_pages - __get_free_pages() from ZONE_DMA.
 */
static inline unsigned long __get_dma_pages(gfp_t gfp, unsigned int order) __must_check;
static inline unsigned long __get_dma_pages(gfp_t gfp, unsigned int order)
{
	return __get_free_pages(gfp | __GFP_DMA, order);
}

/**
 * __free_pages - give a block back.
 * @page:  its head, as alloc_pages() returned it; its only reference is the caller's.
 * @order: the order it was allocated with.
 *
 * A page that is free already, reserved, a tail, still referenced, or of another order is a BUG
 * that names the page.
 * Context: any, interrupts included.
 * Cost:    O(1) to the per-CPU lists up to order 3, otherwise O(MAX_ORDER) under zone->lock.
 */
QAPI void __free_pages(struct page *page, unsigned int order);

static inline void __free_page(struct page *page)
{
	__free_pages(page, 0);
}

/**
 * free_pages - __free_pages() by kernel address.
 * @va: what __get_free_pages() returned; 0 is ignored, anything else that is no page's is a BUG.
 */
QAPI void free_pages(unsigned long va, unsigned int order);

static inline void free_page(unsigned long va)
{
	free_pages(va, 0);
}

/**
 * split_page - turn a block of 2^@order pages into as many single pages, each with one reference.
 * @page: head of a block that is not compound; a compound page is a BUG.
 *
 * Owner:   the caller, of every page by itself from now on.
 * Context: any.  Cost: a few instructions a page.
 */
QAPI void split_page(struct page *page, unsigned int order);

/**
 * alloc_pages_exact - physically contiguous memory of a size that is no power of two.
 * @size: bytes, 1 .. PAGE_SIZE << (MAX_ORDER - 1); rounded up to pages, the tail is given back.
 *
 * Return:  kernel address; NULL when it cannot be had or @size is 0 or too large.  __GFP_COMP and
 *          __GFP_HIGHMEM are a BUG.
 * Owner:   the caller, until free_pages_exact() with the same size.
 * Context: as alloc_pages().
 */
QAPI void *alloc_pages_exact(size_t size, gfp_t gfp) __must_check;
QAPI void free_pages_exact(void *va, size_t size);

/**
 * alloc_pages_bulk_array - fill the empty places of an array with single pages.
 * @nr:    places in @array.
 * @array: places that are not NULL are left alone.
 *
 * Return:  how many places are filled now, those that were before included: @nr, or fewer when
 *          memory ran out.
 * Owner:   the caller, of each page: free_pages_bulk_array() or __free_page().
 * Context: as alloc_pages().  Cost: that of alloc_page() each; one zone lock for a batch.
 */
QAPI unsigned long alloc_pages_bulk_array(gfp_t gfp, unsigned long nr, struct page **array);

/**
 * free_pages_bulk_array - free single pages; every place is NULL afterwards.
 */
QAPI void free_pages_bulk_array(unsigned long nr, struct page **array);

/**
 * nr_free_pages - pages in the free blocks of all zones; those in per-CPU lists are not counted.
 *
 * Context: any.  Exact only after mm_quiesce() with nobody allocating.
 */
QAPI unsigned long nr_free_pages(void);

struct out;

/**
 * gfp_show - print @gfp by the names of its flags, joined by '|'.
 */
QAPI void gfp_show(struct out *o, gfp_t gfp);

#endif
