/*
 * tables.c - page tables that several CPUs need at the same moment.
 *
 * THEORY.  Tables of the kernel range are never freed, so an address finds none but once: each try
 * has a range of its own, in which every thread maps a page.
 *
 * STATE.  The range, and the pages.
 */
#include "../../../mm/helpers.h"

#include <quarry/asm/smp.h>
#include <quarry/pgtable.h>
#include <quarry/port.h>

#define NR_THREADS 6u
#define NR_TRIES   6u

static uintptr_t range;
static struct page *pages[NR_THREADS];
static int errs[NR_THREADS];

static QAPI void map_one(unsigned int nr, void *arg)
{
	(void)arg;
	errs[nr] = pgtable_map_pages(range + nr * PAGE_SIZE, &pages[nr], 1, PROT_KERNEL);
}

/* Does each thread's page lie where it mapped it? */
static void look(struct ktest *t)
{
	for (unsigned int i = 0; i < NR_THREADS; i++) {
		struct pt_walk w;

		EXPECT_EQ(t, 0, errs[i]);
		pgtable_walk(range + i * PAGE_SIZE, &w);
		EXPECT_TRUE(t, w.present);
		EXPECT_EQ(t, page_to_pfn(pages[i]), pte_pfn(pte_read(w.slot)));
	}
}

KTEST_NEEDS(smp_tables, a_table_that_all_cpus_need_at_once_is_made_once, .cpus = 2)
{
	const unsigned long span = 1ul << pt_shift(1);
	uintptr_t ranges = unmapped_range(NR_TRIES * span);

	ASSERT_NE(t, 0, ranges);
	for (unsigned int i = 0; i < NR_TRIES && !t->nr_failed; i++) {
		struct smp_plan plan = { .run = map_one,
					 .nr_threads = NR_THREADS,
					 .distance = 2u << i,
					 .seed = ktest_random(t) };
		struct smp_result result;

		range = ranges + i * span;
		for (unsigned int k = 0; k < NR_THREADS; k++)
			pages[k] = alloc_page(GFP_KERNEL);
		smp_run(&plan, &result);
		look(t);
		pgtable_unmap_pages(range, NR_THREADS * PAGE_SIZE, NULL);
		tlb_flush_range(range, range + NR_THREADS * PAGE_SIZE);
		for (unsigned int k = 0; k < NR_THREADS; k++)
			__free_page(pages[k]);
	}
}
