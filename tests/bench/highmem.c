/*
 * highmem.c - rows of the benchmark: kmap(), kmap_local_page(), contents of highmem pages.
 */
#include <quarry/gfp.h>
#include <quarry/highmem.h>

#include "rows.h"

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

BENCH_PAIR("kmap hot (pkmap entry still cached)", BENCH_MANY, &page_stage, GFP_HIGHUSER,
	   obj = kmap(page), kunmap(page));
BENCH_PAIR("kmap lowmem page", BENCH_MANY, &page_stage, GFP_KERNEL, obj = kmap(page), kunmap(page));
BENCH_PAIR("kmap hot (held by another user)", BENCH_MANY, &held_stage, GFP_HIGHUSER,
	   obj = kmap(page), kunmap(page));
BENCH_ONE("page_address highmem (mapped)", BENCH_MANY, &held_stage, GFP_HIGHUSER,
	  BENCH_USE(page_address(page)));
BENCH_ONE("kmap_atomic+kunmap_atomic highmem", BENCH_MANY, &page_stage, GFP_HIGHUSER,
	  kunmap_atomic(kmap_atomic(page)));
BENCH_ONE("kmap_atomic+kunmap_atomic lowmem", BENCH_MANY, &page_stage, GFP_KERNEL,
	  kunmap_atomic(kmap_atomic(page)));
BENCH_ONE("kmap_local_page+kunmap_local highmem", BENCH_MANY, &page_stage, GFP_HIGHUSER,
	  kunmap_local(kmap_local_page(page)));
BENCH_ONE("kmap_local_page+kunmap_local lowmem", BENCH_MANY, &page_stage, GFP_KERNEL,
	  kunmap_local(kmap_local_page(page)));
BENCH_ONE("clear_highpage", BENCH_MANY, &page_stage, GFP_HIGHUSER, clear_highpage(page));
BENCH_ONE("copy_highpage", BENCH_MANY, &page_stage, GFP_HIGHUSER, copy_highpage(page, other));
