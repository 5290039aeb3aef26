/*
 * report.c - what the page allocator says when it gives up or was misused.
 *
 * IDEA.  Out of line and rare: fast paths jump here and never come back, or come back with NULL.
 * A report names the thing (page, request), its state, and what is wrong, in one place.
 *
 * STATE.  None; each failed request that may be reported is reported once, by whoever gives up.
 *
 * CONTEXT.  Any.
 */
#include <quarry/align.h>
#include <quarry/bug.h>
#include <quarry/env.h>
#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/printk.h>

#include "debug/page_owner.h"
#include "internal.h"

#define LINE_MAX_BYTES 256u

__cold QAPI void page_bad(const struct page *page, const char *what)
{
	char line[LINE_MAX_BYTES];
	struct out_buf b;

	out_buf_init(&b, line, sizeof(line));
	page_show(&b.out, page);
	pr_emerg("BUG: page %s\n", what);
	pr_emerg("%s", line);
	page_owner_show(&out_console, page);
	panic("page pfn=%lu %s", page_to_pfn(page), what);
}

static __racy_report unsigned long blocks_of(const struct free_area *area)
{
	unsigned long nr = 0;

	for (unsigned int mob = 0; mob < NR_MOBILITIES; mob++)
		nr += area->nr_blocks[mob];
	return nr;
}

static unsigned long kib(unsigned long nr_pages)
{
	return nr_pages * (PAGE_SIZE / KiB);
}

static __racy_report void report_zone(const struct zone *z)
{
	pr_warn("%s free:%lukB min:%lukB low:%lukB high:%lukB present:%lukB managed:%lukB "
		"lowmem_reserve[]: %lu %lu %lu\n",
		z->name, kib(z->nr_free), kib(z->watermark[WMARK_MIN]),
		kib(z->watermark[WMARK_LOW]), kib(z->watermark[WMARK_HIGH]), kib(z->nr_present),
		kib(z->nr_managed), z->lowmem_reserve[ZONE_DMA], z->lowmem_reserve[ZONE_NORMAL],
		z->lowmem_reserve[ZONE_HIGHMEM]);
	pr_warn("%s:", z->name);
	for (unsigned int order = 0; order < MAX_ORDER; order++)
		printk(" %lu*%lukB", blocks_of(&z->free_area[order]), kib(1ul << order));
	printk(" = %lukB\n", kib(z->nr_free));
}

__cold QAPI void alloc_failed(gfp_t gfp, unsigned int order)
{
	char names[LINE_MAX_BYTES];
	struct out_buf b;
	struct zone *z;

	out_buf_init(&b, names, sizeof(names));
	gfp_show(&b.out, gfp);
	pr_warn("%s: page allocation failure: order:%u, mode:%#x(%s)\n", env_current()->name, order,
		gfp, names);
	env_dump_stack();
	for_each_zone(z) {
		if (z->nr_managed)
			report_zone(z);
	}
	pr_warn("per-CPU lists: %lu pages; page tables: %lu pages\n", pcp_nr_pages(),
		pgtable_nr_pages());
}
