/*
 * multiboot1.c - tests of the multiboot1 parser: what it understands, what it refuses, and that
 * no block whatever makes it look where it must not.
 *
 * Blocks are written by hand here, from the specification's offsets: the parser's own structure
 * definitions could be wrong in the same way as the parser.
 */
#include <quarry/bootinfo.h>
#include <quarry/errno.h>
#include <quarry/ktest.h>
#include <quarry/sizes.h>
#include <quarry/string.h>

#include "blob.h"

/* Where things lie in the little memory. */
#define MEM_PA   0x8000u
#define MEM_SIZE 0x8000u
#define INFO     0x0u
#define LOADER   0x100u
#define CMDLINE  0x200u /* 4 KiB */
#define MODULES  0x1200u
#define TEXTS    0x1800u /* of modules, 64 bytes each */
#define TEXT_MAX 64u
#define MAP      0x2001u /* not aligned, as v86 has it */

/* Offsets in the block, and bits of its flags. */
#define MEM_LOWER   4u
#define MEM_UPPER   8u
#define CMDLINE_AT  16u
#define MODS_COUNT  20u
#define MODS_ADDR   24u
#define MMAP_LENGTH 44u
#define MMAP_ADDR   48u
#define LOADER_AT   64u
#define INFO_SIZE   68u
#define SCREEN_TYPE 109u
#define HAS_MEM     0x001u
#define HAS_CMDLINE 0x004u
#define HAS_MODULES 0x008u
#define HAS_MMAP    0x040u
#define HAS_LOADER  0x200u
#define HAS_SCREEN  0x1000u

#define ENTRY_SIZE 24u /* of a usual map entry, its size field included */

static uint8_t mem[MEM_SIZE];
static struct bootinfo bi;

static void set(unsigned int field, uint32_t value, uint32_t flag)
{
	put32(mem + INFO + field, value);
	put32(mem + INFO, get32(mem + INFO) | flag);
}

static void start(struct blob *b)
{
	memset(mem, 0, sizeof(mem));
	blob_init(b);
	blob_add(b, MEM_PA, mem, sizeof(mem));
}

static void put_text(unsigned int at, const char *text)
{
	memcpy(mem + at, text, strlen(text) + 1);
}

static void set_cmdline(const char *text)
{
	put_text(CMDLINE, text);
	set(CMDLINE_AT, MEM_PA + CMDLINE, HAS_CMDLINE);
}

static void set_loader(const char *text)
{
	put_text(LOADER, text);
	set(LOADER_AT, MEM_PA + LOADER, HAS_LOADER);
}

/* @size is what the entry's size field says; that and 4 bytes more is what it takes. */
static void add_entry(uint32_t size, uint64_t pa, uint64_t length, uint32_t type)
{
	uint32_t used = get32(mem + INFO + MMAP_LENGTH);
	uint8_t *at = mem + MAP + used;

	put32(at, size);
	put64(at + 4, pa);
	put64(at + 12, length);
	put32(at + 20, type);
	set(MMAP_LENGTH, used + size + 4, HAS_MMAP);
	set(MMAP_ADDR, MEM_PA + MAP, HAS_MMAP);
}

static void add_module(uint32_t pa, uint32_t end, const char *text)
{
	uint32_t nr = get32(mem + INFO + MODS_COUNT);
	uint8_t *at = mem + MODULES + 16 * nr;

	put32(at, pa);
	put32(at + 4, end);
	if (text) {
		put_text(TEXTS + TEXT_MAX * nr, text);
		put32(at + 8, MEM_PA + TEXTS + TEXT_MAX * nr);
	}
	set(MODS_COUNT, nr + 1, HAS_MODULES);
	set(MODS_ADDR, MEM_PA + MODULES, HAS_MODULES);
}

/* A block that has everything. */
static void start_full(struct blob *b)
{
	start(b);
	set_loader("qemu");
	set_cmdline("build/quarry.elf mem=64M test=lib*");
	add_module(0x200000, 0x200123, "/boot/map.txt one two");
	add_module(0x300000, 0x300000, NULL);
	set(MEM_LOWER, 640, HAS_MEM);
	set(MEM_UPPER, 65536, HAS_MEM);
	add_entry(20, 0, 0x9FC00, MEM_RAM);
	add_entry(20, MiB, 63 * MiB, MEM_RAM);
}

KTEST(multiboot1, the_map_is_copied_entry_by_entry)
{
	struct blob b;

	start(&b);
	add_entry(20, 0xFFFFFFFF0ull, 0, 77);
	add_entry(20, MiB, 63 * MiB, MEM_RAM);
	add_entry(20, 0xFFFFFFFFFFFFFFFFull, 0xFFFFFFFFFFFFFFFEull, MEM_BAD);
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
	expect_sound(t, &b, &bi);
	EXPECT_EQ(t, 3, bi.nr_map);
	expect_region(t, &bi, 0, 0xFFFFFFFF0ull, 0, 77);
	expect_region(t, &bi, 1, MiB, 63 * MiB, MEM_RAM);
	expect_region(t, &bi, 2, 0xFFFFFFFFFFFFFFFFull, 0xFFFFFFFFFFFFFFFEull, MEM_BAD);
}

KTEST(multiboot1, longer_map_entries_are_stepped_over)
{
	struct blob b;

	start(&b);
	add_entry(27, 0x1000, 0x2000, MEM_RAM);
	add_entry(40, 0x3000, 0x4000, MEM_RESERVED);
	add_entry(20, 0x5000, 0x6000, MEM_ACPI_NVS);
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
	EXPECT_EQ(t, 3, bi.nr_map);
	expect_region(t, &bi, 1, 0x3000, 0x4000, MEM_RESERVED);
	expect_region(t, &bi, 2, 0x5000, 0x6000, MEM_ACPI_NVS);
}

KTEST(multiboot1, a_map_entry_shorter_than_20_bytes_is_refused)
{
	struct blob b;

	for (uint32_t size = 0; size < 20; size++) {
		start(&b);
		add_entry(20, 0x1000, 0x2000, MEM_RAM);
		add_entry(size, 0x1000, 0x2000, MEM_RAM);
		set(MMAP_LENGTH, 4 * ENTRY_SIZE, HAS_MMAP);
		EXPECT_ERR(t, -EILSEQ, multiboot1_parse(&bi, &b.reader, MEM_PA));
		expect_sound(t, &b, &bi);
	}
}

KTEST(multiboot1, a_map_that_ends_inside_an_entry_is_refused)
{
	struct blob b;

	for (uint32_t length = 1; length < 2 * ENTRY_SIZE; length++) {
		if (length == ENTRY_SIZE)
			continue;
		start(&b);
		add_entry(20, 0x1000, 0x2000, MEM_RAM);
		add_entry(20, 0x3000, 0x2000, MEM_RAM);
		set(MMAP_LENGTH, length, HAS_MMAP);
		EXPECT_ERR(t, -EILSEQ, multiboot1_parse(&bi, &b.reader, MEM_PA));
	}
	start(&b);
	add_entry(0xFFFFFFFF, 0x1000, 0x2000, MEM_RAM);
	set(MMAP_LENGTH, 1000, HAS_MMAP);
	EXPECT_ERR(t, -EILSEQ, multiboot1_parse(&bi, &b.reader, MEM_PA));
	for (uint32_t size = 21; size < 32; size++) {
		start(&b);
		add_entry(size, 0x1000, 0x2000, MEM_RAM);
		set(MMAP_LENGTH, size + 3, HAS_MMAP);
		EXPECT_ERR(t, -EILSEQ, multiboot1_parse(&bi, &b.reader, MEM_PA));
	}
}

KTEST(multiboot1, a_map_longer_than_1_mib_is_refused_unread)
{
	struct blob b;

	start(&b);
	add_entry(20, 0x1000, 0x2000, MEM_RAM);
	set(MMAP_LENGTH, MiB + 1, HAS_MMAP);
	EXPECT_ERR(t, -EILSEQ, multiboot1_parse(&bi, &b.reader, MEM_PA));
	EXPECT_EQ(t, 0, bi.nr_map);
	set(MMAP_LENGTH, MiB, HAS_MMAP);
	set(MMAP_ADDR, MEM_PA + MEM_SIZE, HAS_MMAP);
	EXPECT_ERR(t, -EFAULT, multiboot1_parse(&bi, &b.reader, MEM_PA));
}

KTEST(multiboot1, without_a_map_two_sizes_make_one)
{
	struct blob b;

	start(&b);
	set(MEM_LOWER, 639, HAS_MEM);
	set(MEM_UPPER, 0xFFFFFFFF, HAS_MEM);
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
	EXPECT_EQ(t, 2, bi.nr_map);
	expect_region(t, &bi, 0, 0, 639 * KiB, MEM_RAM);
	expect_region(t, &bi, 1, MiB, 0xFFFFFFFFull * KiB, MEM_RAM);
}

KTEST(multiboot1, a_map_wins_over_two_sizes)
{
	struct blob b;

	start_full(&b);
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
	EXPECT_EQ(t, 2, bi.nr_map);
	expect_region(t, &bi, 1, MiB, 63 * MiB, MEM_RAM);
}

KTEST(multiboot1, an_empty_map_leaves_the_two_sizes)
{
	struct blob b;

	start(&b);
	set(MEM_LOWER, 0, HAS_MEM);
	set(MEM_UPPER, 1024, HAS_MEM);
	set(MMAP_LENGTH, 0, HAS_MMAP);
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
	EXPECT_EQ(t, 1, bi.nr_map);
	expect_region(t, &bi, 0, MiB, MiB, MEM_RAM);
}

KTEST(multiboot1, a_block_without_a_word_about_memory_is_refused)
{
	struct blob b;

	start(&b);
	set_cmdline("mem=64M");
	EXPECT_ERR(t, -ENOENT, multiboot1_parse(&bi, &b.reader, MEM_PA));
	set(MEM_LOWER, 0, HAS_MEM);
	EXPECT_ERR(t, -ENOENT, multiboot1_parse(&bi, &b.reader, MEM_PA));
}

KTEST(multiboot1, what_cannot_be_read_is_refused)
{
	static const phys_addr_t nowhere[] = {
		MEM_PA + MEM_SIZE, 0xFFFFFFFE, 0, 0xFFFFFFFFF, 0x100008000ull, 0xFFFFFFFFFFFFFFFEull
	};
	static const unsigned int pointers[] = { CMDLINE_AT, MODS_ADDR, MMAP_ADDR, LOADER_AT };
	struct blob b;

	for (unsigned int i = 0; i < ARRAY_SIZE(nowhere); i++) {
		start_full(&b);
		EXPECT_ERR(t, -EFAULT, multiboot1_parse(&bi, &b.reader, nowhere[i]));
		expect_sound(t, &b, &bi);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(pointers); i++) {
		for (unsigned int k = 0; k < 2; k++) {
			start_full(&b);
			set(pointers[i], (uint32_t)nowhere[k], 0);
			EXPECT_ERR(t, -EFAULT, multiboot1_parse(&bi, &b.reader, MEM_PA));
			expect_sound(t, &b, &bi);
		}
	}
}

KTEST(multiboot1, a_text_at_address_0_is_no_text)
{
	struct blob b;

	start_full(&b);
	add_module(1, 2, "name");
	put32(mem + MODULES + 2 * 16 + 8, 0);
	set(CMDLINE_AT, 0, HAS_CMDLINE);
	set(LOADER_AT, 0, HAS_LOADER);
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
	expect_sound(t, &b, &bi);
	EXPECT_STREQ(t, "", bi.cmdline);
	EXPECT_STREQ(t, "", bi.loader);
	EXPECT_STREQ(t, "", bi.modules[2].name);
	EXPECT_EQ(t, 4, bi.nr_keep); /* block, one module's text, module list, map */
}

KTEST(multiboot1, fields_that_the_flags_do_not_announce_are_not_read)
{
	struct blob b;
	phys_addr_t pa = MEM_PA - 12; /* the block's first 12 bytes end where memory ends */

	start(&b);
	set(MEM_UPPER, 1024, HAS_MEM);
	blob_init(&b);
	blob_add(&b, pa, mem, 12);
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, pa));
	EXPECT_EQ(t, 1, bi.nr_map);
	put32(mem, HAS_MEM | HAS_CMDLINE);
	EXPECT_ERR(t, -EFAULT, multiboot1_parse(&bi, &b.reader, pa));
}

KTEST(multiboot1, what_the_screen_shows_is_believed_where_it_is_told)
{
	static const struct {
		uint8_t type;
		enum boot_screen screen;
	} cases[] = { { 0, BOOT_SCREEN_GRAPHICS },
		      { 1, BOOT_SCREEN_GRAPHICS },
		      { 2, BOOT_SCREEN_TEXT },
		      { 3, BOOT_SCREEN_GRAPHICS } };
	struct blob b;

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		start_full(&b);
		mem[INFO + SCREEN_TYPE] = cases[i].type;
		ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA + INFO));
		EXPECT_EQ(t, BOOT_SCREEN_UNKNOWN, bi.screen);
		expect_kept(t, &bi, "boot information", MEM_PA + INFO, INFO_SIZE);
		put32(mem + INFO, get32(mem + INFO) | HAS_SCREEN);
		ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA + INFO));
		EXPECT_EQ(t, cases[i].screen, bi.screen);
		expect_kept(t, &bi, "boot information", MEM_PA + INFO, SCREEN_TYPE + 1);
	}
}

KTEST(multiboot1, a_block_at_the_end_of_the_space_is_read)
{
	struct blob b;
	phys_addr_t pa = 0x100000000ull - 12;

	start(&b);
	set(MEM_UPPER, 1024, HAS_MEM);
	blob_init(&b);
	blob_add(&b, pa, mem, 12);
	EXPECT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, pa));
	put32(mem, HAS_MEM | HAS_MMAP);
	EXPECT_ERR(t, -EFAULT, multiboot1_parse(&bi, &b.reader, pa));
	expect_sound(t, &b, &bi);
}

/* BOOT_MAP_MAX entries of RAM, then three more: @type at 5 GiB and at 3 GiB, and an empty one. */
static void start_overfull(struct blob *b, uint32_t type)
{
	start(b);
	for (unsigned int i = 0; i < BOOT_MAP_MAX; i++)
		add_entry(20, i * MiB, MiB, MEM_RAM);
	add_entry(20, 5 * GiB, MiB, type);
	add_entry(20, 3 * GiB, MiB, type);
	add_entry(20, MiB, 0, type);
}

KTEST(multiboot1, surplus_entries_that_forbid_ram_end_the_trust)
{
	struct blob b;

	start_overfull(&b, 99);
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
	expect_sound(t, &b, &bi);
	EXPECT_EQ(t, BOOT_MAP_MAX, bi.nr_map);
	EXPECT_EQ(t, 3, bi.nr_map_dropped);
	EXPECT_EQ(t, 3 * GiB, bi.map_trusted_end);
}

KTEST(multiboot1, surplus_entries_of_ram_are_only_lost)
{
	struct blob b;

	start_overfull(&b, MEM_RAM);
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
	EXPECT_EQ(t, 3, bi.nr_map_dropped);
	EXPECT_EQ(t, MAP_TRUSTED_ALL, bi.map_trusted_end);
}

static void expect_cmdline(struct ktest *t, const char *loader, const char *given, const char *want)
{
	struct blob b;

	start(&b);
	if (loader)
		set_loader(loader);
	set_cmdline(given);
	set(MEM_UPPER, 1024, HAS_MEM);
	EXPECT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
	expect_sound(t, &b, &bi);
	EXPECT_STREQ(t, want, bi.cmdline);
	EXPECT_FALSE(t, bi.cmdline_cut);
}

KTEST(multiboot1, qemu_s_first_word_is_always_the_file_name)
{
	expect_cmdline(t, "qemu", "quarry  mem=1G x", "mem=1G x");
	expect_cmdline(t, "qemu", "a=b/quarry.elf mem=1G", "mem=1G");
	expect_cmdline(t, "qemu", "quarry.elf", "");
	expect_cmdline(t, "qemu", "quarry.elf ", "");
	expect_cmdline(t, "qemu", "", "");
}

KTEST(multiboot1, other_loaders_first_word_is_a_file_name_if_it_looks_like_one)
{
	expect_cmdline(t, NULL, "/boot/quarry mem=1G", "mem=1G");
	expect_cmdline(t, NULL, "quarry.elf\tmem=1G", "mem=1G");
	expect_cmdline(t, "GRUB 0.97", "(hd0)/q.elf", "");
	expect_cmdline(t, NULL, "mem=1G e820=/boot/map", "mem=1G e820=/boot/map");
	expect_cmdline(t, NULL, "e820=/boot/map.elf x", "e820=/boot/map.elf x");
	expect_cmdline(t, "qemu2", "quarry mem=1G", "quarry mem=1G");
	expect_cmdline(t, NULL, "elf mem=1G", "elf mem=1G");
	expect_cmdline(t, NULL, "mem=64M x", "mem=64M x");
}

KTEST(multiboot1, what_is_not_printable_becomes_a_question_mark)
{
	expect_cmdline(t, NULL, "a!~\x1b[31m\x7f\xff b\tc\nd", "a!~?[31m?? b c d");
}

/* "x=000 x=001 ..." of @len bytes, and "quarry.elf " before it. */
static void set_long_cmdline(unsigned int len)
{
	static const char name[] = "quarry.elf ";
	uint8_t *at = mem + CMDLINE;

	memcpy(at, name, sizeof(name) - 1);
	at += sizeof(name) - 1;
	for (unsigned int i = 0; i < len; i++)
		at[i] = (uint8_t)("x=000 "[i % 6]);
	set(CMDLINE_AT, MEM_PA + CMDLINE, HAS_CMDLINE);
	set(MEM_UPPER, 1024, HAS_MEM);
}

KTEST(multiboot1, a_command_line_that_just_fits_is_whole)
{
	struct blob b;

	start(&b);
	set_long_cmdline(BOOT_CMDLINE_MAX - 1);
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
	expect_sound(t, &b, &bi);
	EXPECT_FALSE(t, bi.cmdline_cut);
	EXPECT_EQ(t, BOOT_CMDLINE_MAX - 1, strlen(bi.cmdline));
}

KTEST(multiboot1, a_long_command_line_loses_whole_words)
{
	struct blob b;

	for (unsigned int more = 0; more < 12; more++) {
		start(&b);
		set_long_cmdline(BOOT_CMDLINE_MAX + more);
		ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
		expect_sound(t, &b, &bi);
		EXPECT_TRUE(t, bi.cmdline_cut);
		/* 170 words of 5 and a blank are 1020 bytes, the last one's blank included. */
		EXPECT_EQ(t, 1019, strlen(bi.cmdline));
		EXPECT_STREQ(t, "x=000", bi.cmdline + 1014);
	}
}

KTEST(multiboot1, a_cut_does_not_end_between_quotes)
{
	struct blob b;

	start(&b);
	set_long_cmdline(2000);
	mem[CMDLINE + 11 + 898] = ' ';
	mem[CMDLINE + 11 + 899] = '"';
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
	EXPECT_TRUE(t, bi.cmdline_cut);
	EXPECT_EQ(t, 898, strlen(bi.cmdline));
}

KTEST(multiboot1, a_text_may_end_with_memory_but_not_run_out_of_it)
{
	struct blob b;
	unsigned int at = MEM_SIZE - 8;

	start(&b);
	memcpy(mem + at, "mem=10M", 8);
	set(CMDLINE_AT, MEM_PA + at, HAS_CMDLINE);
	set(MEM_UPPER, 1024, HAS_MEM);
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
	EXPECT_STREQ(t, "mem=10M", bi.cmdline);
	mem[MEM_SIZE - 1] = '0';
	EXPECT_ERR(t, -EFAULT, multiboot1_parse(&bi, &b.reader, MEM_PA));
	expect_sound(t, &b, &bi);
}

KTEST(multiboot1, a_text_may_end_with_the_space_but_not_run_out_of_it)
{
	const uint32_t last_page = 0xFFFFF000;
	struct blob b;

	start(&b);
	memcpy(mem + 0xFF8, "mem=10M", 8);
	set(CMDLINE_AT, last_page + 0xFF8, HAS_CMDLINE);
	set(MEM_UPPER, 1024, HAS_MEM);
	blob_init(&b);
	blob_add(&b, last_page, mem, 0x1000);
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, last_page));
	expect_sound(t, &b, &bi);
	EXPECT_STREQ(t, "mem=10M", bi.cmdline);
	mem[0xFFF] = '0';
	EXPECT_ERR(t, -EFAULT, multiboot1_parse(&bi, &b.reader, last_page));
	expect_sound(t, &b, &bi);
}

KTEST(multiboot1, a_text_without_an_end_is_cut)
{
	/* 84 KiB of a letter: more than is looked at. */
	struct blob b;

	start(&b);
	set(CMDLINE_AT, MEM_PA + MEM_SIZE, HAS_CMDLINE);
	set(MEM_UPPER, 1024, HAS_MEM);
	memset(mem + 0x1000, 'x', 0x7000);
	blob_init(&b);
	blob_add(&b, MEM_PA, mem, 0x1000);
	for (unsigned int i = 0; i < 3; i++)
		blob_add(&b, MEM_PA + MEM_SIZE + i * 0x7000, mem + 0x1000, 0x7000);
	static_assert(BOOT_TEXT_LOOKED_AT <= 3 * 0x7000, "the text must be longer than that");
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
	expect_sound(t, &b, &bi);
	EXPECT_TRUE(t, bi.cmdline_cut);
	EXPECT_STREQ(t, "", bi.cmdline);
	expect_kept(t, &bi, "command line", MEM_PA + MEM_SIZE, BOOT_TEXT_LOOKED_AT + 1);
}

KTEST(multiboot1, a_long_loader_s_name_is_cut)
{
	struct blob b;

	start(&b);
	set_loader("a loader with a name that is much longer than anybody ever needed to be");
	set(MEM_UPPER, 1024, HAS_MEM);
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
	expect_sound(t, &b, &bi);
	EXPECT_STREQ(t, "a loader with a name that is much longer than anybody ever need",
		     bi.loader);
	EXPECT_EQ(t, BOOT_NAME_MAX - 1, strlen(bi.loader));
}

KTEST(multiboot1, a_reader_that_fails_at_any_window_is_believed)
{
	struct blob b;
	unsigned int nr_windows;

	start_full(&b);
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
	nr_windows = b.nr_windows;
	EXPECT_GE(t, 10, nr_windows);
	for (unsigned int i = 1; i <= nr_windows; i++) {
		start_full(&b);
		b.fail_at = i;
		EXPECT_ERR(t, -EFAULT, multiboot1_parse(&bi, &b.reader, MEM_PA));
		EXPECT_EQ(t, i, b.nr_windows);
	}
}

KTEST(multiboot1, modules_are_named_by_their_first_word_without_the_path)
{
	struct blob b;

	start_full(&b);
	add_module(0xFFFFF000, 0xFFFFFFFF, "dir/ word");
	add_module(1, 2, "plain");
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
	expect_sound(t, &b, &bi);
	ASSERT_EQ(t, 4, bi.nr_modules);
	EXPECT_STREQ(t, "map.txt", bi.modules[0].name);
	EXPECT_EQ(t, 0x200000, bi.modules[0].start);
	EXPECT_EQ(t, 0x123, bi.modules[0].size);
	EXPECT_STREQ(t, "", bi.modules[1].name);
	EXPECT_EQ(t, 0, bi.modules[1].size);
	EXPECT_STREQ(t, "", bi.modules[2].name);
	EXPECT_EQ(t, 0xFFF, bi.modules[2].size);
	EXPECT_STREQ(t, "plain", bi.modules[3].name);
}

KTEST(multiboot1, a_module_that_ends_before_it_starts_is_refused)
{
	struct blob b;

	start_full(&b);
	add_module(0x5000, 0x4FFF, "m");
	EXPECT_ERR(t, -EILSEQ, multiboot1_parse(&bi, &b.reader, MEM_PA));
}

KTEST(multiboot1, surplus_modules_are_counted)
{
	struct blob b;

	start_full(&b);
	for (unsigned int i = 2; i < BOOT_MODULES_MAX + 3; i++)
		add_module(i * MiB, i * MiB + i, "m");
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
	expect_sound(t, &b, &bi);
	EXPECT_EQ(t, BOOT_MODULES_MAX, bi.nr_modules);
	EXPECT_EQ(t, 3, bi.nr_modules_dropped);
	EXPECT_EQ(t, 15 * MiB, bi.modules[15].start);
	EXPECT_TRUE(t, is_kept(&bi, "module without a name", 16 * MiB, 16));
	EXPECT_TRUE(t, is_kept(&bi, "module without a name", 18 * MiB, 18));
	set(MODS_COUNT, 0xFFFFFFFF, HAS_MODULES);
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
	EXPECT_EQ(t, 0xFFFFFFFFu - BOOT_MODULES_MAX, bi.nr_modules_dropped);
}

KTEST(multiboot1, everything_the_block_points_at_is_kept)
{
	struct blob b;

	start_full(&b);
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
	expect_kept(t, &bi, "boot information", MEM_PA + INFO, INFO_SIZE);
	expect_kept(t, &bi, "boot loader name", MEM_PA + LOADER, sizeof("qemu"));
	expect_kept(t, &bi, "command line", MEM_PA + CMDLINE,
		    sizeof("build/quarry.elf mem=64M test=lib*"));
	expect_kept(t, &bi, "module list", MEM_PA + MODULES, 2 * 16);
	expect_kept(t, &bi, "module command line", MEM_PA + TEXTS, sizeof("/boot/map.txt one two"));
	expect_kept(t, &bi, "boot memory map", MEM_PA + MAP, 2 * ENTRY_SIZE);
	EXPECT_EQ(t, 6, bi.nr_keep);
}

KTEST(multiboot1, a_block_with_every_range_there_is_fits_the_keep_list)
{
	struct blob b;

	start_full(&b);
	for (unsigned int i = 2; i < BOOT_MODULES_MAX; i++)
		add_module(i * MiB, i * MiB + i, "m");
	put32(mem + MODULES + 16 + 8, MEM_PA + TEXTS); /* the second had no text */
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
	EXPECT_EQ(t, 5 + BOOT_MODULES_MAX, bi.nr_keep);
	EXPECT_LE(t, BOOT_KEEP_MAX, 5 + BOOT_MODULES_MAX);
}

KTEST(multiboot1, qemu_s_block_is_understood)
{
	struct blob b;

	blob_init(&b);
	blob_add(&b, CAPTURED_QEMU_LOW, captured_qemu_low, captured_qemu_low_size);
	blob_add(&b, CAPTURED_QEMU_HIGH, captured_qemu_high, captured_qemu_high_size);
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, CAPTURED_QEMU_INFO));
	expect_sound(t, &b, &bi);
	EXPECT_STREQ(t, "qemu", bi.loader);
	EXPECT_STREQ(t, "mem=64M  loglevel=7", bi.cmdline);
	EXPECT_EQ(t, 6, bi.nr_map);
	expect_region(t, &bi, 3, MiB, 0x3EE0000, MEM_RAM);
	ASSERT_EQ(t, 2, bi.nr_modules);
	EXPECT_STREQ(t, "mod1", bi.modules[0].name);
	EXPECT_EQ(t, 0x117000, bi.modules[0].start);
	EXPECT_EQ(t, 6, bi.modules[0].size);
	EXPECT_STREQ(t, "mod2", bi.modules[1].name);
}

KTEST(multiboot1, v86_s_block_is_understood)
{
	struct blob b;

	blob_init(&b);
	blob_add(&b, CAPTURED_V86_INFO, captured_v86, captured_v86_size);
	ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, CAPTURED_V86_INFO));
	expect_sound(t, &b, &bi);
	EXPECT_STREQ(t, "", bi.loader);
	EXPECT_STREQ(t, "mem=64M x", bi.cmdline);
	EXPECT_EQ(t, 2, bi.nr_map);
	expect_region(t, &bi, 0, 0, 0xA0000, MEM_RAM);
	expect_region(t, &bi, 1, 0xC0000, 0x3F40000, MEM_RAM);
	expect_kept(t, &bi, "boot memory map", 0x7C7E, 2 * ENTRY_SIZE);
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
		for (unsigned int i = 0; i < nr_map; i++) {
			map[i] = random_region(t);
			add_entry(20 + ktest_random_below(t, 30), map[i].start, map[i].size,
				  map[i].type);
		}
		for (unsigned int i = 0; i < nr_modules; i++)
			add_module(i * i, i * i * i, "m x");
		ASSERT_EQ(t, 0, multiboot1_parse(&bi, &b.reader, MEM_PA));
		expect_sound(t, &b, &bi);
		ASSERT_EQ(t, nr_map, bi.nr_map);
		for (unsigned int i = 0; i < nr_map; i++)
			expect_region(t, &bi, i, map[i].start, map[i].size, map[i].type);
		ASSERT_EQ(t, nr_modules, bi.nr_modules);
		for (unsigned int i = 0; i < nr_modules; i++)
			EXPECT_EQ(t, i * i * i - i * i, bi.modules[i].size);
	}
}

/* Where bytes of a full block mean something. */
static const struct {
	unsigned int at, size;
} parts[] = {
	{ INFO, INFO_SIZE }, { LOADER, 16 },          { CMDLINE, 64 },
	{ MODULES, 64 },     { TEXTS, 2 * TEXT_MAX }, { MAP, 3 * ENTRY_SIZE },
};

static void copy_parts(uint8_t *to, const uint8_t *from)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(parts); i++)
		memcpy(to + parts[i].at, from + parts[i].at, parts[i].size);
}

static void mutate_part(struct ktest *t, unsigned int i)
{
	mutate(t, mem + parts[i].at, parts[i].size);
}

static void walk_mutations(struct ktest *t, unsigned long steps)
{
	static uint8_t pristine[MAP + 3 * ENTRY_SIZE];
	unsigned long nr_ok = 0;
	struct blob b;

	start_full(&b);
	copy_parts(pristine, mem);
	for (unsigned long step = 0; step < steps && !t->nr_failed; step++) {
		int err;

		copy_parts(mem, pristine);
		mutate_part(t, ktest_random_below(t, 2) * ktest_random_below(t, ARRAY_SIZE(parts)));
		mutate_part(t, ktest_random_below(t, ARRAY_SIZE(parts)));
		err = multiboot1_parse(&bi, &b.reader, MEM_PA);
		expect_sound(t, &b, &bi);
		EXPECT_TRUE(t, !err || err == -EILSEQ || err == -EFAULT || err == -ENOENT);
		EXPECT_TRUE(t, err || bi.nr_map);
		nr_ok += !err;
	}
	/* Neither so harmless that all passed nor so wild that nothing was looked at. */
	EXPECT_GE(t, steps / 20, nr_ok);
	EXPECT_LE(t, steps - steps / 20, nr_ok);
}

void multiboot1_walk(struct ktest *t, unsigned long steps)
{
	walk_round_trips(t, steps / 10);
	walk_mutations(t, steps);
}

KTEST(multiboot1, random_blocks_come_back_unchanged)
{
	walk_round_trips(t, SHORT_WALK / 10);
}

KTEST(multiboot1, no_mutation_leads_the_parser_astray)
{
	walk_mutations(t, SHORT_WALK);
}
