/*
 * vmalloc.c - tests of areas that look at what is not public: plugs, and what waits for a flush.
 *
 * THEORY.  A plug is an area that maps nothing: it takes most of the vmalloc range, so that what is
 * left can be filled with areas of a page on any machine.
 *
 * Another CPU's flush is a flag that a wait clears; what another CPU may see of ours is looked at
 * between any two instructions.
 *
 * STATE.  The areas that fill it; what was seen of a flush.
 */
#include "../../../mm/vmalloc.h"
#include "../../../mm/internal.h"

#include <quarry/align.h>
#include <quarry/asm/restart.h>
#include <quarry/env.h>
#include <quarry/env_hooks.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/sizes.h>

#include "../areas.h"
#include "../whatis.h"

#define LEFT    (1 * MiB)                /* what the plug leaves */
#define NR_FILL (LEFT / (2 * PAGE_SIZE)) /* areas of a page, each with its guard */
#define NR_MORE 64u                      /* in holes that were there before */
#define DEVICE  0xF0000000ull            /* no RAM on any machine */

static void *areas[NR_FILL + NR_MORE];

static void *silent(size_t size)
{
	return __vmalloc(size, GFP_KERNEL | __GFP_HIGHMEM | __GFP_NOWARN, PROT_KERNEL);
}

/*
 * Of the largest hole all but LEFT, from its start.  No area that vmalloc_check() likes: it is gone
 * before a test ends.
 */
static struct vm_area *plug(void)
{
	return vm_area_get(count().largest - LEFT, VM_MAP, NULL);
}

/* Areas of a page, as many as there are addresses for. */
static unsigned int fill(void)
{
	unsigned int nr = 0;

	while (nr < ARRAY_SIZE(areas) && (areas[nr] = silent(PAGE_SIZE)) != NULL)
		nr++;
	return nr;
}

static void free_area(unsigned int i)
{
	vfree(areas[i]);
	areas[i] = NULL;
}

KTEST(vmalloc_space, without_addresses_one_report_says_so)
{
	struct vm_area *most = plug();
	struct capture *c;
	unsigned int nr;
	void *none;

	ASSERT_TRUE(t, most);
	nr = fill();
	c = capture_begin();
	none = vmalloc(1);
	capture_end(c);
	EXPECT_EQ(t, NULL, none);
	EXPECT_EQ(t, 1, capture_count(c, "failed: no addresses"));
	EXPECT_EQ(t, 1, capture_count(c, "largest hole 0 KiB"));
	EXPECT_EQ(t, 1, capture_count(c, "failed"));
	EXPECT_EQ(t, 0, count().largest);
	EXPECT_GE(t, NR_FILL - 1, nr); /* the plug's guard lies in what it left */
	while (nr)
		free_area(--nr);
	vm_area_put(most);
}

KTEST(vmalloc_space, a_full_space_is_whole_again_when_all_areas_are_freed_in_any_order)
{
	struct vm_counts before, after;
	struct vm_area *most;
	unsigned int nr;

	vm_unmap_aliases();
	before = count();
	most = plug();
	ASSERT_TRUE(t, most);
	nr = fill();
	EXPECT_EQ(t, before.nr_areas + 1 + nr, count().nr_areas);
	for (; nr; nr--) {
		unsigned int i = ktest_random_below(t, nr);

		vfree(areas[i]);
		areas[i] = areas[nr - 1];
	}
	vm_area_put(most);
	vm_unmap_aliases();
	after = count();
	EXPECT_EQ(t, before.largest, after.largest);
	EXPECT_EQ(t, before.used_bytes, after.used_bytes);
	EXPECT_EQ(t, before.nr_areas, after.nr_areas);
	EXPECT_EQ(t, before.nr_pages, after.nr_pages);
}

/* Every second of the last areas is freed: holes of a page and its guard. */
KTEST(vmalloc_space, the_largest_hole_is_the_largest_request_that_finds_addresses)
{
	struct vm_area *most = plug();
	unsigned int nr;

	ASSERT_TRUE(t, most);
	nr = fill();
	ASSERT_GE(t, 8, nr);
	for (unsigned int i = nr - 8; i < nr; i += 2)
		free_area(i);
	vm_unmap_aliases();
	EXPECT_EQ(t, PAGE_SIZE, count().largest);
	EXPECT_EQ(t, NULL, silent(PAGE_SIZE + 1));
	/* Three areas and their guards become one hole. */
	free_area(nr - 5);
	EXPECT_EQ(t, NULL, silent(5 * PAGE_SIZE + 1));
	EXPECT_EQ(t, 5 * PAGE_SIZE, count().largest);
	areas[nr - 5] = silent(5 * PAGE_SIZE);
	EXPECT_NE(t, NULL, areas[nr - 5]);
	while (nr)
		free_area(--nr);
	vm_area_put(most);
}

/* ---- what waits for a flush ------------------------------------------------------------- */

/* p[0] to p[2] are neighbours, freed in the order given; they are one area then. */
static void free_three(struct ktest *t, char *const p[3], const unsigned char order[3])
{
	struct vm_area area;

	for (unsigned int k = 0; k < 3; k++) {
		vfree(p[order[k]]);
		EXPECT_EQ(t, 0, vmalloc_check());
	}
	EXPECT_TRUE(t, vm_area_copy((uintptr_t)p[1], &area));
	EXPECT_EQ(t, (uintptr_t)p[0], area.range.start);
	EXPECT_EQ(t, (uintptr_t)p[2] + PAGE_SIZE, area.range.end); /* what is flushed */
	EXPECT_EQ(t, (uintptr_t)p[2] + 2 * PAGE_SIZE, area.range.grip_end);
	EXPECT_TRUE(t, area.freed && !area.caller);
	EXPECT_EQ(t, 3, count().nr_lazy_areas);
	EXPECT_EQ(t, 3, count().nr_lazy_pages);
	EXPECT_EQ(t, 6 * PAGE_SIZE, count().lazy_bytes);
}

KTEST(vmalloc_space, freed_neighbours_wait_as_one_area_unless_each_is_flushed_at_once)
{
	static const unsigned char orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
						   { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	char *p[3];

	for (unsigned int i = 0; i < ARRAY_SIZE(orders); i++) {
		vm_unmap_aliases();
		for (unsigned int k = 0; k < 3; k++)
			p[k] = vmalloc(PAGE_SIZE);
		ASSERT_TRUE(t, p[0] && p[1] == p[0] + 2 * PAGE_SIZE);
		ASSERT_EQ(t, p[1] + 2 * PAGE_SIZE, p[2]);
		if (!flushes_at_once()) {
			free_three(t, p, orders[i]);
			continue;
		}
		for (unsigned int k = 0; k < 3; k++)
			vfree(p[orders[i][k]]);
		EXPECT_EQ(t, 0, count().nr_lazy_areas);
	}
	vm_unmap_aliases();
	EXPECT_EQ(t, 0, count().lazy_bytes);
}

KTEST(vmalloc_space, freed_neighbours_of_two_kinds_are_said_to_be_several)
{
	char *p, *device;

	vm_unmap_aliases();
	p = vmalloc(1);
	device = ioremap(DEVICE, PAGE_SIZE);
	ASSERT_TRUE(t, p && device == p + 2 * PAGE_SIZE);
	vfree(p);
	whatis(t, (uintptr_t)p);
	EXPECT_TRUE(t, flushes_at_once() || begins("area kind=vmalloc "));
	iounmap(device);
	whatis(t, (uintptr_t)device);
	if (flushes_at_once()) {
		EXPECT_FALSE(t, begins("area "));
		return;
	}
	EXPECT_TRUE(t, begins("area kind=several "));
	EXPECT_EQ(t, 3 * PAGE_SIZE, number(" size="));
	EXPECT_TRUE(t, strstr(text, " state=freed by=several\n"));
}

KTEST_NEEDS(vmalloc_space, addresses_that_wait_are_bounded_although_no_page_does, .ram_mib = 30)
{
	const unsigned long bound = (mm_layout.vmalloc_end - mm_layout.vmalloc_start) / 4;
	unsigned long most = 0, nr_flushes = 0;
	const size_t size = bound / 8 & PAGE_MASK;

	vm_unmap_aliases();
	for (unsigned int i = 0; i < 20; i++) {
		unsigned long before = count().lazy_bytes;
		void *va = ioremap(DEVICE, size);

		ASSERT_NE(t, NULL, va);
		iounmap(va);
		most = max(most, count().lazy_bytes);
		nr_flushes += count().lazy_bytes < before;
	}
	EXPECT_LE(t, bound, most);
	EXPECT_EQ(t, !flushes_at_once(), most > 0 && nr_flushes > 0);
}

/* ---- the flush and other CPUs --------------------------------------------------------------- */

#define MAX_NTH 5000u /* more instructions than a flush of one area has */

static struct {
	struct vm_area *area;
	const void *va;
	unsigned int nr_waits, nr_taken, nr_wrong;
} seen;

static QAPI bool end_the_others_flush(unsigned int ms)
{
	if (++seen.nr_waits == 3)
		vm_flushing = false;
	return ms > 0;
}

KTEST(vmalloc_flush, who_needs_a_flush_waits_for_one_that_is_under_way)
{
	static const struct env_hooks hooks = { .wait_for_memory = end_the_others_flush };
	void *p;

	for (unsigned int nr_lazy = 0; nr_lazy < 2; nr_lazy++) {
		vm_unmap_aliases();
		p = nr_lazy ? vmalloc(1) : NULL;
		vfree(p);
		seen.nr_waits = 0;
		env_set_hooks(&hooks);
		vm_flushing = true;
		vm_unmap_aliases();
		env_set_hooks(NULL);
		EXPECT_EQ(t, 3, seen.nr_waits);
		EXPECT_FALSE(t, vm_flushing);
		EXPECT_EQ(t, 0, count().nr_lazy_areas);
		vm_flushing = false;
	}
}

/* What has left the list and still has its addresses is said to be under way. */
static QAPI void look_at_flush(void)
{
	struct vm_area area;
	bool there =
		vm_area_copy((uintptr_t)seen.va, &area) && area.range.start == (uintptr_t)seen.va;
	bool taken = there && !area.lazy;

	seen.nr_taken += taken;
	seen.nr_wrong += taken && !vm_flushing;
	seen.nr_wrong += there && area.lazy && vm_flushing;
}

KTEST(vmalloc_flush, one_that_is_under_way_is_seen_until_its_addresses_are_free)
{
	unsigned int nth = 0;
	bool hit = true;

	if (flushes_at_once())
		return;
	vm_unmap_aliases();
	seen.nr_taken = seen.nr_wrong = 0;
	while (hit && !t->nr_failed && ++nth < MAX_NTH) {
		void *p = vmalloc(1);

		ASSERT_NE(t, NULL, p);
		seen.va = p;
		vfree(p);
		restart_step_anywhere((const void *)vm_unmap_aliases, 0, 0, nth, &hit,
				      look_at_flush);
		EXPECT_FALSE(t, vm_flushing);
		EXPECT_EQ(t, 0, count().nr_lazy_areas);
	}
	EXPECT_FALSE(t, hit);
	EXPECT_EQ(t, 0, seen.nr_wrong);
	EXPECT_GE(t, 20, seen.nr_taken);
}

/* Areas that were not freed, one by one; as many as the count says? */
static QAPI void count_areas(void)
{
	uintptr_t va = mm_layout.vmalloc_start;
	unsigned long nr = 0;
	struct vm_area area;

	for (; vm_area_copy(va, &area); va = area.range.grip_end)
		nr += !area.freed;
	seen.nr_wrong += nr != count().nr_areas;
}

static __noinline QAPI void put_area(void)
{
	vm_area_put(seen.area);
}

KTEST(vmalloc_space, an_area_and_its_count_go_at_one_moment)
{
	unsigned int nth = 0;
	bool hit = true;

	seen.nr_wrong = 0;
	while (hit && !t->nr_failed && ++nth < MAX_NTH) {
		seen.area = vm_area_get(PAGE_SIZE, VM_MAP, NULL);
		ASSERT_NE(t, NULL, seen.area);
		restart_step_anywhere((const void *)put_area, 0, 0, nth, &hit, count_areas);
		EXPECT_EQ(t, 0, seen.nr_wrong);
	}
	EXPECT_FALSE(t, hit);
	EXPECT_GE(t, 10, nth);
}

/* ---- interrupts --------------------------------------------------------------------------- */

static __noinline QAPI uint32_t take_free_and_flush(void)
{
	void *p = vmalloc(1);

	vfree(p);
	vm_unmap_aliases();
	return p != NULL;
}

static QAPI void free_in_interrupt(void)
{
	vfree(seen.va);
}

/*
 * Which instructions, the seed says; later ones more sparsely, because with pages that are poisoned
 * there are tens of thousands.
 */
KTEST(vmalloc_space, an_interrupt_anywhere_may_vfree)
{
	struct vm_counts before, after;
	unsigned int nth = 0;
	bool hit = true;

	vm_unmap_aliases();
	before = count();
	while (hit && !t->nr_failed && nth < 20 * MAX_NTH) {
		void *p = vmalloc(2 * PAGE_SIZE);

		ASSERT_NE(t, NULL, p);
		seen.va = p;
		nth += 1 + (unsigned int)ktest_random_below(t, 16 + nth / 16);
		EXPECT_EQ(t, 1,
			  restart_step_anywhere((const void *)take_free_and_flush, 0, 0, nth, &hit,
						free_in_interrupt));
		if (!hit)
			vfree(p);
		vm_unmap_aliases();
		after = count();
		EXPECT_EQ(t, before.nr_areas, after.nr_areas);
		EXPECT_EQ(t, before.nr_pages, after.nr_pages);
		EXPECT_EQ(t, before.used_bytes, after.used_bytes);
		EXPECT_EQ(t, 0, after.nr_lazy_areas + after.nr_lazy_pages + after.lazy_bytes);
	}
	EXPECT_FALSE(t, hit);
	EXPECT_EQ(t, 0, vmalloc_check());
}

/* ---- reclaim -------------------------------------------------------------------------------- */

KTEST(vmalloc_reclaim, pages_freed_where_sleeping_is_forbidden_count_as_reclaimed)
{
	const unsigned long nr = 64;
	unsigned long flags;
	void *p;

	p = vmalloc(nr * PAGE_SIZE);
	ASSERT_NE(t, NULL, p);
	mm_quiesce();
	flags = irq_save();
	vfree(p);
	irq_restore(flags);
	EXPECT_GE(t, nr, reclaim_round(1, GFP_KERNEL));
	EXPECT_EQ(t, 0, count().nr_lazy_pages);
}
