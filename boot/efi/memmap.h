/*
 * Layer: boot
 * memmap.h - the memory map as EFI firmware gives it: reading it, and what its types become.
 */
#ifndef QUARRY_BOOT_EFI_MEMMAP_H
#define QUARRY_BOOT_EFI_MEMMAP_H

#include <quarry/bootinfo.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

/* UEFI Specification 2.10, table 7.6.  What is not listed is nobody's. */
enum efi_type {
	EFI_TYPE_RESERVED = 0,
	EFI_TYPE_LOADER_CODE = 1,
	EFI_TYPE_LOADER_DATA = 2,
	EFI_TYPE_BOOT_CODE = 3,
	EFI_TYPE_BOOT_DATA = 4,
	EFI_TYPE_RUNTIME_CODE = 5,
	EFI_TYPE_RUNTIME_DATA = 6,
	EFI_TYPE_FREE = 7,
	EFI_TYPE_BAD = 8,
	EFI_TYPE_ACPI_RECLAIM = 9,
	EFI_TYPE_ACPI_NVS = 10,
	EFI_TYPE_MMIO = 11,
	EFI_TYPE_MMIO_PORTS = 12,
	EFI_TYPE_PAL_CODE = 13,
	EFI_TYPE_PERSISTENT = 14,
	EFI_TYPE_UNACCEPTED = 15,
	EFI_TYPE_NONE = 0xFFFFFFFF, /* of what is in no entry */
};

/* Attributes of an entry that matter here. */
#define EFI_CAN_WRITE_BACK   (1ull << 3)
#define EFI_SPECIFIC_PURPOSE (1ull << 18)
#define EFI_NEEDS_RUNTIME    (1ull << 63)

/* The firmware's array; its entries are desc_size apart, which may be more than we know of. */
struct efi_map {
	const uint8_t *bytes;
	size_t size;      /* bytes */
	size_t desc_size; /* bytes, EFI_DESC_SIZE or more */
	uint32_t desc_version;
};

#define EFI_DESC_SIZE 40u

/* One entry.  @end is exclusive and page-aligned; what runs past 2^64 ends a page before. */
struct efi_run {
	uint32_t type; /* enum efi_type, or a number nobody knows */
	uint64_t start, end;
	uint64_t attribute;
};

/**
 * efi_map_nr - entries of @map.
 */
QAPI unsigned int efi_map_nr(const struct efi_map *map);

/**
 * efi_map_get - read entry @i, which is less than efi_map_nr().
 */
QAPI void efi_map_get(const struct efi_map *map, unsigned int i, struct efi_run *run);

/**
 * efi_kernel_type - what @run is to a kernel that runs after boot services have ended.
 *
 * Return: a type of enum mem_type.
 */
QAPI uint32_t efi_kernel_type(const struct efi_run *run);

/**
 * efi_type_name - @type in words.
 */
QAPI const char *efi_type_name(uint32_t type);

/**
 * efi_map_is_ram - is every byte of [@start, @end) RAM to that kernel?
 * @obstacle: if not: an entry which is not, or with type EFI_TYPE_NONE the first byte in none.
 */
QAPI bool efi_map_is_ram(const struct efi_map *map, uint64_t start, uint64_t end,
			 struct efi_run *obstacle);

/**
 * efi_map_find_room - the highest free place of @size bytes, page-aligned, in [@floor, @ceiling).
 * @size: a multiple of a page, not 0.
 */
QAPI bool efi_map_find_room(const struct efi_map *map, uint64_t size, uint64_t floor,
			    uint64_t ceiling, uint64_t *start);

/**
 * efi_map_find_room_beside - the same, but outside of [@place_start, @place_end), whatever is free
 * there; an empty place, at @ceiling, is none.
 */
QAPI bool efi_map_find_room_beside(const struct efi_map *map, uint64_t size, uint64_t floor,
				   uint64_t ceiling, uint64_t place_start, uint64_t place_end,
				   uint64_t *start);

/**
 * efi_map_regions - the map for the kernel: sorted by address, neighbours of one type merged.
 * @cap: regions that fit at @out; efi_map_nr() always suffice.
 *
 * Return: their number, or -ENOSPC.
 */
QAPI int efi_map_regions(const struct efi_map *map, struct mem_region *out, unsigned int cap)
	__must_check;

#endif
