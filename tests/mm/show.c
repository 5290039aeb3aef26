/*
 * show.c - the reports: what they say is what the counters say.
 *
 * THEORY.  Each report becomes a text, and numbers are read back from the text.  Whether the text
 * has the format that programs written for Linux expect is tested by such a program, outside.
 *
 * STATE.  None.
 */
#include "../shown.h"
#include "helpers.h"
#include <quarry/fixmap.h>
#include <quarry/highmem.h>

#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/limits.h>
#include <quarry/memblock.h>
#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/pgtable.h>
#include <quarry/string.h>

/* The number behind the first @label at or behind @from; ~0 when there is none. */
static unsigned long number_after(const char *from, const char *label)
{
	const char *p = from ? strstr(from, label) : NULL;
	uint64_t val;

	if (!p)
		return ~0ul;
	for (p += strlen(label); *p == ' '; p++)
		;
	return parse_u64(p, &p, &val) ? ~0ul : (unsigned long)val;
}

/* The line of @z in a report whose lines begin with the node and the zone. */
static const char *zone_line(const char *from, const struct zone *z)
{
	char start[32];

	snprintf(start, sizeof(start), "zone %8s", z->name);
	return strstr(from, start);
}

KTEST(show, buddyinfo_lists_the_free_blocks_of_each_order)
{
	const char *report = shown(t, buddyinfo_show);
	struct zone *z;

	for_each_zone(z) {
		const char *p;

		if (!z->nr_present)
			continue;
		p = zone_line(report, z);
		ASSERT_NE(t, NULL, p);
		p += strlen("zone ") + 8;
		for (unsigned int order = 0; order < MAX_ORDER; order++) {
			uint64_t nr = ~0ull;

			while (*p == ' ')
				p++;
			EXPECT_EQ(t, 0, parse_u64(p, &p, &nr));
			EXPECT_EQ(t, zone_nr_blocks(z, order), nr);
		}
	}
}

KTEST(show, zoneinfo_says_what_each_zone_has_and_keeps)
{
	const char *report = shown(t, zoneinfo_show);
	struct zone *z;

	for_each_zone(z) {
		const char *p = zone_line(report, z);

		ASSERT_NE(t, NULL, p);
		EXPECT_EQ(t, z->nr_free, number_after(p, "pages free"));
		EXPECT_EQ(t, z->watermark[WMARK_MIN], number_after(p, "min"));
		EXPECT_EQ(t, z->watermark[WMARK_LOW], number_after(p, "low"));
		EXPECT_EQ(t, z->watermark[WMARK_HIGH], number_after(p, "high"));
		EXPECT_EQ(t, z->nr_spanned, number_after(p, "spanned"));
		EXPECT_EQ(t, z->nr_present, number_after(p, "present"));
		EXPECT_EQ(t, z->nr_managed, number_after(p, "managed"));
	}
}

KTEST(show, zoneinfo_shows_per_cpu_pages_apart_from_free_ones)
{
	struct page *page = alloc_page(gfp_with_lists());
	const char *p;
	struct mm_account a;
	const struct zone *z;

	ASSERT_NE(t, NULL, page);
	z = page_zone(page);
	__free_page(page);
	mm_account(&a);
	p = zone_line(shown(t, zoneinfo_show), z);
	EXPECT_EQ(t, lists_in_use(), number_after(p, "count:") >= 1);
	EXPECT_EQ(t, a.nr_pcp, number_after(p, "count:"));
	EXPECT_EQ(t, z->nr_free, number_after(p, "pages free"));
}

KTEST(show, meminfo_says_kibibytes_of_what_the_account_says_in_pages)
{
	const char *report = shown(t, meminfo_show);
	struct mm_account a;

	mm_account(&a);
	EXPECT_EQ(t, a.nr_managed * 4, number_after(report, "MemTotal:"));
	EXPECT_EQ(t, a.nr_free * 4, number_after(report, "MemFree:"));
	EXPECT_EQ(t, a.nr_pgtable * 4, number_after(report, "PageTables:"));
	EXPECT_EQ(t, zones[ZONE_HIGHMEM].nr_managed * 4, number_after(report, "HighTotal:"));
	EXPECT_EQ(t, a.nr_pcp * 4, number_after(report, "PerCpuLists:"));
}

KTEST(show, pagetypeinfo_has_a_line_for_each_zone_and_mobility)
{
	const char *report = shown(t, pagetypeinfo_show);
	struct zone *z;

	EXPECT_EQ(t, PAGEBLOCK_ORDER, number_after(report, "Page block order:"));
	EXPECT_EQ(t, PAGEBLOCK_NR_PAGES, number_after(report, "Pages per block:"));
	for_each_zone(z) {
		const char *p = z->nr_present ? zone_line(report, z) : report;

		EXPECT_NE(t, NULL, p);
		EXPECT_NE(t, NULL, strstr(p, "Unmovable"));
		EXPECT_NE(t, NULL, strstr(p, "Movable"));
		EXPECT_NE(t, NULL, strstr(p, "Reclaimable"));
	}
}

KTEST(show, memblock_lists_every_reservation_with_its_name)
{
	const char *report = shown(t, memblock_show);

	for (unsigned int i = 0; i < memblock.reserved.nr; i++)
		EXPECT_NE(t, NULL, strstr(report, memblock.reserved.region[i].name));
}

KTEST(show, limits_names_each_kind_of_request_and_range)
{
	const char *report = shown(t, limits_show);

	EXPECT_NE(t, NULL, strstr(report, "request alloc_pages "));
	EXPECT_NE(t, NULL, strstr(report, "zone "));
	EXPECT_NE(t, NULL, strstr(report, "percpu "));
	EXPECT_NE(t, NULL, strstr(report, "range "));
	EXPECT_EQ(t, 1ul << (MAX_ORDER - 1), number_after(report, "max_pages="));
	EXPECT_EQ(t, mm_min_free_kbytes(), number_after(report, "min_free_kbytes="));
}

static const char *page_text(const struct page *page)
{
	page_show(to_shown(), page);
	return shown_text;
}

KTEST(show, a_page_is_shown_as_used_per_cpu_free_or_reserved)
{
	struct page *page = alloc_page(gfp_with_lists());
	const char *p;

	ASSERT_NE(t, NULL, page);
	p = page_text(page);
	EXPECT_EQ(t, page_to_pfn(page), number_after(p, "pfn="));
	EXPECT_EQ(t, 1, number_after(p, "count="));
	EXPECT_NE(t, NULL, strstr(p, "state=used"));
	__free_page(page);
	EXPECT_NE(t, NULL,
		  strstr(page_text(page), lists_in_use() ? "state=per-cpu" : "state=free"));
	mm_quiesce();
	EXPECT_NE(t, NULL, strstr(page_text(page), "state=free"));
	EXPECT_NE(t, NULL, strstr(page_text(pfn_to_page(0)), "state=reserved"));
}

KTEST(show, a_tail_is_shown_with_its_head_and_the_order_of_its_block)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, 2);

	ASSERT_NE(t, NULL, page);
	EXPECT_NE(t, NULL, strstr(page_text(page), "flags=head"));
	EXPECT_EQ(t, 2, number_after(page_text(page), "order="));
	EXPECT_EQ(t, 2, number_after(page_text(page + 3), "order="));
	EXPECT_EQ(t, page_to_pfn(page), number_after(page_text(page + 3), " head="));
	__free_pages(page, 2);
}

KTEST(show, each_part_of_the_address_space_has_a_name_of_its_own)
{
	const char *name[] = { va_region(0),
			       va_region(PAGE_OFFSET),
			       va_region(mm_layout.high_memory),
			       va_region(mm_layout.vmalloc_start),
			       va_region(PKMAP_START),
			       va_region(FIXMAP_START),
			       va_region(FIXMAP_TOP) };

	for (unsigned int i = 0; i < ARRAY_SIZE(name); i++)
		for (unsigned int k = 0; k < i; k++)
			EXPECT_NE(t, 0, strcmp(name[i], name[k]));
	EXPECT_STREQ(t, name[0], va_region(PAGE_OFFSET - 1));
	EXPECT_STREQ(t, name[1], va_region(mm_layout.high_memory - 1));
	EXPECT_STREQ(t, name[6], va_region(~(uintptr_t)0));
}

/* ---- slots of kmap() and the fixmap ------------------------------------------------------- */

KTEST(kmap, a_held_page_is_in_pkmap_and_a_fixed_one_in_fixmap)
{
	struct page *page = alloc_page(GFP_HIGHUSER);
	struct capture *c;
	char last[32];
	void *va;

	ASSERT_NE(t, NULL, page);
	va = kmap(page);
	set_fixmap(FIX_SPARE_FIRST, page_to_phys(page));
	c = capture_begin();
	pkmap_show(&out_console);
	fixmap_show(&out_console);
	capture_end(c);
	clear_fixmap(FIX_SPARE_FIRST);
	EXPECT_EQ(t, (uintptr_t)va - PKMAP_START < PKMAP_NR_PAGES * PAGE_SIZE,
		  capture_count(c, " count=2 pfn="));
	EXPECT_EQ(t, 1, capture_count(c, kmap_needs_slot(page) ? " held=1 " : " held=0 "));
	EXPECT_EQ(t, 1, capture_count(c, "fixmap slot=130 "));
	EXPECT_EQ(t, 1, capture_count(c, " use=spare "));
	snprintf(last, sizeof(last), " mapped=%u\n", capture_count(c, "fixmap slot="));
	EXPECT_EQ(t, 1, capture_count(c, last));
	kunmap(page);
	__free_page(page);
}
