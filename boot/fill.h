/*
 * Layer: boot
 * fill.h - what both multiboot parsers share: reading physical memory, filling struct bootinfo.
 */
#ifndef QUARRY_BOOT_FILL_H
#define QUARRY_BOOT_FILL_H

#include <quarry/bootinfo.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

/* Both protocols hand over 32-bit addresses: what starts below and ends above is a lie. */
#define BOOT_ADDR_END 0x100000000ull

/* Types of framebuffer: 0 and 1, with and without a palette, are graphics. */
#define BOOT_FRAMEBUFFER_TEXT 2u

/* A text without its NUL for this long is cut; multiboot1 gives texts no length. */
#define BOOT_TEXT_MAX 65536u

/* A text in physical memory: @len bytes without a NUL among them. */
struct boot_text {
	phys_addr_t pa;
	size_t len;
	bool cut; /* it went on, but there was no more room to look at */
};

/**
 * boot_read - copy @size bytes of physical memory at @pa to @dst, whatever their alignment.
 * @size: 1..BOOT_READER_MAX.
 *
 * Return: 0; -EFAULT when a byte lies beyond BOOT_ADDR_END or cannot be mapped.
 */
QAPI int boot_read(struct boot_reader *r, phys_addr_t pa, void *dst, size_t size) __must_check;

/**
 * boot_find_text - measure the text at @pa, of which at most @room bytes may be looked at.
 * @t: the result; without a NUL in @room bytes the text is those bytes, and cut.
 *
 * Return: 0; -EFAULT.
 */
QAPI int boot_find_text(struct boot_reader *r, struct boot_text *t, phys_addr_t pa, size_t room)
	__must_check;

/**
 * boot_set_loader - copy the boot loader's name.
 *
 * Return: 0; -EFAULT.
 */
QAPI int boot_set_loader(struct bootinfo *bi, struct boot_reader *r, const struct boot_text *t)
	__must_check;

/**
 * boot_set_cmdline - copy the command line, without the kernel's file name.  Set the loader first.
 *
 * Return: 0; -EFAULT.
 */
QAPI int boot_set_cmdline(struct bootinfo *bi, struct boot_reader *r, const struct boot_text *t)
	__must_check;

/**
 * boot_add_module - one more module [@start, @end), or one more dropped one.
 * @t: its command line, the first word of which names it.
 *
 * Return: 0; -EFAULT; -EILSEQ when it ends before it starts.
 */
QAPI int boot_add_module(struct bootinfo *bi, struct boot_reader *r, uint32_t start, uint32_t end,
			 const struct boot_text *t) __must_check;

/**
 * boot_add_region - one more map entry, or one more dropped one.
 */
QAPI void boot_add_region(struct bootinfo *bi, const struct mem_region *region);

/**
 * boot_add_basic_memory - the map that two old numbers make: KiB from 0 and KiB from 1 MiB on.
 */
QAPI void boot_add_basic_memory(struct bootinfo *bi, uint32_t lower_kib, uint32_t upper_kib);

/**
 * boot_set_screen - what the screen shows: the type of framebuffer that both protocols tell.
 */
QAPI void boot_set_screen(struct bootinfo *bi, uint8_t type);

/**
 * boot_add_keep - a range of the loader's that nobody may write to.  Empty ones are left out.
 * @name: a string constant.
 */
QAPI void boot_add_keep(struct bootinfo *bi, phys_addr_t start, phys_addr_t size, const char *name);

/**
 * boot_start - an empty @bi for @protocol (a string constant).
 */
QAPI void boot_start(struct bootinfo *bi, const char *protocol);

#endif
