/*
 * memblock.c - the early allocator, on lists of the test's own.
 *
 * THEORY.  The operations work on any struct memblock: each test has one over small static arrays
 * and made-up addresses, so that every case of merging and splitting can be laid out.  Growing
 * writes to the memory that the lists describe; the test of it describes a block that it owns.
 * memblock_check() runs after every step.
 */
#include "../../../mm/internal.h"

#include <quarry/align.h>
#include <quarry/bootinfo.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/memblock.h>
#include <quarry/mm.h>
#include <quarry/string.h>

#define NR_REGIONS 16u
#define PAGE       ((phys_addr_t)PAGE_SIZE)

static struct memblock_region memory_regions[NR_REGIONS], reserved_regions[NR_REGIONS];

static struct memblock mb;

static void setup(void)
{
	mb = (struct memblock){
		.memory = { memory_regions, 0, NR_REGIONS },
		.reserved = { reserved_regions, 0, NR_REGIONS },
		.limit = MEMBLOCK_ANYWHERE,
	};
}

static void add(struct ktest *t, phys_addr_t start, phys_addr_t end)
{
	memblock_range_add(&mb, &mb.memory, start, end, NULL);
	EXPECT_EQ(t, 0, memblock_check(&mb));
}

static void reserve(struct ktest *t, phys_addr_t start, phys_addr_t end, const char *name)
{
	memblock_range_add(&mb, &mb.reserved, start, end, name);
	EXPECT_EQ(t, 0, memblock_check(&mb));
}

static void expect_region(struct ktest *t, const struct memblock_type *type, unsigned int i,
			  phys_addr_t start, phys_addr_t end)
{
	ASSERT_TRUE(t, i < type->nr);
	EXPECT_EQ(t, start, type->region[i].start);
	EXPECT_EQ(t, end, type->region[i].end);
}

KTEST(memblock, ranges_that_touch_or_overlap_become_one)
{
	setup();
	add(t, 0x1000, 0x3000);
	add(t, 0x3000, 0x5000); /* touches the end */
	add(t, 0x0800, 0x1000); /* touches the start */
	add(t, 0x2000, 0x6000); /* overlaps */
	add(t, 0x3000, 0x4000); /* lies inside */
	ASSERT_EQ(t, 1, mb.memory.nr);
	expect_region(t, &mb.memory, 0, 0x0800, 0x6000);
}

KTEST(memblock, a_range_that_fills_gaps_joins_all_its_neighbours)
{
	setup();
	add(t, 0x1000, 0x2000);
	add(t, 0x7000, 0x8000);
	add(t, 0x4000, 0x5000);
	ASSERT_EQ(t, 3, mb.memory.nr);
	expect_region(t, &mb.memory, 1, 0x4000, 0x5000);
	add(t, 0x1800, 0x7000);
	ASSERT_EQ(t, 1, mb.memory.nr);
	expect_region(t, &mb.memory, 0, 0x1000, 0x8000);
}

KTEST(memblock, removing_from_the_middle_splits_a_range)
{
	setup();
	add(t, 0x1000, 0x9000);
	memblock_range_remove(&mb, &mb.memory, 0x3000, 0x5000);
	EXPECT_EQ(t, 0, memblock_check(&mb));
	ASSERT_EQ(t, 2, mb.memory.nr);
	expect_region(t, &mb.memory, 0, 0x1000, 0x3000);
	expect_region(t, &mb.memory, 1, 0x5000, 0x9000);
}

KTEST(memblock, removing_cuts_the_ends_and_drops_what_lies_inside)
{
	setup();
	add(t, 0x1000, 0x3000);
	add(t, 0x4000, 0x5000);
	add(t, 0x6000, 0x9000);
	memblock_range_remove(&mb, &mb.memory, 0x2000, 0x7000);
	EXPECT_EQ(t, 0, memblock_check(&mb));
	ASSERT_EQ(t, 2, mb.memory.nr);
	expect_region(t, &mb.memory, 0, 0x1000, 0x2000);
	expect_region(t, &mb.memory, 1, 0x7000, 0x9000);
	memblock_range_remove(&mb, &mb.memory, 0, MEMBLOCK_ANYWHERE);
	EXPECT_EQ(t, 0, mb.memory.nr);
}

KTEST(memblock, an_empty_range_changes_nothing)
{
	setup();
	add(t, 0x1000, 0x1000);
	EXPECT_EQ(t, 0, mb.memory.nr);
	add(t, 0x1000, 0x3000);
	memblock_range_remove(&mb, &mb.memory, 0x2000, 0x2000);
	EXPECT_EQ(t, 0, memblock_check(&mb));
	ASSERT_EQ(t, 1, mb.memory.nr);
	expect_region(t, &mb.memory, 0, 0x1000, 0x3000);
}

KTEST(memblock, reservations_of_different_names_stay_apart)
{
	setup();
	reserve(t, 0x1000, 0x2000, "one");
	reserve(t, 0x2000, 0x3000, "two");
	ASSERT_EQ(t, 2, mb.reserved.nr);
	EXPECT_STREQ(t, "one", mb.reserved.region[0].name);
	EXPECT_STREQ(t, "two", mb.reserved.region[1].name);
	/* Equal names at different addresses are one name. */
	reserve(t, 0x3000, 0x4000, (char[]){ 't', 'w', 'o', '\0' });
	EXPECT_EQ(t, 2, mb.reserved.nr);
}

KTEST(memblock, where_reservations_overlap_the_older_name_stays)
{
	setup();
	reserve(t, 0x3000, 0x5000, "old");
	reserve(t, 0x1000, 0x9000, "new");
	ASSERT_EQ(t, 3, mb.reserved.nr);
	EXPECT_STREQ(t, "new", mb.reserved.region[0].name);
	EXPECT_STREQ(t, "old", mb.reserved.region[1].name);
	expect_region(t, &mb.reserved, 1, 0x3000, 0x5000);
	EXPECT_STREQ(t, "new", mb.reserved.region[2].name);
	expect_region(t, &mb.reserved, 2, 0x5000, 0x9000);
}

KTEST(memblock, the_highest_free_range_is_found_unless_bottom_up_is_asked)
{
	setup();
	add(t, 0x10000, 0x20000);
	add(t, 0x40000, 0x50000);
	EXPECT_EQ(t, 0x50000 - PAGE, memblock_find_in(&mb, PAGE, PAGE, 0, MEMBLOCK_ANYWHERE));
	mb.bottom_up = true;
	EXPECT_EQ(t, 0x10000, memblock_find_in(&mb, PAGE, PAGE, 0, MEMBLOCK_ANYWHERE));
}

KTEST(memblock, reserved_ranges_are_stepped_over)
{
	setup();
	add(t, 0x10000, 0x20000);
	reserve(t, 0x1f000, 0x20000, "top");
	reserve(t, 0x1c000, 0x1d000, "middle");
	reserve(t, 0x10000, 0x11000, "bottom");
	EXPECT_EQ(t, 0x1d000, memblock_find_in(&mb, 2 * PAGE, PAGE, 0, MEMBLOCK_ANYWHERE));
	EXPECT_EQ(t, 0x19000, memblock_find_in(&mb, 3 * PAGE, PAGE, 0, MEMBLOCK_ANYWHERE));
	mb.bottom_up = true;
	EXPECT_EQ(t, 0x11000, memblock_find_in(&mb, 3 * PAGE, PAGE, 0, MEMBLOCK_ANYWHERE));
	EXPECT_EQ(t, 0, memblock_find_in(&mb, 12 * PAGE, PAGE, 0, MEMBLOCK_ANYWHERE));
}

KTEST(memblock, what_is_found_is_aligned_both_ways)
{
	setup();
	add(t, 0x11000, 0x4f000);
	EXPECT_EQ(t, 0x48000, memblock_find_in(&mb, 0x1000, 0x8000, 0, MEMBLOCK_ANYWHERE));
	EXPECT_EQ(t, 0x40000, memblock_find_in(&mb, 0x9000, 0x10000, 0, MEMBLOCK_ANYWHERE));
	mb.bottom_up = true;
	EXPECT_EQ(t, 0x18000, memblock_find_in(&mb, 0x1000, 0x8000, 0, MEMBLOCK_ANYWHERE));
	EXPECT_EQ(t, 0, memblock_find_in(&mb, 0x1000, 0x80000, 0, MEMBLOCK_ANYWHERE));
}

KTEST(memblock, a_range_without_an_aligned_place_is_passed_over_both_ways)
{
	setup();
	add(t, 0x11000, 0x1f000);
	EXPECT_EQ(t, 0, memblock_find_in(&mb, PAGE, 16 * PAGE, 0, MEMBLOCK_ANYWHERE));
	add(t, 0x41000, 0x52000);
	add(t, 0x61000, 0x6f000);
	EXPECT_EQ(t, 0x50000, memblock_find_in(&mb, PAGE, 16 * PAGE, 0, MEMBLOCK_ANYWHERE));
	mb.bottom_up = true;
	EXPECT_EQ(t, 0x50000, memblock_find_in(&mb, PAGE, 16 * PAGE, 0, MEMBLOCK_ANYWHERE));
}

KTEST(memblock, what_is_found_lies_within_the_limits)
{
	setup();
	add(t, 0x10000, 0x90000);
	EXPECT_EQ(t, 0x30000 - PAGE, memblock_find_in(&mb, PAGE, PAGE, 0x20000, 0x30000));
	EXPECT_EQ(t, 0, memblock_find_in(&mb, 2 * PAGE, PAGE, 0x20000, 0x20000 + PAGE));
	mb.limit = 0x40000;
	EXPECT_EQ(t, 0x40000 - PAGE, memblock_find_in(&mb, PAGE, PAGE, 0, MEMBLOCK_ANYWHERE));
	mb.bottom_up = true;
	EXPECT_EQ(t, 0x20000, memblock_find_in(&mb, PAGE, PAGE, 0x20000, 0x30000));
}

KTEST(memblock, a_range_as_large_as_all_of_memory_is_found_and_a_larger_one_is_not)
{
	setup();
	add(t, 0x10000, 0x20000);
	EXPECT_EQ(t, 0x10000, memblock_find_in(&mb, 0x10000, PAGE, 0, MEMBLOCK_ANYWHERE));
	EXPECT_EQ(t, 0, memblock_find_in(&mb, 0x10001, PAGE, 0, MEMBLOCK_ANYWHERE));
	EXPECT_EQ(t, 0, memblock_find_in(&mb, MEMBLOCK_ANYWHERE, PAGE, 0, MEMBLOCK_ANYWHERE));
}

KTEST(memblock, physical_page_0_is_never_found)
{
	setup();
	add(t, 0, 2 * PAGE);
	EXPECT_EQ(t, PAGE, memblock_find_in(&mb, PAGE, PAGE, 0, MEMBLOCK_ANYWHERE));
	mb.bottom_up = true;
	EXPECT_EQ(t, PAGE, memblock_find_in(&mb, PAGE, PAGE, 0, MEMBLOCK_ANYWHERE));
	EXPECT_EQ(t, 0, memblock_find_in(&mb, 2 * PAGE, PAGE, 0, MEMBLOCK_ANYWHERE));
}

KTEST(memblock, a_full_list_moves_to_an_array_of_twice_the_size)
{
	unsigned long va = __get_free_pages(GFP_KERNEL, 3);
	phys_addr_t pa = va_to_pa((void *)va);
	const struct memblock_region *own = NULL;

	ASSERT_NE(t, 0, va);
	setup();
	add(t, pa, pa + 8 * PAGE);
	for (phys_addr_t i = 1; i <= 3 * NR_REGIONS; i++)
		reserve(t, 2 * GiB + i * 2 * PAGE, 2 * GiB + (i * 2 + 1) * PAGE,
			"every second page");
	EXPECT_GE(t, 3 * NR_REGIONS, mb.reserved.nr);
	EXPECT_GE(t, mb.reserved.nr, mb.reserved.cap);
	EXPECT_NE(t, &reserved_regions[0], mb.reserved.region);
	/* The array lies in the memory that was there, and is reserved itself. */
	for (unsigned int i = 0; i < mb.reserved.nr; i++)
		if (mb.reserved.region[i].start >= pa && mb.reserved.region[i].end <= pa + 8 * PAGE)
			own = &mb.reserved.region[i];
	EXPECT_NE(t, NULL, own);
	EXPECT_TRUE(t, (uintptr_t)mb.reserved.region - va < 8 * PAGE_SIZE);
	free_pages(va, 3);
}

/* Reservations that touch nothing, until another one would make the list grow. */
static void fill_reserved(struct ktest *t)
{
	for (phys_addr_t i = 1; mb.reserved.cap - mb.reserved.nr > 4; i++)
		reserve(t, 2 * GiB + i * 2 * PAGE, 2 * GiB + (i * 2 + 1) * PAGE, "far away");
	EXPECT_EQ(t, NR_REGIONS, mb.reserved.cap);
}

KTEST(memblock, a_list_never_grows_into_the_range_that_is_being_reserved)
{
	unsigned long va = __get_free_pages(GFP_KERNEL, 2);
	phys_addr_t pa = va_to_pa((void *)va);

	ASSERT_NE(t, 0, va);
	for (unsigned int last = 0; last < 2; last++) {
		setup();
		mb.bottom_up = !last;
		add(t, pa, pa + 4 * PAGE);
		fill_reserved(t);
		/* All but the last page, or all but the first: the best places, but for this. */
		reserve(t, pa + last * PAGE, pa + (3 + last) * PAGE, "a module");
		EXPECT_EQ(t, 2 * NR_REGIONS, mb.reserved.cap);
		EXPECT_EQ(t, va + (last ? 0 : 3 * PAGE_SIZE), mb.reserved.region);
	}
	free_pages(va, 2);
}

KTEST(memblock, a_list_never_grows_into_the_ram_that_is_being_removed)
{
	unsigned long va = __get_free_pages(GFP_KERNEL, 2);
	phys_addr_t pa = va_to_pa((void *)va);

	ASSERT_NE(t, 0, va);
	setup();
	add(t, pa, pa + 4 * PAGE);
	for (phys_addr_t i = 1; mb.memory.cap - mb.memory.nr > 4; i++)
		add(t, 2 * GiB + i * 2 * PAGE, 2 * GiB + (i * 2 + 1) * PAGE);
	mb.limit = pa + 4 * PAGE;
	memblock_range_remove(&mb, &mb.memory, pa + PAGE, pa + 4 * PAGE);
	EXPECT_EQ(t, 0, memblock_check(&mb));
	EXPECT_EQ(t, va, mb.memory.region);
	free_pages(va, 2);
}

KTEST(memblock, the_validator_finds_disorder_overlap_and_unmerged_neighbours)
{
	setup();
	mb.memory.nr = 2;
	memory_regions[0] = (struct memblock_region){ 0x3000, 0x4000, NULL };
	memory_regions[1] = (struct memblock_region){ 0x1000, 0x2000, NULL };
	EXPECT_GE(t, 1, memblock_check(&mb));
	memory_regions[1] = (struct memblock_region){ 0x3800, 0x5000, NULL };
	EXPECT_GE(t, 1, memblock_check(&mb));
	memory_regions[1] = (struct memblock_region){ 0x4000, 0x5000, NULL };
	EXPECT_GE(t, 1, memblock_check(&mb));
	memory_regions[1] = (struct memblock_region){ 0x5000, 0x5000, NULL };
	EXPECT_GE(t, 1, memblock_check(&mb));
	memory_regions[1] = (struct memblock_region){ 0x5000, 0x6000, NULL };
	EXPECT_EQ(t, 0, memblock_check(&mb));
}

/* A list of pages as bits, operated on in parallel. */
#define MODEL_PAGES 64u

static void expect_model(struct ktest *t, uint64_t model)
{
	unsigned int nr_runs = 0;

	for (unsigned int i = 0; i < MODEL_PAGES; i++)
		nr_runs += (model >> i & 1) && (i == 0 || !(model >> (i - 1) & 1));
	EXPECT_EQ(t, nr_runs, mb.memory.nr);
	for (unsigned int i = 0; i < mb.memory.nr; i++)
		for (phys_addr_t pa = mb.memory.region[i].start; pa < mb.memory.region[i].end;
		     pa += PAGE)
			EXPECT_TRUE(t, model >> (pa >> PAGE_SHIFT) & 1);
}

KTEST(memblock, random_additions_and_removals_agree_with_a_bitmap)
{
	uint64_t model = 0;

	setup();
	/* Few long ranges, so that there are never more runs than places. */
	for (unsigned int i = 0; i < 2000 && !t->nr_failed; i++) {
		unsigned int first = ktest_random_below(t, MODEL_PAGES);
		unsigned int end = first + 1 + ktest_random_below(t, MODEL_PAGES - first);
		uint64_t bits = (end == 64 ? ~0ull : (1ull << end) - 1) & ~((1ull << first) - 1);

		if (ktest_random(t) & 1 || mb.memory.nr > NR_REGIONS - 6) {
			memblock_range_add(&mb, &mb.memory, first * PAGE, end * PAGE, NULL);
			model |= bits;
		} else {
			memblock_range_remove(&mb, &mb.memory, first * PAGE, end * PAGE);
			model &= ~bits;
		}
		EXPECT_EQ(t, 0, memblock_check(&mb));
		expect_model(t, model);
	}
}

/*
 * The public calls work on the one struct memblock: it is exchanged for one that describes a block
 * which the test owns.
 */
static struct memblock machines;

static void swap_in(phys_addr_t start, phys_addr_t size)
{
	setup();
	machines = memblock;
	memblock = mb;
	memblock_add(start, size);
}

static void swap_out(void)
{
	mb = memblock;
	memblock = machines;
}

KTEST(memblock, what_is_allocated_is_zero_reserved_by_name_and_can_be_freed)
{
	unsigned long va = __get_free_pages(GFP_KERNEL, 2);
	phys_addr_t pa = va_to_pa((void *)va);
	unsigned char *first, *second;

	ASSERT_NE(t, 0, va);
	memset((void *)va, 0xee, 4 * PAGE_SIZE);
	swap_in(pa, 4 * PAGE);
	first = memblock_alloc(PAGE + 1, PAGE, "first");
	second = memblock_alloc(100, 64, "second");
	EXPECT_EQ(t, NULL, memblock_alloc(4 * PAGE, PAGE, "too large"));
	EXPECT_EQ(t, 2, memblock.reserved.nr);
	EXPECT_EQ(t, 2, memblock_nr_reserved_pages());
	memblock_free(va_to_pa(first), PAGE + 1);
	EXPECT_EQ(t, 1, memblock.reserved.nr);
	EXPECT_STREQ(t, "second", memblock.reserved.region[0].name);
	EXPECT_EQ(t, 1, memblock_nr_reserved_pages());
	swap_out();
	EXPECT_EQ(t, va + 2 * PAGE_SIZE, first);
	EXPECT_EQ(t, NULL, memchr_inv(first, 0, PAGE_SIZE + 1));
	EXPECT_EQ(t, NULL, memchr_inv(second, 0, 100));
	EXPECT_EQ(t, 0, (uintptr_t)second & 63);
	free_pages(va, 2);
}

/* Whose the page at @pa is, in the exchanged lists; NULL: nobody's. */
static const char *owner(phys_addr_t pa)
{
	for (unsigned int i = 0; i < memblock.reserved.nr; i++)
		if (memblock.reserved.region[i].start <= pa && pa < memblock.reserved.region[i].end)
			return memblock.reserved.region[i].name;
	return NULL;
}

/* The list grows in the middle of recording the allocation, into memory that is still free. */
KTEST_NEEDS(memblock, an_allocation_that_makes_the_list_grow_gets_other_memory_than_the_list,
	    .ram_mib = 12)
{
	static const char *const name[2] = { "even", "odd" };
	unsigned long va = __get_free_pages(GFP_KERNEL, 6);
	unsigned int nr_wrong = 0;
	char *got[48];

	ASSERT_NE(t, 0, va);
	swap_in(va_to_pa((void *)va), 64 * PAGE);
	for (unsigned int i = 0; i < ARRAY_SIZE(got); i++) {
		got[i] = memblock_alloc(PAGE, PAGE, name[i & 1]);
		if (got[i])
			memset(got[i], (int)i, PAGE_SIZE);
		nr_wrong += memblock_check(&memblock);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(got); i++) {
		const char *whose = owner(va_to_pa(got[i]));

		nr_wrong += !got[i] || !whose || strcmp(whose, name[i & 1]) != 0;
		nr_wrong += !got[i] || memchr_inv(got[i], (int)i, PAGE_SIZE) != NULL;
	}
	swap_out();
	EXPECT_EQ(t, 0, nr_wrong);
	EXPECT_GE(t, ARRAY_SIZE(got), mb.reserved.cap);
	free_pages(va, 6);
}

KTEST(memblock, memory_can_be_added_removed_and_reserved_by_start_and_size)
{
	swap_in(0x100000, 0x10000);
	memblock_remove(0x104000, 0x4000);
	memblock_reserve(0x100000, 0x1000, "head");
	EXPECT_EQ(t, 12, memblock_nr_pages());
	EXPECT_EQ(t, 1, memblock_nr_reserved_pages());
	EXPECT_EQ(t, 0x10f000, memblock_find(PAGE, PAGE, 0, MEMBLOCK_ANYWHERE));
	EXPECT_EQ(t, 0x101000, memblock_find(3 * PAGE, PAGE, 0, 0x108000));
	swap_out();
	EXPECT_EQ(t, 0, memblock_check(&mb));
}

KTEST(memblock, a_range_that_wraps_ends_at_the_end_of_the_address_space)
{
	swap_in(MEMBLOCK_ANYWHERE - 2 * PAGE, 4 * PAGE);
	memblock_reserve(MEMBLOCK_ANYWHERE - PAGE, MEMBLOCK_ANYWHERE, "wraps");
	swap_out();
	ASSERT_EQ(t, 1, mb.memory.nr);
	expect_region(t, &mb.memory, 0, MEMBLOCK_ANYWHERE - 2 * PAGE, MEMBLOCK_ANYWHERE);
	ASSERT_EQ(t, 1, mb.reserved.nr);
	expect_region(t, &mb.reserved, 0, MEMBLOCK_ANYWHERE - PAGE, MEMBLOCK_ANYWHERE);
	EXPECT_EQ(t, 0, memblock_check(&mb));
}

/* Pages that a reservation touches in part are reserved; RAM that fills no page is none. */
KTEST(memblock, only_whole_pages_count)
{
	swap_in(0x100800, 0x4000); /* three whole pages */
	EXPECT_EQ(t, 3, memblock_nr_pages());
	memblock_reserve(0x102fff, 2, "two bytes in two pages");
	EXPECT_EQ(t, 2, memblock_nr_reserved_pages());
	swap_out();
}

KTEST(memblock, ram_within_one_page_is_no_page)
{
	swap_in(0x100400, 0x400);
	EXPECT_EQ(t, 0, memblock_nr_pages());
	memblock_add(0x200000, 0x3000);
	EXPECT_EQ(t, 3, memblock_nr_pages());
	EXPECT_EQ(t, 0, memblock_nr_reserved_pages());
	swap_out();
}

KTEST(memblock, pages_are_counted_to_the_end_of_a_reservation_that_never_ends)
{
	swap_in(0x100000, 0x4000);
	memblock_reserve(0x102000, MEMBLOCK_ANYWHERE, "everything above");
	EXPECT_EQ(t, 4, memblock_nr_pages());
	EXPECT_EQ(t, 2, memblock_nr_reserved_pages());
	swap_out();
}

/* Before there is RAM a list cannot grow. */
KTEST(memblock, what_any_boot_loader_leaves_can_be_recorded)
{
	EXPECT_LE(t, memblock.reserved.cap, BOOT_KEEP_MAX + BOOT_MODULES_MAX);
}

/* The lists that the kernel booted with: closed, but readable. */
KTEST(memblock, the_lists_of_the_machine_are_sound_and_closed)
{
	EXPECT_EQ(t, 0, memblock_check(&memblock));
	EXPECT_TRUE(t, memblock.closed);
	EXPECT_GE(t, memblock_nr_reserved_pages(), memblock_nr_pages());
}
