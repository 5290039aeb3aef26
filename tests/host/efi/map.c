/*
 * map.c - tests of the EFI memory map: types, room, what is RAM, and what the kernel is told.
 */
#include <quarry/bootinfo.h>
#include <quarry/errno.h>
#include <quarry/ktest.h>
#include <quarry/string.h>

#include "../../../boot/efi/memmap.h"
#include "../../boot/blob.h"

#define PAGE      0x1000ull
#define ENTRIES   16u
#define DESC_SIZE 48u /* as today's firmware has it: more than the fields that are read */
#define WB        EFI_CAN_WRITE_BACK

static uint8_t bytes[ENTRIES * DESC_SIZE];
static struct efi_map map = { .bytes = bytes, .desc_size = DESC_SIZE };
static struct mem_region regions[ENTRIES];

static void clear(void)
{
	memset(bytes, 0xEE, sizeof(bytes));
	map.size = 0;
}

static void add(uint32_t type, uint64_t start, uint64_t nr_pages, uint64_t attribute)
{
	uint8_t *at = bytes + map.size;

	put32(at, type);
	put64(at + 8, start);
	put64(at + 16, 0);
	put64(at + 24, nr_pages);
	put64(at + 32, attribute);
	map.size += DESC_SIZE;
}

/* As OVMF has it around 1 MiB, not sorted. */
static void add_usual(void)
{
	clear();
	add(EFI_TYPE_FREE, 0x900000, 0x100, WB);
	add(EFI_TYPE_BOOT_DATA, 0x100000, 0x100, WB);
	add(EFI_TYPE_FREE, 0x200000, 0x606, WB);
	add(EFI_TYPE_ACPI_NVS, 0x806000, 2, WB);
	add(EFI_TYPE_LOADER_DATA, 0x808000, 0xF8, WB);
}

static uint32_t kernel_type(uint32_t type, uint64_t attribute)
{
	const struct efi_run run = { type, 0, PAGE, attribute };

	return efi_kernel_type(&run);
}

KTEST(efi_map, memory_that_is_free_once_boot_services_ended_is_ram)
{
	EXPECT_EQ(t, MEM_RAM, kernel_type(EFI_TYPE_LOADER_CODE, WB));
	EXPECT_EQ(t, MEM_RAM, kernel_type(EFI_TYPE_LOADER_DATA, WB));
	EXPECT_EQ(t, MEM_RAM, kernel_type(EFI_TYPE_BOOT_CODE, WB));
	EXPECT_EQ(t, MEM_RAM, kernel_type(EFI_TYPE_BOOT_DATA, WB));
	EXPECT_EQ(t, MEM_RAM, kernel_type(EFI_TYPE_FREE, WB));
}

KTEST(efi_map, acpi_and_bad_memory_keep_their_kinds)
{
	EXPECT_EQ(t, MEM_ACPI_RECLAIM, kernel_type(EFI_TYPE_ACPI_RECLAIM, WB));
	EXPECT_EQ(t, MEM_ACPI_NVS, kernel_type(EFI_TYPE_ACPI_NVS, WB));
	EXPECT_EQ(t, MEM_BAD, kernel_type(EFI_TYPE_BAD, WB));
}

KTEST(efi_map, all_other_types_known_or_not_are_reserved)
{
	static const uint32_t types[] = { 0,  5,  6,   11,         12,         13,        14,
					  15, 16, 100, 0x70000000, 0x80000001, 0xFFFFFFFF };

	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++)
		EXPECT_EQ(t, MEM_RESERVED, kernel_type(types[i], WB));
}

KTEST(efi_map, ram_that_is_special_is_reserved)
{
	EXPECT_EQ(t, MEM_RESERVED, kernel_type(EFI_TYPE_FREE, 0));
	EXPECT_EQ(t, MEM_RESERVED, kernel_type(EFI_TYPE_FREE, WB | EFI_SPECIFIC_PURPOSE));
	EXPECT_EQ(t, MEM_RESERVED, kernel_type(EFI_TYPE_BOOT_DATA, WB | EFI_NEEDS_RUNTIME));
	EXPECT_EQ(t, MEM_RAM, kernel_type(EFI_TYPE_FREE, WB | 7));
}

KTEST(efi_map, acpi_tables_that_the_firmware_wants_at_run_time_are_never_given_away)
{
	EXPECT_EQ(t, MEM_RESERVED, kernel_type(EFI_TYPE_ACPI_RECLAIM, WB | EFI_NEEDS_RUNTIME));
	EXPECT_EQ(t, MEM_RESERVED, kernel_type(EFI_TYPE_ACPI_RECLAIM, 0));
	EXPECT_EQ(t, MEM_ACPI_NVS, kernel_type(EFI_TYPE_ACPI_NVS, WB | EFI_NEEDS_RUNTIME));
}

KTEST(efi_map, every_type_has_a_name)
{
	EXPECT_STREQ(t, "ACPI NVS", efi_type_name(EFI_TYPE_ACPI_NVS));
	EXPECT_STREQ(t, "unaccepted memory", efi_type_name(EFI_TYPE_UNACCEPTED));
	EXPECT_STREQ(t, "memory of an unknown type", efi_type_name(EFI_TYPE_UNACCEPTED + 1));
	EXPECT_STREQ(t, "no memory at all", efi_type_name(EFI_TYPE_NONE));
}

KTEST(efi_map, a_run_past_the_end_of_the_space_ends_a_page_before_it)
{
	struct efi_run run;

	clear();
	add(EFI_TYPE_FREE, 0x1000, UINT64_MAX, WB);
	add(EFI_TYPE_FREE, UINT64_MAX, 1, WB);
	efi_map_get(&map, 0, &run);
	EXPECT_EQ(t, 0x1000, run.start);
	EXPECT_EQ(t, UINT64_MAX - 0xFFF, run.end);
	efi_map_get(&map, 1, &run);
	EXPECT_TRUE(t, run.start == run.end);
}

KTEST(efi_map, a_range_is_ram_if_entries_in_any_order_cover_it)
{
	struct efi_run o;

	add_usual();
	EXPECT_TRUE(t, efi_map_is_ram(&map, 0x100000, 0x806000, &o));
	EXPECT_TRUE(t, efi_map_is_ram(&map, 0x808000, 0xA00000, &o));
}

KTEST(efi_map, what_the_firmware_holds_in_a_range_is_named)
{
	struct efi_run o;

	add_usual();
	EXPECT_FALSE(t, efi_map_is_ram(&map, 0x100000, 0x807000, &o));
	EXPECT_EQ(t, EFI_TYPE_ACPI_NVS, o.type);
	EXPECT_EQ(t, 0x806000, o.start);
	EXPECT_EQ(t, 0x808000, o.end);
}

KTEST(efi_map, an_entry_that_is_not_ram_wins_over_one_that_is)
{
	struct efi_run o;

	add_usual();
	add(EFI_TYPE_RUNTIME_DATA, 0x300000, 1, WB);
	EXPECT_FALSE(t, efi_map_is_ram(&map, 0x100000, 0x400000, &o));
	EXPECT_EQ(t, EFI_TYPE_RUNTIME_DATA, o.type);
}

KTEST(efi_map, a_hole_in_a_range_is_no_memory_at_all)
{
	struct efi_run o;

	add_usual();
	EXPECT_FALSE(t, efi_map_is_ram(&map, 0xFF000, 0x101000, &o));
	EXPECT_EQ(t, EFI_TYPE_NONE, o.type);
	EXPECT_EQ(t, 0xFF000, o.start);
	EXPECT_FALSE(t, efi_map_is_ram(&map, 0x900000, 0xA01000, &o));
	EXPECT_EQ(t, 0xA00000, o.start);
}

KTEST(efi_map, room_is_the_highest_free_place_within_bounds)
{
	uint64_t at = 0;

	add_usual();
	add(EFI_TYPE_FREE, 0xFFFF0000, 0x20, WB); /* across 4 GiB */
	ASSERT_TRUE(t, efi_map_find_room(&map, 0x3000, 0x100000, 0x100000000, &at));
	EXPECT_EQ(t, 0xFFFFD000, at);
	ASSERT_TRUE(t, efi_map_find_room(&map, 0x11000, 0x100000, 0x100000000, &at));
	EXPECT_EQ(t, 0x9EF000, at);
	ASSERT_TRUE(t, efi_map_find_room(&map, 0x101000, 0x100000, 0x100000000, &at));
	EXPECT_EQ(t, 0x705000, at);
	EXPECT_FALSE(t, efi_map_find_room(&map, 0x607000, 0x100000, 0x100000000, &at));
}

KTEST(efi_map, room_beside_a_place_is_not_in_it_although_parts_of_it_are_free)
{
	uint64_t at;

	clear();
	add(EFI_TYPE_FREE, 0x100000, 0x10, WB);
	EXPECT_TRUE(t, efi_map_find_room_beside(&map, 2 * PAGE, 0x100000, 0x200000, 0x200000,
						0x200000, &at));
	EXPECT_EQ(t, 0x10E000, at);
	EXPECT_TRUE(t, efi_map_find_room_beside(&map, 2 * PAGE, 0x100000, 0x200000, 0x104000,
						0x10E000, &at));
	EXPECT_EQ(t, 0x10E000, at);
	EXPECT_TRUE(t, efi_map_find_room_beside(&map, 3 * PAGE, 0x100000, 0x200000, 0x104000,
						0x10E000, &at));
	EXPECT_EQ(t, 0x101000, at);
	EXPECT_FALSE(t, efi_map_find_room_beside(&map, 5 * PAGE, 0x100000, 0x200000, 0x104000,
						 0x10E000, &at));
}

KTEST(efi_map, room_is_in_free_memory_only_and_not_below_the_floor)
{
	uint64_t at;

	clear();
	add(EFI_TYPE_BOOT_DATA, 0x200000, 0x100, WB);
	add(EFI_TYPE_FREE, 0x400000, 0x100, 0);
	add(EFI_TYPE_FREE, 0x0, 0x100, WB);
	EXPECT_FALSE(t, efi_map_find_room(&map, PAGE, 0x100000, 0x100000000, &at));
	add(EFI_TYPE_FREE, 0xFE000, 4, WB);
	EXPECT_FALSE(t, efi_map_find_room(&map, 3 * PAGE, 0x100000, 0x100000000, &at));
	ASSERT_TRUE(t, efi_map_find_room(&map, 2 * PAGE, 0x100000, 0x100000000, &at));
	EXPECT_EQ(t, 0x100000, at);
}

static void expect_entry(struct ktest *t, unsigned int i, uint64_t start, uint64_t size,
			 uint32_t type)
{
	EXPECT_EQ(t, start, regions[i].start);
	EXPECT_EQ(t, size, regions[i].size);
	EXPECT_EQ(t, type, regions[i].type);
}

KTEST(efi_map, the_kernels_map_is_sorted_and_merged)
{
	add_usual();
	add(EFI_TYPE_RESERVED, 0xA01000, 0, WB); /* empty */
	ASSERT_EQ(t, 3, efi_map_regions(&map, regions, ENTRIES));
	expect_entry(t, 0, 0x100000, 0x706000, MEM_RAM);
	expect_entry(t, 1, 0x806000, 0x2000, MEM_ACPI_NVS);
	expect_entry(t, 2, 0x808000, 0x1F8000, MEM_RAM);
}

KTEST(efi_map, a_map_without_room_is_an_error_and_not_a_shorter_map)
{
	add_usual();
	EXPECT_EQ(t, -ENOSPC, efi_map_regions(&map, regions, 4));
	EXPECT_EQ(t, 3, efi_map_regions(&map, regions, 5));
}

/* The types that cover a page, as bits: in the firmware's map, and in the kernel's. */
static unsigned int types_before(uint64_t page)
{
	unsigned int found = 0;
	struct efi_run run;

	for (unsigned int i = 0; i < efi_map_nr(&map); i++) {
		efi_map_get(&map, i, &run);
		if (page >= run.start && page < run.end)
			found |= 1u << efi_kernel_type(&run);
	}
	return found;
}

static unsigned int types_after(unsigned int nr, uint64_t page)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < nr; i++) {
		if (page >= regions[i].start && page - regions[i].start < regions[i].size)
			found |= 1u << regions[i].type;
	}
	return found;
}

KTEST(efi_map, random_maps_keep_every_pages_types_and_give_only_free_room)
{
	const unsigned int space = 64; /* pages */

	for (unsigned long step = ktest_steps(t, 20000); step; step--) {
		uint64_t size = PAGE * (1 + ktest_random_below(t, 8)), at;
		struct efi_run o;
		int nr;

		clear();
		for (unsigned int i = ktest_random_below(t, ENTRIES + 1); i; i--)
			add(ktest_random_below(t, 17), PAGE * ktest_random_below(t, space),
			    ktest_random_below(t, 12), ktest_random_below(t, 8) ? WB : 0);
		nr = efi_map_regions(&map, regions, ENTRIES);
		ASSERT_GE(t, 0, nr);
		for (unsigned int page = 0; page < space + 12; page++)
			ASSERT_EQ(t, types_before(page * PAGE),
				  types_after((unsigned int)nr, page * PAGE));
		for (int i = 1; i < nr; i++)
			ASSERT_LE(t, regions[i].start, regions[i - 1].start);
		if (efi_map_find_room(&map, size, 0, space * PAGE, &at) &&
		    efi_map_is_ram(&map, at, at + size, &o))
			for (uint64_t page = at; page < at + size; page += PAGE)
				ASSERT_EQ(t, 1u << MEM_RAM, types_before(page));
	}
}
