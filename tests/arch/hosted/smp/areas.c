/*
 * areas.c - areas of addresses and slots of kmap() as things of a walk.
 *
 * THEORY.  Every page that is mapped by kmap() holds its own number, so that a slot that shows
 * another page is seen.  There are more of them than slots, so rounds end and slots are emptied
 * while others are in use.
 */
#include "walk.h"

#include <quarry/gfp.h>
#include <quarry/highmem.h>
#include <quarry/mm.h>
#include <quarry/vmalloc.h>

#define AREA_PAGES 12u
#define VMAP_PAGES 4u
#define KMAP_PAGES (PKMAP_NR_PAGES + 64u)

static struct page *pages[KMAP_PAGES];
static unsigned int nr_pages;

bool areas_begin(void)
{
	for (nr_pages = 0; nr_pages < KMAP_PAGES; nr_pages++) {
		uint32_t number = nr_pages;

		pages[nr_pages] = alloc_page(GFP_HIGHUSER | __GFP_NOWARN);
		if (!pages[nr_pages])
			break;
		memcpy_to_page(pages[nr_pages], 0, &number, sizeof(number));
	}
	return nr_pages > 0;
}

void areas_end(void)
{
	while (nr_pages)
		__free_page(pages[--nr_pages]);
}

/* ---- vmalloc() ------------------------------------------------------------------------------ */

static bool take_area(struct walker *w, struct item *item)
{
	item->size = 1 + walker_random(w, AREA_PAGES * PAGE_SIZE);
	item->p = walker_random(w, 2) ? vmalloc(item->size) : vzalloc(item->size);
	if (!item->p)
		return false;
	mark_bytes(item->p, item->size, item->mark);
	return true;
}

static void give_area(struct walker *w, struct item *item)
{
	if (!bytes_hold(item->p, item->size, item->mark))
		walker_bad(w, "an area changed");
	vfree(item->p);
}

const struct item_kind kind_area = { "area", take_area, give_area, false };

/* ---- vmap() --------------------------------------------------------------------------------- */

/* The same pages, shown once more. */
static bool take_vmap(struct walker *w, struct item *item)
{
	unsigned int first = walker_random(w, nr_pages), nr = 1 + walker_random(w, VMAP_PAGES);

	if (first + nr > nr_pages)
		return false;
	item->p = vmap(pages + first, nr, VM_MAP, PROT_KERNEL);
	item->size = nr;
	item->mark = first;
	return item->p != NULL;
}

static void give_vmap(struct walker *w, struct item *item)
{
	for (unsigned int i = 0; i < item->size; i++)
		if (*(uint32_t *)((char *)item->p + i * PAGE_SIZE) != item->mark + i)
			walker_bad(w, "an area of vmap() shows another page");
	vunmap(item->p);
}

const struct item_kind kind_vmap = { "vmap", take_vmap, give_vmap, false };

/* ---- kmap() --------------------------------------------------------------------------------- */

static bool take_kmap(struct walker *w, struct item *item)
{
	item->mark = walker_random(w, 4) ? walker_random(w, nr_pages) : 0;
	item->more = pages[item->mark];
	item->p = kmap(item->more);
	if (item->p && *(uint32_t *)item->p != item->mark)
		walker_bad(w, "a new slot shows another page");
	return item->p != NULL;
}

static void give_kmap(struct walker *w, struct item *item)
{
	if (*(uint32_t *)item->p != item->mark)
		walker_bad(w, "a slot shows another page");
	kunmap(item->more);
}

const struct item_kind kind_kmap = { "kmap", take_kmap, give_kmap, false };

/* ---- events --------------------------------------------------------------------------------- */

void event_unmap_aliases(struct walker *w)
{
	(void)w;
	vm_unmap_aliases();
}

void event_kmap_round(struct walker *w)
{
	(void)w;
	kmap_flush_unused();
}

void event_local(struct walker *w)
{
	uint32_t first = walker_random(w, nr_pages), second = walker_random(w, nr_pages);
	const uint32_t *outer = kmap_local_page(pages[first]);
	const uint32_t *inner = kmap_local_page(pages[second]);

	if (*outer != first || *inner != second)
		walker_bad(w, "a local slot shows another page");
	kunmap_local(inner);
	kunmap_local(outer);
}
