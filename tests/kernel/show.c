/*
 * show.c - the reports say what the allocator's own counts say.
 *
 * THEORY.  Each report is printed into a buffer and read back the way a program would read it: by
 * the names of its lines.  What it says is then compared with the structures, after mm_quiesce()
 * and with nobody allocating in between.
 *
 * CONTEXT.  Thread.
 */
#include "../shown.h"

#include <quarry/asm/pgtable.h>
#include <quarry/compiler.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/limits.h>
#include <quarry/mm.h>
#include <quarry/pgtable.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#define NOT_THERE (~0ul)

static const char *skip_blanks(const char *s)
{
	while (*s == ' ')
		s++;
	return s;
}

/* The number at @s, blanks before it allowed; @end is what follows. */
static unsigned long number_at(const char *s, const char **end)
{
	uint64_t val;

	s = skip_blanks(s);
	*end = s;
	return parse_u64(s, end, &val) ? NOT_THERE : (unsigned long)val;
}

/* The number behind the first @name in @from. */
static unsigned long number_after(const char *from, const char *name)
{
	const char *at = strstr(from, name), *end;

	return at ? number_at(at + strlen(name), &end) : NOT_THERE;
}

/* The text behind the first "zone NAME" of @from, with what Linux's padding makes of it. */
static const char *zone_text(const char *from, const struct zone *z, const char *then)
{
	char head[64];
	const char *at;

	scnprintf(head, sizeof(head), "zone %8s%s", z->name, then);
	at = strstr(from, head);
	return at ? at + strlen(head) : "";
}

/* Pages in a row of block counts by order. */
static unsigned long pages_in_row(const char *row)
{
	unsigned long nr, pages = 0;

	for (unsigned int order = 0; order < MAX_ORDER; order++) {
		nr = number_at(row, &row);
		if (nr == NOT_THERE)
			return NOT_THERE;
		pages += nr << order;
	}
	return skip_blanks(row)[0] == '\n' ? pages : NOT_THERE;
}

/* ---- the formats of Linux --------------------------------------------------------------- */

KTEST(report, buddyinfo_adds_up_to_the_free_pages_of_each_zone)
{
	unsigned long sum = 0;
	struct zone *z;

	mm_quiesce();
	shown(t, buddyinfo_show);
	for_each_zone(z) {
		if (z->nr_present) {
			EXPECT_EQ(t, z->nr_free, pages_in_row(zone_text(shown_text, z, " ")));
			sum += z->nr_free;
		} else {
			EXPECT_STREQ(t, "", zone_text(shown_text, z, " "));
		}
	}
	EXPECT_EQ(t, nr_free_pages(), sum);
}

KTEST(report, pagetypeinfo_splits_the_free_pages_by_type)
{
	static const char *const types[] = { "Unmovable", "Movable", "Reclaimable", "HighAtomic",
					     "Isolate" };
	struct zone *z;
	char row[64];

	mm_quiesce();
	shown(t, pagetypeinfo_show);
	EXPECT_EQ(t, PAGEBLOCK_ORDER, number_after(shown_text, "Page block order:"));
	EXPECT_EQ(t, PAGEBLOCK_NR_PAGES, number_after(shown_text, "Pages per block:"));
	for_each_zone(z) {
		unsigned long sum = 0;

		if (!z->nr_present)
			continue;
		for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
			scnprintf(row, sizeof(row), ", type %12s ", types[i]);
			sum += pages_in_row(zone_text(shown_text, z, row));
		}
		EXPECT_EQ(t, z->nr_free, sum);
	}
}

KTEST(report, pagetypeinfo_counts_every_pageblock_of_a_zone)
{
	const char *blocks, *row;
	struct zone *z;

	shown(t, pagetypeinfo_show);
	blocks = strstr(shown_text, "Number of blocks type ");
	ASSERT_TRUE(t, blocks);
	for_each_zone(z) {
		unsigned long sum = 0, first, end;

		if (!z->nr_present)
			continue;
		row = zone_text(blocks, z, " ");
		for (unsigned int i = 0; i < 5; i++)
			sum += number_at(row, &row);
		EXPECT_EQ(t, '\n', skip_blanks(row)[0]);
		first = z->start_pfn >> PAGEBLOCK_ORDER;
		end = (zone_end_pfn(z) + PAGEBLOCK_NR_PAGES - 1) >> PAGEBLOCK_ORDER;
		EXPECT_EQ(t, end - first, sum);
	}
}

KTEST(report, zoneinfo_says_what_each_zone_holds)
{
	struct zone *z;

	mm_quiesce();
	shown(t, zoneinfo_show);
	for_each_zone(z) {
		const char *part = zone_text(shown_text, z, "\n");

		EXPECT_EQ(t, z->nr_free, number_after(part, "  pages free "));
		EXPECT_EQ(t, z->watermark[WMARK_MIN], number_after(part, "\n        min "));
		EXPECT_EQ(t, z->watermark[WMARK_LOW], number_after(part, "\n        low "));
		EXPECT_EQ(t, z->watermark[WMARK_HIGH], number_after(part, "\n        high "));
		EXPECT_EQ(t, z->nr_spanned, number_after(part, "\n        spanned "));
		EXPECT_EQ(t, z->nr_present, number_after(part, "\n        present "));
		EXPECT_EQ(t, z->nr_managed, number_after(part, "\n        managed "));
		EXPECT_EQ(t, z->lowmem_reserve[0], number_after(part, "protection: ("));
		if (!z->nr_present)
			continue;
		EXPECT_EQ(t, z->nr_free, number_after(part, "\n      nr_free_pages "));
		EXPECT_EQ(t, z->start_pfn, number_after(part, "\n  start_pfn: "));
	}
	EXPECT_EQ(t, pgtable_nr_pages(), number_after(shown_text, "\n      nr_page_table_pages "));
}

/* Free one page; are there per-CPU lists for it?  Debug options take them out of use. */
static bool free_to_list(struct ktest *t, struct page *page)
{
	const struct zone *z = page_zone(page);

	__free_page(page);
	shown(t, zoneinfo_show);
	return number_after(zone_text(shown_text, z, "\n"), " high:  ") > 0;
}

KTEST(report, zoneinfo_shows_the_pages_that_a_per_cpu_list_holds)
{
	struct page *page = alloc_page(GFP_KERNEL);
	struct zone *z;

	ASSERT_TRUE(t, page);
	z = page_zone(page);
	if (free_to_list(t, page))
		EXPECT_GE(t, 1, number_after(zone_text(shown_text, z, "\n"), " count: "));
	else
		EXPECT_EQ(t, 0, number_after(zone_text(shown_text, z, "\n"), " count: "));
	mm_quiesce();
	shown(t, zoneinfo_show);
	EXPECT_EQ(t, 0, number_after(zone_text(shown_text, z, "\n"), " count: "));
}

#define KB(nr_pages) ((nr_pages) << (PAGE_SHIFT - 10))

KTEST(report, meminfo_total_and_free_are_the_zones_sums)
{
	unsigned long managed = 0;
	struct zone *z;

	mm_quiesce();
	for_each_zone(z)
		managed += z->nr_managed;
	shown(t, meminfo_show);
	EXPECT_EQ(t, KB(managed), number_after(shown_text, "MemTotal:"));
	EXPECT_EQ(t, KB(nr_free_pages()), number_after(shown_text, "\nMemFree:"));
	EXPECT_EQ(t, KB(zones[ZONE_HIGHMEM].nr_managed), number_after(shown_text, "\nHighTotal:"));
	EXPECT_EQ(t, KB(managed - zones[ZONE_HIGHMEM].nr_managed),
		  number_after(shown_text, "\nLowTotal:"));
	EXPECT_EQ(t, number_after(shown_text, "\nMemFree:"),
		  number_after(shown_text, "\nHighFree:") + number_after(shown_text, "\nLowFree:"));
	EXPECT_LE(t, number_after(shown_text, "\nMemFree:"),
		  number_after(shown_text, "\nMemAvailable:"));
	EXPECT_EQ(t, KB(pgtable_nr_pages()), number_after(shown_text, "\nPageTables:"));
	EXPECT_EQ(t, (mm_layout.vmalloc_end - mm_layout.vmalloc_start) / 1024,
		  number_after(shown_text, "\nVmallocTotal:"));
}

KTEST(report, meminfo_counts_pages_in_per_cpu_lists_apart)
{
	unsigned long free_kb, lists_kb;
	struct page *page;
	bool lists;

	mm_quiesce();
	shown(t, meminfo_show);
	free_kb = number_after(shown_text, "\nMemFree:");
	EXPECT_EQ(t, 0, number_after(shown_text, "\nPerCpuLists:"));
	page = alloc_page(GFP_KERNEL);
	ASSERT_TRUE(t, page);
	lists = free_to_list(t, page);
	shown(t, meminfo_show);
	lists_kb = number_after(shown_text, "\nPerCpuLists:");
	EXPECT_EQ(t, lists, lists_kb >= KB(1));
	EXPECT_EQ(t, free_kb, number_after(shown_text, "\nMemFree:") + lists_kb);
	mm_quiesce();
}

KTEST(report, meminfo_direct_map_is_what_is_mapped_of_lowmem)
{
	unsigned long small, large, nr_mapped = 0;
	struct pt_walk w;
	char line[32];

	for (uintptr_t va = PAGE_OFFSET; va < mm_layout.high_memory; va += PAGE_SIZE) {
		pgtable_walk(va, &w);
		nr_mapped += w.present;
	}
	shown(t, meminfo_show);
	small = number_after(shown_text, "\nDirectMap4k:");
	scnprintf(line, sizeof(line), "\nDirectMap%luM:", 1ul << (pt_shift(1) - 20));
	large = number_after(shown_text, line);
	EXPECT_EQ(t, KB(nr_mapped), small + large);
	if (!pt_leaf_possible(1))
		EXPECT_EQ(t, 0, large);
}

KTEST(report, meminfo_lines_have_one_shape)
{
	const char *line, *end;

	shown(t, meminfo_show);
	for (line = shown_text; *line; line = end + 1) {
		end = strchr(line, '\n');
		ASSERT_TRUE(t, end);
		ASSERT_GE(t, 24, end - line);
		EXPECT_NE(t, NOT_THERE, number_at(strchr(line, ':') + 1, &line));
		EXPECT_TRUE(t, line == end || strncmp(line, " kB\n", 4) == 0);
	}
}

/* ---- one page --------------------------------------------------------------------------- */

static void capture_page(struct ktest *t, const struct page *page)
{
	page_show(to_shown(), page);
	EXPECT_TRUE(t, shown_fits());
	EXPECT_EQ(t, page_to_pfn(page), number_after(shown_text, "pfn="));
}

KTEST(report, a_page_goes_from_free_to_used_and_back)
{
	struct page *page = alloc_pages(GFP_KERNEL, 5);

	ASSERT_TRUE(t, page);
	capture_page(t, page);
	EXPECT_TRUE(t, strstr(shown_text, " state=used ") != NULL);
	EXPECT_EQ(t, 1, number_after(shown_text, " count="));
	EXPECT_EQ(t, 5, number_after(shown_text, " order="));
	EXPECT_EQ(t, (unsigned long)page_address(page), number_after(shown_text, " va="));
	capture_page(t, page + 7);
	EXPECT_TRUE(t, strstr(shown_text, " state=used ") != NULL);
	EXPECT_EQ(t, page_to_pfn(page), number_after(shown_text, " head="));
	__free_pages(page, 5);
	mm_quiesce();
	capture_page(t, page + 7);
	EXPECT_TRUE(t, strstr(shown_text, " state=free ") != NULL);
	EXPECT_GE(t, 5, number_after(shown_text, " order="));
	EXPECT_EQ(t, 0, number_after(shown_text, " count="));
}

KTEST(report, a_page_in_a_per_cpu_list_is_neither_free_nor_used)
{
	struct page *page = alloc_page(GFP_KERNEL);
	bool lists;

	ASSERT_TRUE(t, page);
	lists = free_to_list(t, page);
	capture_page(t, page);
	EXPECT_EQ(t, lists, strstr(shown_text, " state=per-cpu ") != NULL);
	EXPECT_EQ(t, !lists, strstr(shown_text, " state=free ") != NULL);
	mm_quiesce();
}

KTEST(report, a_reserved_page_and_a_compound_page_are_named_by_their_flags)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, 2);

	ASSERT_TRUE(t, page);
	capture_page(t, page);
	EXPECT_TRUE(t, strstr(shown_text, " flags=head ") != NULL);
	__free_pages(page, 2);
	capture_page(t, pfn_to_page(0));
	EXPECT_TRUE(t, strstr(shown_text, " state=reserved flags=reserved ") != NULL);
	mm_quiesce();
}

KTEST_NEEDS(report, a_page_of_highmem_that_is_not_mapped_has_no_address,
	    .zones = KTEST_ZONE_HIGHMEM)
{
	struct page *page = alloc_page(GFP_HIGHUSER);

	ASSERT_TRUE(t, page);
	ASSERT_EQ(t, ZONE_HIGHMEM, page_zone_type(page));
	capture_page(t, page);
	EXPECT_TRUE(t, strstr(shown_text, " va=none zone=HighMem ") != NULL);
	__free_page(page);
	mm_quiesce();
}

/* ---- names ------------------------------------------------------------------------------ */

static const char *gfp_text(gfp_t gfp)
{
	gfp_show(to_shown(), gfp);
	return shown_text;
}

KTEST(report, gfp_flags_are_shown_by_name)
{
	EXPECT_STREQ(t, "__GFP_DMA", gfp_text(__GFP_DMA));
	EXPECT_STREQ(t, "__GFP_WAIT|__GFP_IO|__GFP_FS", gfp_text(GFP_KERNEL));
	EXPECT_STREQ(t, "0", gfp_text(0));
	EXPECT_STREQ(t, "__GFP_THISNODE|0x80000000", gfp_text(__GFP_THISNODE | 0x80000000u));
	for (unsigned int bit = 0; bit < __GFP_BITS; bit++)
		EXPECT_EQ(t, 0, strncmp(gfp_text(1u << bit), "__GFP_", 6));
}

KTEST(report, every_part_of_the_address_space_has_a_name)
{
	EXPECT_STREQ(t, "unmapped (user)", va_region(0));
	EXPECT_STREQ(t, "unmapped (user)", va_region(PAGE_OFFSET - 1));
	EXPECT_STREQ(t, "direct map", va_region(PAGE_OFFSET));
	EXPECT_STREQ(t, "direct map", va_region(mm_layout.high_memory - 1));
	EXPECT_STREQ(t, "vmalloc hole", va_region(mm_layout.high_memory));
	EXPECT_STREQ(t, "vmalloc hole", va_region(mm_layout.vmalloc_start - 1));
	EXPECT_STREQ(t, "vmalloc", va_region(mm_layout.vmalloc_start));
	EXPECT_STREQ(t, "vmalloc guard", va_region(mm_layout.vmalloc_end));
	EXPECT_STREQ(t, "pkmap", va_region(PKMAP_START));
	EXPECT_STREQ(t, "fixmap guard", va_region(FIXMAP_START - 1));
	EXPECT_STREQ(t, "fixmap", va_region(FIXMAP_START));
	EXPECT_STREQ(t, "fixmap", va_region(FIXMAP_TOP - 1));
	EXPECT_STREQ(t, "top page (error pointers)", va_region(FIXMAP_TOP));
	EXPECT_STREQ(t, "top page (error pointers)", va_region(UINTPTR_MAX));
}

/* ---- limits ----------------------------------------------------------------------------- */

/* Does lowmem have a free block of @order?  A memory map of small runs has none of the largest. */
static bool lowmem_has_block(unsigned int order)
{
	unsigned long nr = 0;

	for (unsigned int zone = ZONE_DMA; zone <= ZONE_NORMAL; zone++) {
		for (unsigned int mob = 0; mob < NR_MOBILITIES; mob++)
			nr += zones[zone].free_area[order].nr_blocks[mob];
	}
	return nr != 0;
}

KTEST(report, the_largest_request_that_limits_names_can_be_met)
{
	unsigned long order;
	struct page *page;
	bool due;

	mm_quiesce();
	shown(t, limits_show);
	order = number_after(shown_text, "request alloc_pages max_order=");
	ASSERT_EQ(t, MAX_ORDER - 1, order);
	EXPECT_EQ(t, 4096, number_after(shown_text, " max_kib="));
	EXPECT_EQ(t, mm_min_free_kbytes(), number_after(shown_text, "reserve min_free_kbytes="));
	due = lowmem_has_block((unsigned int)order);
	page = alloc_pages(GFP_KERNEL | __GFP_NOWARN, (unsigned int)order);
	EXPECT_EQ(t, due, page != NULL);
	if (page)
		__free_pages(page, (unsigned int)order);
	mm_quiesce();
}

KTEST(report, the_ranges_of_limits_tile_the_address_space)
{
	unsigned long next = 0, last = 0;
	const char *at, *end;

	shown(t, limits_show);
	for (at = strstr(shown_text, "range "); at; at = strstr(at, "range ")) {
		EXPECT_EQ(t, next, number_at(at + strlen("range "), &at));
		EXPECT_EQ(t, '-', *at);
		last = number_at(at + 1, &end);
		EXPECT_TRUE(t, next <= last);
		next = last + 1;
	}
	EXPECT_EQ(t, UINTPTR_MAX, last);
}
