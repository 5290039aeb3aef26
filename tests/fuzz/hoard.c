/*
 * hoard.c - pages that make memory short.
 *
 * IDEA.  Places hold blocks that nobody uses.  What may fail for want of memory is asked for beside
 * a full hoard; what must not fail, beside an empty one.
 *
 * STATE.  hoard.
 *
 * CONTEXT.  A child of the fuzzer; any, if the mask is fit for it.
 */
#include "hoard.h"
#include "world.h"
#include <quarry/mm.h>

#define PLACES 48u

static struct {
	struct page *page; /* NULL: none */
	unsigned int order;
} hoard[PLACES];

void hoard_declare(void)
{
	fuzz_step("\tstatic struct page *hoard[%u] __maybe_unused;\n", PLACES);
}

static bool take(unsigned int nr, unsigned int order, gfp_t gfp)
{
	enum model_answer answer = model_pages(gfp, order, MODEL_NO_LIMIT);

	fuzz_step("\thoard[%u] = alloc_pages(%s, %u);", nr, world_gfp_text(gfp), order);
	hoard[nr].page = alloc_pages(gfp, order);
	world_judge(answer, hoard[nr].page, "alloc_pages()", "hoard", nr);
	hoard[nr].order = order;
	if (hoard[nr].page)
		model_take(page_to_pfn(hoard[nr].page), 1ul << order);
	return hoard[nr].page;
}

static void write_free_down(unsigned int nr)
{
	fuzz_step("\t__free_pages(hoard[%u], %u);", nr, hoard[nr].order);
}

static void give(unsigned int nr)
{
	struct page *page = hoard[nr].page;

	write_free_down(nr);
	model_give(page_to_pfn(page), 1ul << hoard[nr].order, false);
	hoard[nr].page = NULL;
	__free_pages(page, hoard[nr].order);
}

void hoard_toggle(unsigned int nr, unsigned int order, gfp_t gfp)
{
	nr %= PLACES;
	if (hoard[nr].page)
		give(nr);
	else
		take(nr, order, gfp);
}

void hoard_exhaust(unsigned int least, gfp_t gfp)
{
	unsigned int order = MAX_ORDER - 1;

	for (unsigned int nr = 0; nr < PLACES; nr++)
		while (!hoard[nr].page && !take(nr, order, gfp))
			if (order-- == least)
				return;
}

void hoard_give_all(void)
{
	for (unsigned int nr = 0; nr < PLACES; nr++)
		if (hoard[nr].page)
			give(nr);
}

void hoard_write_end_down(void)
{
	for (unsigned int nr = 0; nr < PLACES; nr++)
		if (hoard[nr].page)
			write_free_down(nr);
}
