/*
 * e820.c - tests of the memory map's functions: each rule alone, then random lists against an
 * oracle.  A longer walk, and every map under tests/data/maps, is for processes:
 * tests/host/e820_maps.c.
 */
#include <quarry/align.h>
#include <quarry/e820.h>
#include <quarry/errno.h>
#include <quarry/ktest.h>
#include <quarry/sizes.h>
#include <quarry/string.h>

#include "blob.h"
#include "e820_oracle.h"

#define LIST_MAX 48u
#define OUT_MAX  (2 * LIST_MAX + 3)

static struct mem_region out[OUT_MAX];
static struct mem_region list_regions[LIST_MAX];
static struct e820_report rep;

/* The entry of the sanitised map at @i. */
static void expect_run(struct ktest *t, unsigned int i, phys_addr_t start, phys_addr_t end,
		       uint32_t type)
{
	EXPECT_EQ(t, start, out[i].start);
	EXPECT_EQ(t, end, out[i].start + out[i].size);
	EXPECT_EQ(t, type, out[i].type);
}

#define SANITIZE(in) e820_sanitize(in, ARRAY_SIZE(in), out, OUT_MAX, &rep)

KTEST(e820, a_map_comes_out_sorted)
{
	static const struct mem_region in[] = {
		{ 0x500000, 0x1000, MEM_BAD },
		{ 0x300000, 0x1000, MEM_ACPI_RECLAIM },
		{ 0x400000, 0x1000, MEM_RAM },
	};

	ASSERT_EQ(t, 4, SANITIZE(in));
	expect_run(t, 0, 0xA0000, 0x100000, MEM_RESERVED);
	expect_run(t, 1, 0x300000, 0x301000, MEM_ACPI_RECLAIM);
	expect_run(t, 2, 0x400000, 0x401000, MEM_RAM);
	expect_run(t, 3, 0x500000, 0x501000, MEM_BAD);
}

KTEST(e820, where_two_types_overlap_the_stricter_wins)
{
	static const uint32_t loosest_first[] = { MEM_RAM, MEM_ACPI_RECLAIM, MEM_RESERVED,
						  MEM_ACPI_NVS, MEM_BAD };

	for (unsigned int i = 0; i < ARRAY_SIZE(loosest_first); i++) {
		for (unsigned int j = 0; j < ARRAY_SIZE(loosest_first); j++) {
			const struct mem_region in[] = {
				{ 0x200000, 0x3000, loosest_first[i] },
				{ 0x201000, 0x1000, loosest_first[j] },
			};
			uint32_t strict = loosest_first[max(i, j)];

			SANITIZE(in);
			for (unsigned int k = 1; k < 4; k++) {
				if (out[k].start <= 0x201000 &&
				    out[k].start + out[k].size > 0x201000) {
					EXPECT_EQ(t, strict, out[k].type);
					break;
				}
			}
		}
	}
}

KTEST(e820, unknown_types_are_reserved)
{
	static const struct mem_region in[] = {
		{ 0x200000, 0x10000, MEM_RAM },
		{ 0x202000, 0x1000, 0 },
		{ 0x204000, 0x1000, 6 },
		{ 0x206000, 0x1000, 0xFFFFFFFF },
	};

	ASSERT_EQ(t, 8, SANITIZE(in));
	EXPECT_EQ(t, 3, rep.nr_unknown);
	expect_run(t, 2, 0x202000, 0x203000, MEM_RESERVED);
	expect_run(t, 4, 0x204000, 0x205000, MEM_RESERVED);
	expect_run(t, 6, 0x206000, 0x207000, MEM_RESERVED);
}

KTEST(e820, empty_entries_say_nothing)
{
	static const struct mem_region in[] = {
		{ 0x200000, 0x4000, MEM_RAM },
		{ 0x201800, 0, MEM_BAD },
		{ 0, 0, 0 },
		{ UINT64_MAX, 0, MEM_RAM },
	};

	ASSERT_EQ(t, 2, SANITIZE(in));
	EXPECT_EQ(t, 3, rep.nr_empty);
	EXPECT_EQ(t, 0, rep.nr_unknown);
	expect_run(t, 1, 0x200000, 0x204000, MEM_RAM);
}

KTEST(e820, duplicates_and_neighbours_become_one)
{
	static const struct mem_region in[] = {
		{ 0x202000, 0x2000, MEM_RAM }, { 0x200000, 0x2000, MEM_RAM },
		{ 0x202000, 0x2000, MEM_RAM }, { 0x204000, 0x1000, MEM_RAM },
		{ 0x201000, 0x2000, MEM_RAM },
	};

	ASSERT_EQ(t, 2, SANITIZE(in));
	expect_run(t, 1, 0x200000, 0x205000, MEM_RAM);
	EXPECT_EQ(t, 0x5000, rep.ram);
}

KTEST(e820, ram_shrinks_to_whole_pages)
{
	static const struct mem_region in[] = {
		{ 0x200001, 0x3FFF, MEM_RAM },
		{ 0x300000, 0x1FFF, MEM_RAM },
		{ 0x400800, 0x1000, MEM_RAM },
	};

	ASSERT_EQ(t, 3, SANITIZE(in));
	EXPECT_EQ(t, 3, rep.nr_partial);
	expect_run(t, 1, 0x201000, 0x204000, MEM_RAM);
	expect_run(t, 2, 0x300000, 0x301000, MEM_RAM);
}

KTEST(e820, everything_but_ram_grows_to_whole_pages)
{
	static const struct mem_region in[] = {
		{ 0x200000, 0x8000, MEM_RAM },
		{ 0x200FFF, 2, MEM_RESERVED },
		{ 0x204800, 1, MEM_ACPI_NVS },
		{ 0x300001, 1, MEM_ACPI_RECLAIM },
	};

	ASSERT_EQ(t, 6, SANITIZE(in));
	expect_run(t, 1, 0x200000, 0x202000, MEM_RESERVED);
	expect_run(t, 2, 0x202000, 0x204000, MEM_RAM);
	expect_run(t, 3, 0x204000, 0x205000, MEM_ACPI_NVS);
	expect_run(t, 4, 0x205000, 0x208000, MEM_RAM);
	expect_run(t, 5, 0x300000, 0x301000, MEM_ACPI_RECLAIM);
}

KTEST(e820, a_page_that_several_entries_make_up_is_ram)
{
	static const struct mem_region in[] = {
		{ 0x200800, 0x300, MEM_RAM }, { 0x200000, 0x800, MEM_RAM },
		{ 0x200B00, 0x501, MEM_RAM }, { 0x201002, 0xFFE, MEM_RAM },
		{ 0x300800, 0x800, MEM_RAM }, { 0x300000, 0x800, MEM_RAM },
	};

	ASSERT_EQ(t, 3, SANITIZE(in)); /* one byte of the second page is missing */
	expect_run(t, 1, 0x200000, 0x201000, MEM_RAM);
	expect_run(t, 2, 0x300000, 0x301000, MEM_RAM);
}

KTEST(e820, pages_of_ram_that_are_taken_away_are_counted)
{
	static const struct mem_region in[] = {
		{ 0x200000, 0x1000, MEM_RAM },          { 0x200000, 0x1000, MEM_BAD },
		{ 0x300000, 0x9800, MEM_RAM },          { 0x300800, 1, MEM_ACPI_NVS },
		{ 0x400000, 0x2000, MEM_RAM },          { 0x400800, 0x100, MEM_RAM },
		{ 0x400000, 0x1000, MEM_BAD },          { 0x308000, 0x3000, MEM_RESERVED },
		{ 0x303000, 0x1000, MEM_ACPI_RECLAIM },
	};

	SANITIZE(in);
	EXPECT_EQ(t, 5 * 0x1000, rep.conflict); /* 0x309000 is no whole page of RAM */
	EXPECT_EQ(t, 7 * 0x1000, rep.ram);
}

KTEST(e820, the_bios_hole_is_never_ram)
{
	static const struct mem_region in[] = {
		{ 0, 0x200000, MEM_RAM },
		{ 0xC0000, 0x1000, MEM_ACPI_RECLAIM },
		{ 0xE0000, 0x1000, MEM_ACPI_NVS },
	};

	ASSERT_EQ(t, 5, SANITIZE(in));
	expect_run(t, 0, 0, 0xA0000, MEM_RAM);
	expect_run(t, 1, 0xA0000, 0xE0000, MEM_RESERVED);
	expect_run(t, 2, 0xE0000, 0xE1000, MEM_ACPI_NVS);
	expect_run(t, 3, 0xE1000, 0x100000, MEM_RESERVED);
	expect_run(t, 4, 0x100000, 0x200000, MEM_RAM);
	EXPECT_EQ(t, 0x60000, rep.conflict);
}

KTEST(e820, an_entry_that_wraps_ends_with_the_space)
{
	static const struct mem_region in[] = {
		{ 0xFFFFFFFFFFFF0000ull, 0x20000, MEM_RAM },
		{ 0xFFFFFFFFFFFF8000ull, UINT64_MAX, MEM_BAD },
	};

	ASSERT_EQ(t, 3, SANITIZE(in));
	EXPECT_EQ(t, 2, rep.nr_wrapped);
	expect_run(t, 1, 0xFFFFFFFFFFFF0000ull, 0xFFFFFFFFFFFF8000ull, MEM_RAM);
	expect_run(t, 2, 0xFFFFFFFFFFFF8000ull, 0xFFFFFFFFFFFFF000ull, MEM_BAD);
}

KTEST(e820, an_entry_that_ends_with_the_space_does_not_wrap)
{
	static const struct mem_region in[] = { { 0xFFFFFFFFFFFF0000ull, 0x10000, MEM_RAM } };

	ASSERT_EQ(t, 2, SANITIZE(in));
	EXPECT_EQ(t, 0, rep.nr_wrapped);
	expect_run(t, 1, 0xFFFFFFFFFFFF0000ull, 0xFFFFFFFFFFFFF000ull, MEM_RAM);
}

KTEST(e820, what_has_no_room_is_left_out_from_the_top)
{
	static const struct mem_region in[] = {
		{ 0x200000, 0x1000, MEM_RAM },
		{ 0x400000, 0x3000, MEM_RAM },
		{ 0x300000, 0x1000, MEM_BAD },
		{ 0x401000, 0x1000, MEM_BAD },
	};

	EXPECT_EQ(t, 3, e820_sanitize(in, ARRAY_SIZE(in), out, 3, &rep));
	expect_run(t, 2, 0x300000, 0x301000, MEM_BAD);
	EXPECT_EQ(t, 3, rep.nr_dropped);
	EXPECT_EQ(t, 0x2000, rep.dropped_ram);
	EXPECT_EQ(t, 0x1000, rep.ram);
	EXPECT_EQ(t, 0x1000, rep.conflict);
	EXPECT_EQ(t, 0, e820_sanitize(in, ARRAY_SIZE(in), NULL, 0, &rep));
	EXPECT_EQ(t, 6, rep.nr_dropped);
}

KTEST(e820, the_checker_counts_each_kind_of_violation)
{
	static const struct mem_region bad[][2] = {
		{ { 0x200000, 0x1000, MEM_RAM }, { 0x180000, 0x1000, MEM_RAM } },
		{ { 0x200000, 0x2000, MEM_RAM }, { 0x201000, 0x1000, MEM_BAD } },
		{ { 0x200000, 0x1000, MEM_RAM }, { 0x201000, 0x1000, MEM_RAM } },
		{ { 0x200000, 0x1000, MEM_RAM }, { 0x300000, 0x800, MEM_RAM } },
		{ { 0x200800, 0x1800, MEM_RAM }, { 0x300000, 0x1000, MEM_RAM } },
		{ { 0x200000, 0x1000, MEM_RAM }, { 0x300000, 0x1000, 6 } },
		{ { 0x200000, 0x1000, MEM_RAM }, { 0x300000, 0, MEM_RAM } },
		{ { 0, 0xA1000, MEM_RAM }, { 0x300000, 0x1000, MEM_RAM } },
		{ { 0, 0x1000, MEM_RAM }, { 0xFF000, 0x2000, MEM_RAM } },
		{ { 0, 0x1000, MEM_RAM }, { 0xFFFFFFFFFFFFE000ull, 0x4000, MEM_BAD } },
	};
	static const struct mem_region good[] = {
		{ 0, 0xA0000, MEM_RAM },
		{ 0xA0000, 0x60000, MEM_RESERVED },
		{ 0x100000, 0x1000, MEM_RAM },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(t, 1, e820_check(bad[i], 2));
	EXPECT_EQ(t, 0, e820_check(good, 3));
	EXPECT_EQ(t, 0, e820_check(NULL, 0));
}

/* ---- limits ------------------------------------------------------------------------------- */

static struct e820_list list;

static void start_list(const struct mem_region *in, unsigned int nr)
{
	list = (struct e820_list){ list_regions, nr, LIST_MAX };
	memcpy(list_regions, in, nr * sizeof(*in));
}

static void expect_entry(struct ktest *t, unsigned int i, phys_addr_t start, phys_addr_t size,
			 uint32_t type)
{
	EXPECT_EQ(t, start, list_regions[i].start);
	EXPECT_EQ(t, size, list_regions[i].size);
	EXPECT_EQ(t, type, list_regions[i].type);
}

static const struct mem_region plain[] = {
	{ 0, 0x9F000, MEM_RAM },    { 0xF0000, 0x10000, MEM_RESERVED },
	{ MiB, 63 * MiB, MEM_RAM }, { 64 * MiB, MiB, MEM_ACPI_NVS },
	{ 4 * GiB, GiB, MEM_RAM },
};

KTEST(e820, a_limit_takes_ram_and_nothing_else)
{
	start_list(plain, 5);
	EXPECT_EQ(t, GiB, e820_limit_ram(&list, 4 * GiB));
	EXPECT_EQ(t, 4, list.nr);
	EXPECT_EQ(t, 32 * MiB, e820_limit_ram(&list, 32 * MiB + 0xFFF));
	ASSERT_EQ(t, 4, list.nr);
	expect_entry(t, 2, MiB, 31 * MiB, MEM_RAM);
	expect_entry(t, 3, 64 * MiB, MiB, MEM_ACPI_NVS);
	EXPECT_EQ(t, 31 * MiB + 0x9F000, e820_limit_ram(&list, 0));
	EXPECT_EQ(t, 2, list.nr);
	EXPECT_EQ(t, 0, e820_limit_ram(&list, 0));
}

KTEST(e820, a_limit_works_on_lists_that_wrap)
{
	static const struct mem_region wild[] = {
		{ 0xFFFFFFFFFFFFF000ull, 0x8000, MEM_RAM },
		{ 0x1000, UINT64_MAX, MEM_RAM },
	};

	start_list(wild, 2);
	e820_limit_ram(&list, 0x5000);
	ASSERT_EQ(t, 1, list.nr);
	expect_entry(t, 0, 0x1000, 0x4000, MEM_RAM);
}

KTEST(e820, mem_takes_ram_from_there_on)
{
	start_list(plain, 5);
	EXPECT_EQ(t, 0, e820_apply_mem(&list, "16M"));
	ASSERT_EQ(t, 4, list.nr);
	expect_entry(t, 2, MiB, 15 * MiB, MEM_RAM);
	EXPECT_EQ(t, 0, e820_apply_mem(&list, "0x800000"));
	expect_entry(t, 2, MiB, 7 * MiB, MEM_RAM);
	EXPECT_EQ(t, 0, e820_apply_mem(&list, "8T"));
	expect_entry(t, 2, MiB, 7 * MiB, MEM_RAM);
}

KTEST(e820, mem_refuses_what_is_no_size)
{
	static const char *const wrong[] = { "", "0", "0M", "M", "x", "16M,", "16MB", "-1" };

	start_list(plain, 5);
	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++)
		EXPECT_ERR(t, -EINVAL, e820_apply_mem(&list, wrong[i]));
	EXPECT_ERR(t, -ERANGE, e820_apply_mem(&list, "0x10000000000000000"));
	EXPECT_EQ(t, 5, list.nr);
	EXPECT_EQ(t, 0, memcmp(plain, list_regions, sizeof(plain)));
}

KTEST(e820, memmap_directives_add_entries)
{
	start_list(plain, 3);
	ASSERT_EQ(t, 0, e820_apply_memmap(&list, "1M@128M,64K$0x2000000,4K#160M"));
	ASSERT_EQ(t, 6, list.nr);
	expect_entry(t, 3, 128 * MiB, MiB, MEM_RAM);
	expect_entry(t, 4, 32 * MiB, 64 * KiB, MEM_RESERVED);
	expect_entry(t, 5, 160 * MiB, 4 * KiB, MEM_ACPI_RECLAIM);
}

KTEST(e820, memmap_exactmap_forgets_the_firmware)
{
	start_list(plain, 5);
	ASSERT_EQ(t, 0, e820_apply_memmap(&list, "exactmap,640K@0,15M@1M"));
	ASSERT_EQ(t, 2, list.nr);
	expect_entry(t, 0, 0, 640 * KiB, MEM_RAM);
	expect_entry(t, 1, MiB, 15 * MiB, MEM_RAM);
	ASSERT_EQ(t, 0, e820_apply_memmap(&list, "exactmap"));
	EXPECT_EQ(t, 0, list.nr);
}

KTEST(e820, memmap_with_a_size_alone_is_a_limit)
{
	start_list(plain, 5);
	ASSERT_EQ(t, 0, e820_apply_memmap(&list, "32M,1M@48M"));
	ASSERT_EQ(t, 5, list.nr);
	expect_entry(t, 2, MiB, 31 * MiB, MEM_RAM);
	expect_entry(t, 4, 48 * MiB, MiB, MEM_RAM);
}

KTEST(e820, memmap_refuses_what_makes_no_sense)
{
	static const char *const wrong[] = { "",       "@1M",    "1M@",    "1M!2M",     "1M@2M@3M",
					     "1M@2Mx", "0@1M",   "1M@2M,", "exactmap2", "exact",
					     ",1M@2M", "1M@-2M", "1M %2M", "0" };

	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		start_list(plain, 5);
		EXPECT_ERR(t, -EINVAL, e820_apply_memmap(&list, wrong[i]));
	}
	EXPECT_ERR(t, -ERANGE, e820_apply_memmap(&list, "1M@99999999999999999999"));
	EXPECT_ERR(t, -ERANGE, e820_apply_memmap(&list, "16777216T@0"));
}

KTEST(e820, a_reservation_without_room_costs_the_ram_above_it)
{
	start_list(plain, 5);
	list.cap = 5;
	EXPECT_ERR(t, -ENOSPC, e820_apply_memmap(&list, "1M@128M"));
	EXPECT_EQ(t, 0, memcmp(plain, list_regions, sizeof(plain)));
	EXPECT_ERR(t, -ENOSPC, e820_apply_memmap(&list, "4K$32M"));
	ASSERT_EQ(t, 4, list.nr);
	expect_entry(t, 2, MiB, 31 * MiB, MEM_RAM);
}

/* ---- text --------------------------------------------------------------------------------- */

static int parse(const char *text, unsigned int *line)
{
	list = (struct e820_list){ list_regions, 7, LIST_MAX };
	return e820_parse_text(&list, text, strlen(text), line);
}

KTEST(e820, both_forms_of_text_are_understood)
{
	static const char text[] =
		"# comment\n\n0x0 0x9fc00 1\n  0x9FC00\t0x400  2 # trailing\r\n"
		"BIOS-e820: [mem 0x00100000-0x03fdffff] usable\n"
		"[    0.000000] BIOS-e820: [mem 0x3fe0000-0x3feffff] ACPI data\n"
		"0x5000000 0x1 type 20\n[mem 0x6000000-0x5ffffff] ACPI NVS\n"
		"[mem 0x0-0xffffffffffffffff] unusable\n[mem 0x7000000-0x7000000] reserved";
	unsigned int line;

	ASSERT_EQ(t, 0, parse(text, &line));
	EXPECT_EQ(t, 10, line);
	ASSERT_EQ(t, 8, list.nr);
	expect_entry(t, 0, 0, 0x9FC00, MEM_RAM);
	expect_entry(t, 1, 0x9FC00, 0x400, MEM_RESERVED);
	expect_entry(t, 2, MiB, 0x3EE0000, MEM_RAM);
	expect_entry(t, 3, 0x3FE0000, 0x10000, MEM_ACPI_RECLAIM);
	expect_entry(t, 4, 0x5000000, 1, 20);
	expect_entry(t, 5, 0x6000000, 0, MEM_ACPI_NVS);
	expect_entry(t, 6, 0, UINT64_MAX, MEM_BAD);
	expect_entry(t, 7, 0x7000000, 1, MEM_RESERVED);
}

KTEST(e820, every_type_s_name_is_read_back)
{
	static const char *const names[] = { "persistent (type 7)", "soft reserved",
					     "device reserved", "type 4294967295", "0x14" };
	static const uint32_t types[] = { 7, MEM_RESERVED, MEM_RESERVED, 0xFFFFFFFF, 20 };
	char text[64];
	unsigned int line;

	for (uint32_t type = MEM_RAM; type <= MEM_BAD; type++) {
		strlcpy(text, "0x1000 0x2000 ", sizeof(text));
		strlcpy(text + strlen(text), e820_type_name(type), 32);
		ASSERT_EQ(t, 0, parse(text, &line));
		expect_entry(t, 0, 0x1000, 0x2000, type);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		strlcpy(text, "[mem 0x1000-0x1fff] ", sizeof(text));
		strlcpy(text + strlen(text), names[i], 32);
		ASSERT_EQ(t, 0, parse(text, &line));
		expect_entry(t, 0, 0x1000, 0x1000, types[i]);
	}
	EXPECT_STREQ(t, "unknown", e820_type_name(0));
	EXPECT_STREQ(t, "unknown", e820_type_name(6));
}

#define DOTS_32     "................................"
#define LINE_OF_160 "0x1000 0x1000 1 # 6 7 8 9 0 1 23" DOTS_32 DOTS_32 DOTS_32 DOTS_32

KTEST(e820, a_line_that_is_no_entry_is_refused_by_number)
{
	static const char *const wrong[] = {
		"x",
		"0x1000",
		"0x1000 0x1000",
		"0x1000 0x1000 ",
		"0x1000 0x1000usable",
		"0x1000x1000 1",
		"1000 0x1000 1",
		"0x1000 1000 1",
		"0x1000 0x1000 usables",
		"0x1000 0x1000 usable x",
		"0x1000 0x1000 1 1",
		"0x1000 0x1000 4294967296",
		"0x10000000000000000 0x1000 1",
		"0x1000, 0x1000, 1",
		"[mem 0x1000-0x1fff]",
		"[mem 0x1000-0x1fff usable",
		"[mem 0x2000-0x1000] usable",
		"[mem 0x1000 0x1fff] usable",
		"[mem 1000-1fff] usable",
		"[mem 0x1000-] usable",
		"[mem -0x1fff] usable",
		"0x1000 0x1000 type",
		"0x1000 0x1000 ACPI",
		LINE_OF_160,
	};
	char text[256];
	unsigned int line;

	for (unsigned int i = 0; i < ARRAY_SIZE(wrong); i++) {
		strlcpy(text, "0x0 0x1000 1\n\n", sizeof(text));
		strlcpy(text + strlen(text), wrong[i], 200);
		strlcpy(text + strlen(text), "\n0x0 0x1000 1\n", 32);
		list = (struct e820_list){ list_regions, 0, LIST_MAX };
		EXPECT_ERR(t, -EILSEQ, e820_parse_text(&list, text, strlen(text), &line));
		EXPECT_EQ(t, 3, line);
		EXPECT_EQ(t, 0, list.nr);
	}
}

KTEST(e820, a_nul_in_a_text_hides_nothing)
{
	static const char text[] = "0x0 0x1000 1\n0x1000 0x1000 1\0 hidden\n0x2000 0x1000 2\n";
	unsigned int line;

	list = (struct e820_list){ list_regions, 0, LIST_MAX };
	EXPECT_ERR(t, -EILSEQ, e820_parse_text(&list, text, sizeof(text) - 1, &line));
	EXPECT_EQ(t, 2, line);
}

KTEST(e820, a_text_with_too_many_entries_is_refused)
{
	static const char text[] =
		"0x0 0x1000 1\n0x1000 0x1000 1\n# two are enough\n0x2000 0x1 2\n";
	unsigned int line;

	list = (struct e820_list){ list_regions, 0, 2 };
	EXPECT_ERR(t, -ENOSPC, e820_parse_text(&list, text, sizeof(text) - 1, &line));
	EXPECT_EQ(t, 4, line);
	EXPECT_EQ(t, 0, list.nr);
	list.cap = 3;
	EXPECT_EQ(t, 0, e820_parse_text(&list, text, sizeof(text) - 1, &line));
	EXPECT_EQ(t, 3, list.nr);
}

/* ---- struct pages ------------------------------------------------------------------------- */

#define LOWMEM_MAX  (896 * MiB)
#define STRUCT_PAGE 32u

static void limit(const struct mem_region *in, unsigned int nr, struct e820_struct_pages *sp)
{
	start_list(in, nr);
	e820_limit_struct_pages(&list, LOWMEM_MAX, STRUCT_PAGE, sp);
}

KTEST(e820, struct_pages_that_fit_cost_no_ram)
{
	static const struct mem_region in[] = { { 0, 0xA0000, MEM_RAM },
						{ MiB, 0xBFE00000, MEM_RAM } };
	struct e820_struct_pages sp;

	limit(in, 2, &sp);
	EXPECT_EQ(t, 0, sp.left_out);
	EXPECT_EQ(t, 0, memcmp(in, list_regions, sizeof(in)));
	EXPECT_EQ(t, 0xC0000000 / 4096 * STRUCT_PAGE, sp.needed);
	EXPECT_EQ(t, sp.needed, sp.needed_uncut);
	EXPECT_EQ(t, LOWMEM_MAX - 0x60000, sp.lowmem);
	EXPECT_EQ(t, 0xBFF00000, sp.ram_end);
}

KTEST(e820, a_stray_run_below_4_gib_is_left_out_at_16_mib)
{
	static const struct mem_region in[] = { { 0, 0x9F000, MEM_RAM },
						{ MiB, 0xEE0000, MEM_RAM },
						{ 0xFFF00000, 0x80000, MEM_RAM } };
	struct e820_struct_pages sp;

	limit(in, 3, &sp);
	EXPECT_EQ(t, 0x80000, sp.left_out);
	EXPECT_EQ(t, 2, list.nr);
	EXPECT_EQ(t, 0xFFF80000, sp.ram_end_uncut);
	EXPECT_EQ(t, 0xFE0000, sp.ram_end);
	EXPECT_EQ(t, 32 * MiB, sp.needed_uncut);
	EXPECT_EQ(t, 4096 * STRUCT_PAGE, sp.needed);
}

KTEST(e820, ram_above_lowmem_is_cut_where_its_struct_pages_end)
{
	/* 64 MiB of lowmem RAM pay for 32 MiB of struct pages: for 4 GiB. */
	static const struct mem_region in[] = { { MiB, 64 * MiB, MEM_RAM },
						{ GiB, 7 * GiB, MEM_RAM } };
	struct e820_struct_pages sp;

	limit(in, 2, &sp);
	ASSERT_EQ(t, 2, list.nr);
	expect_entry(t, 1, GiB, 3 * GiB, MEM_RAM);
	EXPECT_EQ(t, 4 * GiB, sp.left_out);
	EXPECT_EQ(t, 32 * MiB, sp.needed);
}

KTEST(e820, lowmem_that_cannot_pay_for_itself_is_left_out_whole)
{
	static const struct mem_region in[] = { { 512 * MiB, MiB, MEM_RAM } };
	struct e820_struct_pages sp;

	limit(in, 1, &sp);
	EXPECT_EQ(t, 0, list.nr);
	EXPECT_EQ(t, MiB, sp.left_out);
	EXPECT_EQ(t, 0, sp.needed);
	EXPECT_EQ(t, 0, sp.ram_end);
	EXPECT_EQ(t, 0, sp.lowmem);
	limit(in, 0, &sp);
	EXPECT_EQ(t, 0, sp.needed_uncut);
}

/* ---- random lists ------------------------------------------------------------------------- */

/* Around places where things turn, so that entries meet each other; or anywhere. */
static struct mem_region random_entry(struct ktest *t, unsigned int style)
{
	static const uint64_t centres[] = { 0x4000,  0xA0000, 0x100000,
					    4 * GiB, 0x8000,  0xFFFFFFFFFFFF8000ull };
	struct mem_region r = random_region(t);
	uint64_t centre = centres[style % ARRAY_SIZE(centres)];

	if (style >= ARRAY_SIZE(centres))
		return r;
	r.start = centre + ktest_random_below(t, 0x8000) - 0x4000;
	r.size = ktest_random_below(t, 1u << ktest_random_below(t, 15));
	if (ktest_random_below(t, 2)) {
		r.start &= ~0xFFFull;
		r.size &= ~0x7FFull;
	}
	if (!ktest_random_below(t, 16))
		r.size = 0 - r.size;
	return r;
}

static unsigned int random_list(struct ktest *t)
{
	unsigned int nr = ktest_random_below(t, 1u << ktest_random_below(t, 6)) + 1;
	unsigned int style = ktest_random_below(t, 8);

	for (unsigned int i = 0; i < nr; i++)
		list_regions[i] = random_entry(t, style);
	return nr;
}

/* RAM runs of some MiB with gaps between them, and a little memory at the bottom. */
static unsigned int random_ram(struct ktest *t)
{
	unsigned int nr = 1 + ktest_random_below(t, 6);
	uint64_t pa = 0;

	for (unsigned int i = 0; i < nr; i++) {
		uint64_t gap = (uint64_t)ktest_random_below(t, 1u << ktest_random_below(t, 19));
		uint64_t size = 1 + ktest_random_below(t, 1u << ktest_random_below(t, 17));

		pa += gap * 4096;
		list_regions[i] = (struct mem_region){ pa, size * 4096, MEM_RAM };
		pa += size * 4096;
	}
	return nr;
}

void e820_walk(struct ktest *t, unsigned long steps)
{
	static struct mem_region scratch[OUT_MAX];

	for (unsigned long step = 0; step < steps && !t->nr_failed; step++) {
		unsigned int nr = random_list(t);

		expect_sanitized(t, list_regions, nr, out, OUT_MAX);
		if (step % 4)
			continue;
		nr = random_ram(t);
		nr = expect_sanitized(t, list_regions, nr, out, OUT_MAX);
		expect_struct_pages_fit(t, out, nr, scratch,
					(64 + ktest_random_below(t, 832)) * MiB,
					1 + ktest_random_below(t, 100));
	}
}

KTEST(e820, random_lists_come_out_as_the_oracle_says)
{
	e820_walk(t, SHORT_WALK / 4);
}
