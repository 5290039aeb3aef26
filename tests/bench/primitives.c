/*
 * primitives.c - rows of the benchmark: the ruler's own calibration, conversions, small helpers.
 */
#include <quarry/env.h>
#include <quarry/gfp.h>
#include <quarry/mm.h>
#include <quarry/string.h>

#include "rows.h"

#define CALIBRATION_ROUNDS 101u
#define WORDS_OF_A_PAGE    1024u

static struct page *page;
static void *va;

static QAPI bool page_up(unsigned long gfp)
{
	page = alloc_page((gfp_t)gfp);
	if (!page)
		return false;
	va = page_address(page);
	return true;
}

static QAPI void page_down(void)
{
	__free_page(page);
}

static const struct bench_stage page_stage = { page_up, page_down };

/* A value as a caller has it: in a register, and new to the compiler. */
static inline __attribute__((always_inline)) void *hidden(void *p)
{
	BENCH_HIDE(p);
	return p;
}

static inline __attribute__((always_inline)) void fill_words(void *words, unsigned long nr)
{
	__asm__ volatile("rep stosl" : "+D"(words), "+c"(nr) : "a"(0) : "memory");
}

BENCH_ONE("calib 100 nops", CALIBRATION_ROUNDS, NULL, 0,
	  __asm__ volatile(".rept 100\n\tnop\n\t.endr" ::
				   : "memory"));
BENCH_ONE("calib rep stosl 1024", CALIBRATION_ROUNDS, &page_stage, GFP_KERNEL,
	  fill_words(va, WORDS_OF_A_PAGE));
BENCH_ONE("memset 4096", CALIBRATION_ROUNDS, &page_stage, GFP_KERNEL, memset(va, 0x5a, PAGE_SIZE));
BENCH_ONE("memcpy 2048", CALIBRATION_ROUNDS, &page_stage, GFP_KERNEL,
	  memcpy(va, (char *)va + PAGE_SIZE / 2, PAGE_SIZE / 2));
BENCH_ONE("local_irq_save/restore", CALIBRATION_ROUNDS, NULL, 0, irq_restore(irq_save()));

BENCH_ONE("page_address lowmem", BENCH_MANY, &page_stage, GFP_KERNEL,
	  BENCH_USE(page_address(hidden(page))));
BENCH_ONE("page_address highmem (unmapped)", BENCH_MANY, &page_stage, GFP_HIGHUSER,
	  BENCH_USE(page_address(hidden(page))));
BENCH_ONE("virt_to_page", BENCH_MANY, &page_stage, GFP_KERNEL, BENCH_USE(virt_to_page(hidden(va))));
BENCH_ONE("virt_to_head_page", BENCH_MANY, &page_stage, GFP_KERNEL,
	  BENCH_USE(compound_head(virt_to_page(hidden(va)))));
BENCH_ONE("__pa", BENCH_MANY, &page_stage, GFP_KERNEL, BENCH_USE((uintptr_t)va_to_pa(hidden(va))));
BENCH_ONE("page_to_pfn", BENCH_MANY, &page_stage, GFP_KERNEL, BENCH_USE(page_to_pfn(hidden(page))));
BENCH_ONE("page_zone", BENCH_MANY, &page_stage, GFP_KERNEL, BENCH_USE(page_zone(hidden(page))));
BENCH_ONE("get_page+put_page", BENCH_MANY, &page_stage, GFP_KERNEL,
	  (get_page(page), put_page(page)));
