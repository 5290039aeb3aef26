/*
 * Layer: boot
 * elf.h - what a loader has to know of an ELF32 kernel file, which may be anything.
 */
#ifndef QUARRY_BOOT_EFI_ELF_H
#define QUARRY_BOOT_EFI_ELF_H

#include <quarry/compiler.h>
#include <quarry/types.h>

/* Loadable segments; a kernel has a handful. */
#define ELF_SEGMENTS_MAX 16u

/* Below 1 MiB lies what the firmware keeps there, and the page that starts other CPUs. */
#define ELF_LOAD_MIN 0x100000u

/* From the first page of an image to its last, bytes: more is no kernel. */
#define ELF_IMAGE_MAX 0x4000000u

/* A file's first bytes, in which its program headers have to lie. */
#define ELF_HEAD_SIZE 0x8000u

#define ELF_NO_CULPRIT UINT32_MAX

enum elf_result {
	ELF_OK,
	ELF_SHORT,
	ELF_NO_MAGIC,
	ELF_NOT_32_BIT,
	ELF_NOT_LITTLE_ENDIAN,
	ELF_BAD_VERSION,
	ELF_NOT_EXECUTABLE,
	ELF_NOT_I386,
	ELF_BAD_PHDR_SIZE,
	ELF_PHDRS_OUTSIDE,
	ELF_PHDRS_FAR,
	ELF_SEGMENT_OUTSIDE,
	ELF_SEGMENT_SHRINKS,
	ELF_SEGMENT_WRAPS,
	ELF_SEGMENT_LOW,
	ELF_SEGMENTS_OVERLAP,
	ELF_TOO_MANY_SEGMENTS,
	ELF_NO_SEGMENT,
	ELF_IMAGE_TOO_LARGE,
	ELF_ENTRY_OUTSIDE,
	ELF_NR_RESULTS,
};

/* A segment with a byte in memory.  Bytes. */
struct elf_segment {
	uint32_t offset, file_size; /* inside the file */
	uint32_t pa, mem_size;      /* mem_size >= file_size; the rest is zero */
};

struct elf_image {
	uint32_t start, end; /* of whole pages: every segment lies in [start, end) */
	uint32_t file_end;   /* word-aligned: behind it all is zero */
	uint32_t entry;      /* physical */
	struct elf_segment segment[ELF_SEGMENTS_MAX];
	unsigned int nr_segments;
	unsigned int culprit; /* the program header that a result is about, or ELF_NO_CULPRIT */
};

/* Where the bytes of a file come from. */
struct elf_reader {
	/* Read @nr bytes from @offset on, which are in the file: 0, or a reason to stop. */
	QAPI int (*read)(struct elf_reader *reader, uint32_t offset, void *to, uint32_t nr);
};

/**
 * elf_parse - understand a file of @size bytes by its head.
 * @img: valid if the result is ELF_OK; otherwise only its culprit is.
 * @head: the file's first ELF_HEAD_SIZE bytes, or all there are.
 */
QAPI enum elf_result elf_parse(struct elf_image *img, const void *head, uint64_t size) __must_check;

/**
 * elf_place - lay out at @to what comes from an ELF_OK file: img->file_end - img->start bytes.
 *
 * Every byte of these is written: what no segment has is zero.  So is the rest of the image, up to
 * img->end, which is the caller's to clear.
 *
 * Return: 0; or what @reader returned, and then @to has some of it.
 */
QAPI int elf_place(const struct elf_image *img, struct elf_reader *reader, void *to) __must_check;

/**
 * elf_result_text - @result in words.
 */
QAPI const char *elf_result_text(enum elf_result result);

#endif
