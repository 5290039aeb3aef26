/*
 * elf.c - tests of the ELF parser: each thing that is refused, by name; what is accepted is laid
 * out to the byte; and no file whatever makes it look outside of that file.
 *
 * Files are written by hand here, from the format's offsets.  The file under test ends where its
 * buffer does, and so does the image: the address sanitizer sees one byte too many.
 */
#include <quarry/compiler.h>
#include <quarry/errno.h>
#include <quarry/ktest.h>
#include <quarry/string.h>

#include "../../../boot/efi/elf.h"
#include "../../boot/blob.h"

#define NR_PHDRS    3u
#define PHDR(i)     (52u + (i)*32u)
#define DATA_OFFSET 0x100u
#define DATA_SIZE   0x80u /* of each segment, in the file */
#define FILE_SIZE   (DATA_OFFSET + NR_PHDRS * DATA_SIZE)
#define VIRTUAL     0xC0000000u
#define FIRST_PA    0x100000u
#define SECOND_PA   0x103000u
#define THIRD_PA    0x102F00u /* the file's order is not memory's */
#define IMAGE_END   0x105000u
#define FILE_END    (SECOND_PA + DATA_SIZE)
#define SECOND_SIZE 0x1234u /* in memory */
#define IMAGE_MAX   0x10000u
#define LONG_WALK   (sizeof(void *) == 4 ? 200000ul : 50000ul)

/* Offsets into the header, and into a program header. */
enum {
	IDENT_CLASS = 4,
	IDENT_DATA = 5,
	IDENT_VERSION = 6,
	TYPE = 16,
	MACHINE = 18,
	VERSION = 20,
	ENTRY = 24,
	PHOFF = 28,
	PHENTSIZE = 42,
	PHNUM = 44
};
enum { P_TYPE = 0, P_OFFSET = 4, P_VADDR = 8, P_PADDR = 12, P_FILESZ = 16, P_MEMSZ = 20 };

static uint8_t buffer[8192];
static uint8_t image[IMAGE_MAX];
static struct elf_image img;

/* @size bytes at the end of the buffer. */
static uint8_t *file_of(size_t size)
{
	return buffer + sizeof(buffer) - size;
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

static void put_phdr(uint8_t *f, unsigned int i, uint32_t pa, uint32_t mem_size)
{
	uint8_t *p = f + PHDR(i);

	put32(p + P_TYPE, 1);
	put32(p + P_OFFSET, DATA_OFFSET + i * DATA_SIZE);
	put32(p + P_VADDR, pa + VIRTUAL);
	put32(p + P_PADDR, pa);
	put32(p + P_FILESZ, DATA_SIZE);
	put32(p + P_MEMSZ, mem_size);
}

/* A good file; its address. */
static uint8_t *good(void)
{
	static const uint8_t ident[] = { 0x7F, 'E', 'L', 'F', 1, 1, 1 };
	uint8_t *f = file_of(FILE_SIZE);

	memset(f, 0, FILE_SIZE);
	memcpy(f, ident, sizeof(ident));
	put16(f + TYPE, 2);
	put16(f + MACHINE, 3);
	put32(f + VERSION, 1);
	put32(f + ENTRY, VIRTUAL + FIRST_PA + 0x10);
	put32(f + PHOFF, 52);
	put16(f + PHENTSIZE, 32);
	put16(f + PHNUM, NR_PHDRS);
	put_phdr(f, 0, FIRST_PA, DATA_SIZE);
	put_phdr(f, 1, SECOND_PA, SECOND_SIZE);
	put_phdr(f, 2, THIRD_PA, DATA_SIZE);
	for (unsigned int i = DATA_OFFSET; i < FILE_SIZE; i++)
		f[i] = (uint8_t)(i * 7 + 1);
	return f;
}

/* A file in memory, of which each read is recorded; one of them may fail. */
struct test_reader {
	struct elf_reader elf;
	struct ktest *t;
	const uint8_t *file;
	size_t size;
	unsigned int nr_reads, fails_at; /* counted from 1; 0: none */
};

static QAPI int read_test(struct elf_reader *reader, uint32_t offset, void *to, uint32_t nr)
{
	struct test_reader *r = container_of(reader, struct test_reader, elf);

	EXPECT_GE(r->t, 1, nr);
	EXPECT_LE(r->t, r->size, (uint64_t)offset + nr);
	if (++r->nr_reads == r->fails_at)
		return -EIO;
	memcpy(to, r->file + offset, nr);
	return 0;
}

static void place(struct ktest *t, const uint8_t *f, size_t size, void *to)
{
	struct test_reader r = { { read_test }, t, f, size, 0, 0 };

	EXPECT_EQ(t, 0, elf_place(&img, &r.elf, to));
}

static enum elf_result parse(const uint8_t *f)
{
	return elf_parse(&img, f, FILE_SIZE);
}

/* The word at @offset of program header @i becomes @value. */
static enum elf_result parse_with(unsigned int i, unsigned int offset, uint32_t value)
{
	uint8_t *f = good();

	put32(f + PHDR(i) + offset, value);
	return parse(f);
}

KTEST(efi_elf, a_good_file_is_accepted_with_the_bounds_of_its_pages)
{
	ASSERT_EQ(t, ELF_OK, parse(good()));
	EXPECT_EQ(t, FIRST_PA, img.start);
	EXPECT_EQ(t, IMAGE_END, img.end);
	EXPECT_EQ(t, FILE_END, img.file_end);
	EXPECT_EQ(t, FIRST_PA + 0x10, img.entry);
	EXPECT_EQ(t, NR_PHDRS, img.nr_segments);
}

KTEST(efi_elf, what_is_laid_out_ends_with_the_word_of_the_files_last_byte)
{
	for (uint32_t cut = 0; cut < 9; cut++) {
		ASSERT_EQ(t, ELF_OK, parse_with(1, P_FILESZ, DATA_SIZE - cut));
		EXPECT_EQ(t, SECOND_PA + (DATA_SIZE - cut + 3) / 4 * 4, img.file_end);
	}
	ASSERT_EQ(t, ELF_OK, parse_with(1, P_FILESZ, 0));
	EXPECT_EQ(t, THIRD_PA + DATA_SIZE, img.file_end);
	EXPECT_EQ(t, IMAGE_END, img.end);
}

/* An image of zeros from the second segment on, and a gap before it. */
KTEST(efi_elf, a_segment_of_zeros_behind_the_files_bytes_is_not_laid_out)
{
	uint8_t *f = good(), *to = image + sizeof(image) - (THIRD_PA + DATA_SIZE - FIRST_PA);

	put32(f + PHDR(1) + P_FILESZ, 0);
	put32(f + PHDR(1) + P_PADDR, FIRST_PA + ELF_IMAGE_MAX - SECOND_SIZE);
	ASSERT_EQ(t, ELF_OK, parse(f));
	EXPECT_EQ(t, THIRD_PA + DATA_SIZE, img.file_end);
	EXPECT_EQ(t, FIRST_PA + ELF_IMAGE_MAX, img.end);
	memset(image, 0xA5, sizeof(image));
	place(t, f, FILE_SIZE, to);
	EXPECT_EQ(t, 0xA5, to[-1]);
	EXPECT_EQ(t, f[DATA_OFFSET + 3 * DATA_SIZE - 1], image[sizeof(image) - 1]);
}

KTEST(efi_elf, every_byte_of_the_image_is_the_files_or_zero)
{
	uint8_t *f = good(), *to;

	ASSERT_EQ(t, ELF_OK, parse(f));
	to = image + sizeof(image) - (FILE_END - FIRST_PA);
	memset(image, 0xA5, sizeof(image));
	place(t, f, FILE_SIZE, to);
	for (uint32_t pa = FIRST_PA; pa < FILE_END; pa++) {
		static const uint32_t at[NR_PHDRS] = { FIRST_PA, SECOND_PA, THIRD_PA };
		uint8_t want = 0;

		for (unsigned int i = 0; i < NR_PHDRS; i++) {
			if (pa - at[i] < DATA_SIZE)
				want = f[DATA_OFFSET + i * DATA_SIZE + pa - at[i]];
		}
		ASSERT_EQ(t, want, to[pa - FIRST_PA]);
	}
	EXPECT_EQ(t, 0xA5, to[-1]);
}

KTEST(efi_elf, a_read_that_fails_is_the_last_and_its_reason_is_returned)
{
	for (unsigned int i = 1; i <= NR_PHDRS; i++) {
		struct test_reader r = { { read_test }, t, good(), FILE_SIZE, 0, i };

		ASSERT_EQ(t, ELF_OK, parse(r.file));
		EXPECT_EQ(t, -EIO, elf_place(&img, &r.elf, image));
		EXPECT_EQ(t, i, r.nr_reads);
	}
}

/* Only the head is in memory: the buffer ends with it. */
KTEST(efi_elf, program_headers_may_end_with_the_head_and_no_later)
{
	static uint8_t head[ELF_HEAD_SIZE];
	const uint32_t table = PHDR(NR_PHDRS) - PHDR(0);

	memcpy(head, good(), PHDR(0));
	memcpy(head + ELF_HEAD_SIZE - table, good() + PHDR(0), table);
	put32(head + PHOFF, ELF_HEAD_SIZE - table);
	EXPECT_EQ(t, ELF_OK, elf_parse(&img, head, 2 * ELF_HEAD_SIZE));
	EXPECT_EQ(t, NR_PHDRS, img.nr_segments);
	put32(head + PHOFF, ELF_HEAD_SIZE - table + 1);
	EXPECT_EQ(t, ELF_PHDRS_FAR, elf_parse(&img, head, 2 * ELF_HEAD_SIZE));
	EXPECT_EQ(t, ELF_PHDRS_OUTSIDE, elf_parse(&img, head, ELF_HEAD_SIZE));
}

/* The bytes of a segment may lie far behind the head: 4 GiB are a file's limit. */
KTEST(efi_elf, a_segment_may_end_with_a_file_of_4_gib)
{
	uint8_t *f = good();

	put32(f + PHDR(2) + P_OFFSET, 0u - DATA_SIZE);
	EXPECT_EQ(t, ELF_OK, elf_parse(&img, f, 0x100000000ull));
	EXPECT_EQ(t, ELF_SEGMENT_OUTSIDE, elf_parse(&img, f, 0xFFFFFFFFull));
}

KTEST(efi_elf, a_segment_may_end_with_the_file_and_a_table_too)
{
	uint8_t *f = good();

	EXPECT_EQ(t, ELF_OK, elf_parse(&img, f, FILE_SIZE));
	EXPECT_EQ(t, ELF_SEGMENT_OUTSIDE, elf_parse(&img, f, FILE_SIZE - 1));
	EXPECT_EQ(t, 2, img.culprit);
	f = file_of(PHDR(NR_PHDRS));
	memmove(f, good(), PHDR(NR_PHDRS));
	EXPECT_EQ(t, ELF_SEGMENT_OUTSIDE, elf_parse(&img, f, PHDR(NR_PHDRS)));
	EXPECT_EQ(t, ELF_PHDRS_OUTSIDE, elf_parse(&img, f, PHDR(NR_PHDRS) - 1));
}

KTEST(efi_elf, a_file_shorter_than_the_header_is_refused)
{
	uint8_t *f = good();

	EXPECT_EQ(t, ELF_SHORT, elf_parse(&img, f, 0));
	memmove(file_of(51), f, 51);
	EXPECT_EQ(t, ELF_SHORT, elf_parse(&img, file_of(51), 51));
}

KTEST(efi_elf, each_wrong_field_of_the_header_is_refused_by_name)
{
	static const struct {
		unsigned int at;
		uint8_t value;
		enum elf_result result;
	} cases[] = {
		{ 0, 0x7E, ELF_NO_MAGIC },
		{ 3, 'G', ELF_NO_MAGIC },
		{ IDENT_CLASS, 2, ELF_NOT_32_BIT },
		{ IDENT_DATA, 2, ELF_NOT_LITTLE_ENDIAN },
		{ IDENT_VERSION, 2, ELF_BAD_VERSION },
		{ VERSION, 0, ELF_BAD_VERSION },
		{ TYPE, 1, ELF_NOT_EXECUTABLE },
		{ TYPE, 3, ELF_NOT_EXECUTABLE },
		{ MACHINE, 62, ELF_NOT_I386 },
		{ PHENTSIZE, 31, ELF_BAD_PHDR_SIZE },
		{ PHENTSIZE + 1, 0xFF, ELF_PHDRS_OUTSIDE },
		{ PHNUM + 1, 0xFF, ELF_PHDRS_OUTSIDE },
		{ PHOFF + 3, 0xFF, ELF_PHDRS_OUTSIDE },
		{ PHNUM, 0, ELF_NO_SEGMENT },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t *f = good();

		f[cases[i].at] = cases[i].value;
		EXPECT_EQ(t, cases[i].result, parse(f));
		EXPECT_EQ(t, ELF_NO_CULPRIT, img.culprit);
	}
}

KTEST(efi_elf, program_headers_that_would_wrap_the_address_space_are_outside)
{
	uint8_t *f = good();

	put32(f + PHOFF, 0xFFFFFFE0);
	EXPECT_EQ(t, ELF_PHDRS_OUTSIDE, parse(f));
	put32(f + PHOFF, 0xFFFFFFFF);
	put16(f + PHNUM, 0xFFFF);
	put16(f + PHENTSIZE, 0xFFFF);
	EXPECT_EQ(t, ELF_PHDRS_OUTSIDE, parse(f));
}

KTEST(efi_elf, larger_program_headers_are_read_by_their_size)
{
	uint8_t *f = good();

	/* Every second one of 64 bytes: the first and the third. */
	put16(f + PHENTSIZE, 64);
	put16(f + PHNUM, 2);
	ASSERT_EQ(t, ELF_OK, parse(f));
	EXPECT_EQ(t, 2, img.nr_segments);
	EXPECT_EQ(t, THIRD_PA, img.segment[1].pa);
}

KTEST(efi_elf, a_segment_that_is_not_in_the_file_is_refused)
{
	EXPECT_EQ(t, ELF_SEGMENT_OUTSIDE, parse_with(2, P_OFFSET, FILE_SIZE - DATA_SIZE + 1));
	EXPECT_EQ(t, ELF_SEGMENT_OUTSIDE, parse_with(1, P_OFFSET, 0xFFFFFFFF));
	EXPECT_EQ(t, ELF_SEGMENT_OUTSIDE, parse_with(1, P_OFFSET, 0u - DATA_SIZE));
	EXPECT_EQ(t, ELF_SEGMENT_OUTSIDE, parse_with(1, P_FILESZ, 0xFFFFFFFF));
	EXPECT_EQ(t, 1, img.culprit);
}

KTEST(efi_elf, a_segment_larger_in_the_file_than_in_memory_is_refused)
{
	EXPECT_EQ(t, ELF_SEGMENT_SHRINKS, parse_with(0, P_MEMSZ, DATA_SIZE - 1));
	EXPECT_EQ(t, ELF_SEGMENT_SHRINKS, parse_with(1, P_MEMSZ, 0));
	EXPECT_EQ(t, ELF_OK, parse_with(0, P_MEMSZ, DATA_SIZE));
}

KTEST(efi_elf, a_segment_that_wraps_is_refused)
{
	EXPECT_EQ(t, ELF_SEGMENT_WRAPS, parse_with(1, P_MEMSZ, 0xFFFFFFFF));
	EXPECT_EQ(t, ELF_SEGMENT_WRAPS, parse_with(1, P_PADDR, 0xFFFFF000));
	EXPECT_EQ(t, ELF_SEGMENT_WRAPS, parse_with(0, P_PADDR, 0u - DATA_SIZE));
	EXPECT_EQ(t, 0, img.culprit);
}

KTEST(efi_elf, a_segment_below_one_mib_is_refused)
{
	EXPECT_EQ(t, ELF_SEGMENT_LOW, parse_with(2, P_PADDR, 0));
	EXPECT_EQ(t, ELF_SEGMENT_LOW, parse_with(2, P_PADDR, 0xFFFFF));
	EXPECT_EQ(t, 2, img.culprit);
}

KTEST(efi_elf, segments_that_share_a_byte_are_refused)
{
	EXPECT_EQ(t, ELF_SEGMENTS_OVERLAP, parse_with(2, P_PADDR, FIRST_PA + DATA_SIZE - 1));
	EXPECT_EQ(t, ELF_SEGMENTS_OVERLAP, parse_with(2, P_PADDR, SECOND_PA - DATA_SIZE + 1));
	EXPECT_EQ(t, ELF_SEGMENTS_OVERLAP, parse_with(2, P_PADDR, SECOND_PA + SECOND_SIZE - 1));
	EXPECT_EQ(t, ELF_OK, parse_with(2, P_PADDR, SECOND_PA + SECOND_SIZE));
	EXPECT_EQ(t, ELF_OK, parse_with(2, P_PADDR, FIRST_PA + DATA_SIZE));
}

KTEST(efi_elf, an_image_too_large_in_memory_is_refused)
{
	EXPECT_EQ(t, ELF_OK, parse_with(1, P_MEMSZ, FIRST_PA + ELF_IMAGE_MAX - SECOND_PA));
	EXPECT_EQ(t, ELF_IMAGE_TOO_LARGE,
		  parse_with(1, P_MEMSZ, FIRST_PA + ELF_IMAGE_MAX - SECOND_PA + 1));
	EXPECT_EQ(t, ELF_IMAGE_TOO_LARGE, parse_with(2, P_PADDR, FIRST_PA + ELF_IMAGE_MAX));
}

KTEST(efi_elf, an_entry_that_no_byte_of_the_file_is_loaded_to_is_refused)
{
	uint8_t *f = good();

	put32(f + ENTRY, VIRTUAL + FIRST_PA + DATA_SIZE);
	EXPECT_EQ(t, ELF_ENTRY_OUTSIDE, parse(f));
	put32(f + ENTRY, VIRTUAL + SECOND_PA + DATA_SIZE); /* zeros */
	EXPECT_EQ(t, ELF_ENTRY_OUTSIDE, parse(f));
	put32(f + ENTRY, FIRST_PA);
	EXPECT_EQ(t, ELF_ENTRY_OUTSIDE, parse(f));
	put32(f + ENTRY, VIRTUAL + SECOND_PA + DATA_SIZE - 1);
	EXPECT_EQ(t, ELF_OK, parse(f));
	EXPECT_EQ(t, SECOND_PA + DATA_SIZE - 1, img.entry);
}

KTEST(efi_elf, segments_that_are_not_loaded_or_are_empty_do_not_count)
{
	uint8_t *f;

	EXPECT_EQ(t, ELF_OK, parse_with(1, P_TYPE, 4));
	EXPECT_EQ(t, 2, img.nr_segments);
	f = good();
	put32(f + PHDR(1) + P_MEMSZ, 0);
	put32(f + PHDR(1) + P_FILESZ, 0);
	EXPECT_EQ(t, ELF_OK, parse(f));
	EXPECT_EQ(t, 2, img.nr_segments);
}

KTEST(efi_elf, more_segments_than_there_is_room_for_are_refused)
{
	const unsigned int nr = ELF_SEGMENTS_MAX + 1;
	const size_t size = PHDR(nr) + nr * DATA_SIZE;
	uint8_t *f = file_of(size);

	memmove(f, good(), 52);
	memset(f + 52, 0, size - 52);
	for (unsigned int i = 0; i < nr; i++)
		put_phdr(f, i, FIRST_PA + i * 0x1000, DATA_SIZE);
	put16(f + PHNUM, (uint16_t)nr);
	EXPECT_EQ(t, ELF_TOO_MANY_SEGMENTS, elf_parse(&img, f, size));
	put16(f + PHNUM, (uint16_t)(nr - 1));
	EXPECT_EQ(t, ELF_OK, elf_parse(&img, f, size));
}

KTEST(efi_elf, each_result_has_its_own_words)
{
	for (unsigned int i = 0; i < ELF_NR_RESULTS; i++) {
		for (unsigned int j = 0; j < i; j++)
			EXPECT_NE(t, 0, strcmp(elf_result_text(i), elf_result_text(j)));
	}
}

/* What the loader relies on, from the numbers that the parser gives it. */
static void expect_safe(struct ktest *t, size_t size)
{
	for (unsigned int i = 0; i < img.nr_segments; i++) {
		const struct elf_segment *s = &img.segment[i];

		EXPECT_LE(t, size, (uint64_t)s->offset + s->file_size);
		EXPECT_LE(t, s->mem_size, s->file_size);
		EXPECT_GE(t, img.start, s->pa);
		EXPECT_LE(t, img.end, (uint64_t)s->pa + s->mem_size);
		for (unsigned int j = 0; j < i; j++)
			EXPECT_TRUE(t, img.segment[j].pa >= (uint64_t)s->pa + s->mem_size ||
					       s->pa >= (uint64_t)img.segment[j].pa +
								img.segment[j].mem_size);
	}
	EXPECT_GE(t, ELF_LOAD_MIN, img.start);
	EXPECT_LE(t, ELF_IMAGE_MAX, img.end - img.start);
	EXPECT_TRUE(t, img.entry >= img.start && img.entry < img.file_end);
	EXPECT_LE(t, img.end, img.file_end);
	EXPECT_EQ(t, 0, (img.file_end - img.start) % 4);
	for (unsigned int i = 0; i < img.nr_segments; i++) {
		const struct elf_segment *s = &img.segment[i];

		EXPECT_TRUE(t, !s->file_size || s->pa + s->file_size <= img.file_end);
	}
}

KTEST(efi_elf, a_long_walk_of_mutations_reads_and_writes_nothing_outside)
{
	unsigned long steps = ktest_steps(t, LONG_WALK), nr_accepted = 0;

	for (unsigned long i = 0; i < steps; i++) {
		size_t size = FILE_SIZE;
		uint8_t *f = good();

		mutate(t, f, ktest_random_below(t, 2) ? PHDR(NR_PHDRS) : FILE_SIZE);
		if (!ktest_random_below(t, 4)) {
			size = ktest_random_below(t, FILE_SIZE);
			f = memmove(file_of(size), f, size);
		}
		if (elf_parse(&img, f, size))
			continue;
		nr_accepted++;
		expect_safe(t, size);
		if (img.file_end - img.start <= sizeof(image))
			place(t, f, size, image + sizeof(image) - (img.file_end - img.start));
	}
	EXPECT_GE(t, steps / 20, nr_accepted);
}
