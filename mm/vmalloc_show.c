/*
 * vmalloc_show.c - every area as a line of text.
 *
 * THEORY.  The format is that of Linux 6.1's /proc/vmallocinfo.  The guard counts as part of an
 * area there: of its size and of its addresses.  What is lazy has Linux's line for that, too.
 *
 * LOCKING.  One area at a time is copied under the lock and printed after it, because a sink may be
 * slow; the next one is the lowest above it at that moment.  So each line is true, and areas that
 * come and go meanwhile may be missing.
 *
 * CONTEXT.  Any.
 */
#include <quarry/mm.h>
#include <quarry/out.h>

#include "vmalloc.h"

static void show_area(struct out *o, const struct vm_area *area)
{
	const struct va_range *r = &area->range;

	out_printf(o, "0x%08lx-0x%08lx %7lu", (unsigned long)r->start, (unsigned long)r->grip_end,
		   (unsigned long)(r->grip_end - r->start));
	if (area->freed) {
		out_printf(o, " unpurged vm_area\n");
		return;
	}
	out_printf(o, " ");
	vm_caller_show(o, area->caller);
	if (area->nr_pages)
		out_printf(o, " pages=%lu", area->nr_pages);
	if (area->flags & VM_IOREMAP)
		out_printf(o, " phys=0x%08llx ioremap", area->pa);
	if (area->flags & VM_ALLOC)
		out_printf(o, " vmalloc");
	if (area->flags & VM_MAP)
		out_printf(o, " vmap");
	out_printf(o, "\n");
}

QAPI void vmallocinfo_show(struct out *o)
{
	uintptr_t va = mm_layout.vmalloc_start;
	struct vm_area area;

	while (vm_area_copy(va, &area)) {
		show_area(o, &area);
		va = area.range.grip_end;
	}
}
