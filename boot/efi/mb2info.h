/*
 * Layer: boot
 * mb2info.h - writing a multiboot2 information block, tag by tag.
 */
#ifndef QUARRY_BOOT_EFI_MB2INFO_H
#define QUARRY_BOOT_EFI_MB2INFO_H

#include "../multiboot2.h"
#include "memmap.h"

#include <quarry/bootinfo.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

/* A block that grows.  What does not fit is left out, and the block is never finished. */
struct mb2_writer {
	uint8_t *bytes; /* 8-aligned */
	size_t size;    /* room, at most MB2_TOTAL_SIZE_MAX bytes */
	size_t used;
	bool is_full;
};

/**
 * mb2_start - an empty block in the @size bytes at @bytes.
 */
QAPI void mb2_start(struct mb2_writer *w, void *bytes, size_t size);

/**
 * mb2_add_text - the command line or the loader's name (@type MB2_TAG_CMDLINE, MB2_TAG_LOADER).
 */
QAPI void mb2_add_text(struct mb2_writer *w, uint32_t type, const char *text);

/**
 * mb2_add_module - a module at [@start, @end) with its command line.
 */
QAPI void mb2_add_module(struct mb2_writer *w, uint32_t start, uint32_t end, const char *text);

/**
 * mb2_add_mmap - the map that the kernel reads.
 */
QAPI void mb2_add_mmap(struct mb2_writer *w, const struct mem_region *map, unsigned int nr);

/**
 * mb2_add_efi_mmap - the firmware's own map, for who wants more than the kernel's types.
 */
QAPI void mb2_add_efi_mmap(struct mb2_writer *w, const struct efi_map *map);

/**
 * mb2_add_rsdp - a copy of the ACPI root pointer, if @rsdp is one.
 * @rsdp: RSDP_NEW_SIZE readable bytes if @is_new, otherwise RSDP_OLD_SIZE.
 *
 * Return: false when its signature, its length or a checksum is wrong: nothing was added.
 */
QAPI bool mb2_add_rsdp(struct mb2_writer *w, const void *rsdp, bool is_new) __must_check;

/**
 * mb2_add_framebuffer - where pixels lie; @fb's tag is filled in here.
 */
QAPI void mb2_add_framebuffer(struct mb2_writer *w, const struct mb2_tag_framebuffer *fb);

/**
 * mb2_finish - write the end tag and the size.
 *
 * Return: bytes of the whole block; 0 when something did not fit.
 */
QAPI size_t mb2_finish(struct mb2_writer *w) __must_check;

#endif
