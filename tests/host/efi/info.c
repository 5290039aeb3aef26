/*
 * info.c - tests of the information block that the EFI loader writes: the kernel's parser reads it
 * back, and what does not fit is never half there.
 */
#include <quarry/bootinfo.h>
#include <quarry/ktest.h>
#include <quarry/string.h>

#include "../../../boot/efi/mb2info.h"
#include "../../boot/blob.h"

#define BLOCK_PA      0x7000u
#define LENGTH_OFFSET 20u /* into a root pointer */

static uint8_t block[4096] __aligned(8);
static struct mb2_writer w;
static struct bootinfo bi;

static const struct mem_region map[] = {
	{ 0, 0xA0000, MEM_RAM },
	{ 0x100000, 0x706000, MEM_RAM },
	{ 0x806000, 0x2000, MEM_ACPI_NVS },
	{ 0x3FFFFFFF000, 0x1000, MEM_RESERVED },
};

static const uint8_t efi_bytes[2 * 48] = { 1, 2, 3 };

static const struct mb2_tag_framebuffer fb = {
	.pa = 0xC0000000,
	.pitch = 5120,
	.width = 1280,
	.height = 800,
	.bpp = 32,
	.type = BOOT_FRAMEBUFFER_RGB,
	.colours = { 16, 8, 8, 8, 0, 8 },
};

/* A good root pointer, whose length is @length. */
static const uint8_t *rsdp_of(uint32_t length)
{
	static uint8_t rsdp[RSDP_NEW_SIZE];

	memset(rsdp, 0, sizeof(rsdp));
	memcpy(rsdp, RSDP_SIGNATURE, RSDP_SIGNATURE_SIZE);
	rsdp[15] = 2;
	put32(rsdp + 16, 0x7FE14000);
	put32(rsdp + LENGTH_OFFSET, length);
	put32(rsdp + 24, 0x7FE14080);
	for (unsigned int i = 0; i < 20; i++)
		rsdp[8] -= i == 8 ? 0 : rsdp[i];
	for (unsigned int i = 0; i < sizeof(rsdp); i++)
		rsdp[32] -= i == 32 ? 0 : rsdp[i];
	return rsdp;
}

/* Is @rsdp taken, with its byte @i another? */
static bool takes_with_wrong_byte(const uint8_t *rsdp, unsigned int i, bool is_new)
{
	uint8_t bytes[RSDP_NEW_SIZE];

	memcpy(bytes, rsdp, sizeof(bytes));
	bytes[i] ^= 1;
	mb2_start(&w, block, sizeof(block));
	return mb2_add_rsdp(&w, bytes, is_new);
}

/* All there is, in a block of @size bytes that ends where its buffer does; bytes of the result. */
static size_t write_all(size_t size)
{
	const struct efi_map efi = { efi_bytes, sizeof(efi_bytes), 48, 1 };
	bool is_rsdp;

	memset(block, 0xA5, sizeof(block));
	mb2_start(&w, block + sizeof(block) - size, size);
	mb2_add_text(&w, MB2_TAG_CMDLINE, "loglevel=8 test=*");
	mb2_add_text(&w, MB2_TAG_LOADER, "quarry-efi");
	is_rsdp = mb2_add_rsdp(&w, rsdp_of(RSDP_NEW_SIZE), true);
	mb2_add_framebuffer(&w, &fb);
	mb2_add_module(&w, 0x200000, 0x200123, "/boot/a.map one two");
	mb2_add_mmap(&w, map, ARRAY_SIZE(map));
	mb2_add_efi_mmap(&w, &efi);
	return is_rsdp ? mb2_finish(&w) : 0;
}

static int read_back(struct blob *b, size_t size)
{
	blob_init(b);
	blob_add(b, BLOCK_PA, w.bytes, size);
	return multiboot2_parse(&bi, &b->reader, BLOCK_PA);
}

KTEST(efi_info, the_kernels_parser_reads_back_what_was_written)
{
	size_t size = write_all(2048);
	struct blob b;

	ASSERT_NE(t, 0, size);
	ASSERT_EQ(t, 0, read_back(&b, size));
	EXPECT_STREQ(t, "loglevel=8 test=*", bi.cmdline);
	EXPECT_STREQ(t, "quarry-efi", bi.loader);
	ASSERT_EQ(t, 1, bi.nr_modules);
	EXPECT_STREQ(t, "a.map", bi.modules[0].name);
	EXPECT_EQ(t, 0x200000, bi.modules[0].start);
	EXPECT_EQ(t, 0x123, bi.modules[0].size);
	ASSERT_EQ(t, ARRAY_SIZE(map), bi.nr_map);
	for (unsigned int i = 0; i < ARRAY_SIZE(map); i++)
		expect_region(t, &bi, i, map[i].start, map[i].size, map[i].type);
	EXPECT_NE(t, 0, bi.acpi_rsdp);
	EXPECT_EQ(t, 0xC0000000, bi.framebuffer.pa);
	EXPECT_EQ(t, 0, memcmp(&fb.colours, &bi.framebuffer.colours, sizeof(fb.colours)));
	expect_kept(t, &bi, "boot information", BLOCK_PA, size);
	expect_sound(t, &b, &bi);
}

/* Where the tag of @type lies behind its header; NULL if there is none. */
static const uint8_t *find_tag(size_t size, uint32_t type, uint32_t tag_size)
{
	for (size_t at = 8; at + 8 <= size; at += (get32(w.bytes + at + 4) + 7) & ~7u) {
		if (get32(w.bytes + at) == type)
			return get32(w.bytes + at + 4) == tag_size ? w.bytes + at + 8 : NULL;
	}
	return NULL;
}

KTEST(efi_info, the_framebuffer_tag_has_the_specifications_layout)
{
	const uint8_t *tag = find_tag(write_all(2048), 8, 38);

	ASSERT_NE(t, NULL, tag);
	EXPECT_EQ(t, 0xC0000000, get32(tag));
	EXPECT_EQ(t, 5120, get32(tag + 8));
	EXPECT_EQ(t, 1280, get32(tag + 12));
	EXPECT_EQ(t, 800, get32(tag + 16));
	EXPECT_EQ(t, 32, tag[20]);
	EXPECT_EQ(t, 1, tag[21]);
	EXPECT_EQ(t, 16, tag[24]);
	EXPECT_EQ(t, 8, tag[29]);
}

KTEST(efi_info, the_firmwares_map_is_passed_on_as_it_is)
{
	const uint8_t *tag = find_tag(write_all(2048), 17, 16 + sizeof(efi_bytes));

	ASSERT_NE(t, NULL, tag);
	EXPECT_EQ(t, 48, get32(tag));
	EXPECT_EQ(t, 1, get32(tag + 4));
	EXPECT_EQ(t, 0, memcmp(tag + 8, efi_bytes, sizeof(efi_bytes)));
}

KTEST(efi_info, a_block_without_room_for_everything_is_never_finished)
{
	size_t whole = write_all(2048);

	EXPECT_EQ(t, whole, write_all(whole));
	for (size_t size = 0; size < whole; size++)
		ASSERT_EQ(t, 0, write_all(size));
}

KTEST(efi_info, what_is_no_root_pointer_is_left_out)
{
	const uint8_t *rsdp = rsdp_of(RSDP_NEW_SIZE);

	for (unsigned int i = 0; i < RSDP_NEW_SIZE; i++) {
		if (i / 4 == LENGTH_OFFSET / 4)
			continue;
		EXPECT_FALSE(t, takes_with_wrong_byte(rsdp, i, true));
		EXPECT_EQ(t, 16, mb2_finish(&w));
	}
}

/* Its first half may still be good where the second is not. */
KTEST(efi_info, an_old_root_pointer_is_its_first_20_bytes)
{
	const uint8_t *rsdp = rsdp_of(RSDP_NEW_SIZE);

	for (unsigned int i = 0; i < RSDP_NEW_SIZE; i++)
		EXPECT_EQ(t, i >= RSDP_OLD_SIZE, takes_with_wrong_byte(rsdp, i, false));
}

KTEST(efi_info, a_root_pointer_may_be_longer_than_is_known_but_not_shorter)
{
	mb2_start(&w, block, sizeof(block));
	EXPECT_FALSE(t, mb2_add_rsdp(&w, rsdp_of(RSDP_NEW_SIZE - 1), true));
	EXPECT_TRUE(t, mb2_add_rsdp(&w, rsdp_of(RSDP_NEW_SIZE + 4), true));
}

KTEST(efi_info, an_old_root_pointer_is_copied_to_its_20_bytes)
{
	mb2_start(&w, block, sizeof(block));
	ASSERT_TRUE(t, mb2_add_rsdp(&w, rsdp_of(0), false));
	EXPECT_NE(t, NULL, find_tag(mb2_finish(&w), 14, 28));
}
