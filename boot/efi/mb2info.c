/*
 * mb2info.c - the multiboot2 information block, as a loader writes it.
 *
 * THEORY.  The counterpart of ../multiboot2.c: total size, tags padded to 8 bytes, end tag.  Room
 * is asked for in one place (add_tag), before a byte is written; once it was refused everything
 * after it is left out too, and mb2_finish() says so.  So the callers write down what they have, in
 * a row, and look once.
 *
 * INVARIANTS
 *   W1  used <= size, and used is a multiple of MB2_TAG_ALIGN unless the block is full;
 *   W2  every byte below used was written: padding is zero.
 *
 * CONTEXT.  Any: no allocation, so also between the last memory map and the end of boot services.
 * Also compiled and tested as a process.
 *
 * SOURCES.  Multiboot2 Specification 2.0, section 3.6; ACPI Specification 6.5, section 5.2.5.3 (the
 * root pointer).
 */
#include "mb2info.h"

#include <quarry/align.h>
#include <quarry/string.h>

QAPI void mb2_start(struct mb2_writer *w, void *bytes, size_t size)
{
	*w = (struct mb2_writer){ .bytes = bytes, .size = min(size, (size_t)MB2_TOTAL_SIZE_MAX) };
	w->is_full = w->size < sizeof(struct mb2_block);
	if (w->is_full)
		return;
	memset(bytes, 0, sizeof(struct mb2_block));
	w->used = sizeof(struct mb2_block);
}

/* Append a tag of @size bytes, its header included; where it lies, or NULL. */
static uint8_t *add_tag(struct mb2_writer *w, uint32_t type, size_t size)
{
	struct mb2_tag tag = { type, (uint32_t)size };
	uint8_t *at = w->bytes + w->used;

	if (w->is_full || size > w->size - w->used ||
	    ALIGN_UP(size, MB2_TAG_ALIGN) > w->size - w->used) {
		w->is_full = true;
		return NULL;
	}
	memset(at, 0, ALIGN_UP(size, MB2_TAG_ALIGN));
	memcpy(at, &tag, sizeof(tag));
	w->used += ALIGN_UP(size, MB2_TAG_ALIGN);
	return at;
}

QAPI void mb2_add_text(struct mb2_writer *w, uint32_t type, const char *text)
{
	size_t size = strlen(text) + 1;
	uint8_t *at = add_tag(w, type, sizeof(struct mb2_tag) + size);

	if (at)
		memcpy(at + sizeof(struct mb2_tag), text, size);
}

QAPI void mb2_add_module(struct mb2_writer *w, uint32_t start, uint32_t end, const char *text)
{
	size_t size = strlen(text) + 1;
	struct mb2_tag_module m = { .start = start, .end = end };
	uint8_t *at = add_tag(w, MB2_TAG_MODULE, sizeof(m) + size);

	if (!at)
		return;
	memcpy(&m.tag, at, sizeof(m.tag));
	memcpy(at, &m, sizeof(m));
	memcpy(at + sizeof(m), text, size);
}

QAPI void mb2_add_mmap(struct mb2_writer *w, const struct mem_region *map, unsigned int nr)
{
	struct mb2_tag_mmap m = { .entry_size = sizeof(struct mb2_mmap_entry) };
	uint8_t *at = add_tag(w, MB2_TAG_MMAP, sizeof(m) + nr * sizeof(struct mb2_mmap_entry));

	if (!at)
		return;
	memcpy(&m.tag, at, sizeof(m.tag));
	memcpy(at, &m, sizeof(m));
	at += sizeof(m);
	for (unsigned int i = 0; i < nr; i++) {
		const struct mb2_mmap_entry e = { map[i].start, map[i].size, map[i].type, 0 };

		memcpy(at + i * sizeof(e), &e, sizeof(e));
	}
}

QAPI void mb2_add_efi_mmap(struct mb2_writer *w, const struct efi_map *map)
{
	struct mb2_tag_efi_mmap m = { .desc_size = (uint32_t)map->desc_size,
				      .desc_version = map->desc_version };
	uint8_t *at = add_tag(w, MB2_TAG_EFI_MMAP, sizeof(m) + map->size);

	if (!at)
		return;
	memcpy(&m.tag, at, sizeof(m.tag));
	memcpy(at, &m, sizeof(m));
	memcpy(at + sizeof(m), map->bytes, map->size);
}

/* The sum of @size bytes, of which checksums make 0. */
static uint8_t sum(const uint8_t *bytes, size_t size)
{
	uint8_t total = 0;

	while (size--)
		total = (uint8_t)(total + *bytes++);
	return total;
}

/* A pointer longer than we know of has its second checksum over bytes that nobody promised. */
static bool is_rsdp(const uint8_t *rsdp, bool is_new)
{
	uint32_t length;

	if (memcmp(rsdp, RSDP_SIGNATURE, RSDP_SIGNATURE_SIZE) || sum(rsdp, RSDP_OLD_SIZE))
		return false;
	if (!is_new)
		return true;
	memcpy(&length, rsdp + RSDP_LENGTH_OFFSET, sizeof(length));
	return length > RSDP_NEW_SIZE || (length == RSDP_NEW_SIZE && !sum(rsdp, RSDP_NEW_SIZE));
}

QAPI bool mb2_add_rsdp(struct mb2_writer *w, const void *rsdp, bool is_new)
{
	size_t size = is_new ? RSDP_NEW_SIZE : RSDP_OLD_SIZE;
	uint8_t *at;

	if (!is_rsdp(rsdp, is_new))
		return false;
	at = add_tag(w, is_new ? MB2_TAG_ACPI_NEW : MB2_TAG_ACPI_OLD,
		     sizeof(struct mb2_tag) + size);
	if (at)
		memcpy(at + sizeof(struct mb2_tag), rsdp, size);
	return true;
}

QAPI void mb2_add_framebuffer(struct mb2_writer *w, const struct mb2_tag_framebuffer *fb)
{
	uint8_t *at = add_tag(w, MB2_TAG_FRAMEBUFFER, sizeof(*fb));

	if (at)
		memcpy(at + sizeof(fb->tag), &fb->pa, sizeof(*fb) - sizeof(fb->tag));
}

QAPI size_t mb2_finish(struct mb2_writer *w)
{
	struct mb2_block block = { 0 };

	if (!add_tag(w, MB2_TAG_END, sizeof(struct mb2_tag)))
		return 0;
	block.total_size = (uint32_t)w->used;
	memcpy(w->bytes, &block, sizeof(block));
	return w->used;
}
