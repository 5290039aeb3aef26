/*
 * pgtable.c - the kernel's page tables: what boot left behind, and changing ranges of them.
 *
 * THEORY.  The first half looks at the tables as they are: what is mapped, how, and what is not.
 * The second half maps memory that the test owns at addresses nobody else uses (the ends of the
 * vmalloc range), reads it through one mapping and writes it through the other, and lets probes
 * fault where a fault is due.
 *
 * Page tables are never freed: a test may leave some behind, and the hooks count them in.  Large
 * pages that a test split stay split, too; they are remembered, because another test wants to find
 * all others whole.
 *
 * STATE.  split_at[]: large pages of the direct map that tests split.
 */
#include "helpers.h"

#include <quarry/align.h>
#include <quarry/errno.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/pgtable.h>
#include <quarry/port.h>
#include <quarry/string.h>

#define LARGE_SIZE (1ul << pt_shift(1))
#define MARK       0x9A61E000u
#define NR_SPLITS  32u

static uintptr_t split_at[NR_SPLITS];
static unsigned int nr_splits;

static void remember_split(uintptr_t va)
{
	if (nr_splits < NR_SPLITS)
		split_at[nr_splits++] = ALIGN_DOWN(va, LARGE_SIZE);
}

static bool was_split(uintptr_t va)
{
	for (unsigned int i = 0; i < nr_splits; i++)
		if (split_at[i] == va)
			return true;
	return false;
}

static bool is_mapped(uintptr_t va)
{
	struct pt_walk w;

	pgtable_walk(va, &w);
	return w.present;
}

static bool can_read(uintptr_t va)
{
	unsigned long val;

	return probe_read((const void *)va, &val) == 0;
}

/* Writing back what is there: nothing changes, and nothing may come in between. */
static bool can_write(uintptr_t va)
{
	unsigned long flags = irq_save();
	unsigned long val;
	bool ok = probe_read((const void *)va, &val) == 0 && probe_write((void *)va, val) == 0;

	irq_restore(flags);
	return ok;
}

/* ---- as boot left it ---------------------------------------------------------------------- */

KTEST(pgtable, nothing_below_the_direct_map_is_mapped)
{
	unsigned long nr_mapped = 0;
	struct pt_walk w;

	for (uintptr_t va = 0; va < PAGE_OFFSET; va += 1ul << pt_shift(w.level)) {
		pgtable_walk(va, &w);
		nr_mapped += pte_present(w.pte);
	}
	EXPECT_EQ(t, 0, nr_mapped);
}

KTEST(pgtable, null_and_stray_pointers_fault)
{
	unsigned long val = 42;

	EXPECT_ERR(t, -EFAULT, probe_read(NULL, &val));
	EXPECT_ERR(t, -EFAULT, probe_write(NULL, 1));
	EXPECT_EQ(t, -EFAULT, probe_read((void *)(PAGE_SIZE - sizeof(long)), &val));
	EXPECT_EQ(t, -EFAULT, probe_read((void *)(1 * MiB), &val)); /* the old identity mapping */
	EXPECT_EQ(t, -EFAULT, probe_write((void *)(1 * MiB), 1));
	EXPECT_EQ(t, -EFAULT, probe_read((void *)(PAGE_OFFSET - sizeof(long)), &val));
	EXPECT_EQ(t, 42, val);
}

KTEST(pgtable, the_last_page_of_the_address_space_faults)
{
	unsigned long val;

	EXPECT_FALSE(t, is_mapped(FIXMAP_TOP));
	EXPECT_EQ(t, -EFAULT, probe_read((void *)FIXMAP_TOP, &val));
	EXPECT_EQ(t, -EFAULT, probe_read((void *)-sizeof(long), &val));
}

KTEST(pgtable, the_hole_between_the_direct_map_and_vmalloc_is_not_mapped)
{
	unsigned long nr_mapped = 0;

	EXPECT_GE(t, VMALLOC_HOLE, mm_layout.vmalloc_start - mm_layout.high_memory);
	for (uintptr_t va = mm_layout.high_memory; va < mm_layout.vmalloc_start; va += PAGE_SIZE)
		nr_mapped += is_mapped(va);
	EXPECT_EQ(t, 0, nr_mapped);
	EXPECT_FALSE(t, can_read(mm_layout.high_memory));
}

static bool is_guard_page(uintptr_t va)
{
	unsigned int nr;
	const void *const *guards = port_guard_pages(&nr);

	for (unsigned int i = 0; i < nr; i++)
		if ((uintptr_t)guards[i] == va)
			return true;
	return false;
}

KTEST(pgtable, each_page_of_lowmem_is_mapped_at_its_place_but_for_guard_pages)
{
	unsigned long nr_wrong = 0;
	struct pt_walk w;

	for (uintptr_t va = PAGE_OFFSET; va != mm_layout.high_memory; va += PAGE_SIZE) {
		pgtable_walk(va, &w);
		if (is_guard_page(va))
			nr_wrong += w.present;
		else
			nr_wrong += !w.present || w.pa != va - PAGE_OFFSET;
	}
	EXPECT_EQ(t, 0, nr_wrong);
}

KTEST(pgtable, the_guard_pages_below_the_stacks_fault)
{
	unsigned int nr;
	const void *const *guards = port_guard_pages(&nr);
	unsigned long val;

	EXPECT_GE(t, 2, nr);
	for (unsigned int i = 0; i < nr; i++) {
		const char *guard = guards[i];

		EXPECT_EQ(t, -EFAULT, probe_read(guard, &val));
		EXPECT_EQ(t, -EFAULT, probe_read(guard + PAGE_SIZE - sizeof(long), &val));
		EXPECT_EQ(t, 0, probe_read(guard + PAGE_SIZE, &val));
	}
}

KTEST(pgtable, each_page_of_the_image_can_be_written_only_if_its_part_says_so)
{
	unsigned int nr;
	const struct port_image_part *part = port_image(&nr);
	unsigned long nr_wrong = 0;

	EXPECT_GE(t, 4, nr);
	for (unsigned int i = 0; i < nr; i++) {
		bool writable = part[i].boot_only || (part[i].prot & PROT_WRITE);

		for (const char *page = part[i].start; page < part[i].end; page += PAGE_SIZE) {
			if (is_guard_page((uintptr_t)page))
				continue;
			nr_wrong += !can_read((uintptr_t)page);
			nr_wrong += can_write((uintptr_t)page) != writable;
			nr_wrong +=
				can_write((uintptr_t)page + PAGE_SIZE - sizeof(long)) != writable;
		}
	}
	EXPECT_EQ(t, 0, nr_wrong);
}

static const char a_constant[] = "in rodata";

KTEST_NEEDS(pgtable, code_and_constants_are_read_only, .features = KTEST_IMAGE)
{
	static unsigned long a_variable;

	EXPECT_TRUE(t, can_read((uintptr_t)&alloc_pages));
	EXPECT_FALSE(t, can_write((uintptr_t)&alloc_pages));
	EXPECT_FALSE(t, can_write(ALIGN_DOWN((uintptr_t)a_constant, sizeof(long))));
	EXPECT_TRUE(t, can_write((uintptr_t)&a_variable));
}

KTEST(pgtable, the_image_is_mapped_by_small_pages)
{
	unsigned int nr;
	const struct port_image_part *part = port_image(&nr);
	uintptr_t end = (uintptr_t)part[nr - 1].end;
	unsigned long nr_large = 0;
	struct pt_walk w;

	for (uintptr_t va = (uintptr_t)part[0].start; va < end; va += PAGE_SIZE) {
		pgtable_walk(va, &w);
		nr_large += w.level != 0;
	}
	EXPECT_EQ(t, 0, nr_large);
}

/* An address in the image, which small pages map. */
static uintptr_t image_va(void)
{
	unsigned int nr;

	return (uintptr_t)port_image(&nr)[1].start;
}

static bool touches_image(uintptr_t va)
{
	unsigned int nr;
	const struct port_image_part *part = port_image(&nr);

	return va < (uintptr_t)part[nr - 1].end && va + LARGE_SIZE > (uintptr_t)part[0].start;
}

KTEST_NEEDS(pgtable, the_direct_map_away_from_the_image_is_made_of_large_pages,
	    .zones = KTEST_ZONE_NORMAL, .features = KTEST_PSE)
{
	uintptr_t end = ALIGN_DOWN(mm_layout.high_memory, LARGE_SIZE);
	unsigned long nr_large = 0;
	struct pt_walk w;

	for (uintptr_t va = PAGE_OFFSET; va < end; va += LARGE_SIZE) {
		pgtable_walk(va, &w);
		EXPECT_EQ(t, touches_image(va) || was_split(va) ? 0 : 1, w.level);
		nr_large += w.level;
	}
	EXPECT_GE(t, 1, nr_large);
}

KTEST_NEEDS(pgtable, the_direct_map_is_global, .features = KTEST_PGE)
{
	struct pt_walk w;

	pgtable_walk(mm_layout.high_memory - PAGE_SIZE, &w);
	EXPECT_NE(t, 0, pte_prot(w.pte) & PROT_GLOBAL);
	pgtable_walk(image_va(), &w);
	EXPECT_NE(t, 0, pte_prot(w.pte) & PROT_GLOBAL);
}

/* ---- mapping and unmapping ------------------------------------------------------------------ */

/* Addresses that nobody uses, under one entry of the top-level table. */
static uintptr_t test_va(void)
{
	return unmapped_range(LARGE_SIZE);
}

KTEST(pgtable, a_mapped_page_shows_the_memory_behind_it_until_it_is_unmapped)
{
	struct page *page = alloc_page(GFP_KERNEL);
	uintptr_t va = test_va();
	uint32_t *there = (uint32_t *)va, *here;

	ASSERT_NE(t, NULL, page);
	here = page_address(page);
	ASSERT_EQ(t, 0, pgtable_map(va, page_to_phys(page), PAGE_SIZE, PROT_KERNEL, false));
	*here = MARK;
	EXPECT_EQ(t, MARK, READ_ONCE(*there));
	WRITE_ONCE(there[1], MARK + 1);
	EXPECT_EQ(t, MARK + 1, READ_ONCE(here[1]));
	EXPECT_EQ(t, 0, pgtable_unmap(va, PAGE_SIZE));
	EXPECT_FALSE(t, is_mapped(va));
	EXPECT_FALSE(t, can_read(va));
	__free_page(page);
}

KTEST(pgtable, a_walk_ends_at_the_page_with_its_physical_address)
{
	struct page *page = alloc_page(GFP_KERNEL);
	uintptr_t va = test_va();
	struct pt_walk w;

	ASSERT_NE(t, NULL, page);
	ASSERT_EQ(t, 0, pgtable_map(va, page_to_phys(page), PAGE_SIZE, PROT_KERNEL_RO, false));
	pgtable_walk(va + 0x123, &w);
	EXPECT_TRUE(t, w.present);
	EXPECT_EQ(t, 0, w.level);
	EXPECT_EQ(t, page_to_phys(page) + 0x123, w.pa);
	EXPECT_EQ(t, page_to_pfn(page), pte_pfn(w.pte));
	EXPECT_EQ(t, 0, pte_prot(w.pte) & PROT_WRITE);
	EXPECT_EQ(t, 0, pgtable_unmap(va, PAGE_SIZE));
	pgtable_walk(va, &w);
	EXPECT_FALSE(t, w.present);
	__free_page(page);
}

/* What the CPU remembers of the old page must be gone when the new one is mapped. */
KTEST(pgtable, a_page_mapped_in_place_of_another_is_seen_at_once)
{
	struct page *page[2] = { alloc_page(GFP_KERNEL), alloc_page(GFP_KERNEL) };
	uintptr_t va = test_va();

	for (unsigned int i = 0; i < 2; i++) {
		ASSERT_NE(t, NULL, page[i]);
		block_fill(page[i], 0, MARK + i);
	}
	for (unsigned int i = 0; i < 4; i++) {
		struct page *p = page[i & 1];

		ASSERT_EQ(t, 0, pgtable_map(va, page_to_phys(p), PAGE_SIZE, PROT_KERNEL, false));
		EXPECT_EQ(t, MARK + (i & 1), READ_ONCE(*(uint32_t *)va));
		ASSERT_EQ(t, 0, pgtable_unmap(va, PAGE_SIZE));
	}
	__free_page(page[0]);
	__free_page(page[1]);
}

KTEST(pgtable, a_range_that_is_mapped_in_part_already_is_refused_and_left_as_it_was)
{
	struct page *block = alloc_pages(GFP_KERNEL, 2);
	phys_addr_t pa;
	uintptr_t va = test_va();

	ASSERT_NE(t, NULL, block);
	pa = page_to_phys(block);
	ASSERT_EQ(t, 0, pgtable_map(va + PAGE_SIZE, pa, PAGE_SIZE, PROT_KERNEL, false));
	*(uint32_t *)pa_to_va(pa) = MARK;
	EXPECT_ERR(t, -EEXIST, pgtable_map(va, pa + PAGE_SIZE, 3 * PAGE_SIZE, PROT_KERNEL, false));
	EXPECT_FALSE(t, is_mapped(va));
	EXPECT_FALSE(t, is_mapped(va + 2 * PAGE_SIZE));
	EXPECT_EQ(t, MARK, READ_ONCE(*(uint32_t *)(va + PAGE_SIZE)));
	EXPECT_EQ(t, 0, pgtable_unmap(va, 3 * PAGE_SIZE));
	__free_pages(block, 2);
}

/* @nr entries of the top-level table below the end of vmalloc that are empty; 0: there are none. */
static uintptr_t empty_entries(unsigned int nr)
{
	uintptr_t va = ALIGN_DOWN(mm_layout.vmalloc_end, LARGE_SIZE);
	unsigned int nr_empty = 0;

	while (nr_empty < nr && va - LARGE_SIZE >= mm_layout.vmalloc_start) {
		struct pt_walk w;

		va -= LARGE_SIZE;
		pgtable_walk(va, &w);
		nr_empty = pte_is_none(w.pte) && w.level ? nr_empty + 1 : 0;
	}
	return nr_empty == nr ? va : 0;
}

/* Hold everything that an ordinary request can get, but for one page. */
static void hoard_all_but_one_page(struct hoard *h)
{
	struct page *last;

	hoard_everything(h, GFP_NOWAIT | __GFP_HIGHMEM);
	hoard_everything(h, GFP_NOWAIT);
	while (!(last = alloc_page(GFP_NOWAIT | __GFP_NOWARN)) && hoard_free_one(h))
		;
	if (last)
		__free_page(last);
}

KTEST(pgtable, a_range_whose_second_table_cannot_be_had_is_refused_and_left_as_it_was)
{
	uintptr_t first = empty_entries(2);
	uintptr_t va = first + LARGE_SIZE - PAGE_SIZE;
	unsigned long nr_tables = pgtable_nr_pages();
	HOARD(rest);
	int err;

	ASSERT_NE(t, 0, first);
	hoard_all_but_one_page(&rest);
	err = pgtable_map(va, 0x100000, 2 * PAGE_SIZE, PROT_KERNEL_RO, false);
	hoard_free(&rest);
	EXPECT_EQ(t, -ENOMEM, err);
	EXPECT_EQ(t, nr_tables + 1, pgtable_nr_pages());
	EXPECT_FALSE(t, is_mapped(va));
	EXPECT_FALSE(t, is_mapped(va + PAGE_SIZE));
	ktest_saw_errno(t, "-ENOMEM", "pgtable_map");
}

KTEST(pgtable, unmapping_what_is_not_mapped_does_nothing)
{
	unsigned long nr_tables = pgtable_nr_pages();

	EXPECT_EQ(t, 0, pgtable_unmap(test_va(), 8 * PAGE_SIZE));
	EXPECT_EQ(t, 0, pgtable_unmap(empty_entries(2), 2 * LARGE_SIZE));
	EXPECT_EQ(t, nr_tables, pgtable_nr_pages());
}

KTEST(pgtable, a_table_is_counted_when_it_is_made_and_used_again_by_the_next_mapping)
{
	uintptr_t va = empty_entries(2);
	unsigned long before = pgtable_nr_pages();

	ASSERT_NE(t, 0, va);
	ASSERT_EQ(t, 0, pgtable_map(va, 0x100000, PAGE_SIZE, PROT_KERNEL_RO, false));
	EXPECT_EQ(t, before + 1, pgtable_nr_pages());
	EXPECT_EQ(t, 0, pgtable_unmap(va, PAGE_SIZE));
	ASSERT_EQ(t, 0, pgtable_map(va + PAGE_SIZE, 0x100000, PAGE_SIZE, PROT_KERNEL_RO, false));
	EXPECT_EQ(t, 0, pgtable_unmap(va + PAGE_SIZE, PAGE_SIZE));
	EXPECT_EQ(t, before + 1, pgtable_nr_pages());
}

KTEST_NEEDS(pgtable, a_large_page_is_used_where_both_addresses_are_aligned, .features = KTEST_PSE)
{
	uintptr_t va = empty_entries(2);
	struct pt_walk w;

	ASSERT_NE(t, 0, va);
	ASSERT_EQ(t, 0, pgtable_map(va, 0, LARGE_SIZE, PROT_KERNEL_RO, true));
	pgtable_walk(va + 5 * PAGE_SIZE + 7, &w);
	EXPECT_EQ(t, 1, w.level);
	EXPECT_EQ(t, 5 * PAGE_SIZE + 7, w.pa);
	EXPECT_EQ(t, 0, pgtable_unmap(va, LARGE_SIZE));
	ASSERT_EQ(t, 0, pgtable_map(va, PAGE_SIZE, LARGE_SIZE, PROT_KERNEL_RO, true));
	pgtable_walk(va, &w);
	EXPECT_EQ(t, 0, w.level);
	EXPECT_EQ(t, 0, pgtable_unmap(va, LARGE_SIZE));
}

KTEST_NEEDS(pgtable, unmapping_a_part_of_a_large_page_leaves_the_rest, .features = KTEST_PSE)
{
	uintptr_t va = empty_entries(2);
	struct pt_walk w;

	ASSERT_NE(t, 0, va);
	ASSERT_EQ(t, 0, pgtable_map(va, 0, LARGE_SIZE, PROT_KERNEL_RO, true));
	EXPECT_EQ(t, 0, pgtable_unmap(va + 3 * PAGE_SIZE, 2 * PAGE_SIZE));
	EXPECT_FALSE(t, is_mapped(va + 3 * PAGE_SIZE));
	EXPECT_FALSE(t, is_mapped(va + 4 * PAGE_SIZE));
	pgtable_walk(va + 2 * PAGE_SIZE, &w);
	EXPECT_TRUE(t, w.present && w.level == 0 && w.pa == 2 * PAGE_SIZE);
	pgtable_walk(va + LARGE_SIZE - 1, &w);
	EXPECT_TRUE(t, w.present && w.level == 0 && w.pa == LARGE_SIZE - 1);
	EXPECT_EQ(t, 0, pte_prot(w.pte) & PROT_WRITE);
	EXPECT_EQ(t, 0, pgtable_unmap(va, LARGE_SIZE));
	EXPECT_FALSE(t, is_mapped(va));
}

/* ---- protection ---------------------------------------------------------------------------- */

/* A page of the direct map that the test may change; its large page may be split by it. */
static uintptr_t own_page(struct ktest *t)
{
	uintptr_t va = __get_free_page(GFP_KERNEL);

	EXPECT_NE(t, 0, va);
	remember_split(va);
	return va;
}

/* Twice: the first time a large page may be split, which forgets more than the page. */
KTEST(pgtable, a_page_that_was_made_read_only_can_be_read_but_not_written)
{
	uintptr_t va = own_page(t);

	ASSERT_NE(t, 0, va);
	for (unsigned int i = 0; i < 2; i++) {
		EXPECT_EQ(t, 0, probe_write((void *)va, MARK + i));
		EXPECT_EQ(t, 0, set_memory_ro(va, 1));
		EXPECT_EQ(t, MARK + i, READ_ONCE(*(uint32_t *)va));
		EXPECT_EQ(t, -EFAULT, probe_write((void *)va, 1));
		EXPECT_EQ(t, MARK + i, READ_ONCE(*(uint32_t *)va));
		EXPECT_EQ(t, 0, set_memory_rw(va, 1));
	}
	EXPECT_TRUE(t, can_write(va));
	free_page(va);
}

KTEST(pgtable, a_page_that_was_made_not_present_comes_back_with_its_contents)
{
	uintptr_t va = own_page(t);

	ASSERT_NE(t, 0, va);
	*(uint32_t *)va = MARK;
	EXPECT_EQ(t, 0, set_memory_np(va, 1));
	EXPECT_FALSE(t, can_read(va));
	EXPECT_EQ(t, -EFAULT, probe_write((void *)va, 1));
	EXPECT_EQ(t, 0, set_memory_rw(va, 1));
	EXPECT_EQ(t, MARK, READ_ONCE(*(uint32_t *)va));
	EXPECT_TRUE(t, can_write(va));
	free_page(va);
}

KTEST(pgtable, protecting_a_page_leaves_its_neighbours_alone)
{
	struct page *block = alloc_pages(GFP_KERNEL, 2);
	uintptr_t va;

	ASSERT_NE(t, NULL, block);
	va = (uintptr_t)page_address(block);
	remember_split(va);
	EXPECT_EQ(t, 0, set_memory_ro(va + PAGE_SIZE, 2));
	EXPECT_TRUE(t, can_write(va));
	EXPECT_FALSE(t, can_write(va + PAGE_SIZE));
	EXPECT_FALSE(t, can_write(va + 3 * PAGE_SIZE - sizeof(long)));
	EXPECT_TRUE(t, can_write(va + 3 * PAGE_SIZE));
	EXPECT_EQ(t, 0, set_memory_rw(va + PAGE_SIZE, 2));
	EXPECT_TRUE(t, can_write(va + PAGE_SIZE));
	__free_pages(block, 2);
}

KTEST_NEEDS(pgtable, protecting_a_part_of_a_large_page_splits_it_and_nothing_else,
	    .features = KTEST_PSE, .ram_mib = 60, .zones = KTEST_ZONE_NORMAL)
{
	struct page *block = alloc_pages(GFP_KERNEL, MAX_ORDER - 1);
	unsigned long nr_tables = pgtable_nr_pages();
	uintptr_t va;
	struct pt_walk w;

	ASSERT_NE(t, NULL, block);
	va = (uintptr_t)page_address(block);
	pgtable_walk(va, &w);
	EXPECT_EQ(t, was_split(va) ? 0 : 1, w.level);
	EXPECT_EQ(t, 0, set_memory_ro(va + 7 * PAGE_SIZE, 1));
	EXPECT_EQ(t, nr_tables + w.level, pgtable_nr_pages());
	remember_split(va);
	block_fill(block, 2, MARK);
	EXPECT_FALSE(t, can_write(va + 7 * PAGE_SIZE));
	for (unsigned long i = 8; i < PT_ENTRIES; i++) {
		pgtable_walk(va + i * PAGE_SIZE, &w);
		EXPECT_TRUE(t, w.present && w.level == 0);
		EXPECT_EQ(t, va + i * PAGE_SIZE - PAGE_OFFSET, w.pa);
		EXPECT_NE(t, 0, pte_prot(w.pte) & PROT_WRITE);
	}
	EXPECT_EQ(t, 0, set_memory_rw(va + 7 * PAGE_SIZE, 1));
	__free_pages(block, MAX_ORDER - 1);
}

KTEST_NEEDS(pgtable, a_whole_large_page_is_protected_without_being_split, .features = KTEST_PSE)
{
	uintptr_t va = empty_entries(1);
	struct pt_walk w;

	ASSERT_NE(t, 0, va);
	ASSERT_EQ(t, 0, pgtable_map(va, 0, LARGE_SIZE, PROT_KERNEL, true));
	EXPECT_TRUE(t, can_write(va + MiB));
	EXPECT_EQ(t, 0, pgtable_protect(va, LARGE_SIZE, PROT_KERNEL_RO));
	pgtable_walk(va, &w);
	EXPECT_TRUE(t, w.present && w.level == 1);
	EXPECT_EQ(t, 0, pte_prot(w.pte) & PROT_WRITE);
	EXPECT_FALSE(t, can_write(va + MiB));
	EXPECT_EQ(t, 0, pgtable_unmap(va, LARGE_SIZE));
}

KTEST(pgtable, protecting_leaves_unmapped_pages_unmapped)
{
	struct page *page = alloc_page(GFP_KERNEL);
	uintptr_t va = test_va();

	ASSERT_NE(t, NULL, page);
	ASSERT_EQ(t, 0,
		  pgtable_map(va + PAGE_SIZE, page_to_phys(page), PAGE_SIZE, PROT_KERNEL, false));
	EXPECT_EQ(t, 0, pgtable_protect(va, 3 * PAGE_SIZE, PROT_KERNEL_RO));
	EXPECT_FALSE(t, is_mapped(va));
	EXPECT_TRUE(t, is_mapped(va + PAGE_SIZE));
	EXPECT_FALSE(t, can_write(va + PAGE_SIZE));
	EXPECT_FALSE(t, is_mapped(va + 2 * PAGE_SIZE));
	EXPECT_EQ(t, 0, pgtable_unmap(va, 3 * PAGE_SIZE));
	__free_page(page);
}

KTEST(pgtable, ranges_outside_the_direct_map_cannot_be_protected)
{
	EXPECT_ERR(t, -EINVAL, set_memory_ro(PAGE_OFFSET - PAGE_SIZE, 1));
	EXPECT_ERR(t, -EINVAL, set_memory_rw(mm_layout.high_memory, 1));
	EXPECT_ERR(t, -EINVAL, set_memory_np(mm_layout.high_memory - PAGE_SIZE, 2));
	EXPECT_EQ(t, -EINVAL, set_memory_ro(PAGE_OFFSET + 1, 1));
	EXPECT_EQ(t, -EINVAL, set_memory_ro(PAGE_OFFSET, ~0ul));
	EXPECT_EQ(t, -EINVAL, set_memory_ro(0, 1));
}

KTEST(pgtable, the_range_of_no_pages_can_be_protected_and_unmapped)
{
	unsigned long nr_tables = pgtable_nr_pages();

	EXPECT_EQ(t, 0, set_memory_ro(mm_layout.high_memory - PAGE_SIZE, 0));
	EXPECT_EQ(t, 0, pgtable_unmap(test_va(), 0));
	EXPECT_EQ(t, nr_tables, pgtable_nr_pages());
	EXPECT_TRUE(t, can_write(mm_layout.high_memory - PAGE_SIZE));
}

KTEST(pgtable, the_walk_of_an_address_is_shown_an_entry_a_line)
{
	char text[512];
	struct out_buf b;

	out_buf_init(&b, text, sizeof(text));
	pgtable_show(&b.out, image_va());
	EXPECT_TRUE(t, strstr(text, "level=1") != NULL);
	EXPECT_TRUE(t, strstr(text, "level=0") != NULL);
	EXPECT_TRUE(t, strstr(text, "pa=0x") != NULL);
	out_buf_init(&b, text, sizeof(text));
	pgtable_show(&b.out, 0);
	EXPECT_TRUE(t, strstr(text, "not present") != NULL);
	EXPECT_EQ(t, NULL, strstr(text, "level=0"));
}

/* Every 67th page of the kernel's part: of the direct map, large pages or not, and of holes. */
KTEST(pgtable, the_frame_behind_an_address_is_the_one_that_a_walk_finds)
{
	unsigned long nr_mapped = 0, nr_holes = 0;
	struct pt_walk w;

	for (uintptr_t va = PAGE_OFFSET; va < FIXMAP_TOP - 67 * PAGE_SIZE; va += 67 * PAGE_SIZE) {
		pgtable_walk(va, &w);
		EXPECT_EQ(t, w.present ? (pfn_t)(w.pa >> PAGE_SHIFT) : PFN_NONE, pgtable_pfn(va));
		nr_mapped += w.present;
		nr_holes += !w.present;
	}
	EXPECT_TRUE(t, nr_mapped && nr_holes);
}
