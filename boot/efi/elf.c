/*
 * elf.c - an ELF32 file, read as hostile input: what must lie where before it is jumped into.
 *
 * THEORY.  The file says of itself where its tables and its segments are, so nothing it says is
 * used before it was compared with the file's size or with the address space.  All sums are made
 * in 64 bits of 32-bit fields and cannot wrap there.  Loading then needs no further check: what
 * elf_parse() accepts lies inside the file on the one side, and inside [start, end) on the other.
 *
 * The file is several times what is loaded of it: its symbols stay where they are.  So it is never
 * in memory as a whole: elf_parse() is content with its head, and elf_place() reads the segments to
 * where they belong.
 *
 * Physical addresses (p_paddr) count; the entry point, a virtual address, becomes physical by the
 * segment that holds it.  Alignment and access flags of segments mean nothing before paging.
 *
 * INVARIANTS, of an image that was accepted:
 *   E1  offset + file_size <= the file's size, for each segment;
 *   E2  ELF_LOAD_MIN <= pa, and pa + mem_size < 2^32: no address below wraps;
 *   E3  no two segments share a byte of memory;
 *   E4  end - start <= ELF_IMAGE_MAX, and both are page-aligned;
 *   E5  the entry lies in a segment, among the bytes that come from the file;
 *   E6  start < file_end <= end, file_end - start is a multiple of 4, and no byte of the file
 *       belongs at file_end or behind.
 *
 * CONTEXT.  Any: no state, no output, no firmware.  Also compiled and tested as a process.
 *
 * NOT HERE.  Whether the memory at [start, end) may be used: memmap.c.
 *
 * SOURCES.  Tool Interface Standard, Executable and Linking Format 1.2, book I.
 */
#include "elf.h"

#include <quarry/align.h>
#include <quarry/string.h>

#define PAGE          4096u
#define WORD          4u
#define SPACE_END     0x100000000ull
#define ELFCLASS32    1
#define ELFDATA2LSB   1
#define EV_CURRENT    1
#define ET_EXEC       2
#define EM_386        3
#define PT_LOAD       1
#define PHDR_SIZE_MIN ((uint32_t)sizeof(struct elf_phdr))
#define MAGIC         "\177ELF"
#define MAGIC_SIZE    4u

struct elf_header {
	uint8_t magic[MAGIC_SIZE];
	uint8_t class, data, ident_version, padding[9];
	uint16_t type, machine;
	uint32_t version, entry, phoff, shoff, flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_phdr {
	uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

static_assert(sizeof(struct elf_header) == 52, "fixed by the format");
static_assert(sizeof(struct elf_phdr) == 32, "fixed by the format");

static enum elf_result check_header(const struct elf_header *h)
{
	if (memcmp(h->magic, MAGIC, MAGIC_SIZE))
		return ELF_NO_MAGIC;
	if (h->class != ELFCLASS32)
		return ELF_NOT_32_BIT;
	if (h->data != ELFDATA2LSB)
		return ELF_NOT_LITTLE_ENDIAN;
	if (h->ident_version != EV_CURRENT || h->version != EV_CURRENT)
		return ELF_BAD_VERSION;
	if (h->type != ET_EXEC)
		return ELF_NOT_EXECUTABLE;
	if (h->machine != EM_386)
		return ELF_NOT_I386;
	return ELF_OK;
}

static enum elf_result check_table(const struct elf_header *h, uint64_t size)
{
	if (h->phnum && h->phentsize < PHDR_SIZE_MIN)
		return ELF_BAD_PHDR_SIZE;
	if ((uint64_t)h->phoff + (uint64_t)h->phnum * h->phentsize > size)
		return ELF_PHDRS_OUTSIDE;
	if ((uint64_t)h->phoff + (uint64_t)h->phnum * h->phentsize > ELF_HEAD_SIZE)
		return ELF_PHDRS_FAR;
	return ELF_OK;
}

static enum elf_result check_segment(const struct elf_phdr *p, uint64_t size)
{
	if ((uint64_t)p->offset + p->filesz > size)
		return ELF_SEGMENT_OUTSIDE;
	if (p->filesz > p->memsz)
		return ELF_SEGMENT_SHRINKS;
	if (ALIGN_UP((uint64_t)p->paddr + p->memsz, PAGE) >= SPACE_END)
		return ELF_SEGMENT_WRAPS;
	if (p->paddr < ELF_LOAD_MIN)
		return ELF_SEGMENT_LOW;
	return ELF_OK;
}

static bool overlaps(const struct elf_image *img, const struct elf_phdr *p)
{
	for (unsigned int i = 0; i < img->nr_segments; i++) {
		const struct elf_segment *s = &img->segment[i];

		if (p->paddr < s->pa + s->mem_size && s->pa < p->paddr + p->memsz)
			return true;
	}
	return false;
}

static enum elf_result add_segment(struct elf_image *img, const struct elf_phdr *p, uint64_t size)
{
	enum elf_result result = check_segment(p, size);

	if (result)
		return result;
	if (overlaps(img, p))
		return ELF_SEGMENTS_OVERLAP;
	if (img->nr_segments == ELF_SEGMENTS_MAX)
		return ELF_TOO_MANY_SEGMENTS;
	img->segment[img->nr_segments++] =
		(struct elf_segment){ p->offset, p->filesz, p->paddr, p->memsz };
	img->start = min(img->start, ALIGN_DOWN(p->paddr, PAGE));
	img->end = max(img->end, ALIGN_UP(p->paddr + p->memsz, PAGE));
	if (p->filesz)
		img->file_end = max(img->file_end, ALIGN_UP(p->paddr + p->filesz, WORD));
	return img->end - img->start > ELF_IMAGE_MAX ? ELF_IMAGE_TOO_LARGE : ELF_OK;
}

/* The first byte of the code lies in @p: a jump to the zeros behind is none. */
static bool holds_entry(const struct elf_phdr *p, uint32_t entry)
{
	return entry >= p->vaddr && entry - p->vaddr < p->filesz;
}

static enum elf_result read_segments(struct elf_image *img, const struct elf_header *h,
				     const uint8_t *head, uint64_t size)
{
	bool has_entry = false;

	for (unsigned int i = 0; i < h->phnum; i++) {
		enum elf_result result;
		struct elf_phdr p;

		memcpy(&p, head + h->phoff + (size_t)i * h->phentsize, sizeof(p));
		if (p.type != PT_LOAD || !(p.memsz | p.filesz))
			continue;
		img->culprit = i;
		result = add_segment(img, &p, size);
		if (result)
			return result;
		if (!has_entry && holds_entry(&p, h->entry)) {
			img->entry = p.paddr + (h->entry - p.vaddr);
			has_entry = true;
		}
	}
	img->culprit = ELF_NO_CULPRIT;
	if (!img->nr_segments)
		return ELF_NO_SEGMENT;
	return has_entry ? ELF_OK : ELF_ENTRY_OUTSIDE;
}

QAPI enum elf_result elf_parse(struct elf_image *img, const void *head, uint64_t size)
{
	enum elf_result result;
	struct elf_header h;

	memset(img, 0, sizeof(*img));
	img->start = UINT32_MAX;
	img->culprit = ELF_NO_CULPRIT;
	if (size < sizeof(h))
		return ELF_SHORT;
	memcpy(&h, head, sizeof(h));
	result = check_header(&h);
	if (!result)
		result = check_table(&h, size);
	return result ? result : read_segments(img, &h, head, size);
}

QAPI int elf_place(const struct elf_image *img, struct elf_reader *reader, void *to)
{
	uint8_t *at = to;

	memset(at, 0, img->file_end - img->start);
	for (unsigned int i = 0; i < img->nr_segments; i++) {
		const struct elf_segment *s = &img->segment[i];
		int err = 0;

		if (s->file_size) /* without, it may lie behind what there is room for */
			err = reader->read(reader, s->offset, at + (s->pa - img->start),
					   s->file_size);
		if (err)
			return err;
	}
	return 0;
}

QAPI const char *elf_result_text(enum elf_result result)
{
	static const char *const text[ELF_NR_RESULTS] = {
		[ELF_OK] = "fine",
		[ELF_SHORT] = "is shorter than an ELF header",
		[ELF_NO_MAGIC] = "is not an ELF file",
		[ELF_NOT_32_BIT] = "is not a 32-bit ELF file",
		[ELF_NOT_LITTLE_ENDIAN] = "is not a little-endian ELF file",
		[ELF_BAD_VERSION] = "is of an unknown ELF version",
		[ELF_NOT_EXECUTABLE] = "is ELF but not an executable",
		[ELF_NOT_I386] = "is not for i386",
		[ELF_BAD_PHDR_SIZE] = "has program headers that are too small",
		[ELF_PHDRS_OUTSIDE] = "has program headers outside of the file",
		[ELF_PHDRS_FAR] = "has program headers behind its first 32 KiB",
		[ELF_SEGMENT_OUTSIDE] = "has a segment whose bytes are not all in the file",
		[ELF_SEGMENT_SHRINKS] = "has a segment with more bytes in the file than in memory",
		[ELF_SEGMENT_WRAPS] = "has a segment that runs past 4 GiB",
		[ELF_SEGMENT_LOW] = "has a segment below 1 MiB",
		[ELF_SEGMENTS_OVERLAP] = "has segments that overlap",
		[ELF_TOO_MANY_SEGMENTS] = "has too many segments",
		[ELF_NO_SEGMENT] = "has no segment to load",
		[ELF_IMAGE_TOO_LARGE] = "is too large in memory",
		[ELF_ENTRY_OUTSIDE] = "starts at an address that it does not load",
	};

	return text[result];
}
