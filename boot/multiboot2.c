/*
 * multiboot2.c - a multiboot2 information block becomes a struct bootinfo.
 *
 * THEORY.  The block is one piece of memory: its size, then tags, each with its type and size and
 * padded to 8 bytes, up to an end tag.
 *
 *	EBX -> total_size | 0 | type size ... pad | type size ... pad | 0 8 |
 *	       0              8                   16 + ...                  total_size
 *
 * Every offset below is one into the block, checked against total_size, which is checked against
 * MB2_TOTAL_SIZE_MAX: sums of two of them stay far below 2^32.
 *
 * RULES
 *   T1  a tag shorter than its own header or its fixed fields, one that runs past the block's
 *       end, and a block without an end tag are worthless (-EILSEQ): a lost tag might be the one
 *       that forbids some RAM;
 *   T2  map entries are entry_size apart, understood by their first 24 bytes, and fill their tag
 *       exactly; several map tags add up, and win over the basic memory tag;
 *   T3  a text ends at its NUL or with its tag;
 *   T4  tags of unknown types are skipped; ACPI tags that hold no root pointer likewise;
 *   T5  the whole block is named in bootinfo.keep, so what acpi_rsdp points at stays.
 *
 * CONTEXT.  Boot, once.  Everything is copied; see fill.c for how memory is read.
 *
 * SOURCES.  Multiboot2 Specification 2.0, section 3.6.
 */
#include "multiboot2.h"

#include "fill.h"

#include <quarry/align.h>
#include <quarry/bootinfo.h>
#include <quarry/errno.h>
#include <quarry/string.h>

/* What is carried from tag to tag. */
struct mb2_parse {
	struct bootinfo *bi;
	struct boot_reader *r;
	struct boot_text cmdline; /* copied last: its rule asks for the loader's name */
	uint32_t lower, upper;    /* KiB, of the basic memory tag */
	bool has_new_rsdp;
};

/* The text that fills a tag from @offset to its end. */
static int tag_text(struct mb2_parse *p, phys_addr_t pa, const struct mb2_tag *tag, size_t offset,
		    struct boot_text *t)
{
	return boot_find_text(p->r, t, pa + offset, tag->size - offset);
}

static int on_cmdline(struct mb2_parse *p, phys_addr_t pa, const struct mb2_tag *tag)
{
	int err = tag_text(p, pa, tag, sizeof(*tag), &p->cmdline);

	p->cmdline.cut = false; /* T3 */
	return err;
}

static int on_loader(struct mb2_parse *p, phys_addr_t pa, const struct mb2_tag *tag)
{
	struct boot_text t;
	int err = tag_text(p, pa, tag, sizeof(*tag), &t);

	return err ? err : boot_set_loader(p->bi, p->r, &t);
}

static int on_module(struct mb2_parse *p, phys_addr_t pa, const struct mb2_tag *tag)
{
	struct mb2_tag_module m;
	struct boot_text t;
	int err;

	if (tag->size < sizeof(m))
		return -EILSEQ;
	err = boot_read(p->r, pa, &m, sizeof(m));
	if (!err)
		err = tag_text(p, pa, tag, sizeof(m), &t);
	return err ? err : boot_add_module(p->bi, p->r, m.start, m.end, &t);
}

static int on_basic_memory(struct mb2_parse *p, phys_addr_t pa, const struct mb2_tag *tag)
{
	struct mb2_tag_basic_memory m;
	int err;

	if (tag->size < sizeof(m))
		return -EILSEQ;
	err = boot_read(p->r, pa, &m, sizeof(m));
	if (err)
		return err;
	p->lower = m.lower;
	p->upper = m.upper;
	return 0;
}

static int add_mmap_entry(struct mb2_parse *p, phys_addr_t pa)
{
	struct mb2_mmap_entry e;
	struct mem_region region;
	int err = boot_read(p->r, pa, &e, sizeof(e));

	if (err)
		return err;
	region = (struct mem_region){ e.start, e.length, e.type };
	boot_add_region(p->bi, &region);
	return 0;
}

static int on_mmap(struct mb2_parse *p, phys_addr_t pa, const struct mb2_tag *tag)
{
	struct mb2_tag_mmap m;
	uint32_t offset;
	int err;

	if (tag->size < sizeof(m))
		return -EILSEQ;
	err = boot_read(p->r, pa, &m, sizeof(m));
	if (err)
		return err;
	if (m.entry_size < sizeof(struct mb2_mmap_entry) ||
	    !IS_ALIGNED(m.entry_size, MB2_MMAP_ENTRY_ALIGN))
		return -EILSEQ;
	for (offset = sizeof(m); offset < tag->size && !err; offset += m.entry_size) {
		if (m.entry_size > tag->size - offset)
			return -EILSEQ;
		err = add_mmap_entry(p, pa + offset);
	}
	return err;
}

/* The tag holds a copy of the root pointer; the newer kind wins, whichever comes first. */
static int on_acpi(struct mb2_parse *p, phys_addr_t pa, const struct mb2_tag *tag)
{
	bool is_new = tag->type == MB2_TAG_ACPI_NEW;
	char signature[RSDP_SIGNATURE_SIZE];
	int err;

	if (tag->size - sizeof(*tag) < (is_new ? RSDP_NEW_SIZE : RSDP_OLD_SIZE))
		return 0;
	err = boot_read(p->r, pa + sizeof(*tag), signature, sizeof(signature));
	if (err)
		return err;
	if (memcmp(signature, RSDP_SIGNATURE, sizeof(signature)) || (p->has_new_rsdp && !is_new))
		return 0;
	p->bi->acpi_rsdp = pa + sizeof(*tag);
	p->has_new_rsdp = is_new;
	return 0;
}

/* A tag too short to have a type says nothing. */
static int on_framebuffer(struct mb2_parse *p, phys_addr_t pa, const struct mb2_tag *tag)
{
	const size_t offset = offsetof(struct mb2_tag_framebuffer, type);
	uint8_t type;
	int err;

	if (tag->size <= offset)
		return 0;
	err = boot_read(p->r, pa + offset, &type, sizeof(type));
	if (!err)
		boot_set_screen(p->bi, type);
	return err;
}

static int on_tag(struct mb2_parse *p, phys_addr_t pa, const struct mb2_tag *tag)
{
	switch (tag->type) {
	case MB2_TAG_CMDLINE:
		return on_cmdline(p, pa, tag);
	case MB2_TAG_LOADER:
		return on_loader(p, pa, tag);
	case MB2_TAG_MODULE:
		return on_module(p, pa, tag);
	case MB2_TAG_BASIC_MEMORY:
		return on_basic_memory(p, pa, tag);
	case MB2_TAG_MMAP:
		return on_mmap(p, pa, tag);
	case MB2_TAG_FRAMEBUFFER:
		return on_framebuffer(p, pa, tag);
	case MB2_TAG_ACPI_OLD:
	case MB2_TAG_ACPI_NEW:
		return on_acpi(p, pa, tag);
	default:
		return 0;
	}
}

/* Visit the tags of the block at @pa, up to the end tag, which must be there. */
static int walk_tags(struct mb2_parse *p, phys_addr_t pa, uint32_t total_size)
{
	uint32_t offset = sizeof(struct mb2_block);

	while (offset < total_size && total_size - offset >= sizeof(struct mb2_tag)) {
		struct mb2_tag tag;
		int err = boot_read(p->r, pa + offset, &tag, sizeof(tag));

		if (err)
			return err;
		if (tag.size < sizeof(tag) || tag.size > total_size - offset)
			return -EILSEQ;
		if (tag.type == MB2_TAG_END)
			return 0;
		err = on_tag(p, pa + offset, &tag);
		if (err)
			return err;
		offset = ALIGN_UP(offset + tag.size, MB2_TAG_ALIGN);
	}
	return -EILSEQ;
}

static int finish(struct mb2_parse *p)
{
	int err = boot_set_cmdline(p->bi, p->r, &p->cmdline);

	if (err)
		return err;
	if (!p->bi->nr_map)
		boot_add_basic_memory(p->bi, p->lower, p->upper);
	return p->bi->nr_map ? 0 : -ENOENT;
}

QAPI int multiboot2_parse(struct bootinfo *bi, struct boot_reader *r, phys_addr_t pa)
{
	struct mb2_parse p = { .bi = bi, .r = r };
	struct mb2_block block;
	int err;

	boot_start(bi, "multiboot2");
	err = boot_read(r, pa, &block, sizeof(block));
	if (err)
		return err;
	if (block.total_size < MB2_TOTAL_SIZE_MIN || block.total_size > MB2_TOTAL_SIZE_MAX ||
	    !IS_ALIGNED(pa, MB2_TAG_ALIGN))
		return -EILSEQ;
	boot_add_keep(bi, pa, block.total_size, "boot information");
	err = walk_tags(&p, pa, block.total_size);
	return err ? err : finish(&p);
}
