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

/* The same for a test: on another machine it takes what there is, and gives that back. */
static const char *const declaration[] = {
	"static struct {",
	"	struct page *page;",
	"	unsigned int order, held;",
	"} place[%u];\n",
	"static __maybe_unused bool take_place(unsigned int nr, unsigned int order, gfp_t gfp)",
	"{",
	"	if (place[nr].page)",
	"		return true;",
	"	place[nr].page = alloc_pages(gfp, order);",
	"	place[nr].order = order;",
	"	place[nr].held = 0;",
	"	return place[nr].page;",
	"}\n",
	"static __maybe_unused void give_place(unsigned int nr)",
	"{",
	"	unsigned int nr_pages = 1u << place[nr].order, held = place[nr].held;\n",
	"	if (place[nr].page && !held)",
	"		__free_pages(place[nr].page, place[nr].order);",
	"	for (unsigned int i = 0; place[nr].page && held && i < nr_pages; i++)",
	"		if (i & held)",
	"			__free_page(place[nr].page + i);",
	"	place[nr].page = NULL;",
	"}\n",
	"static __maybe_unused void punch_place(unsigned int nr, unsigned int order)",
	"{",
	"	if (!place[nr].page || place[nr].held || place[nr].order <= order)",
	"		return;",
	"	split_page(place[nr].page, place[nr].order);",
	"	place[nr].held = 1u << order;",
	"	for (unsigned int i = 0; i < 1u << place[nr].order; i++)",
	"		if (!(i & place[nr].held))",
	"			__free_page(place[nr].page + i);",
	"}\n",
};

void hoard_declare(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(declaration); i++)
		fuzz_step(declaration[i], PLACES);
}

static bool take(unsigned int nr, unsigned int order, gfp_t gfp)
{
	enum model_answer answer = model_pages(gfp, order, MODEL_NO_LIMIT);

	fuzz_step("\t(void)take_place(%u, %u, %s);", nr, order, world_gfp_text(gfp));
	hoard[nr].page = alloc_pages(gfp, order);
	hoard[nr].order = order;
	hoard[nr].held = 0;
	if (answer == (hoard[nr].page ? MUST_FAIL : MUST_SUCCEED))
		fuzz_step("\tASSERT_%s(t, place[%u].page);", hoard[nr].page ? "FALSE" : "TRUE", nr);
	FUZZ_CHECK(answer != MUST_FAIL || !hoard[nr].page, "alloc_pages(): had to fail");
	FUZZ_CHECK(answer != MUST_SUCCEED || hoard[nr].page, "alloc_pages(): had to succeed");
	if (hoard[nr].page)
		model_take(page_to_pfn(hoard[nr].page), 1ul << order);
	return hoard[nr].page;
}

/* Of a block with holes, the pages that are held, or else the others. */
static void give_pages(unsigned int nr, bool held)
{
	for (unsigned int i = 0; i < 1u << hoard[nr].order; i++) {
		struct page *page = hoard[nr].page + i;

		if (!(i & hoard[nr].held) == held)
			continue;
		model_give(page_to_pfn(page), 1, false);
		__free_page(page);
	}
}

static void give(unsigned int nr)
{
	struct page *page = hoard[nr].page;

	fuzz_step("\tgive_place(%u);", nr);
	if (hoard[nr].held) {
		give_pages(nr, true);
	} else {
		model_give(page_to_pfn(page), 1ul << hoard[nr].order, false);
		__free_pages(page, hoard[nr].order);
	}
	hoard[nr].page = NULL;
}

static void punch(unsigned int nr, unsigned int order)
{
	fuzz_step("\tpunch_place(%u, %u);", nr, order);
	split_page(hoard[nr].page, hoard[nr].order);
	hoard[nr].held = 1u << order;
	give_pages(nr, false);
}

void hoard_punch(unsigned int order)
{
	for (unsigned int nr = 0; nr < PLACES; nr++)
		if (hoard[nr].page && !hoard[nr].held && hoard[nr].order > order)
			punch(nr, order);
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
	fuzz_step("\tfor (unsigned int i = 0; i < %u; i++)\n\t\tgive_place(i);", PLACES);
}
