/*
 * area_oom.c - areas for which there are not enough page tables, pages or addresses.
 *
 * THEORY.  A page table that is missing is one page from lowmem.  So every page of lowmem is taken,
 * reserves included, and the calls are made by a thread that may use reserves, which neither waits
 * nor has anything reclaimed: it gets exactly the pages that the test gives back.  A call is
 * repeated with one page at a time; each time it has one table more, and fails at the next one, at
 * the first, the second, the third, until it succeeds.  Tables are never freed, so what a failure
 * leaves behind is exactly the table that it made.
 *
 * The area is made so large that it reaches beyond all tables that there are, wherever it begins.
 * This file's tests run before those that map the whole range.
 *
 * STATE.  What the calls map.
 */
#include "helpers.h"

#include <quarry/align.h>
#include <quarry/env.h>
#include <quarry/pgtable.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

#define TABLE_SPAN ((uintptr_t)1 << pt_shift(1)) /* what one table maps */
#define NR_MISSING 3u                            /* tables that the area lacks, at least */
#define DEVICE     0xF0000000ull                 /* no RAM on any machine */

static struct page *one_page, **same_page; /* the second: the first, many times */
static size_t area_size;

typedef QAPI void *(*make_t)(void);
typedef QAPI void (*unmake_t)(void *va);

/* ---- the calls -------------------------------------------------------------------------- */

static QAPI void *make_vmap(void)
{
	return vmap(same_page, area_size / PAGE_SIZE, VM_MAP, PROT_KERNEL);
}

static QAPI void unmake_vmap(void *va)
{
	vunmap(va);
}

static QAPI void *make_ram(void)
{
	return vm_map_ram(same_page, area_size / PAGE_SIZE, -1, PROT_KERNEL);
}

static QAPI void unmake_ram(void *va)
{
	vm_unmap_ram(va, area_size / PAGE_SIZE);
}

static QAPI void *make_device(void)
{
	return ioremap(DEVICE, area_size);
}

static QAPI void unmake_device(void *va)
{
	iounmap(va);
}

static QAPI void *make_vmalloc(void)
{
	return vmalloc(area_size);
}

static QAPI void *make_silent(void)
{
	return __vmalloc(area_size, GFP_KERNEL | __GFP_HIGHMEM | __GFP_NOWARN, PROT_KERNEL);
}

static QAPI void unmake_vmalloc(void *va)
{
	vfree(va);
}

/* ---- the shortage ----------------------------------------------------------------------- */

/* Is there a table of level 0 for @va? */
static bool has_table(uintptr_t va)
{
	struct pt_walk w;

	pgtable_walk(va, &w);
	return !w.level;
}

/* The lowest address of the vmalloc range from which on NR_MISSING tables are missing; 0: none. */
static uintptr_t untabled_from(void)
{
	uintptr_t va = ALIGN_UP(mm_layout.vmalloc_start, TABLE_SPAN);
	unsigned int nr = 0;

	for (; va + TABLE_SPAN <= mm_layout.vmalloc_end; va += TABLE_SPAN) {
		nr = has_table(va) ? 0 : nr + 1;
		if (nr == NR_MISSING)
			return va - (NR_MISSING - 1) * TABLE_SPAN;
	}
	return 0;
}

static unsigned long nr_mapped(void)
{
	uintptr_t va = mm_layout.vmalloc_start;
	unsigned long nr = 0;
	struct pt_walk w;

	while (va < mm_layout.vmalloc_end) {
		pgtable_walk(va, &w);
		nr += w.present;
		va = w.level ? ALIGN_DOWN(va, TABLE_SPAN) + TABLE_SPAN : va + PAGE_SIZE;
	}
	return nr;
}

static size_t array_size(void)
{
	return area_size / PAGE_SIZE * sizeof(struct page *);
}

/* As large as it takes, and all that is mapped of it one page. */
static bool setup(struct ktest *t)
{
	uintptr_t untabled;

	one_page = alloc_page(GFP_KERNEL);
	if (!one_page)
		return false;
	/* Afterwards a descriptor is at hand. */
	vunmap(vmap(&one_page, 1, VM_MAP, PROT_KERNEL));
	untabled = untabled_from();
	EXPECT_NE(t, 0, untabled);
	area_size =
		untabled - ALIGN_DOWN(mm_layout.vmalloc_start, PAGE_SIZE) + NR_MISSING * TABLE_SPAN;
	same_page = untabled ? alloc_pages_exact(array_size(), GFP_KERNEL) : NULL;
	EXPECT_NE(t, NULL, same_page);
	for (unsigned long i = 0; same_page && i < area_size / PAGE_SIZE; i++)
		same_page[i] = one_page;
	return same_page != NULL;
}

static void teardown(void)
{
	if (same_page)
		free_pages_exact(same_page, array_size());
	if (one_page)
		__free_page(one_page);
	same_page = NULL;
	one_page = NULL;
}

struct state {
	struct vm_counts counts;
	unsigned long nr_pages, nr_mapped;
};

static struct state state_now(void)
{
	struct state s = { .nr_pages = nr_available() + pgtable_nr_pages(),
			   .nr_mapped = nr_mapped() };

	vm_count(&s.counts);
	return s;
}

static void expect_same(struct ktest *t, const struct state *was, const struct state *is)
{
	EXPECT_EQ(t, was->nr_pages, is->nr_pages);
	EXPECT_EQ(t, was->nr_mapped, is->nr_mapped);
	EXPECT_EQ(t, was->counts.nr_areas, is->counts.nr_areas);
	EXPECT_EQ(t, was->counts.nr_pages, is->counts.nr_pages);
	EXPECT_EQ(t, was->counts.used_bytes, is->counts.used_bytes);
	EXPECT_EQ(t, was->counts.largest, is->counts.largest);
	EXPECT_EQ(t, was->counts.nr_lazy_pages, is->counts.nr_lazy_pages);
}

/* One call, by a thread that may use what is reserved. */
static void *call(make_t make)
{
	void *va;

	env_current()->flags |= PF_MEMALLOC;
	va = make();
	env_current()->flags &= ~PF_MEMALLOC;
	return va;
}

/* Nothing was mapped or kept, but for @nr_tables tables. */
static void expect_failure(struct ktest *t, make_t make, unsigned int nr_tables)
{
	unsigned long tables = pgtable_nr_pages();
	struct state was = state_now(), is;
	void *va = call(make);

	is = state_now();
	EXPECT_EQ(t, NULL, va);
	EXPECT_EQ(t, tables + nr_tables, pgtable_nr_pages());
	expect_same(t, &was, &is);
}

/* With no page, then with one at a time, until all tables are there. */
static void run_short(struct ktest *t, make_t make, unmake_t unmake)
{
	struct page *spare[NR_MISSING];
	unsigned int nr = 0;
	HOARD(lowmem);
	void *va;

	while (nr < NR_MISSING && (spare[nr] = alloc_page(GFP_KERNEL)) != NULL)
		nr++;
	hoard_everything(&lowmem, gfp_of_zone(ZONE_NORMAL));
	for (unsigned int i = 0; i < nr; i++) {
		expect_failure(t, make, i ? 1 : 0);
		__free_page(spare[i]);
	}
	va = call(make);
	EXPECT_NE(t, NULL, va);
	if (va)
		unmake(va);
	hoard_free(&lowmem);
	EXPECT_EQ(t, NR_MISSING, nr);
}

static void try_call(struct ktest *t, make_t make, unmake_t unmake, unsigned int nr_reports)
{
	struct capture *c;

	if (setup(t)) {
		c = capture_begin();
		run_short(t, make, unmake);
		capture_end(c);
		EXPECT_EQ(t, nr_reports, capture_count(c, "failed"));
		EXPECT_EQ(t, nr_reports, capture_count(c, "vmalloc of "));
		EXPECT_EQ(t, 0, nr_reports ? 0 : c->len);
	}
	teardown();
}

KTEST_NEEDS(area_oom, vmap_without_one_of_its_tables_leaves_nothing_behind, .ram_mib = 12)
{
	try_call(t, make_vmap, unmake_vmap, 0);
}

KTEST_NEEDS(area_oom, vm_map_ram_without_one_of_its_tables_leaves_nothing_behind, .ram_mib = 12)
{
	try_call(t, make_ram, unmake_ram, 0);
}

KTEST_NEEDS(area_oom, ioremap_without_one_of_its_tables_leaves_nothing_behind, .ram_mib = 12)
{
	try_call(t, make_device, unmake_device, 0);
}

/* Its pages come from HIGHMEM, its tables cannot. */
KTEST_NEEDS(area_oom, vmalloc_without_one_of_its_tables_reports_once_and_keeps_nothing,
	    .ram_mib = 1000, .zones = KTEST_ZONE_HIGHMEM)
{
	try_call(t, make_vmalloc, unmake_vmalloc, NR_MISSING);
}

KTEST_NEEDS(area_oom, without_a_table_a_vmalloc_that_is_to_be_silent_is, .ram_mib = 1000,
	    .zones = KTEST_ZONE_HIGHMEM)
{
	try_call(t, make_silent, unmake_vmalloc, 0);
}

/* ---- pages ------------------------------------------------------------------------------ */

#define NR_PAGES 150u /* two chunks, and a part of a third */

/* With each number of pages up to what is enough, tables being there: exactly that many suffice. */
KTEST(area_oom, with_any_number_of_pages_too_few_vmalloc_gives_all_back_at_once)
{
	static const unsigned int numbers[] = { 0, 1, 63, 64, 65, 128, NR_PAGES - 1 };
	struct page *spare[NR_PAGES];
	unsigned int nr = 0, nr_given = 0;
	HOARD(rest);
	void *va;

	area_size = NR_PAGES * PAGE_SIZE;
	vfree(vmalloc(area_size)); /* the tables, and a descriptor */
	vm_unmap_aliases();
	while (nr < NR_PAGES && (spare[nr] = alloc_page(GFP_KERNEL)) != NULL)
		nr++;
	hoard_machine(&rest);
	for (unsigned int i = 0; nr == NR_PAGES && i < ARRAY_SIZE(numbers); i++) {
		while (nr_given < numbers[i])
			__free_page(spare[nr_given++]);
		expect_failure(t, make_silent, 0);
	}
	while (nr_given < nr)
		__free_page(spare[nr_given++]);
	va = call(make_silent);
	hoard_free(&rest);
	EXPECT_NE(t, NULL, va);
	vfree(va);
}

/* Nothing is reclaimed for it: the only pages of the machine are those of an area just freed. */
KTEST(area_oom, vmalloc_finds_the_pages_that_wait_for_a_flush)
{
	HOARD(rest);
	void *va, *first;

	area_size = NR_PAGES * PAGE_SIZE;
	first = vmalloc(2 * area_size + PAGE_SIZE); /* tables for both, wherever they lie */
	vfree(first);
	vm_unmap_aliases();
	first = vmalloc(area_size);
	va = vmalloc(1);
	vfree(va); /* a descriptor for the second */
	vm_unmap_aliases();
	hoard_machine(&rest);
	vfree(first);
	va = call(make_silent);
	hoard_free(&rest);
	EXPECT_TRUE(t, first && va);
	vfree(va);
}
