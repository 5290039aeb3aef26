/*
 * multiboot2.c - tests of the multiboot2 parser: what it understands, what it refuses, and that
 * no block whatever makes it look where it must not.
 *
 * Blocks are written by hand here, from the specification's offsets: the parser's own structure
 * definitions could be wrong in the same way as the parser.
 */
#include <quarry/align.h>
#include <quarry/bootinfo.h>
#include <quarry/errno.h>
#include <quarry/ktest.h>
#include <quarry/sizes.h>
#include <quarry/string.h>

#include "blob.h"

#define MEM_PA   0x2008u /* 8-aligned, and not more */
#define MEM_SIZE 0x6000u

#define TAG_END     0u
#define TAG_CMDLINE 1u
#define TAG_LOADER  2u
#define TAG_MODULE  3u
#define TAG_BASIC   4u
#define TAG_MMAP    6u
#define TAG_SCREEN  8u
#define TAG_ACPI1   14u
#define TAG_ACPI2   15u

#define HEADER_SIZE 8u /* of the block, and of a tag */

static uint8_t mem[MEM_SIZE];
static size_t used; /* bytes of the block so far */
static struct bootinfo bi;

static void start(struct blob *b)
{
	memset(mem, 0, used);
	used = HEADER_SIZE;
	blob_init(b);
	blob_add(b, MEM_PA, mem, sizeof(mem));
}

/* Append a tag with @size bytes behind its header; where these are. */
static uint8_t *add_tag(uint32_t type, size_t size)
{
	uint8_t *at = mem + used;

	put32(at, type);
	put32(at + 4, (uint32_t)size + HEADER_SIZE);
	used += (HEADER_SIZE + size + 7) & ~(size_t)7;
	return at + HEADER_SIZE;
}

static void add_text(uint32_t type, const char *text)
{
	memcpy(add_tag(type, strlen(text) + 1), text, strlen(text) + 1);
}

static void add_module(uint32_t pa, uint32_t end, const char *text)
{
	uint8_t *at = add_tag(TAG_MODULE, 8 + strlen(text) + 1);

	put32(at, pa);
	put32(at + 4, end);
	memcpy(at + 8, text, strlen(text) + 1);
}

static void add_basic(uint32_t lower, uint32_t upper)
{
	uint8_t *at = add_tag(TAG_BASIC, 8);

	put32(at, lower);
	put32(at + 4, upper);
}

static void add_map(uint32_t entry_size, unsigned int nr, const struct mem_region *map)
{
	uint8_t *at = add_tag(TAG_MMAP, 8 + nr * entry_size);

	put32(at, entry_size);
	for (unsigned int i = 0; i < nr; i++) {
		put64(at + 8 + i * entry_size, map[i].start);
		put64(at + 8 + i * entry_size + 8, map[i].size);
		put32(at + 8 + i * entry_size + 16, map[i].type);
	}
}

static void add_rsdp(uint32_t type, size_t size)
{
	uint8_t *at = add_tag(type, size);

	memcpy(at, "RSD PTR ", min(size, (size_t)8));
}

/* Append the end tag and write the block's size down. */
static void finish(void)
{
	add_tag(TAG_END, 0);
	put32(mem, (uint32_t)used);
}

static const struct mem_region some_map[] = {
	{ 0, 0x9FC00, MEM_RAM },
	{ 0xFFFFFFFFFFFFFFFFull, 0xFFFFFFFFFFFFFFFEull, 77 },
	{ MiB, 63 * MiB, MEM_RAM },
};

/* A block that has everything. */
static void start_full(struct blob *b)
{
	start(b);
	add_text(TAG_CMDLINE, "build/quarry.elf mem=64M test=lib*");
	add_text(TAG_LOADER, "GRUB 2.06");
	add_tag(21, 4);
	add_module(0x200000, 0x200123, "/boot/map.txt one two");
	add_module(0x300000, 0x300000, "");
	add_basic(640, 65536);
	add_map(24, 3, some_map);
	add_rsdp(TAG_ACPI1, 20);
	add_rsdp(TAG_ACPI2, 36);
	finish();
}

static void expect_some_map(struct ktest *t, unsigned int first)
{
	for (unsigned int i = 0; i < 3; i++)
		expect_region(t, &bi, first + i, some_map[i].start, some_map[i].size,
			      some_map[i].type);
}

KTEST(multiboot2, a_full_block_is_understood)
{
	struct blob b;

	start_full(&b);
	ASSERT_EQ(t, 0, multiboot2_parse(&bi, &b.reader, MEM_PA));
	expect_sound(t, &b, &bi);
	EXPECT_STREQ(t, "GRUB 2.06", bi.loader);
	EXPECT_STREQ(t, "mem=64M test=lib*", bi.cmdline);
	EXPECT_FALSE(t, bi.cmdline_cut);
	EXPECT_EQ(t, 3, bi.nr_map);
	expect_some_map(t, 0);
	ASSERT_EQ(t, 2, bi.nr_modules);
	EXPECT_STREQ(t, "map.txt", bi.modules[0].name);
	EXPECT_EQ(t, 0x123, bi.modules[0].size);
	EXPECT_EQ(t, 0x300000, bi.modules[1].start);
	EXPECT_STREQ(t, "", bi.modules[1].name);
}

KTEST(multiboot2, larger_map_entries_are_stepped_over)
{
	struct blob b;

	start(&b);
	add_map(40, 3, some_map);
	finish();
	ASSERT_EQ(t, 0, multiboot2_parse(&bi, &b.reader, MEM_PA));
	EXPECT_EQ(t, 3, bi.nr_map);
	expect_some_map(t, 0);
}

KTEST(multiboot2, several_map_tags_add_up)
{
	struct blob b;

	start(&b);
	add_map(24, 3, some_map);
	add_map(32, 3, some_map);
	finish();
	ASSERT_EQ(t, 0, multiboot2_parse(&bi, &b.reader, MEM_PA));
	EXPECT_EQ(t, 6, bi.nr_map);
	expect_some_map(t, 0);
	expect_some_map(t, 3);
}

KTEST(multiboot2, map_entries_of_a_wrong_size_are_refused)
{
	static const uint32_t sizes[] = { 0, 8, 16, 23, 25, 28, 31, 0x100008, 0xFFFFFFF8 };
	struct blob b;

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		start(&b);
		add_map(24, 3, some_map);
		put32(mem + 2 * HEADER_SIZE, sizes[i]);
		finish();
		EXPECT_ERR(t, -EILSEQ, multiboot2_parse(&bi, &b.reader, MEM_PA));
		expect_sound(t, &b, &bi);
	}
}

KTEST(multiboot2, a_map_that_ends_inside_an_entry_is_refused)
{
	struct blob b;

	start(&b);
	add_map(32, 3, some_map);
	put32(mem + 2 * HEADER_SIZE, 40);
	finish();
	EXPECT_ERR(t, -EILSEQ, multiboot2_parse(&bi, &b.reader, MEM_PA));
	for (uint32_t size = HEADER_SIZE; size < 16; size++) { /* not even its fixed fields */
		start(&b);
		add_map(24, 3, some_map);
		put32(mem + HEADER_SIZE + 4, size);
		finish();
		EXPECT_ERR(t, -EILSEQ, multiboot2_parse(&bi, &b.reader, MEM_PA));
	}
}

KTEST(multiboot2, a_block_of_an_impossible_size_is_refused)
{
	static const uint32_t sizes[] = { 0, 7, 8, 15, 0x100001, 0x80000000, 0xFFFFFFFF };
	struct blob b;

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		start_full(&b);
		put32(mem, sizes[i]);
		EXPECT_ERR(t, -EILSEQ, multiboot2_parse(&bi, &b.reader, MEM_PA));
		EXPECT_EQ(t, 0, bi.nr_keep);
	}
}

KTEST(multiboot2, a_block_cut_anywhere_is_refused)
{
	struct blob b;
	size_t size;

	start_full(&b);
	size = used;
	for (size_t cut = 1; cut < size; cut++) {
		put32(mem, (uint32_t)(size - cut));
		EXPECT_ERR(t, -EILSEQ, multiboot2_parse(&bi, &b.reader, MEM_PA));
		expect_sound(t, &b, &bi);
	}
}

KTEST(multiboot2, nothing_behind_a_cut_is_looked_at)
{
	const uint32_t page_end = 0x3000;
	struct blob b;
	size_t size;

	start_full(&b);
	for (size = used - 8; size; size -= 8) {
		put32(mem, (uint32_t)size);
		blob_init(&b);
		blob_add(&b, page_end - size, mem, size);
		EXPECT_ERR(t, -EILSEQ, multiboot2_parse(&bi, &b.reader, page_end - size));
	}
}

KTEST(multiboot2, a_tag_of_an_impossible_size_is_refused)
{
	static const uint32_t sizes[] = { 0, 7, 0x4000, 0x7FFFFFFF, 0xFFFFFFF8, 0xFFFFFFFF };
	struct blob b;

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		start_full(&b);
		put32(mem + HEADER_SIZE + 4, sizes[i]);
		EXPECT_ERR(t, -EILSEQ, multiboot2_parse(&bi, &b.reader, MEM_PA));
		expect_sound(t, &b, &bi);
	}
}

KTEST(multiboot2, tags_with_nothing_but_their_fixed_fields_are_accepted)
{
	struct blob b;

	start(&b);
	put32(add_tag(TAG_MMAP, 8), 24);           /* no entries */
	put32(add_tag(TAG_MODULE, 8) + 4, 0x1000); /* no text */
	add_map(24, 3, some_map);
	finish();
	ASSERT_EQ(t, 0, multiboot2_parse(&bi, &b.reader, MEM_PA));
	expect_sound(t, &b, &bi);
	EXPECT_EQ(t, 3, bi.nr_map);
	ASSERT_EQ(t, 1, bi.nr_modules);
	EXPECT_EQ(t, 0x1000, bi.modules[0].size);
	EXPECT_STREQ(t, "", bi.modules[0].name);
}

KTEST(multiboot2, a_reader_that_fails_at_any_window_is_believed)
{
	struct blob b;
	unsigned int nr_windows;

	start_full(&b);
	ASSERT_EQ(t, 0, multiboot2_parse(&bi, &b.reader, MEM_PA));
	nr_windows = b.nr_windows;
	EXPECT_GE(t, 10, nr_windows);
	for (unsigned int i = 1; i <= nr_windows; i++) {
		start_full(&b);
		b.fail_at = i;
		EXPECT_ERR(t, -EFAULT, multiboot2_parse(&bi, &b.reader, MEM_PA));
		EXPECT_EQ(t, i, b.nr_windows);
	}
}

KTEST(multiboot2, the_smallest_and_the_largest_block_are_read)
{
	struct blob b;

	start(&b);
	finish();
	EXPECT_ERR(t, -ENOENT, multiboot2_parse(&bi, &b.reader, MEM_PA));
	start_full(&b);
	put32(mem, MiB); /* tags are looked at up to the end tag only */
	EXPECT_EQ(t, 0, multiboot2_parse(&bi, &b.reader, MEM_PA));
}

KTEST(multiboot2, tags_without_their_fixed_fields_are_refused)
{
	static const uint32_t types[] = { TAG_MODULE, TAG_BASIC, TAG_MMAP };
	struct blob b;

	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		start(&b);
		add_tag(types[i], 7);
		finish();
		EXPECT_ERR(t, -EILSEQ, multiboot2_parse(&bi, &b.reader, MEM_PA));
	}
}

KTEST(multiboot2, a_block_that_is_not_aligned_is_refused)
{
	struct blob b;

	for (unsigned int skew = 1; skew < 8; skew++) {
		start_full(&b);
		blob_init(&b);
		blob_add(&b, MEM_PA + skew, mem, sizeof(mem));
		EXPECT_ERR(t, -EILSEQ, multiboot2_parse(&bi, &b.reader, MEM_PA + skew));
	}
}

KTEST(multiboot2, what_cannot_be_read_is_refused)
{
	static const phys_addr_t nowhere[] = { 0, 0x100000, 0xFFFFFFF8, 0x100002008ull,
					       0xFFFFFFFFFFFFFFF8ull };
	struct blob b;

	for (unsigned int i = 0; i < ARRAY_SIZE(nowhere); i++) {
		start_full(&b);
		EXPECT_ERR(t, -EFAULT, multiboot2_parse(&bi, &b.reader, nowhere[i]));
		expect_sound(t, &b, &bi);
	}
	start_full(&b); /* the memory ends before the block does */
	blob_init(&b);
	blob_add(&b, 0x3000 - 64, mem, 64);
	EXPECT_ERR(t, -EFAULT, multiboot2_parse(&bi, &b.reader, 0x3000 - 64));
}

KTEST(multiboot2, a_block_that_ends_with_the_space_is_read)
{
	struct blob b;
	phys_addr_t pa;

	start_full(&b);
	pa = 0x100000000ull - used;
	blob_init(&b);
	blob_add(&b, pa, mem, used);
	EXPECT_EQ(t, 0, multiboot2_parse(&bi, &b.reader, pa));
	expect_sound(t, &b, &bi);
	expect_some_map(t, 0);
	put32(mem, (uint32_t)used + 8); /* and no end tag before that */
	put32(mem + used - 8, 99);
	EXPECT_ERR(t, -EFAULT, multiboot2_parse(&bi, &b.reader, pa));
	expect_sound(t, &b, &bi);
}

KTEST(multiboot2, without_a_map_two_sizes_make_one)
{
	struct blob b;

	start(&b);
	add_basic(639, 7192);
	finish();
	ASSERT_EQ(t, 0, multiboot2_parse(&bi, &b.reader, MEM_PA));
	EXPECT_EQ(t, 2, bi.nr_map);
	expect_region(t, &bi, 0, 0, 639 * KiB, MEM_RAM);
	expect_region(t, &bi, 1, MiB, 7192 * KiB, MEM_RAM);
}

KTEST(multiboot2, a_block_without_a_word_about_memory_is_refused)
{
	struct blob b;

	start(&b);
	add_text(TAG_CMDLINE, "mem=64M");
	finish();
	EXPECT_ERR(t, -ENOENT, multiboot2_parse(&bi, &b.reader, MEM_PA));
}

KTEST(multiboot2, surplus_entries_that_forbid_ram_end_the_trust)
{
	struct mem_region low = { 3 * GiB, MiB, MEM_RESERVED };
	struct mem_region high = { 5 * GiB, MiB, MEM_ACPI_NVS };
	struct mem_region ram = { GiB, MiB, MEM_RAM };
	struct blob b;

	start(&b);
	for (unsigned int i = 0; i < BOOT_MAP_MAX - 1; i++)
		add_map(24, 1, &ram);
	add_map(24, 1, &low);
	finish();
	ASSERT_EQ(t, 0, multiboot2_parse(&bi, &b.reader, MEM_PA));
	EXPECT_EQ(t, 0, bi.nr_map_dropped);
	used -= HEADER_SIZE; /* the end tag goes on */
	add_map(24, 1, &high);
	add_map(24, 1, &low);
	add_map(24, 1, &ram);
	finish();
	ASSERT_EQ(t, 0, multiboot2_parse(&bi, &b.reader, MEM_PA));
	expect_sound(t, &b, &bi);
	EXPECT_EQ(t, BOOT_MAP_MAX, bi.nr_map);
	EXPECT_EQ(t, 3, bi.nr_map_dropped);
	EXPECT_EQ(t, 3 * GiB, bi.map_trusted_end);
}

KTEST(multiboot2, a_text_ends_with_its_tag_at_the_latest)
{
	struct blob b;

	start(&b);
	memcpy(add_tag(TAG_CMDLINE, 8), "mem=640M", 8);
	memcpy(add_tag(TAG_LOADER, 4), "LOAD", 4);
	memcpy(add_tag(TAG_MODULE, 8 + 3) + 8, "abc", 3);
	add_map(24, 1, some_map);
	finish();
	ASSERT_EQ(t, 0, multiboot2_parse(&bi, &b.reader, MEM_PA));
	expect_sound(t, &b, &bi);
	EXPECT_STREQ(t, "mem=640M", bi.cmdline);
	EXPECT_FALSE(t, bi.cmdline_cut);
	EXPECT_STREQ(t, "LOAD", bi.loader);
	ASSERT_EQ(t, 1, bi.nr_modules);
	EXPECT_STREQ(t, "abc", bi.modules[0].name);
}

KTEST(multiboot2, a_long_command_line_loses_whole_words)
{
	struct blob b;
	uint8_t *at;

	start(&b);
	at = add_tag(TAG_CMDLINE, 3000);
	memset(at, 'x', 2999);
	for (unsigned int i = 9; i < 2999; i += 10)
		at[i] = ' ';
	add_map(24, 1, some_map);
	finish();
	ASSERT_EQ(t, 0, multiboot2_parse(&bi, &b.reader, MEM_PA));
	expect_sound(t, &b, &bi);
	EXPECT_TRUE(t, bi.cmdline_cut);
	EXPECT_EQ(t, 1019, strlen(bi.cmdline)); /* 102 words of 9, 101 blanks */
}

KTEST(multiboot2, the_file_name_goes_whichever_tag_comes_first)
{
	struct blob b;

	start(&b);
	add_text(TAG_CMDLINE, "kernel mem=1G");
	add_text(TAG_LOADER, "qemu");
	add_map(24, 1, some_map);
	finish();
	ASSERT_EQ(t, 0, multiboot2_parse(&bi, &b.reader, MEM_PA));
	EXPECT_STREQ(t, "mem=1G", bi.cmdline);
}

KTEST(multiboot2, surplus_modules_are_counted)
{
	struct blob b;

	start(&b);
	for (unsigned int i = 0; i < BOOT_MODULES_MAX + 2; i++)
		add_module(i * MiB, i * MiB + i, "m");
	add_map(24, 1, some_map);
	finish();
	ASSERT_EQ(t, 0, multiboot2_parse(&bi, &b.reader, MEM_PA));
	expect_sound(t, &b, &bi);
	EXPECT_EQ(t, BOOT_MODULES_MAX, bi.nr_modules);
	EXPECT_EQ(t, 2, bi.nr_modules_dropped);
	EXPECT_TRUE(t, is_kept(&bi, "module without a name", 17 * MiB, 17));
}

KTEST(multiboot2, a_module_that_ends_before_it_starts_is_refused)
{
	struct blob b;

	start(&b);
	add_module(0x5000, 0x4FFF, "m");
	add_map(24, 1, some_map);
	finish();
	EXPECT_ERR(t, -EILSEQ, multiboot2_parse(&bi, &b.reader, MEM_PA));
}

static phys_addr_t parse_rsdps(struct ktest *t, uint32_t first, size_t first_size, uint32_t second,
			       size_t second_size)
{
	struct blob b;

	start(&b);
	add_map(24, 1, some_map); /* 8 + 16 + 24 bytes with the block's header */
	add_rsdp(first, first_size);
	add_rsdp(second, second_size);
	finish();
	EXPECT_EQ(t, 0, multiboot2_parse(&bi, &b.reader, MEM_PA));
	expect_sound(t, &b, &bi);
	return bi.acpi_rsdp;
}

KTEST(multiboot2, the_newer_acpi_root_pointer_wins)
{
	phys_addr_t first = MEM_PA + 48 + HEADER_SIZE;

	EXPECT_EQ(t, first, parse_rsdps(t, TAG_ACPI1, 20, 99, 0));
	EXPECT_EQ(t, first, parse_rsdps(t, TAG_ACPI2, 36, TAG_ACPI1, 20));
	EXPECT_EQ(t, first + 32, parse_rsdps(t, TAG_ACPI1, 20, TAG_ACPI2, 36));
}

KTEST(multiboot2, an_acpi_tag_without_a_root_pointer_is_skipped)
{
	struct blob b;

	EXPECT_EQ(t, 0, parse_rsdps(t, TAG_ACPI1, 19, TAG_ACPI2, 35));
	EXPECT_EQ(t, 0, parse_rsdps(t, TAG_ACPI1, 0, TAG_ACPI2, 7));
	start(&b);
	add_map(24, 1, some_map);
	memcpy(add_tag(TAG_ACPI1, 20), "RSD PTR_", 8);
	finish();
	ASSERT_EQ(t, 0, multiboot2_parse(&bi, &b.reader, MEM_PA));
	EXPECT_EQ(t, 0, bi.acpi_rsdp);
}

static enum boot_screen parse_screen(struct ktest *t, size_t size, uint8_t type)
{
	struct blob b;

	start(&b);
	add_map(24, 1, some_map);
	add_tag(TAG_SCREEN, size)[21] = type;
	finish();
	EXPECT_EQ(t, 0, multiboot2_parse(&bi, &b.reader, MEM_PA));
	expect_sound(t, &b, &bi);
	return bi.screen;
}

KTEST(multiboot2, what_the_screen_shows_is_believed_where_it_is_told)
{
	EXPECT_EQ(t, BOOT_SCREEN_GRAPHICS, parse_screen(t, 23, 0));
	EXPECT_EQ(t, BOOT_SCREEN_GRAPHICS, parse_screen(t, 30, 1));
	EXPECT_EQ(t, BOOT_SCREEN_TEXT, parse_screen(t, 22, 2));
	EXPECT_EQ(t, BOOT_SCREEN_UNKNOWN, parse_screen(t, 21, 2)); /* too short to have a type */
}

KTEST(multiboot2, the_whole_block_is_kept)
{
	struct blob b;

	start_full(&b);
	ASSERT_EQ(t, 0, multiboot2_parse(&bi, &b.reader, MEM_PA));
	expect_kept(t, &bi, "boot information", MEM_PA, used);
	EXPECT_EQ(t, 1, bi.nr_keep);
	EXPECT_TRUE(t, bi.acpi_rsdp > MEM_PA && bi.acpi_rsdp < MEM_PA + used);
}

KTEST(multiboot2, grub_s_block_is_understood)
{
	struct blob b;

	blob_init(&b);
	blob_add(&b, CAPTURED_GRUB_INFO, captured_grub, captured_grub_size);
	ASSERT_EQ(t, 0, multiboot2_parse(&bi, &b.reader, CAPTURED_GRUB_INFO));
	expect_sound(t, &b, &bi);
	EXPECT_STREQ(t, "GRUB 2.06-13+deb12u2", bi.loader);
	EXPECT_STREQ(t, "mem=64M \"q q\"", bi.cmdline);
	EXPECT_EQ(t, 6, bi.nr_map);
	expect_region(t, &bi, 3, MiB, 0x3EE0000, MEM_RAM);
	ASSERT_EQ(t, 1, bi.nr_modules);
	EXPECT_STREQ(t, "map.txt", bi.modules[0].name);
	EXPECT_EQ(t, 0x1165F8, bi.acpi_rsdp);
	EXPECT_EQ(t, BOOT_SCREEN_TEXT, bi.screen);
	expect_kept(t, &bi, "boot information", CAPTURED_GRUB_INFO, captured_grub_size);
}

/* Random contents, written down in a block: the parser must give back the same. */
static void walk_round_trips(struct ktest *t, unsigned long steps)
{
	static struct mem_region map[64];
	struct blob b;

	for (unsigned long step = 0; step < steps && !t->nr_failed; step++) {
		unsigned int nr_map = 1 + ktest_random_below(t, ARRAY_SIZE(map));
		unsigned int nr_modules = ktest_random_below(t, BOOT_MODULES_MAX + 1);

		start(&b);
		for (unsigned int i = 0; i < nr_map; i++)
			map[i] = random_region(t);
		for (unsigned int i = 0; i < nr_modules; i++) {
			add_tag(100 + ktest_random_below(t, 100), ktest_random_below(t, 100));
			add_module(i * i, i * i * i, "m x");
		}
		add_map(24 + 8 * ktest_random_below(t, 4), nr_map, map);
		finish();
		ASSERT_EQ(t, 0, multiboot2_parse(&bi, &b.reader, MEM_PA));
		expect_sound(t, &b, &bi);
		ASSERT_EQ(t, nr_map, bi.nr_map);
		for (unsigned int i = 0; i < nr_map; i++)
			expect_region(t, &bi, i, map[i].start, map[i].size, map[i].type);
		ASSERT_EQ(t, nr_modules, bi.nr_modules);
		for (unsigned int i = 0; i < nr_modules; i++)
			EXPECT_EQ(t, i * i * i - i * i, bi.modules[i].size);
	}
}

static void walk_mutations(struct ktest *t, unsigned long steps)
{
	unsigned long nr_ok = 0;
	struct blob b;

	for (unsigned long step = 0; step < steps && !t->nr_failed; step++) {
		int err;

		start_full(&b);
		mutate(t, mem, used);
		err = multiboot2_parse(&bi, &b.reader, MEM_PA);
		expect_sound(t, &b, &bi);
		EXPECT_TRUE(t, !err || err == -EILSEQ || err == -EFAULT || err == -ENOENT);
		EXPECT_TRUE(t, err || bi.nr_map);
		nr_ok += !err;
	}
	/* Neither so harmless that all passed nor so wild that nothing was looked at. */
	EXPECT_GE(t, steps / 20, nr_ok);
	EXPECT_LE(t, steps - steps / 20, nr_ok);
}

void multiboot2_walk(struct ktest *t, unsigned long steps)
{
	walk_round_trips(t, steps / 10);
	walk_mutations(t, steps);
}

KTEST(multiboot2, random_blocks_come_back_unchanged)
{
	walk_round_trips(t, SHORT_WALK / 10);
}

KTEST(multiboot2, no_mutation_leads_the_parser_astray)
{
	walk_mutations(t, SHORT_WALK);
}
