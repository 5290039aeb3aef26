/*
 * mb2head.c - the multiboot2 header inside a kernel file.
 *
 * IDEA.  It lies in the first 32 KiB, 8-aligned, and begins with four words that add up to 0.  A
 * tag in it asks the loader for something; a tag that is not marked optional must be obeyed, or the
 * kernel must not be started.  This loader obeys page-aligned modules, and gives all the
 * information it has; whatever else a header insists on is refused.
 *
 * CONTEXT.  Any: no state, no output.  Also compiled and tested as a process.
 *
 * SOURCES.  Multiboot2 Specification 2.0, section 3.1.
 */
#include "mb2head.h"

#include <quarry/align.h>
#include <quarry/errno.h>
#include <quarry/string.h>

#define HEADER_ALIGN   8u
#define MAGIC          0xE85250D6u
#define ARCH_I386      0u
#define TAG_END        0u
#define TAG_INFO       1u
#define TAG_PAGE_ALIGN 6u
#define FLAG_OPTIONAL  1u

struct header {
	uint32_t magic, arch, length, checksum;
};

struct header_tag {
	uint16_t type, flags;
	uint32_t size;
};

static_assert(sizeof(struct header) == 16, "fixed by the protocol");
static_assert(sizeof(struct header_tag) == 8, "fixed by the protocol");

static bool is_header(const struct header *h)
{
	return h->magic == MAGIC && h->arch == ARCH_I386 &&
	       h->magic + h->arch + h->length + h->checksum == 0;
}

static bool is_obeyed(const struct header_tag *tag)
{
	return tag->type == TAG_INFO || tag->type == TAG_PAGE_ALIGN || tag->flags & FLAG_OPTIONAL;
}

/* The tags in the @length bytes at @at, the header included. */
static int check_tags(const uint8_t *at, size_t length)
{
	size_t offset = sizeof(struct header);

	while (offset < length && length - offset >= sizeof(struct header_tag)) {
		struct header_tag tag;

		memcpy(&tag, at + offset, sizeof(tag));
		if (tag.size < sizeof(tag) || tag.size > length - offset)
			return -EILSEQ;
		if (tag.type == TAG_END)
			return 0;
		if (!is_obeyed(&tag))
			return -EINVAL;
		offset = ALIGN_UP(offset + tag.size, HEADER_ALIGN);
	}
	return -EILSEQ;
}

QAPI int mb2_check_header(const uint8_t *file, size_t size)
{
	size_t end = min(size, (size_t)MB2_HEAD_SIZE);
	struct header h;

	for (size_t at = 0; at < end && end - at >= sizeof(h); at += HEADER_ALIGN) {
		memcpy(&h, file + at, sizeof(h));
		if (!is_header(&h))
			continue;
		return h.length > end - at ? -EILSEQ : check_tags(file + at, h.length);
	}
	return -ENOENT;
}
