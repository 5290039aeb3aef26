/*
 * elf_place.h - what the two halves of the program elf-place know of each other: plain C types.
 */
#ifndef QUARRY_TESTS_ELF_PLACE_H
#define QUARRY_TESTS_ELF_PLACE_H

/*
 * Lay the image of the file out at @image.  @line becomes "START FILE_END END ENTRY\n"
 * (hexadecimal), or "refused: WHY\n".  Bytes laid out; 0 when refused.
 */
unsigned long elf_place_file(const char *file, unsigned long file_size, char *image,
			     unsigned long image_size, char *line, unsigned long line_size);

#endif
