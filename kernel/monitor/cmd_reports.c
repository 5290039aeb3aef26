/*
 * cmd_reports.c - commands that show the state of mm/.
 *
 * THEORY.  Every report is a function of mm/ that prints itself to a sink; a command hands it the
 * monitor's.  What the reports say, and in which format, is theirs.
 *
 * CONTEXT.  The monitor's thread.
 */
#include <quarry/compiler.h>
#include <quarry/dma.h>
#include <quarry/errno.h>
#include <quarry/fixmap.h>
#include <quarry/highmem.h>
#include <quarry/limits.h>
#include <quarry/mempool.h>
#include <quarry/mm.h>
#include <quarry/monitor.h>
#include <quarry/pgtable.h>
#include <quarry/slab.h>
#include <quarry/vmalloc.h>

MONITOR_REPORT(memblock, memblock_show, "RAM and reservations by name, from before the pages");
MONITOR_REPORT(meminfo, meminfo_show, "memory in kB, as /proc/meminfo");
MONITOR_REPORT(buddyinfo, buddyinfo_show, "free blocks by zone and order, as /proc/buddyinfo");
MONITOR_REPORT(zoneinfo, zoneinfo_show, "zones, watermarks, per-CPU lists, as /proc/zoneinfo");
MONITOR_REPORT(pagetypeinfo, pagetypeinfo_show, "free blocks by mobility, as /proc/pagetypeinfo");
MONITOR_REPORT(vmallocinfo, vmallocinfo_show, "areas of addresses, as /proc/vmallocinfo");
MONITOR_REPORT(pkmap, pkmap_show, "slots of kmap(): pages, counts, who holds them");
MONITOR_REPORT(fixmap, fixmap_show, "fixed pages that are mapped");
MONITOR_REPORT(dma, dma_show, "memory of devices: coherent, bounced, pools");
MONITOR_REPORT(slabinfo, slabinfo_show, "slab caches, as /proc/slabinfo");
MONITOR_REPORT(mempools, mempools_show, "memory pools: what each holds in reserve, who made it");
MONITOR_REPORT(limits, limits_show, "largest requests, limits of zones, address map");

static QAPI int cmd_page(struct out *o, int argc, char **argv)
{
	pfn_t pfn;
	int err;

	if (argc != 2)
		return -EINVAL;
	err = monitor_parse_pfn(argv[1], &pfn);
	if (err)
		return err;
	page_show(o, pfn_to_page(pfn));
	return 0;
}
MONITOR_COMMAND(page, "<pfn|0xVA|pa:0xPA>", "what is known about a page frame", cmd_page);

static QAPI int cmd_pt(struct out *o, int argc, char **argv)
{
	unsigned long va;

	if (argc != 2 || monitor_parse_ulong(argv[1], &va))
		return -EINVAL;
	pgtable_show(o, va);
	return 0;
}
MONITOR_COMMAND(pt, "<0xVA>", "walk the page tables to an address", cmd_pt);
