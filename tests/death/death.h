/*
 * Layer: tests
 * death.h - what the files of crimes share: their tables, and what crimes are committed with.
 */
#ifndef TESTS_DEATH_H
#define TESTS_DEATH_H

#include <quarry/gfp.h>
#include <quarry/mm.h>
#include <quarry/printk.h>

struct death {
	const char *name; /* NULL: the end of a table */
	void (*commit)(void);
};

#define DEATH(fn)       \
	{               \
#fn, fn \
	}

extern const struct death page_deaths[], slab_deaths[], mempool_deaths[], vmalloc_deaths[],
	highmem_deaths[], dma_deaths[], white_deaths[];
extern const struct death port_deaths[] __weak; /* those of a port that has some of its own */

/* The same address, of which the compiler knows nothing. */
static inline void *hidden(uintptr_t va)
{
	void *p = (void *)va;

	__asm__ volatile("" : "+r"(p));
	return p;
}

/* A block that crimes are committed on; without it there is no crime, which is no success. */
static inline struct page *victim(gfp_t gfp, unsigned int order)
{
	struct page *page = alloc_pages(gfp, order);

	if (!page)
		pr_err("death: no victim of order %u\n", order);
	return page;
}

#endif
