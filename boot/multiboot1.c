/*
 * multiboot1.c - a multiboot1 information block becomes a struct bootinfo.
 *
 * THEORY.  The block is a structure whose flags say which fields were filled in; the fields
 * point at a command line, a table of modules and a memory map anywhere below 4 GiB.
 *
 *	EBX -> flags | mem_lower | mem_upper | ... | cmdline | mods | ... | mmap | ...
 *	                                               |         |           |
 *	       "quarry.elf mem=64M" <------------------+         |           |
 *	       { start, end, cmdline } { ... } <-----------------+           |
 *	       { size, start, length, type } { ... } <-----------------------+
 *
 * Only fields that the flags announce are read, and no byte after the last of them: a loader
 * may have allocated no more.
 *
 * RULES
 *   M1  a map wins over mem_lower and mem_upper; these count only where there is no map;
 *   M2  a map entry shorter than 20 bytes, one that runs past the map's end, and a map longer
 *       than MB1_MMAP_LENGTH_MAX make the block worthless (-EILSEQ): what follows the broken
 *       entry might be what forbids RAM that was read before it;
 *   M3  longer entries are understood by their first 20 bytes;
 *   M4  the block and everything it points at is named in bootinfo.keep;
 *   M5  a text at address 0 is no text.
 *
 * CONTEXT.  Boot, once.  Everything is copied; see fill.c for how memory is read.
 *
 * SOURCES.  Multiboot Specification 0.6.96, section 3.3.
 */
#include "multiboot1.h"

#include "fill.h"

#include <quarry/bootinfo.h>
#include <quarry/errno.h>
#include <quarry/string.h>

/* The end of the last field that @flags announce. */
static size_t info_size(uint32_t flags)
{
	if (flags & MB1_HAS_FRAMEBUFFER)
		return offsetof(struct mb1_info, framebuffer_type) + 1;
	if (flags & MB1_HAS_LOADER)
		return offsetof(struct mb1_info, apm_table);
	if (flags & MB1_HAS_MMAP)
		return offsetof(struct mb1_info, drives_length);
	if (flags & MB1_HAS_MODULES)
		return offsetof(struct mb1_info, symbols);
	if (flags & MB1_HAS_CMDLINE)
		return offsetof(struct mb1_info, mods_count);
	return offsetof(struct mb1_info, boot_device);
}

static int read_info(struct bootinfo *bi, struct boot_reader *r, phys_addr_t pa,
		     struct mb1_info *info)
{
	size_t size;
	int err;

	memset(info, 0, sizeof(*info));
	err = boot_read(r, pa, &info->flags, sizeof(info->flags));
	if (err)
		return err;
	size = info_size(info->flags);
	boot_add_keep(bi, pa, size, "boot information");
	err = boot_read(r, pa, info, size);
	if (!err && info->flags & MB1_HAS_FRAMEBUFFER)
		boot_set_screen(bi, info->framebuffer_type);
	return err;
}

/* The text at @pa, kept under @name.  At 0 lies the interrupt table: M5. */
static int find_kept_text(struct bootinfo *bi, struct boot_reader *r, struct boot_text *t,
			  uint32_t pa, const char *name)
{
	int err;

	*t = (struct boot_text){ 0 };
	if (!pa)
		return 0;
	err = boot_find_text(r, t, pa, BOOT_TEXT_MAX);
	if (!err)
		boot_add_keep(bi, pa, t->len + 1, name);
	return err;
}

static int read_loader(struct bootinfo *bi, struct boot_reader *r, const struct mb1_info *info)
{
	struct boot_text t;
	int err;

	if (!(info->flags & MB1_HAS_LOADER))
		return 0;
	err = find_kept_text(bi, r, &t, info->boot_loader_name, "boot loader name");
	return err ? err : boot_set_loader(bi, r, &t);
}

static int read_cmdline(struct bootinfo *bi, struct boot_reader *r, const struct mb1_info *info)
{
	struct boot_text t;
	int err;

	if (!(info->flags & MB1_HAS_CMDLINE))
		return 0;
	err = find_kept_text(bi, r, &t, info->cmdline, "command line");
	return err ? err : boot_set_cmdline(bi, r, &t);
}

static int read_module(struct bootinfo *bi, struct boot_reader *r, phys_addr_t pa)
{
	struct boot_text t;
	struct mb1_module m;
	int err;

	err = boot_read(r, pa, &m, sizeof(m));
	if (!err)
		err = find_kept_text(bi, r, &t, m.cmdline, "module command line");
	return err ? err : boot_add_module(bi, r, m.start, m.end, &t);
}

static int read_modules(struct bootinfo *bi, struct boot_reader *r, const struct mb1_info *info)
{
	uint32_t nr = info->mods_count;
	int err = 0;

	if (!(info->flags & MB1_HAS_MODULES))
		return 0;
	if (nr > BOOT_MODULES_KEPT) {
		bi->nr_modules_dropped = nr - BOOT_MODULES_KEPT;
		nr = BOOT_MODULES_KEPT;
	}
	boot_add_keep(bi, info->mods_addr, nr * sizeof(struct mb1_module), "module list");
	for (uint32_t i = 0; i < nr && !err; i++)
		err = read_module(bi, r,
				  (phys_addr_t)info->mods_addr + i * sizeof(struct mb1_module));
	return err;
}

/* The entry at @pa, of whose map @left bytes are left.  Return: its length in bytes, or -errno. */
static int read_mmap_entry(struct bootinfo *bi, struct boot_reader *r, phys_addr_t pa,
			   uint32_t left)
{
	struct mb1_mmap_entry e;
	struct mem_region region;
	int err;

	if (left < sizeof(e))
		return -EILSEQ;
	err = boot_read(r, pa, &e, sizeof(e));
	if (err)
		return err;
	if (e.size < MB1_MMAP_SIZE_MIN || e.size > left - sizeof(e.size))
		return -EILSEQ;
	region = (struct mem_region){ e.start, e.length, e.type };
	boot_add_region(bi, &region);
	return (int)(e.size + sizeof(e.size));
}

static int read_mmap(struct bootinfo *bi, struct boot_reader *r, const struct mb1_info *info)
{
	uint32_t done = 0;

	if (!(info->flags & MB1_HAS_MMAP))
		return 0;
	if (info->mmap_length > MB1_MMAP_LENGTH_MAX)
		return -EILSEQ;
	boot_add_keep(bi, info->mmap_addr, info->mmap_length, "boot memory map");
	while (done < info->mmap_length) {
		int nr = read_mmap_entry(bi, r, (phys_addr_t)info->mmap_addr + done,
					 info->mmap_length - done);

		if (nr < 0)
			return nr;
		done += (uint32_t)nr;
	}
	return 0;
}

static int read_memory(struct bootinfo *bi, struct boot_reader *r, const struct mb1_info *info)
{
	int err = read_mmap(bi, r, info);

	if (err)
		return err;
	if (!bi->nr_map && info->flags & MB1_HAS_MEM)
		boot_add_basic_memory(bi, info->mem_lower, info->mem_upper);
	return bi->nr_map ? 0 : -ENOENT;
}

QAPI int multiboot1_parse(struct bootinfo *bi, struct boot_reader *r, phys_addr_t pa)
{
	struct mb1_info info;
	int err;

	boot_start(bi, "multiboot1");
	err = read_info(bi, r, pa, &info);
	if (!err)
		err = read_loader(bi, r, &info);
	if (!err)
		err = read_cmdline(bi, r, &info);
	if (!err)
		err = read_modules(bi, r, &info);
	if (!err)
		err = read_memory(bi, r, &info);
	return err;
}
