/*
 * highmem.c - rows of the benchmark: kmap(), kmap_local_page(), contents of highmem pages.
 */
#include <quarry/gfp.h>
#include <quarry/highmem.h>

#include "rows.h"

#define NR_COLD       4096u /* pages of a round: four times as many as there are slots */
#define NR_COLD_ORDER 2u    /* of the array of pointers to them */

static struct page *page, *other;

static QAPI bool page_up(unsigned long gfp)
{
	page = alloc_page((gfp_t)gfp);
	other = alloc_page((gfp_t)gfp);
	return page && other;
}

static QAPI void page_down(void)
{
	__free_page(page);
	__free_page(other);
	kmap_flush_unused();
}

static const struct bench_stage page_stage = { page_up, page_down };

static QAPI bool held_up(unsigned long gfp)
{
	return page_up(gfp) && kmap(page);
}

static QAPI void held_down(void)
{
	kunmap(page);
	page_down();
}

static const struct bench_stage held_stage = { held_up, held_down };

/* ---- many pages, one after the other ----------------------------------------------------- */

static struct page **cold;
static unsigned int next_cold;

static QAPI void cold_down(void)
{
	for (unsigned int i = 0; i < NR_COLD && cold[i]; i++)
		__free_page(cold[i]);
	free_pages((unsigned long)cold, NR_COLD_ORDER);
	kmap_flush_unused();
}

static QAPI bool cold_up(unsigned long gfp)
{
	cold = (struct page **)__get_free_pages(GFP_KERNEL | __GFP_ZERO, NR_COLD_ORDER);
	next_cold = 0;
	if (!cold)
		return false;
	for (unsigned int i = 0; i < NR_COLD; i++) {
		cold[i] = alloc_page((gfp_t)gfp);
		if (!cold[i]) {
			cold_down();
			return false;
		}
	}
	return true;
}

static const struct bench_stage cold_stage = { cold_up, cold_down };

static QAPI void nothing(void)
{
}

/* The page is chosen before the first stamp. */
static QAPI void kmap_next(void)
{
	struct page *p = cold[next_cold++ % NR_COLD];

	BENCH_HIDE(p);
	BENCH_STAMP(0);
	BENCH_USE(kmap(p));
	BENCH_STAMP(1);
	kunmap(p);
	BENCH_STAMP(2);
}

static QAPI void kmap_and_kunmap_next(void)
{
	struct page *p = cold[next_cold++ % NR_COLD];

	BENCH_HIDE(p);
	BENCH_STAMP(0);
	BENCH_USE(kmap(p));
	kunmap(p);
	BENCH_STAMP(1);
}

/* ---- the rows ---------------------------------------------------------------------------- */

BENCH_PAIR("kmap hot (pkmap entry still cached)", BENCH_MANY, &page_stage, GFP_HIGHUSER,
	   obj = kmap(page), kunmap(page));
BENCH_PAIR("kmap lowmem page", BENCH_MANY, &page_stage, GFP_KERNEL, obj = kmap(page), kunmap(page));
BENCH_PAIR("kmap hot (held by another user)", BENCH_MANY, &held_stage, GFP_HIGHUSER,
	   obj = kmap(page), kunmap(page));
BENCH_ONE("page_address highmem (mapped)", BENCH_MANY, &held_stage, GFP_HIGHUSER,
	  BENCH_USE(page_address(page)));
BENCH_ROW(cold_round) = { .name = "kmap+kunmap cold, 4096 distinct pages (incl. flushes)",
			  .kind = BENCH_KIND_ROUNDS,
			  .nr = NR_COLD,
			  .stage = &cold_stage,
			  .arg = GFP_HIGHUSER,
			  .bracket = kmap_and_kunmap_next,
			  .prepare = nothing };
BENCH_ROW(cold_pair) = { .name = "kmap cold 1001 distinct pair",
			 .kind = BENCH_KIND_PAIR,
			 .nr = BENCH_MANY,
			 .stage = &cold_stage,
			 .arg = GFP_HIGHUSER,
			 .bracket = kmap_next };
BENCH_ONE("page_address highmem (last)", BENCH_MANY, &cold_stage, GFP_HIGHUSER,
	  BENCH_USE(page_address(cold[NR_COLD - 1])));
BENCH_ONE("kmap_atomic+kunmap_atomic highmem", BENCH_MANY, &page_stage, GFP_HIGHUSER,
	  kunmap_atomic(kmap_atomic(page)));
BENCH_ONE("kmap_atomic+kunmap_atomic lowmem", BENCH_MANY, &page_stage, GFP_KERNEL,
	  kunmap_atomic(kmap_atomic(page)));
BENCH_ONE("kmap_local_page+kunmap_local highmem", BENCH_MANY, &page_stage, GFP_HIGHUSER,
	  kunmap_local(kmap_local_page(page)));
BENCH_ONE("kmap_local_page+kunmap_local highmem(never kmapped)", BENCH_MANY, &cold_stage,
	  GFP_HIGHUSER, kunmap_local(kmap_local_page(cold[0])));
BENCH_ONE("kmap_local_page+kunmap_local lowmem", BENCH_MANY, &page_stage, GFP_KERNEL,
	  kunmap_local(kmap_local_page(page)));
BENCH_ONE("clear_highpage", BENCH_MANY, &page_stage, GFP_HIGHUSER, clear_highpage(page));
BENCH_ONE("copy_highpage", BENCH_MANY, &page_stage, GFP_HIGHUSER, copy_highpage(page, other));
