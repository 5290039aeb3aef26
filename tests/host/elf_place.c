/*
 * elf_place.c - does to any file what the EFI loader does to a kernel: our half of elf-place.
 */
#include <quarry/compiler.h>
#include <quarry/errno.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#include "../../boot/efi/elf.h"
#include "elf_place.h"

#define RUBBISH 0xA5 /* what elf_place() has to write over */

/* A file in memory. */
struct memory_reader {
	struct elf_reader elf;
	const char *file;
	unsigned long size;
};

static QAPI int read_memory(struct elf_reader *reader, uint32_t offset, void *to, uint32_t nr)
{
	struct memory_reader *r = container_of(reader, struct memory_reader, elf);

	if (offset > r->size || nr > r->size - offset)
		return -ERANGE;
	memcpy(to, r->file + offset, nr);
	return 0;
}

unsigned long elf_place_file(const char *file, unsigned long file_size, char *image,
			     unsigned long image_size, char *line, unsigned long line_size)
{
	struct memory_reader reader = { { read_memory }, file, file_size };
	struct elf_image img;
	enum elf_result result = elf_parse(&img, file, file_size);

	if (!result && img.file_end - img.start > image_size)
		result = ELF_IMAGE_TOO_LARGE;
	if (result) {
		snprintf(line, line_size, "refused: %s\n", elf_result_text(result));
		return 0;
	}
	snprintf(line, line_size, "%x %x %x %x\n", img.start, img.file_end, img.end, img.entry);
	memset(image, RUBBISH, image_size);
	if (elf_place(&img, &reader.elf, image)) {
		snprintf(line, line_size, "refused: read outside of the file\n");
		return 0;
	}
	return img.file_end - img.start;
}
