/*
 * vmalloc.c - memory that is contiguous by address only, and what happens to it when it is freed.
 *
 * THEORY.  Every page of an area is told from every other one by what is written to it.  What is
 * freed is looked at through counts, page tables and probes, which may fault.  With vmalloc_debug=1
 * nothing waits for a flush: then a test of what waits tests that nothing does.
 *
 * STATE.  One buffer for areas.
 */
#include "areas.h"

#include <quarry/align.h>
#include <quarry/asm/restart.h>
#include <quarry/env.h>
#include <quarry/errno.h>
#include <quarry/percpu.h>
#include <quarry/pgtable.h>
#include <quarry/port.h>
#include <quarry/slab.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

#define NR_PAGES 20ul
#define WORD(i)  (0x5EED0000u + (uint32_t)(i))

/* A word at the start and one at the end of each page. */
static void mark(void *va, unsigned long nr_pages)
{
	for (unsigned long i = 0; i < nr_pages; i++) {
		uint32_t *page = (uint32_t *)((char *)va + i * PAGE_SIZE);

		page[0] = page[PAGE_SIZE / 4 - 1] = WORD(i);
	}
}

static bool is_marked(const void *va, unsigned long nr_pages)
{
	bool same = true;

	for (unsigned long i = 0; i < nr_pages; i++) {
		const uint32_t *page = (const uint32_t *)((const char *)va + i * PAGE_SIZE);

		same &= page[0] == WORD(i) && page[PAGE_SIZE / 4 - 1] == WORD(i);
	}
	return same;
}

static bool can_read(uintptr_t va)
{
	unsigned long val;

	return probe_read((const void *)va, &val) == 0;
}

/* ---- taking ----------------------------------------------------------------------------- */

KTEST(vmalloc, a_request_for_nothing_fails_and_says_so)
{
	struct capture *c = capture_begin();
	void *p = vmalloc(0);

	capture_end(c);
	EXPECT_EQ(t, NULL, p);
	EXPECT_EQ(t, 1, capture_count(c, "vmalloc of 0 bytes failed: nothing asked for"));
}

KTEST(vmalloc, sizes_are_rounded_up_to_pages)
{
	static const struct {
		size_t size, nr_pages;
	} cases[] = { { 1, 1 },
		      { PAGE_SIZE, 1 },
		      { PAGE_SIZE + 1, 2 },
		      { 64 * PAGE_SIZE, 64 },
		      { 64 * PAGE_SIZE + 1, 65 } };

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned long before = count().nr_pages;
		char *p = vmalloc(cases[i].size);

		ASSERT_NE(t, NULL, p);
		EXPECT_EQ(t, before + cases[i].nr_pages, count().nr_pages);
		EXPECT_EQ(t, 0, (uintptr_t)p % PAGE_SIZE);
		EXPECT_NE(t, NULL, vmalloc_to_page(p + (cases[i].nr_pages - 1) * PAGE_SIZE));
		EXPECT_EQ(t, NULL, vmalloc_to_page(p + cases[i].nr_pages * PAGE_SIZE));
		vfree(p);
		EXPECT_EQ(t, before, count().nr_pages);
	}
}

KTEST(vmalloc, every_page_keeps_its_own_contents)
{
	void *p = vmalloc(NR_PAGES * PAGE_SIZE), *q = vmalloc(NR_PAGES * PAGE_SIZE);

	ASSERT_TRUE(t, p && q);
	mark(p, NR_PAGES);
	memset(q, 0xFF, NR_PAGES * PAGE_SIZE);
	EXPECT_TRUE(t, is_marked(p, NR_PAGES));
	vfree(q);
	EXPECT_TRUE(t, is_marked(p, NR_PAGES));
	vfree(p);
}

KTEST(vmalloc, the_words_of_an_area_are_those_of_the_pages_behind_it)
{
	char *p = vmalloc(NR_PAGES * PAGE_SIZE);

	ASSERT_NE(t, NULL, p);
	for (unsigned long i = 0; i < NR_PAGES; i++) {
		struct page *page = vmalloc_to_page(p + i * PAGE_SIZE + 17);

		memset32((uint32_t *)(p + i * PAGE_SIZE), WORD(i), PAGE_SIZE / 4);
		EXPECT_TRUE(t, block_is_all(page, 0, WORD(i)));
		EXPECT_EQ(t, page_to_pfn(page), vmalloc_to_pfn(p + i * PAGE_SIZE));
		EXPECT_EQ(t, 1, page_count(page));
	}
	vfree(p);
}

KTEST_NEEDS(vmalloc, pages_come_from_highmem_first, .zones = KTEST_ZONE_HIGHMEM)
{
	const struct zone *z = &zones[ZONE_HIGHMEM];
	unsigned long floor = z->watermark[WMARK_LOW] + z->lowmem_reserve[ZONE_HIGHMEM];
	/* What it has to spare: on a machine of just so much RAM not even these. */
	unsigned long nr_want = min(NR_PAGES, z->nr_free > floor ? z->nr_free - floor : 0), nr = 0;
	char *p = vmalloc(NR_PAGES * PAGE_SIZE);

	ASSERT_NE(t, NULL, p);
	for (unsigned long i = 0; i < NR_PAGES; i++)
		nr += page_zone_type(vmalloc_to_page(p + i * PAGE_SIZE)) == ZONE_HIGHMEM;
	EXPECT_GE(t, nr_want, nr);
	vfree(p);
}

KTEST(vmalloc, vmalloc_32_takes_lowmem)
{
	char *p = vmalloc_32(NR_PAGES * PAGE_SIZE);

	ASSERT_NE(t, NULL, p);
	for (unsigned long i = 0; i < NR_PAGES; i++)
		EXPECT_NE(t, NULL, page_address(vmalloc_to_page(p + i * PAGE_SIZE)));
	vfree(p);
}

static bool is_zero(const void *p, size_t size)
{
	const uint32_t *word = p;
	uint32_t any = 0;

	for (size_t i = 0; i < size / sizeof(*word); i++)
		any |= word[i];
	return !any;
}

KTEST(vmalloc, vzalloc_gives_zeroes_although_its_pages_were_dirty)
{
	size_t size = NR_PAGES * PAGE_SIZE;
	void *p = vmalloc(size);

	ASSERT_NE(t, NULL, p);
	memset(p, 0xA7, size);
	vfree(p);
	vm_unmap_aliases();
	p = vzalloc(size);
	ASSERT_NE(t, NULL, p);
	EXPECT_TRUE(t, is_zero(p, size));
	vfree(p);
	p = __vmalloc(size, T_GFP(t, GFP_KERNEL | __GFP_ZERO), PROT_KERNEL);
	ASSERT_NE(t, NULL, p);
	EXPECT_TRUE(t, is_zero(p, size));
	vfree(p);
}

KTEST(vmalloc, an_area_that_may_only_be_read_can_be_zeroes)
{
	const size_t size = NR_PAGES * PAGE_SIZE;
	void *p = vmalloc(size);

	ASSERT_NE(t, NULL, p);
	memset(p, 0xA7, size);
	vfree(p);
	vm_unmap_aliases();
	p = __vmalloc(size, T_GFP(t, GFP_KERNEL | __GFP_ZERO), PROT_KERNEL_RO);
	ASSERT_NE(t, NULL, p);
	EXPECT_TRUE(t, is_zero(p, size));
	vfree(p);
}

KTEST(vmalloc, an_area_that_may_only_be_read_cannot_be_written)
{
	unsigned long val;
	char *p = __vmalloc(2 * PAGE_SIZE, T_GFP(t, GFP_KERNEL), PROT_KERNEL_RO);

	ASSERT_NE(t, NULL, p);
	EXPECT_EQ(t, 0, probe_read(p + PAGE_SIZE, &val));
	EXPECT_ERR(t, -EFAULT, probe_write(p, 1));
	EXPECT_ERR(t, -EFAULT, probe_write(p + PAGE_SIZE, 1));
	vfree(p);
}

KTEST(vmalloc, the_page_behind_an_area_is_never_mapped)
{
	char *p = vmalloc(3 * PAGE_SIZE), *q = vmalloc(PAGE_SIZE);

	ASSERT_TRUE(t, p && q);
	EXPECT_TRUE(t, can_read((uintptr_t)p + 3 * PAGE_SIZE - sizeof(long)));
	EXPECT_FALSE(t, can_read((uintptr_t)p + 3 * PAGE_SIZE));
	EXPECT_FALSE(t, can_read((uintptr_t)p + 4 * PAGE_SIZE - sizeof(long)));
	EXPECT_ERR(t, -EFAULT, probe_write(p + 3 * PAGE_SIZE, 1));
	EXPECT_FALSE(t, can_read((uintptr_t)q + PAGE_SIZE));
	EXPECT_TRUE(t, q >= p + 4 * PAGE_SIZE || q + 2 * PAGE_SIZE <= p);
	vfree(p);
	vfree(q);
}

KTEST(vmalloc, is_vmalloc_addr_knows_areas_from_lowmem)
{
	char *p = vmalloc(1);
	int local;

	ASSERT_NE(t, NULL, p);
	EXPECT_TRUE(t, is_vmalloc_addr(p));
	EXPECT_TRUE(t, is_vmalloc_addr(p + PAGE_SIZE - 1));
	EXPECT_FALSE(t, is_vmalloc_addr(&local));
	EXPECT_FALSE(t, is_vmalloc_addr(NULL));
	EXPECT_FALSE(t, is_vmalloc_addr((void *)mm_layout.vmalloc_end));
	EXPECT_FALSE(t, is_vmalloc_addr((void *)(mm_layout.vmalloc_start - 1)));
	EXPECT_EQ(t, NULL, vmalloc_to_page(&local));
	EXPECT_EQ(t, 0, vmalloc_to_pfn(&local));
	EXPECT_EQ(t, 0, vmalloc_to_pfn(p + PAGE_SIZE));
	vfree(p);
}

KTEST(vmalloc, vfree_of_null_does_nothing)
{
	struct vm_counts before = count();

	vfree(NULL);
	EXPECT_EQ(t, before.nr_areas, count().nr_areas);
}

KTEST(vmalloc, counts_follow_areas)
{
	struct vm_counts before, c;
	void *p, *q;

	vm_unmap_aliases();
	before = count();
	p = vmalloc(5 * PAGE_SIZE);
	q = vmalloc(7 * PAGE_SIZE);
	ASSERT_TRUE(t, p && q);
	c = count();
	EXPECT_EQ(t, before.nr_areas + 2, c.nr_areas);
	EXPECT_EQ(t, before.nr_pages + 12, c.nr_pages);
	EXPECT_EQ(t, before.used_bytes + 14 * PAGE_SIZE, c.used_bytes);
	EXPECT_LE(t, before.largest, c.largest);
	vfree(p);
	vfree(q);
	c = count();
	EXPECT_EQ(t, before.nr_areas, c.nr_areas);
	EXPECT_EQ(t, before.nr_pages, c.nr_pages);
	vm_unmap_aliases();
	EXPECT_EQ(t, before.used_bytes, count().used_bytes);
	EXPECT_EQ(t, before.largest, count().largest);
	EXPECT_EQ(t, 0, count().nr_lazy_areas);
}

/* ---- kvmalloc --------------------------------------------------------------------------- */

KTEST(vmalloc, kvmalloc_takes_from_kmalloc_what_is_small)
{
	void *p = kvmalloc(100, T_GFP(t, GFP_KERNEL));

	ASSERT_NE(t, NULL, p);
	EXPECT_FALSE(t, is_vmalloc_addr(p));
	EXPECT_GE(t, 100, ksize(p));
	kvfree(p);
	kvfree(NULL);
}

KTEST_NEEDS(vmalloc, kvmalloc_takes_an_area_for_what_kmalloc_cannot_have, .ram_mib = 30)
{
	size_t size = KMALLOC_MAX_SIZE + 1;
	char *p = kvmalloc(size, T_GFP(t, GFP_KERNEL));

	ASSERT_NE(t, NULL, p);
	EXPECT_TRUE(t, is_vmalloc_addr(p));
	p[0] = p[size - 1] = 1;
	kvfree(p);
}

KTEST(vmalloc, kvmalloc_takes_an_area_when_no_block_is_free)
{
	size_t size = 8 * PAGE_SIZE;
	HOARD(blocks);
	HOARD(pages);
	void *p;

	hoard_everything(&blocks, GFP_KERNEL | __GFP_HIGHMEM | __GFP_NOWARN | __GFP_NORETRY);
	/* Single pages, no two of them neighbours. */
	for (unsigned int i = 0; i < 64 && hoard_free_one(&blocks); i++) {
		hoard_free_one(&blocks);
		hoard_take(&pages, GFP_KERNEL | __GFP_HIGHMEM | __GFP_NOWARN, 0);
	}
	p = kvmalloc(size, T_GFP(t, GFP_KERNEL | __GFP_NOWARN));
	if (p)
		memset(p, 1, size);
	kvfree(p);
	hoard_free(&pages);
	hoard_free(&blocks);
	EXPECT_NE(t, NULL, p);
}

/* ---- when there is not enough ----------------------------------------------------------- */

KTEST(vmalloc, more_than_there_are_addresses_fails_with_one_report)
{
	struct capture *c = capture_begin();
	void *p = vmalloc(mm_layout.vmalloc_end - mm_layout.vmalloc_start + 1);
	void *q = vmalloc((size_t)-1);

	capture_end(c);
	EXPECT_EQ(t, NULL, p);
	EXPECT_EQ(t, NULL, q);
	EXPECT_EQ(t, 2, capture_count(c, "failed: more than there are addresses"));
	EXPECT_EQ(t, 2, capture_count(c, "failed"));
}

KTEST(vmalloc, a_failure_that_was_asked_to_be_silent_is)
{
	struct capture *c = capture_begin();
	void *p = __vmalloc((size_t)-1, T_GFP(t, GFP_KERNEL | __GFP_NOWARN), PROT_KERNEL);

	capture_end(c);
	EXPECT_EQ(t, NULL, p);
	EXPECT_EQ(t, 0, c->len);
}

/* An area of vmalloc() where there is so much memory, elsewhere of one page many times. */
static void *take_range(size_t size, struct page *page)
{
	size_t nr = size / PAGE_SIZE;
	struct page **pages;
	void *p;

	if (nr <= nr_available() / 4 * 3)
		return vmalloc(size);
	pages = alloc_pages_exact(nr * sizeof(struct page *), GFP_KERNEL);
	for (size_t i = 0; pages && i < nr; i++)
		pages[i] = page;
	p = pages ? vmap(pages, nr, VM_MAP, PROT_KERNEL) : NULL;
	if (pages)
		free_pages_exact(pages, nr * sizeof(struct page *));
	return p;
}

static void give_range(void *p, struct page *page)
{
	if (p && vmalloc_to_page(p) == page)
		vunmap(p);
	else
		vfree(p);
}

KTEST_NEEDS(vmalloc, one_area_may_take_the_whole_range, .lowmem_mib = 30)
{
	struct page *page = alloc_page(GFP_KERNEL);
	struct capture *c;
	size_t size;
	char *p;
	void *q;

	ASSERT_NE(t, NULL, page);
	vm_unmap_aliases();
	size = count().largest;
	p = take_range(size, page);
	ASSERT_NE(t, NULL, p);
	if (vmalloc_to_page(p) != page) {
		mark(p, size / PAGE_SIZE);
		EXPECT_TRUE(t, is_marked(p, size / PAGE_SIZE));
	}
	EXPECT_NE(t, NULL, vmalloc_to_page(p + size - 1));
	EXPECT_EQ(t, mm_layout.vmalloc_end, (uintptr_t)p + size);
	EXPECT_EQ(t, 0, count().largest);
	c = capture_begin();
	q = vmalloc(1);
	capture_end(c);
	EXPECT_EQ(t, NULL, q);
	EXPECT_EQ(t, 1, capture_count(c, "failed: no addresses"));
	EXPECT_EQ(t, 1, capture_count(c, "failed"));
	give_range(p, page);
	/* Addresses that wait are as good as free ones. */
	p = take_range(size, page);
	EXPECT_NE(t, NULL, p);
	give_range(p, page);
	__free_page(page);
}

KTEST(vmalloc, a_request_that_fails_half_way_gives_everything_back)
{
	unsigned long before, after, nr_half = 0;
	struct vm_counts areas, now;
	void *p, *half;
	HOARD(rest);

	/* The descriptor's slab stays where it is. */
	void *other = vmalloc(1);

	mm_quiesce();
	areas = count();
	hoard_everything(&rest, GFP_KERNEL | __GFP_HIGHMEM | __GFP_NOWARN | __GFP_NORETRY);
	while (nr_half < 200 && hoard_free_one(&rest))
		nr_half++;
	half = vmalloc(64 * PAGE_SIZE);
	vfree(half);
	mm_quiesce();
	before = nr_available() + pgtable_nr_pages();
	p = __vmalloc(2000 * PAGE_SIZE, T_GFP(t, GFP_KERNEL | __GFP_HIGHMEM | __GFP_NOWARN),
		      PROT_KERNEL);
	mm_quiesce();
	after = nr_available() + pgtable_nr_pages();
	now = count();
	vfree(p);
	hoard_free(&rest);
	vfree(other);
	EXPECT_NE(t, NULL, half);
	EXPECT_EQ(t, NULL, p);
	EXPECT_EQ(t, before, after);
	EXPECT_EQ(t, areas.nr_areas, now.nr_areas);
	EXPECT_EQ(t, areas.nr_pages, now.nr_pages);
	EXPECT_EQ(t, areas.used_bytes, now.used_bytes);
}

KTEST(vmalloc, without_pages_the_report_says_so_once)
{
	struct capture *c;
	HOARD(rest);
	void *p;

	hoard_everything(&rest, GFP_KERNEL | __GFP_HIGHMEM | __GFP_NOWARN | __GFP_NORETRY);
	c = capture_begin();
	p = vmalloc(2000 * PAGE_SIZE);
	capture_end(c);
	hoard_free(&rest);
	EXPECT_EQ(t, NULL, p);
	vfree(p);
	EXPECT_EQ(t, 1, capture_count(c, "vmalloc of 8192000 bytes failed: no"));
	EXPECT_EQ(t, 1, capture_count(c, "failed"));
}

/* ---- lazy unmapping --------------------------------------------------------------------- */

KTEST(vmalloc, a_freed_area_keeps_its_pages_until_the_flush)
{
	unsigned long before, lazy = flushes_at_once() ? 0 : NR_PAGES;
	void *p;

	vm_unmap_aliases();
	p = vmalloc(NR_PAGES * PAGE_SIZE);
	ASSERT_NE(t, NULL, p);
	before = nr_available();
	vfree(p);
	EXPECT_EQ(t, lazy, count().nr_lazy_pages);
	EXPECT_EQ(t, before + NR_PAGES - lazy, nr_available());
	vm_unmap_aliases();
	EXPECT_EQ(t, 0, count().nr_lazy_pages);
	EXPECT_EQ(t, before + NR_PAGES, nr_available());
}

KTEST(vmalloc, a_freed_area_keeps_its_addresses_until_the_flush)
{
	void *p, *q;

	vm_unmap_aliases();
	p = vmalloc(PAGE_SIZE);
	vfree(p);
	q = vmalloc(PAGE_SIZE);
	ASSERT_TRUE(t, p && q);
	EXPECT_EQ(t, !flushes_at_once(), p != q);
	vfree(q);
	vm_unmap_aliases();
	q = vmalloc(PAGE_SIZE);
	EXPECT_EQ(t, p, q);
	vfree(q);
}

KTEST(vmalloc, a_freed_area_is_unmapped_at_once)
{
	char *p = vmalloc(3 * PAGE_SIZE);

	ASSERT_NE(t, NULL, p);
	vfree(p);
	for (unsigned int i = 0; i < 3; i++)
		EXPECT_EQ(t, NULL, vmalloc_to_page(p + i * PAGE_SIZE));
	vm_unmap_aliases();
	EXPECT_FALSE(t, can_read((uintptr_t)p));
}

/* Without, after the flush. */
KTEST(vmalloc, with_debugging_a_stale_access_faults_at_once)
{
	char *p = vmalloc(2 * PAGE_SIZE);

	ASSERT_NE(t, NULL, p);
	p[0] = p[PAGE_SIZE] = 1;
	vfree(p);
	if (!flushes_at_once())
		vm_unmap_aliases();
	EXPECT_FALSE(t, can_read((uintptr_t)p));
	EXPECT_ERR(t, -EFAULT, probe_write(p + PAGE_SIZE, 1));
	EXPECT_EQ(t, 0, count().nr_lazy_areas);
}

/* Pages that were just freed are the next to be taken: of these, all are. */
KTEST(vmalloc, a_stale_write_reaches_no_page_that_belongs_to_someone_else)
{
	enum { NR_TAKEN = 4 * NR_PAGES };
	static struct page *taken[NR_TAKEN];
	unsigned long nr = 0;
	bool all = true;
	char *p;

	vm_unmap_aliases();
	p = vmalloc(NR_PAGES * PAGE_SIZE);
	ASSERT_NE(t, NULL, p);
	mark(p, NR_PAGES);
	vfree(p);
	for (; nr < NR_TAKEN; nr++) {
		taken[nr] = alloc_page(GFP_NOWAIT | __GFP_HIGHMEM | __GFP_NOWARN);
		if (!taken[nr])
			break;
		block_fill(taken[nr], 0, WORD(nr));
	}
	/* With its translations remembered, the writes succeed: that is what matters here. */
	for (unsigned long i = 0; i < NR_PAGES; i++)
		all &= probe_write(p + i * PAGE_SIZE, 0xBADu) == -EFAULT;
	EXPECT_TRUE(t, nr > NR_PAGES);
	EXPECT_TRUE(t, all || !flushes_at_once());
	while (nr--) {
		EXPECT_TRUE(t, block_is_all(taken[nr], 0, WORD(nr)));
		__free_page(taken[nr]);
	}
}

KTEST(vmalloc, pages_that_wait_are_bounded)
{
	unsigned long nr_managed = 0, most = 0, nr_bound;
	struct zone *z;

	for_each_zone(z)
		nr_managed += z->nr_managed;
	nr_bound = max(nr_managed / 64, 32ul);
	for (unsigned long nr = 0; nr <= 3 * nr_bound; nr += 16) {
		void *p = vmalloc(16 * PAGE_SIZE);

		ASSERT_NE(t, NULL, p);
		vfree(p);
		most = max(most, count().nr_lazy_pages);
	}
	EXPECT_LE(t, nr_bound, most);
	EXPECT_EQ(t, !flushes_at_once(), most > 0);
}

KTEST(vmalloc, pages_that_wait_are_found_by_who_needs_them)
{
	struct page *page;
	HOARD(rest);
	void *p;

	vm_unmap_aliases();
	p = vmalloc(NR_PAGES * PAGE_SIZE);
	ASSERT_NE(t, NULL, p);
	vfree(p);
	hoard_machine(&rest);
	EXPECT_EQ(t, flushes_at_once() ? 0 : NR_PAGES, count().nr_lazy_pages);
	page = alloc_page(T_GFP(t, GFP_KERNEL | __GFP_HIGHMEM | __GFP_MEMALLOC | __GFP_NOWARN));
	EXPECT_EQ(t, 0, count().nr_lazy_pages);
	EXPECT_TRUE(t, page || flushes_at_once());
	if (page)
		__free_page(page);
	hoard_free(&rest);
}

/* ---- freeing where sleeping is forbidden ------------------------------------------------ */

/* Was it left to later, and is it done by the next call? */
static void expect_deferred(struct ktest *t, char *p, const struct vm_counts *before)
{
	void *q;

	EXPECT_EQ(t, before->nr_areas - 1, count().nr_areas);
	EXPECT_NE(t, NULL, vmalloc_to_page(p));
	q = vmalloc(1);
	EXPECT_NE(t, NULL, q);
	/* What was flushed has given its addresses to the next one. */
	EXPECT_EQ(t, flushes_at_once(), q == p);
	EXPECT_EQ(t, NULL, vmalloc_to_page(p + PAGE_SIZE));
	EXPECT_EQ(t, flushes_at_once() ? 0 : NR_PAGES, count().nr_lazy_pages);
	vfree(q);
}

KTEST(vmalloc, a_free_with_interrupts_off_is_finished_by_the_next_call)
{
	struct vm_counts before;
	unsigned long flags;
	char *p;

	vm_unmap_aliases();
	p = vmalloc(NR_PAGES * PAGE_SIZE);
	ASSERT_NE(t, NULL, p);
	before = count();
	flags = irq_save();
	vfree(p);
	irq_restore(flags);
	expect_deferred(t, p, &before);
}

static void *freed_in_interrupt;

static QAPI void free_in_interrupt(void)
{
	vfree(freed_in_interrupt);
}

static DEFINE_PER_CPU(struct percpu_stack, stack);

KTEST(vmalloc, a_free_in_an_interrupt_is_finished_by_the_next_call)
{
	struct vm_counts before;
	bool hit = false;

	vm_unmap_aliases();
	freed_in_interrupt = vmalloc(NR_PAGES * PAGE_SIZE);
	ASSERT_NE(t, NULL, freed_in_interrupt);
	before = count();
	restart_step_pop(&stack, 1, &hit, free_in_interrupt);
	EXPECT_TRUE(t, hit);
	expect_deferred(t, freed_in_interrupt, &before);
}

KTEST(vmalloc, a_free_that_was_left_to_later_is_finished_by_a_flush)
{
	unsigned long flags, before;
	void *p;

	vm_unmap_aliases();
	p = vmalloc(NR_PAGES * PAGE_SIZE);
	ASSERT_NE(t, NULL, p);
	before = nr_available();
	flags = irq_save();
	vfree(p);
	irq_restore(flags);
	EXPECT_EQ(t, before, nr_available());
	vm_unmap_aliases();
	EXPECT_EQ(t, before + NR_PAGES, nr_available());
	EXPECT_EQ(t, NULL, vmalloc_to_page(p));
}
