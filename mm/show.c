/*
 * show.c - the state of the page allocator as text.
 *
 * THEORY.  Four reports have the format that Linux 6.1 gives its files in /proc, so that whatever
 * reads those reads these: buddyinfo, pagetypeinfo, zoneinfo, meminfo.  Lines whose subject does
 * not exist here (page cache, swap, ...) are there and say 0.  What Linux has no line for comes
 * after the last of Linux's, where parsers take it for one more name.  There is one node, 0.
 *
 *	MemFree		pages in the free lists of all zones
 *	PerCpuLists	pages in the per-CPU lists: free for all purposes, but in no free list
 *	MemTotal	pages that were ever handed to the allocator
 *
 * Everything else prints one subject a line, key=value.
 *
 * LOCKING.  A zone's counts are copied under its lock and printed after, because a sink may be
 * slow.  So each zone's lines agree with each other; two zones are two moments.
 *
 * CONTEXT.  Any.
 *
 * NOT HERE.  Single things by name: describe.c.  What is wrong with the state: check.c.
 */
#include "internal.h"
#include "slab.h"

#include <quarry/align.h>
#include <quarry/env.h>
#include <quarry/gfp.h>
#include <quarry/limits.h>
#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/percpu.h>
#include <quarry/pgtable.h>
#include <quarry/printk.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

/* The counts of a zone at one moment. */
struct zone_counts {
	unsigned long nr_free; /* pages */
	unsigned long nr_blocks[MAX_ORDER][NR_MOBILITIES];
};

static void zone_count(struct zone *z, struct zone_counts *c)
{
	unsigned long flags = spin_lock_irqsave(&z->lock);

	c->nr_free = z->nr_free;
	for (unsigned int order = 0; order < MAX_ORDER; order++) {
		for (unsigned int mob = 0; mob < NR_MOBILITIES; mob++)
			c->nr_blocks[order][mob] = z->free_area[order].nr_blocks[mob];
	}
	spin_unlock_irqrestore(&z->lock, flags);
}

static unsigned long blocks_of_order(const struct zone_counts *c, unsigned int order)
{
	unsigned long nr = 0;

	for (unsigned int mob = 0; mob < NR_MOBILITIES; mob++)
		nr += c->nr_blocks[order][mob];
	return nr;
}

/* ---- buddyinfo and pagetypeinfo --------------------------------------------------------- */

QAPI void buddyinfo_show(struct out *o)
{
	struct zone_counts c;
	struct zone *z;

	for_each_zone(z) {
		if (!z->nr_present)
			continue;
		zone_count(z, &c);
		out_printf(o, "Node 0, zone %8s ", z->name);
		for (unsigned int order = 0; order < MAX_ORDER; order++)
			out_printf(o, "%6lu ", blocks_of_order(&c, order));
		out_printf(o, "\n");
	}
}

/* Linux's rows, in its order; those that have no counterpart are always 0. */
static const struct {
	const char *name;
	unsigned int mob; /* NR_MOBILITIES: none */
} page_types[] = {
	{ "Unmovable", MOB_UNMOVABLE },     { "Movable", MOB_MOVABLE },
	{ "Reclaimable", MOB_RECLAIMABLE }, { "HighAtomic", NR_MOBILITIES },
	{ "Isolate", NR_MOBILITIES },
};

static void show_free_by_type(struct out *o, struct zone *z)
{
	struct zone_counts c;

	zone_count(z, &c);
	for (unsigned int i = 0; i < ARRAY_SIZE(page_types); i++) {
		unsigned int mob = page_types[i].mob;

		out_printf(o, "Node    0, zone %8s, type %12s ", z->name, page_types[i].name);
		for (unsigned int order = 0; order < MAX_ORDER; order++)
			out_printf(o, "%6lu ", mob < NR_MOBILITIES ? c.nr_blocks[order][mob] : 0);
		out_printf(o, "\n");
	}
}

static void show_blocks_by_type(struct out *o, struct zone *z)
{
	unsigned long nr[NR_MOBILITIES];

	zone_count_blocks(z, nr);
	out_printf(o, "Node 0, zone %8s ", z->name);
	for (unsigned int i = 0; i < ARRAY_SIZE(page_types); i++) {
		unsigned int mob = page_types[i].mob;

		out_printf(o, "%12lu ", mob < NR_MOBILITIES ? nr[mob] : 0);
	}
	out_printf(o, "\n");
}

QAPI void pagetypeinfo_show(struct out *o)
{
	struct zone *z;

	out_printf(o, "Page block order: %u\nPages per block:  %lu\n\n", PAGEBLOCK_ORDER,
		   PAGEBLOCK_NR_PAGES);
	out_printf(o, "%-43s ", "Free pages count per migrate type at order");
	for (unsigned int order = 0; order < MAX_ORDER; order++)
		out_printf(o, "%6u ", order);
	out_printf(o, "\n");
	for_each_zone(z) {
		if (z->nr_present)
			show_free_by_type(o, z);
	}
	out_printf(o, "\n%-23s", "Number of blocks type ");
	for (unsigned int i = 0; i < ARRAY_SIZE(page_types); i++)
		out_printf(o, "%12s ", page_types[i].name);
	out_printf(o, "\n");
	for_each_zone(z) {
		if (z->nr_present)
			show_blocks_by_type(o, z);
	}
}

/* ---- zoneinfo --------------------------------------------------------------------------- */

#define ZONEINFO_PAGE_TABLES "nr_page_table_pages"

static const char *const node_stats[] = {
	"nr_inactive_anon",
	"nr_active_anon",
	"nr_inactive_file",
	"nr_active_file",
	"nr_unevictable",
	"nr_slab_reclaimable",
	"nr_slab_unreclaimable",
	"nr_isolated_anon",
	"nr_isolated_file",
	"workingset_nodes",
	"workingset_refault_anon",
	"workingset_refault_file",
	"workingset_activate_anon",
	"workingset_activate_file",
	"workingset_restore_anon",
	"workingset_restore_file",
	"workingset_nodereclaim",
	"nr_anon_pages",
	"nr_mapped",
	"nr_file_pages",
	"nr_dirty",
	"nr_writeback",
	"nr_writeback_temp",
	"nr_shmem",
	"nr_shmem_hugepages",
	"nr_shmem_pmdmapped",
	"nr_file_hugepages",
	"nr_file_pmdmapped",
	"nr_anon_transparent_hugepages",
	"nr_vmscan_write",
	"nr_vmscan_immediate_reclaim",
	"nr_dirtied",
	"nr_written",
	"nr_throttled_written",
	"nr_kernel_misc_reclaimable",
	"nr_foll_pin_acquired",
	"nr_foll_pin_released",
	"nr_kernel_stack",
	ZONEINFO_PAGE_TABLES,
	"nr_sec_page_table_pages",
	"nr_swapcached",
};

/* Behind nr_free_pages, all 0. */
static const char *const zone_stats[] = {
	"nr_zone_inactive_anon",
	"nr_zone_active_anon",
	"nr_zone_inactive_file",
	"nr_zone_active_file",
	"nr_zone_unevictable",
	"nr_zone_write_pending",
	"nr_mlock",
	"nr_bounce",
	"nr_zspages",
	"nr_free_cma",
};

static void show_stat(struct out *o, const char *name, unsigned long val)
{
	out_printf(o, "      %-12s %lu\n", name, val);
}

static void show_node_stats(struct out *o)
{
	out_printf(o, "  per-node stats\n");
	for (unsigned int i = 0; i < ARRAY_SIZE(node_stats); i++) {
		bool tables = strcmp(node_stats[i], ZONEINFO_PAGE_TABLES) == 0;

		show_stat(o, node_stats[i], tables ? pgtable_nr_pages() : 0);
	}
}

static void show_zone_limits(struct out *o, const struct zone *z, unsigned long nr_free)
{
	out_printf(o, "  pages free     %lu\n", nr_free);
	out_printf(o, "        boost    0\n");
	out_printf(o, "        min      %lu\n", z->watermark[WMARK_MIN]);
	out_printf(o, "        low      %lu\n", z->watermark[WMARK_LOW]);
	out_printf(o, "        high     %lu\n", z->watermark[WMARK_HIGH]);
	out_printf(o, "        spanned  %lu\n", z->nr_spanned);
	out_printf(o, "        present  %lu\n", z->nr_present);
	out_printf(o, "        managed  %lu\n", z->nr_managed);
	out_printf(o, "        cma      0\n");
	out_printf(o, "        protection: (%lu", z->lowmem_reserve[0]);
	for (unsigned int i = 1; i < NR_ZONES; i++)
		out_printf(o, ", %lu", z->lowmem_reserve[i]);
	out_printf(o, ")\n");
}

static void show_pagesets(struct out *o, const struct zone *z)
{
	unsigned long count, high, batch;

	out_printf(o, "  pagesets\n");
	for (unsigned int cpu = 0; cpu < env_nr_cpus(); cpu++) {
		pcp_counts(cpu, z->type, &count, &high, &batch);
		out_printf(o, "    cpu: %u\n", cpu);
		out_printf(o, "              count: %lu\n", count);
		out_printf(o, "              high:  %lu\n", high);
		out_printf(o, "              batch: %lu\n", batch);
		out_printf(o, "  vm stats threshold: 0\n");
	}
}

static void show_zone(struct out *o, struct zone *z, bool first)
{
	struct zone_counts c;

	zone_count(z, &c);
	out_printf(o, "Node 0, zone %8s\n", z->name);
	if (first)
		show_node_stats(o);
	show_zone_limits(o, z, c.nr_free);
	if (!z->nr_present)
		return;
	show_stat(o, "nr_free_pages", c.nr_free);
	for (unsigned int i = 0; i < ARRAY_SIZE(zone_stats); i++)
		show_stat(o, zone_stats[i], 0);
	show_pagesets(o, z);
	out_printf(o, "  node_unreclaimable:  0\n");
	out_printf(o, "  start_pfn:           %lu\n", z->start_pfn);
}

/* The statistics of the node stand in its first zone that has memory. */
QAPI void zoneinfo_show(struct out *o)
{
	bool shown = false;
	struct zone *z;

	for_each_zone(z) {
		bool first = z->nr_present && !shown;

		show_zone(o, z, first);
		shown |= first;
	}
}

/* ---- meminfo ---------------------------------------------------------------------------- */

/*
 * What a request can take before the allocator has to work for it: the free pages without each
 * zone's high watermark and the largest reserve that it keeps for requests that need it.
 */
static unsigned long nr_available(void)
{
	unsigned long nr = 0, nr_free, kept;
	struct zone *z;

	for_each_zone(z) {
		kept = 0;
		for (unsigned int i = 0; i < NR_ZONES; i++)
			kept = max(kept, z->lowmem_reserve[i]);
		kept += z->watermark[WMARK_HIGH];
		nr_free = READ_ONCE(z->nr_free);
		nr += nr_free > kept ? nr_free - kept : 0;
	}
	return nr;
}

static void show_kb(struct out *o, const char *name, unsigned long kb)
{
	char label[20];

	scnprintf(label, sizeof(label), "%s:", name);
	out_printf(o, "%-16s%8lu kB\n", label, kb);
}

static void show_pages(struct out *o, const char *name, unsigned long nr_pages)
{
	show_kb(o, name, nr_pages << (PAGE_SHIFT - 10));
}

static void show_zeros(struct out *o, const char *const *names, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		show_kb(o, names[i], 0);
}

static void show_memory(struct out *o, const struct mm_account *a)
{
	static const char *const caches[] = {
		"Buffers",        "Cached",       "SwapCached",     "Active",
		"Inactive",       "Active(anon)", "Inactive(anon)", "Active(file)",
		"Inactive(file)", "Unevictable",  "Mlocked",
	};
	const struct zone *high = &zones[ZONE_HIGHMEM];
	unsigned long high_free = READ_ONCE(high->nr_free);

	show_pages(o, "MemTotal", a->nr_managed);
	show_pages(o, "MemFree", a->nr_free);
	show_pages(o, "MemAvailable", nr_available());
	show_zeros(o, caches, ARRAY_SIZE(caches));
	show_pages(o, "HighTotal", high->nr_managed);
	show_pages(o, "HighFree", high_free);
	show_pages(o, "LowTotal", a->nr_managed - high->nr_managed);
	show_pages(o, "LowFree", a->nr_free - high_free);
}

static void show_uses(struct out *o, const struct mm_account *a)
{
	static const char *const before[] = {
		"SwapTotal", "SwapFree", "Dirty", "Writeback", "AnonPages", "Mapped", "Shmem",
	};
	static const char *const after[] = {
		"SecPageTables", "NFS_Unstable", "Bounce",
		"WritebackTmp",  "CommitLimit",  "Committed_AS",
	};
	static const char *const rest[] = {
		"VmallocChunk",   "Percpu",        "AnonHugePages", "ShmemHugePages",
		"ShmemPmdMapped", "FileHugePages", "FilePmdMapped",
	};

	static const char *const stacks[] = { "KernelStack" };
	unsigned long reclaimable = slab_nr_pages(true), unreclaimable = slab_nr_pages(false);
	struct vm_counts vm;

	vm_count(&vm);
	show_zeros(o, before, ARRAY_SIZE(before));
	show_pages(o, "KReclaimable", reclaimable);
	show_pages(o, "Slab", reclaimable + unreclaimable);
	show_pages(o, "SReclaimable", reclaimable);
	show_pages(o, "SUnreclaim", unreclaimable);
	show_zeros(o, stacks, ARRAY_SIZE(stacks));
	show_pages(o, "PageTables", a->nr_pgtable);
	show_zeros(o, after, ARRAY_SIZE(after));
	show_kb(o, "VmallocTotal", (mm_layout.vmalloc_end - mm_layout.vmalloc_start) >> 10);
	show_pages(o, "VmallocUsed", vm.nr_pages);
	show_zeros(o, rest, ARRAY_SIZE(rest));
}

/* Huge pages are counted, not measured: no unit, and a large page is what the port's level 1 is. */
static void show_huge_pages(struct out *o)
{
	static const char *const counts[] = { "HugePages_Total:", "HugePages_Free:",
					      "HugePages_Rsvd:", "HugePages_Surp:" };

	for (unsigned int i = 0; i < ARRAY_SIZE(counts); i++)
		out_printf(o, "%-16s%8u\n", counts[i], 0);
	show_kb(o, "Hugepagesize", 1ul << (pt_shift(1) - 10));
	show_kb(o, "Hugetlb", 0);
}

/* How much of the direct map is mapped by entries of each level. */
static void show_direct_map(struct out *o)
{
	unsigned long kb[PT_LEVELS] = { 0 };
	uintptr_t va = PAGE_OFFSET;
	struct pt_walk w;
	char name[20];

	while (va < mm_layout.high_memory) {
		uintptr_t next;

		pgtable_walk(va, &w);
		next = ALIGN_DOWN(va, 1ul << pt_shift(w.level)) + (1ul << pt_shift(w.level));
		if (w.present)
			kb[w.level] += (min(next, mm_layout.high_memory) - va) >> 10;
		va = next;
	}
	show_kb(o, "DirectMap4k", kb[0]);
	for (unsigned int level = 1; level < PT_LEVELS; level++) {
		scnprintf(name, sizeof(name), "DirectMap%luM", 1ul << (pt_shift(level) - 20));
		show_kb(o, name, kb[level]);
	}
}

QAPI void meminfo_show(struct out *o)
{
	struct mm_account a;

	mm_account(&a);
	show_memory(o, &a);
	show_uses(o, &a);
	show_huge_pages(o);
	show_direct_map(o);
	/* Not in MemFree: these pages are in no free list, though nobody owns them. */
	show_pages(o, "PerCpuLists", a.nr_pcp);
}

/* ---- limits ----------------------------------------------------------------------------- */

#define MAX_BLOCK_PAGES (1ul << (MAX_ORDER - 1))
#define PAGE_KIB        (PAGE_SIZE / KiB)

static void show_requests(struct out *o)
{
	out_printf(o, "request alloc_pages max_order=%u max_pages=%lu max_kib=%lu\n", MAX_ORDER - 1,
		   MAX_BLOCK_PAGES, MAX_BLOCK_PAGES * PAGE_KIB);
	out_printf(o, "request __get_free_pages max_order=%u max_pages=%lu max_kib=%lu\n",
		   MAX_ORDER - 1, MAX_BLOCK_PAGES, MAX_BLOCK_PAGES * PAGE_KIB);
	out_printf(o, "request alloc_pages_exact max_pages=%lu max_kib=%lu\n", MAX_BLOCK_PAGES,
		   MAX_BLOCK_PAGES * PAGE_KIB);
	out_printf(o, "request alloc_pages_bulk_array max_pages=%lu (free now, watermarks aside)\n",
		   nr_free_pages());
	out_printf(o, "reserve min_free_kbytes=%lu\n", mm_min_free_kbytes());
}

static void show_zone_line(struct out *o, struct zone *z)
{
	struct zone_counts c;
	unsigned int order = MAX_ORDER;

	zone_count(z, &c);
	while (order && !blocks_of_order(&c, order - 1))
		order--;
	out_printf(o, "zone name=%s start_pfn=0x%05lx end_pfn=0x%05lx managed=%lu free=%lu ",
		   z->name, z->start_pfn, zone_end_pfn(z), z->nr_managed, c.nr_free);
	out_printf(o, "min=%lu low=%lu high=%lu largest_free=", z->watermark[WMARK_MIN],
		   z->watermark[WMARK_LOW], z->watermark[WMARK_HIGH]);
	if (order)
		out_printf(o, "order-%u\n", order - 1);
	else
		out_printf(o, "none\n");
}

static void show_percpu_line(struct out *o, struct zone *z)
{
	unsigned long count, high, batch;

	pcp_counts(smp_cpu_id(), z->type, &count, &high, &batch);
	out_printf(o, "percpu zone=%s pages=%lu high=%lu batch=%lu (this CPU's)\n", z->name, count,
		   high, batch);
}

QAPI void limits_show(struct out *o)
{
	struct zone *z;

	show_requests(o);
	for_each_zone(z) {
		if (!z->nr_present)
			continue;
		show_zone_line(o, z);
		show_percpu_line(o, z);
	}
	va_map_show(o);
}
