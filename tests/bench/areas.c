/*
 * areas.c - rows of the benchmark: vmalloc(), vmap(), ioremap().
 *
 * NOT HERE.  What a flush costs: it is in the mean of the amortised rows, in a pair by chance only.
 */
#include <quarry/gfp.h>
#include <quarry/prot.h>
#include <quarry/sizes.h>
#include <quarry/slab.h>
#include <quarry/vmalloc.h>

#include "rows.h"

#define SLOW       301u /* brackets of a row that does much at once */
#define VERY_SLOW  101u
#define SLOWEST    31u
#define NR_LIVE    1000u
#define NR_REPLACE 5000u
#define NR_MAPPED  16u
#define DEVICE     0xFEC00000ull

/* ---- vmalloc ----------------------------------------------------------------------------- */

#define VMALLOC_PAIR(nr, brackets)                                         \
	BENCH_PAIR("vmalloc(" #nr " pages)", brackets, NULL, nr * 4 * KiB, \
		   obj = vmalloc(bench_arg), vfree(obj))

VMALLOC_PAIR(1, BENCH_MANY);
VMALLOC_PAIR(4, BENCH_MANY);
VMALLOC_PAIR(16, BENCH_MANY);
VMALLOC_PAIR(64, SLOW);
VMALLOC_PAIR(256, SLOW);
VMALLOC_PAIR(1024, VERY_SLOW);
VMALLOC_PAIR(4096, SLOWEST);

static QAPI void nothing(void)
{
}

static QAPI void take_and_give(void)
{
	BENCH_STAMP(0);
	vfree(vmalloc(bench_arg));
	BENCH_STAMP(1);
}

#define VMALLOC_AMORTISED(pages, rounds)                                          \
	BENCH_ROW(amortised_##pages) = { .name = "vmalloc+vfree(" #pages          \
						 " pages) amortised incl. purge", \
					 .kind = BENCH_KIND_ROUNDS,               \
					 .nr = rounds,                            \
					 .arg = pages * 4 * KiB,                  \
					 .bracket = take_and_give,                \
					 .prepare = nothing }

VMALLOC_AMORTISED(1, 20000);
VMALLOC_AMORTISED(4, 20000);
VMALLOC_AMORTISED(16, 5000);
VMALLOC_AMORTISED(64, 2000);
VMALLOC_AMORTISED(256, 1000);
VMALLOC_AMORTISED(1024, 300);
VMALLOC_AMORTISED(4096, 60);

BENCH_PAIR("vzalloc(4 pages)", BENCH_MANY, NULL, 16 * KiB, obj = vzalloc(bench_arg), vfree(obj));
BENCH_PAIR("kvmalloc(1M)", SLOW, NULL, MiB, obj = kvmalloc(bench_arg, GFP_KERNEL), kvfree(obj));

/* ---- other people's pages ---------------------------------------------------------------- */

static struct page *pages[NR_MAPPED];
static void *area;

static QAPI void pages_down(void)
{
	vm_unmap_aliases();
	free_pages_bulk_array(NR_MAPPED, pages);
	for (unsigned int i = 0; i < NR_MAPPED; i++)
		pages[i] = NULL;
}

static QAPI bool pages_up(unsigned long arg)
{
	(void)arg;
	if (alloc_pages_bulk_array(GFP_KERNEL | __GFP_HIGHMEM, NR_MAPPED, pages) == NR_MAPPED)
		return true;
	pages_down();
	return false;
}

static const struct bench_stage pages_stage = { pages_up, pages_down };

BENCH_PAIR("vmap(16 pages)", BENCH_MANY, &pages_stage, 0,
	   obj = vmap(pages, NR_MAPPED, VM_MAP, PROT_KERNEL), vunmap(obj));
BENCH_PAIR("vmap(1 page)", BENCH_MANY, &pages_stage, 0, obj = vmap(pages, 1, VM_MAP, PROT_KERNEL),
	   vunmap(obj));
BENCH_PAIR("vm_map_ram(16 pages)", BENCH_MANY, &pages_stage, 0,
	   obj = vm_map_ram(pages, NR_MAPPED, -1, PROT_KERNEL), vm_unmap_ram(obj, NR_MAPPED));

/* ---- replacing one of many --------------------------------------------------------------- */

static void *live[NR_LIVE];
static unsigned int replaced;
static size_t replacement_size;

static QAPI void live_down(void)
{
	for (unsigned int i = 0; i < NR_LIVE; i++)
		vfree(live[i]);
}

/* bench_arg: the most pages that one has. */
static QAPI bool live_up(unsigned long nr_max)
{
	bool all = true;

	for (unsigned int i = 0; i < NR_LIVE; i++) {
		live[i] = vmalloc((1 + bench_random_below(nr_max)) * 4 * KiB);
		all = all && live[i];
	}
	if (!all)
		live_down();
	return all;
}

static QAPI void live_prepare(void)
{
	replaced = bench_random_below(NR_LIVE);
	replacement_size = (1 + bench_random_below(bench_arg)) * 4 * KiB;
}

static QAPI void live_replace(void)
{
	BENCH_STAMP(0);
	vfree(live[replaced]);
	live[replaced] = vmalloc(replacement_size);
	BENCH_STAMP(1);
}

static const struct bench_stage live_stage = { live_up, live_down };

#define LIVE_ROW(id, name_, nr_max)                  \
	BENCH_ROW(id) = { .name = name_,             \
			  .kind = BENCH_KIND_ROUNDS, \
			  .nr = NR_REPLACE,          \
			  .stage = &live_stage,      \
			  .arg = nr_max,             \
			  .bracket = live_replace,   \
			  .prepare = live_prepare }

LIVE_ROW(live_16, "vmalloc 1000 live, random vfree+vmalloc 1..16p pair", 16);
LIVE_ROW(live_1, "vmalloc 1000 live, random vfree+vmalloc 1p pair", 1);

/* ---- looking ----------------------------------------------------------------------------- */

static QAPI bool area_up(unsigned long size)
{
	area = vmalloc(size);
	return area != NULL;
}

static QAPI void area_down(void)
{
	vfree(area);
}

static const struct bench_stage area_stage = { area_up, area_down };

BENCH_ONE("vmalloc_to_page", BENCH_MANY, &area_stage, 16 * KiB, BENCH_USE(vmalloc_to_page(area)));
BENCH_ONE("is_vmalloc_addr", BENCH_MANY, &area_stage, 16 * KiB,
	  BENCH_USE((uintptr_t)is_vmalloc_addr(area)));

/* ---- devices ----------------------------------------------------------------------------- */

#define IOREMAP_PAIR(name, size) \
	BENCH_PAIR(name, BENCH_MANY, NULL, size, obj = ioremap(DEVICE, bench_arg), iounmap(obj))

IOREMAP_PAIR("ioremap(4K)", 4 * KiB);
IOREMAP_PAIR("ioremap(64K)", 64 * KiB);
IOREMAP_PAIR("ioremap(1M)", 1 * MiB);
