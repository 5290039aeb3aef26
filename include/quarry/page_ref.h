/*
 * Layer: mm
 * page_ref.h - references to pages, and the compound pages that count as one.
 */
#ifndef QUARRY_PAGE_REF_H
#define QUARRY_PAGE_REF_H

#include <quarry/atomic.h>
#include <quarry/compiler.h>
#include <quarry/mm_types.h>

/**
 * compound_head - the head of the compound page that @page is part of, or @page itself.
 *
 * Nothing is stored in tail pages: a compound page of order k is aligned, so its head is at one of
 * MAX_ORDER places.  The caller holds a reference, which keeps the head what it is.
 * Return:  the head; a page that has references of its own is its own head.
 * Context: any.
 * Cost:    one test for a head or a page whose neighbours are none; at most MAX_ORDER probes.
 */
QAPI struct page *compound_head(struct page *page);

/* log2 of the pages of the compound page that @page heads; 0 for any other page. */
static inline unsigned int compound_order(const struct page *page)
{
	return page->flags & PG_head ? (unsigned int)(page->flags >> PG_ORDER_SHIFT) : 0;
}

/**
 * page_count - references to @page, or to its compound page.
 */
static inline int page_count(struct page *page)
{
	return atomic_read(&compound_head(page)->_count);
}

/* What is out of line: tails, and pages without a reference. */
QAPI void get_page_slow(struct page *page);
QAPI void put_page_slow(struct page *page);

/* Nobody has a reference any more: free the block that @head heads. */
QAPI void put_page_last(struct page *head);

/**
 * get_page - take a further reference; the caller has one, or BUG.
 *
 * Context: any.  Cost: one locked instruction; for a tail page the search for its head too.
 */
static inline void get_page(struct page *page)
{
	if (likely(atomic_read(&page->_count) > 0))
		atomic_inc(&page->_count);
	else
		get_page_slow(page);
}

/**
 * put_page - drop a reference; the last one frees the block that it was kept for.
 *
 * Context: any.  Cost: as get_page(), and that of __free_pages() for the last one.
 */
static inline void put_page(struct page *page)
{
	if (unlikely(atomic_read(&page->_count) <= 0))
		put_page_slow(page);
	else if (atomic_dec_and_test(&page->_count))
		put_page_last(page);
}

#endif
