/*
 * Layer: port
 * font.h - the glyphs of ASCII, as pixels.
 */
#ifndef ARCH_X86_FONT_H
#define ARCH_X86_FONT_H

#include <quarry/compiler.h>
#include <quarry/types.h>

#define FONT_WIDTH  8u /* pixels */
#define FONT_HEIGHT 16u

/**
 * font_line - line @y, 0..FONT_HEIGHT - 1 from the top, of the cell that shows @c.
 *
 * Return:  a bit a pixel, the leftmost the highest; a box for what is no ASCII character.
 */
QAPI uint8_t font_line(uint8_t c, unsigned int y);

#endif
