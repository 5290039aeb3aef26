/*
 * page_ref.c - references, compound pages, and blocks that are no power of two.
 *
 * THEORY.  A block belongs to one owner until somebody takes a further reference; the last one to
 * drop it frees it.  A compound page is a block whose pages all count as one: references are
 * kept in its head.  Its tails store nothing: the head of a compound page of order k is aligned
 * to 2^k, so for a given page it can be at MAX_ORDER places only, and is at the first one that
 * carries PG_head and an order that reaches the page.
 *
 * STATE.  page->_count, PG_head and the order in page->flags.
 *
 * INVARIANTS.  R1: two compound pages never overlap, so at most one candidate reaches the page.
 *
 * CONTEXT.  Any.
 *
 * NOT HERE.  Freeing itself: zonelist.c.
 */
#include <quarry/align.h>
#include <quarry/bits.h>
#include <quarry/mm.h>

#include "debug/alloc_trace.h"
#include "debug/page_owner.h"
#include "internal.h"

static struct page *find_head(struct page *page)
{
	pfn_t pfn = page_to_pfn(page);

	for (unsigned int order = 1; order < MAX_ORDER; order++) {
		struct page *head = pfn_to_page(ALIGN_DOWN(pfn, 1ul << order));
		unsigned long flags = READ_ONCE(head->flags);

		if ((flags & PG_head) && flags_order(flags) >= order)
			return head;
	}
	return page;
}

QAPI struct page *compound_head(struct page *page)
{
	/* Whatever has a reference of its own heads its block. */
	if (likely((page->flags & PG_head) || atomic_read(&page->_count)))
		return page;
	return find_head(page);
}

/* The head of a page that has no reference of its own: it must have one. */
static struct page *referenced_head(struct page *page, const char *what)
{
	struct page *head = compound_head(page);

	if (atomic_read(&head->_count) <= 0)
		page_bad(head, what);
	return head;
}

QAPI void get_page_slow(struct page *page)
{
	atomic_inc(&referenced_head(page, "is referenced but free")->_count);
}

QAPI void put_page_slow(struct page *page)
{
	struct page *head = referenced_head(page, "loses a reference that it does not have");

	if (atomic_dec_and_test(&head->_count))
		put_page_last(head);
}

QAPI void put_page_last(struct page *head)
{
	/* Nobody else can reach it now: the last reference is ours again, and is given back. */
	atomic_set(&head->_count, 1);
	__free_pages(head, block_order(head));
}

QAPI void split_page(struct page *page, unsigned int order)
{
	enum mobility mob = block_mobility(page);

	if (page->flags & PG_head)
		page_bad(page, "is compound and cannot be split");
	if (atomic_read(&page->_count) != 1 || block_order(page) != order)
		page_bad(page, "is split with the wrong order or while shared");
	page_owner_split(page, order);
	alloc_trace_split(page, order);
	for (unsigned long i = 0; i < 1ul << order; i++) {
		block_mark(page + i, 0, mob);
		atomic_set(&page[i]._count, 1);
	}
}

QAPI void *alloc_pages_exact(size_t size, gfp_t gfp)
{
	unsigned long nr = DIV_ROUND_UP(size, PAGE_SIZE);
	unsigned int order;
	struct page *page;

	BUG_ON(gfp & (__GFP_COMP | __GFP_HIGHMEM));
	if (!size || size > PAGE_SIZE << (MAX_ORDER - 1))
		return NULL;
	order = log2_roundup(nr);
	page = alloc_pages(gfp, order);
	if (!page)
		return NULL;
	split_page(page, order);
	for (unsigned long i = nr; i < 1ul << order; i++)
		__free_page(page + i);
	return page_address(page);
}

QAPI void free_pages_exact(void *va, size_t size)
{
	unsigned long nr = DIV_ROUND_UP(size, PAGE_SIZE);

	for (unsigned long i = 0; i < nr; i++)
		free_page((unsigned long)va + i * PAGE_SIZE);
}
