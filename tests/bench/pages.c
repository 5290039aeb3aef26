/*
 * pages.c - rows of the benchmark: the page allocator.
 */
#include <quarry/gfp.h>
#include <quarry/mm.h>
#include <quarry/sizes.h>

#include "rows.h"

#define SLOW 301u /* brackets of a row that does much at once */

/* ---- a block and its free ---------------------------------------------------------------- */

#define PAGES_PAIR(name, gfp, order)                                           \
	BENCH_PAIR(name, BENCH_MANY, NULL, 0, obj = alloc_pages((gfp), order), \
		   __free_pages(obj, order))

PAGES_PAIR("alloc_pages(GFP_KERNEL,0)", GFP_KERNEL, 0);
PAGES_PAIR("alloc_pages(GFP_KERNEL,1)", GFP_KERNEL, 1);
PAGES_PAIR("alloc_pages(GFP_KERNEL,2)", GFP_KERNEL, 2);
PAGES_PAIR("alloc_pages(GFP_KERNEL,3)", GFP_KERNEL, 3);
PAGES_PAIR("alloc_pages(GFP_KERNEL,4)", GFP_KERNEL, 4);
PAGES_PAIR("alloc_pages(GFP_KERNEL,5)", GFP_KERNEL, 5);
PAGES_PAIR("alloc_pages(GFP_KERNEL,6)", GFP_KERNEL, 6);
PAGES_PAIR("alloc_pages(GFP_KERNEL,7)", GFP_KERNEL, 7);
PAGES_PAIR("alloc_pages(GFP_KERNEL,8)", GFP_KERNEL, 8);
PAGES_PAIR("alloc_pages(GFP_KERNEL,9)", GFP_KERNEL, 9);
PAGES_PAIR("alloc_pages(GFP_KERNEL,10)", GFP_KERNEL, 10);
PAGES_PAIR("alloc_pages(GFP_HIGHUSER,0)", GFP_HIGHUSER, 0);
PAGES_PAIR("alloc_pages(GFP_ATOMIC,0)", GFP_ATOMIC, 0);
PAGES_PAIR("alloc_pages(GFP_DMA,0)", GFP_DMA | GFP_KERNEL, 0);

BENCH_PAIR("__get_free_page", BENCH_MANY, NULL, 0, obj = (void *)__get_free_page(GFP_KERNEL),
	   free_page((unsigned long)obj));
BENCH_PAIR("get_zeroed_page", BENCH_MANY, NULL, 0, obj = (void *)get_zeroed_page(GFP_KERNEL),
	   free_page((unsigned long)obj));

/* ---- other sizes, and many at once ------------------------------------------------------- */

#define EXACT_PAIR(name, size)                                                             \
	BENCH_PAIR(name, BENCH_MANY, NULL, 0, obj = alloc_pages_exact((size), GFP_KERNEL), \
		   free_pages_exact(obj, (size)))

EXACT_PAIR("alloc_pages_exact(12K)", 12 * KiB);
EXACT_PAIR("alloc_pages_exact(20K)", 20 * KiB);

static struct page *bulk[64];

/* The batch goes back page by page, as whoever takes one does. */
static inline __attribute__((always_inline)) void free_bulk(unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		__free_pages(bulk[i], 0);
		bulk[i] = NULL;
	}
}

#define BULK_PAIR(name, nr)                                                                      \
	BENCH_PAIR(name, SLOW, NULL, 0, BENCH_USE(alloc_pages_bulk_array(GFP_KERNEL, nr, bulk)), \
		   free_bulk(nr))

BULK_PAIR("alloc_pages_bulk_array(16)", 16);
BULK_PAIR("alloc_pages_bulk_array(32)", 32);
BULK_PAIR("alloc_pages_bulk_array(64)", 64);

/* ---- many blocks, then their frees ------------------------------------------------------- */

#define PAGES_EACH(name, nr, free_order, gfp, order)                             \
	BENCH_EACH(name, nr, free_order, NULL, 0, obj = alloc_pages(gfp, order), \
		   __free_pages(obj, order))

PAGES_EACH("pages o0 1000 LIFO", 1000, BENCH_LIFO, GFP_KERNEL, 0);
PAGES_EACH("pages o0 10000 LIFO", 10000, BENCH_LIFO, GFP_KERNEL, 0);
PAGES_EACH("pages o0 1000 FIFO", 1000, BENCH_FIFO, GFP_KERNEL, 0);
PAGES_EACH("pages o0 10000 FIFO", 10000, BENCH_FIFO, GFP_KERNEL, 0);
PAGES_EACH("pages o0 1000 shuffled", 1000, BENCH_SHUFFLED, GFP_KERNEL, 0);
PAGES_EACH("pages o0 10000 shuffled", 10000, BENCH_SHUFFLED, GFP_KERNEL, 0);
PAGES_EACH("pages HIGHUSER o0 10000 shuffled", 10000, BENCH_SHUFFLED, GFP_HIGHUSER, 0);
PAGES_EACH("pages o1 1000 LIFO", 1000, BENCH_LIFO, GFP_KERNEL, 1);
PAGES_EACH("pages o1 1000 shuffled", 1000, BENCH_SHUFFLED, GFP_KERNEL, 1);
PAGES_EACH("pages o3 1000 LIFO", 1000, BENCH_LIFO, GFP_KERNEL, 3);
PAGES_EACH("pages o3 1000 shuffled", 1000, BENCH_SHUFFLED, GFP_KERNEL, 3);
PAGES_EACH("pages o4 1000 shuffled", 1000, BENCH_SHUFFLED, GFP_KERNEL, 4);
PAGES_EACH("pages o9 100 shuffled", 100, BENCH_SHUFFLED, GFP_KERNEL, 9);
