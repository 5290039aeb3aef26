/*
 * vmalloc.c - tests of areas that look at what is not public: plugs, and what waits for a flush.
 *
 * THEORY.  A plug is an area that maps nothing: it takes most of the vmalloc range, so that what is
 * left can be filled with areas of a page on any machine.
 *
 * STATE.  The areas that fill it.
 */
#include "../../../mm/vmalloc.h"

#include <quarry/align.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/sizes.h>

#include "../helpers.h"

#define LEFT    (1 * MiB)                /* what the plug leaves */
#define NR_FILL (LEFT / (2 * PAGE_SIZE)) /* areas of a page, each with its guard */
#define NR_MORE 64u                      /* in holes that were there before */
#define DEVICE  0xF0000000ull            /* no RAM on any machine */

static void *areas[NR_FILL + NR_MORE];

static struct vm_counts count(void)
{
	struct vm_counts c;

	vm_count(&c);
	return c;
}

static bool flushes_at_once(void)
{
	return option_given("vmalloc_debug=1");
}

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
