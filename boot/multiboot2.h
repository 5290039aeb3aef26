/*
 * Layer: boot
 * multiboot2.h - the multiboot2 information block, as it lies in memory.
 */
#ifndef QUARRY_BOOT_MULTIBOOT2_H
#define QUARRY_BOOT_MULTIBOOT2_H

#include <quarry/bootinfo.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

/* The tags that are read or written here; a parser skips all others by their size. */
enum mb2_tag_type {
	MB2_TAG_END = 0,
	MB2_TAG_CMDLINE = 1,
	MB2_TAG_LOADER = 2,
	MB2_TAG_MODULE = 3,
	MB2_TAG_BASIC_MEMORY = 4,
	MB2_TAG_MMAP = 6,
	MB2_TAG_FRAMEBUFFER = 8,
	MB2_TAG_ACPI_OLD = 14,
	MB2_TAG_ACPI_NEW = 15,
	MB2_TAG_EFI_MMAP = 17,
};

struct mb2_block {
	uint32_t total_size; /* bytes, this header and the end tag included */
	uint32_t reserved;
};

struct mb2_tag {
	uint32_t type;
	uint32_t size; /* bytes, this header included, the padding to 8 not */
};

struct mb2_tag_module {
	struct mb2_tag tag;
	uint32_t start, end;
	/* The command line follows. */
};

struct mb2_tag_basic_memory {
	struct mb2_tag tag;
	uint32_t lower, upper; /* KiB from 0, KiB from 1 MiB */
};

struct mb2_tag_mmap {
	struct mb2_tag tag;
	uint32_t entry_size, entry_version;
	/* The entries follow. */
};

struct mb2_mmap_entry {
	uint64_t start;
	uint64_t length;
	uint32_t type;
	uint32_t reserved;
};

struct mb2_tag_framebuffer {
	struct mb2_tag tag;
	uint64_t pa;
	uint32_t pitch, width, height; /* bytes from one line to the next; pixels */
	uint8_t bpp, type;             /* BOOT_FRAMEBUFFER_* */
	uint16_t reserved;
	struct boot_colours colours; /* of BOOT_FRAMEBUFFER_RGB only */
} __packed;

struct mb2_tag_efi_mmap {
	struct mb2_tag tag;
	uint32_t desc_size, desc_version;
	/* The firmware's descriptors follow. */
};

#define MB2_TAG_ALIGN        8u
#define MB2_TOTAL_SIZE_MIN   (sizeof(struct mb2_block) + sizeof(struct mb2_tag))
#define MB2_TOTAL_SIZE_MAX   0x100000u /* a block longer than 1 MiB is no block */
#define MB2_MMAP_ENTRY_ALIGN 8u

/*
 * What an ACPI root pointer starts with, and its size before and from revision 2 on; then it holds
 * its own length, which may be more.
 */
#define RSDP_SIGNATURE      "RSD PTR "
#define RSDP_SIGNATURE_SIZE 8u
#define RSDP_OLD_SIZE       20u
#define RSDP_NEW_SIZE       36u
#define RSDP_LENGTH_OFFSET  20u

static_assert(sizeof(struct mb2_tag_module) == 16, "fixed by the protocol");
static_assert(sizeof(struct mb2_tag_mmap) == 16, "fixed by the protocol");
static_assert(sizeof(struct mb2_tag_framebuffer) == 38, "fixed by the protocol");
static_assert(offsetof(struct mb2_tag_framebuffer, type) == 29, "fixed by the protocol");
static_assert(sizeof(struct mb2_tag_efi_mmap) == 16, "fixed by the protocol");
static_assert(sizeof(struct mb2_mmap_entry) == 24, "fixed by the protocol");

#endif
