/*
 * hoard.c - pages that make memory short.
 *
 * IDEA.  Places hold blocks that nobody uses.  What may fail for want of memory is asked for beside
 * a full hoard; what must not fail, beside an empty one, or one with holes: then there is memory,
 * but no large block of it.
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
	unsigned int held; /* of a block with holes: the bit that numbers of held pages have */
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
	hoard[nr].held = 0;
	if (hoard[nr].page)
		model_take(page_to_pfn(hoard[nr].page), 1ul << order);
	return hoard[nr].page;
}

static bool is_held(unsigned int nr, unsigned long i)
{
	return i & hoard[nr].held;
}

/* What gives back the pages that are held, or else the others. */
static void write_free_down(unsigned int nr, bool held)
{
	if (!hoard[nr].held) {
		fuzz_step("\t__free_pages(hoard[%u], %u);", nr, hoard[nr].order);
		return;
	}
	fuzz_step("\tfor (unsigned int i = 0; i < %u; i++)\n\t\tif (%si & %u))\n"
		  "\t\t\t__free_page(hoard[%u] + i);",
		  1u << hoard[nr].order, held ? "(" : "!(", hoard[nr].held, nr);
}

static void give_pages(unsigned int nr, bool held)
{
	write_free_down(nr, held);
	for (unsigned long i = 0; i < 1ul << hoard[nr].order; i++) {
		if (is_held(nr, i) != held)
			continue;
		model_give(page_to_pfn(hoard[nr].page + i), 1, false);
		__free_page(hoard[nr].page + i);
	}
}

static void give(unsigned int nr)
{
	struct page *page = hoard[nr].page;

	if (hoard[nr].held) {
		give_pages(nr, true);
	} else {
		write_free_down(nr, true);
		model_give(page_to_pfn(page), 1ul << hoard[nr].order, false);
		__free_pages(page, hoard[nr].order);
	}
	hoard[nr].page = NULL;
}

void hoard_punch(unsigned int order)
{
	for (unsigned int nr = 0; nr < PLACES; nr++) {
		if (!hoard[nr].page || hoard[nr].held || hoard[nr].order <= order)
			continue;
		fuzz_step("\tsplit_page(hoard[%u], %u);", nr, hoard[nr].order);
		split_page(hoard[nr].page, hoard[nr].order);
		hoard[nr].held = 1u << order;
		give_pages(nr, false);
	}
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
			write_free_down(nr, true);
}
