/*
 * host_elf_place.c - the half of elf-place that is compiled against libc.
 *
 * usage: elf-place FILE
 *
 * Standard output is a line "START FILE_END END ENTRY" and behind it what comes from the file,
 * FILE_END - START bytes; or a line "refused: WHY", and then the exit status is 1.
 */
#include "elf_place.h"
#include <stdio.h>
#include <stdlib.h>

#define SIZE_MAX_READ (64ul << 20)

int main(int argc, char **argv)
{
	FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
	char *all = malloc(SIZE_MAX_READ), *image = malloc(SIZE_MAX_READ), *file;
	unsigned long size, image_size;
	char line[128];

	if (!f || !all || !image)
		return 2;
	size = fread(all, 1, SIZE_MAX_READ, f);
	fclose(f);
	/* No more than its size, for the address sanitizer. */
	file = realloc(all, size + !size);
	image_size = elf_place_file(file, size, image, SIZE_MAX_READ, line, sizeof(line));
	fputs(line, stdout);
	fwrite(image, 1, image_size, stdout);
	free(file);
	free(image);
	return !image_size;
}
