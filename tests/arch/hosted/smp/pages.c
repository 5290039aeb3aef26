/*
 * pages.c - blocks of pages as things of a walk: of every order and zone, in bulk, exact.
 *
 * THEORY.  A block is marked in its first and last page, through a window of the CPU where it has
 * no address.
 */
#include "walk.h"

#include <quarry/gfp.h>
#include <quarry/highmem.h>
#include <quarry/mm.h>

#define BULK_MAX    40u
#define EXACT_PAGES 5u

static const gfp_t thread_gfps[] = { GFP_KERNEL,
				     GFP_KERNEL | __GFP_MOVABLE,
				     GFP_KERNEL | __GFP_RECLAIMABLE,
				     GFP_HIGHUSER,
				     GFP_HIGHUSER_MOVABLE,
				     GFP_DMA,
				     GFP_ATOMIC,
				     GFP_KERNEL | __GFP_ZERO,
				     GFP_KERNEL | __GFP_COLD,
				     GFP_HIGHUSER | __GFP_COMP };

static const gfp_t interrupt_gfps[] = { GFP_ATOMIC, GFP_NOWAIT, GFP_ATOMIC | __GFP_HIGHMEM,
					GFP_DMA | __GFP_MOVABLE };

static gfp_t any_gfp(struct walker *w)
{
	gfp_t gfp = w->in_interrupt ? interrupt_gfps[walker_random(w, ARRAY_SIZE(interrupt_gfps))] :
				      thread_gfps[walker_random(w, ARRAY_SIZE(thread_gfps))];

	return gfp | __GFP_NOWARN;
}

static void mark_page(struct page *page, uint32_t mark)
{
	memcpy_to_page(page, 0, &mark, sizeof(mark));
	memcpy_to_page(page, PAGE_SIZE - sizeof(mark), &mark, sizeof(mark));
}

static bool page_holds(struct page *page, uint32_t mark)
{
	uint32_t first, last;

	memcpy_from_page(&first, page, 0, sizeof(first));
	memcpy_from_page(&last, page, PAGE_SIZE - sizeof(last), sizeof(last));
	return first == mark && last == mark;
}

/* Mostly small ones. */
static bool take_block(struct walker *w, struct item *item)
{
	unsigned int order = walker_random(w, 1 + walker_random(w, MAX_ORDER));
	struct page *page = alloc_pages(any_gfp(w), order);

	if (!page)
		return false;
	item->p = page;
	item->size = order;
	mark_page(page, item->mark);
	mark_page(page + (1ul << order) - 1, item->mark);
	return true;
}

static void give_block(struct walker *w, struct item *item)
{
	struct page *page = item->p;
	unsigned int order = (unsigned int)item->size;

	if (!page_holds(page, item->mark) || !page_holds(page + (1ul << order) - 1, item->mark))
		walker_bad(w, "a block's contents changed");
	if (page_count(page) != 1)
		walker_bad(w, "a block's count is not 1");
	if (order && walker_random(w, 4) == 0 && !(page->flags & PG_head)) {
		split_page(page, order);
		for (unsigned long i = 1ul << order; i-- > 0;)
			__free_page(page + i);
		return;
	}
	__free_pages(page, order);
}

const struct item_kind kind_block = { "block", take_block, give_block, true };

/* The pages of one are linked: each leads to the next by its private word. */
static bool take_bulk(struct walker *w, struct item *item)
{
	struct page *pages[BULK_MAX] = { NULL };
	unsigned long nr = 1 + walker_random(w, BULK_MAX);

	nr = alloc_pages_bulk_array(any_gfp(w), nr, pages);
	if (!nr)
		return false;
	for (unsigned long i = 0; i < nr; i++) {
		mark_page(pages[i], item->mark + (uint32_t)i);
		pages[i]->private = i + 1 < nr ? page_to_pfn(pages[i + 1]) : 0;
	}
	item->p = pages[0];
	item->size = nr;
	return true;
}

static void give_bulk(struct walker *w, struct item *item)
{
	struct page *pages[BULK_MAX], *page = item->p;

	for (unsigned long i = 0; i < item->size; i++) {
		pages[i] = page;
		if (!page_holds(page, item->mark + (uint32_t)i))
			walker_bad(w, "a page of a bulk changed");
		page = pfn_to_page(page->private);
	}
	free_pages_bulk_array(item->size, pages);
}

const struct item_kind kind_bulk = { "bulk", take_bulk, give_bulk, true };

static bool take_exact(struct walker *w, struct item *item)
{
	item->size = 1 + walker_random(w, EXACT_PAGES * PAGE_SIZE);
	item->p = alloc_pages_exact(item->size, GFP_KERNEL | __GFP_NOWARN);
	if (!item->p)
		return false;
	mark_bytes(item->p, item->size, item->mark);
	return true;
}

static void give_exact(struct walker *w, struct item *item)
{
	if (!bytes_hold(item->p, item->size, item->mark))
		walker_bad(w, "an exact allocation changed");
	free_pages_exact(item->p, item->size);
}

const struct item_kind kind_exact = { "exact", take_exact, give_exact, false };
