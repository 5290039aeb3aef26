/*
 * Layer: boot
 * multiboot1.h - the multiboot 0.6.96 information block, as it lies in memory.
 */
#ifndef QUARRY_BOOT_MULTIBOOT1_H
#define QUARRY_BOOT_MULTIBOOT1_H

#include <quarry/compiler.h>
#include <quarry/types.h>

/* Which fields of the block mean something. */
enum mb1_flag {
	MB1_HAS_MEM = 1u << 0,
	MB1_HAS_CMDLINE = 1u << 2,
	MB1_HAS_MODULES = 1u << 3,
	MB1_HAS_MMAP = 1u << 6,
	MB1_HAS_LOADER = 1u << 9,
	MB1_HAS_FRAMEBUFFER = 1u << 12,
};

struct mb1_info {
	uint32_t flags;
	uint32_t mem_lower, mem_upper; /* KiB from 0, KiB from 1 MiB */
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count, mods_addr;
	uint32_t symbols[4];
	uint32_t mmap_length, mmap_addr; /* bytes */
	uint32_t drives_length, drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
	uint32_t apm_table;
	uint32_t vbe[4];
	uint32_t framebuffer_addr[2];
	uint32_t framebuffer_pitch, framebuffer_width, framebuffer_height;
	uint8_t framebuffer_bpp, framebuffer_type;
};

struct mb1_module {
	uint32_t start, end;
	uint32_t cmdline;
	uint32_t reserved;
};

/* Entries lie back to back, each size + 4 bytes long, at any alignment. */
struct mb1_mmap_entry {
	uint32_t size; /* bytes after this field: 20, or more in some future */
	uint64_t start;
	uint64_t length;
	uint32_t type;
} __packed;

#define MB1_MMAP_SIZE_MIN 20u

/* Bytes of a map that are looked at: more than 40000 entries are no map. */
#define MB1_MMAP_LENGTH_MAX 0x100000u

static_assert(offsetof(struct mb1_info, apm_table) == 68, "fixed by the protocol");
static_assert(offsetof(struct mb1_info, framebuffer_type) == 109, "fixed by the protocol");
static_assert(sizeof(struct mb1_module) == 16, "fixed by the protocol");
static_assert(sizeof(struct mb1_mmap_entry) == 4 + MB1_MMAP_SIZE_MIN, "fixed by the protocol");

#endif
