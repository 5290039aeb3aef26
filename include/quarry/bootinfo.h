/*
 * Layer: contract
 * bootinfo.h - what the boot loader knew: one structure, whatever the protocol.
 *
 * boot/ fills it (one parser a protocol), the port and mm_init() read it.  Everything is copied:
 * no pointer leads into the loader's memory except a module's physical range.
 */
#ifndef QUARRY_BOOTINFO_H
#define QUARRY_BOOTINFO_H

#include <quarry/compiler.h>
#include <quarry/types.h>

/* The firmware's numbering (ACPI); what is not listed is treated as MEM_RESERVED. */
enum mem_type {
	MEM_RAM = 1, /* usable */
	MEM_RESERVED = 2,
	MEM_ACPI_RECLAIM = 3, /* ACPI tables: usable once they were read; kept apart */
	MEM_ACPI_NVS = 4,     /* the firmware's, for ever */
	MEM_BAD = 5,          /* faulty RAM */
};

/* [start, start + size): @size may be 0 or wrap in a firmware's map, never in a sanitised one. */
struct mem_region {
	phys_addr_t start;
	phys_addr_t size;
	uint32_t type; /* enum mem_type or a number nobody knows */
};

#define BOOT_MAP_MAX      512u /* map entries kept: more than any firmware was seen to give */
#define MAP_TRUSTED_ALL   UINT64_MAX
#define BOOT_MODULES_MAX  16u   /* modules with a name */
#define BOOT_MODULES_KEPT 64u   /* modules whose ranges are kept, those included */
#define BOOT_CMDLINE_MAX  1024u /* bytes, the NUL included */
#define BOOT_NAME_MAX     64u   /* bytes of a module's or the loader's name, the NUL included */

/*
 * Block, command line, loader's name, module list and memory map, three to spare, and one text a
 * module.
 */
#define BOOT_KEEP_MAX (16u + 2 * BOOT_MODULES_KEPT)

struct boot_module {
	phys_addr_t start; /* bytes; may lie above lowmem: read it through early_ioremap() */
	phys_addr_t size;
	char name[BOOT_NAME_MAX]; /* the first word of its command line, without the path */
};

/* A range of the loader's that must stay as it is: the information block, its strings. */
struct boot_keep {
	phys_addr_t start;
	phys_addr_t size;
	const char *name; /* a string constant */
};

/* What the loader says of the screen. */
enum boot_screen {
	BOOT_SCREEN_UNKNOWN, /* nothing */
	BOOT_SCREEN_TEXT,
	BOOT_SCREEN_GRAPHICS,
};

struct bootinfo {
	const char *protocol;           /* "multiboot1", "multiboot2" */
	char loader[BOOT_NAME_MAX];     /* "GRUB 2.06" or "" */
	char cmdline[BOOT_CMDLINE_MAX]; /* without the kernel's file name, printable ASCII */
	bool cmdline_cut;               /* it was longer: the last words, whole ones, are lost */

	/*
	 * The map as the firmware gave it, in its order.  When it has more than BOOT_MAP_MAX
	 * entries the surplus is dropped and counted here.  A dropped RAM entry is RAM lost; any
	 * other one might have forbidden RAM that a kept entry promises.  So map_trusted_end is
	 * the lowest start of the latter, or MAP_TRUSTED_ALL, and RAM from there on is not
	 * believed: e820_limit_ram(map, map_trusted_end).
	 */
	struct mem_region map[BOOT_MAP_MAX];
	unsigned int nr_map;
	unsigned int nr_map_dropped;
	phys_addr_t map_trusted_end;

	struct boot_module modules[BOOT_MODULES_MAX];
	unsigned int nr_modules;
	unsigned int nr_modules_dropped;

	struct boot_keep keep[BOOT_KEEP_MAX];
	unsigned int nr_keep;

	enum boot_screen screen;

	phys_addr_t acpi_rsdp; /* the loader's copy of the ACPI root pointer (kept), or 0 */
};

/* The largest window a parser asks for: two page mappings serve any of them. */
#define BOOT_READER_MAX 4096u

/* How the parsers look at physical memory, one window at a time. */
struct boot_reader {
	/*
	 * A view of [pa, pa + size), 1 <= size <= BOOT_READER_MAX, any alignment, ending at or
	 * below 4 GiB; valid until the next call.  NULL when it cannot be had.
	 */
	QAPI const void *(*map)(struct boot_reader *r, phys_addr_t pa, size_t size);
};

/**
 * multiboot1_parse - read a multiboot1 information block into @bi.
 * @r:  how physical memory is read; nothing outside what it maps is touched.
 * @pa: physical address of the block (EBX at entry).
 *
 * Return:  0; -EILSEQ when the block contradicts itself; -EFAULT when it cannot be read; -ENOENT
 *          when it says nothing about memory.  After a failure @bi holds what was understood.
 * Context: boot, once.  Cost: linear in the block.
 */
QAPI int multiboot1_parse(struct bootinfo *bi, struct boot_reader *r, phys_addr_t pa) __must_check;

/**
 * multiboot2_parse - the same for a multiboot2 information block.
 */
QAPI int multiboot2_parse(struct bootinfo *bi, struct boot_reader *r, phys_addr_t pa) __must_check;

#endif
