/*
 * Layer: port
 * font.h - the glyphs of ASCII, as pixels.
 */
#ifndef ARCH_X86_FONT_H
#define ARCH_X86_FONT_H

#include <quarry/compiler.h>
#include <quarry/types.h>

/* A cell, and the lines of it, from FONT_TOP on, that a glyph has: the others are blank. */
#define FONT_WIDTH  8u /* pixels */
#define FONT_HEIGHT 16u
#define FONT_TOP    2u
#define FONT_LINES  13u

/**
 * font_glyph - the glyph of @c: FONT_LINES bytes, a bit a pixel, the leftmost the highest.
 *
 * Return:  never NULL: a box for what is no ASCII character.
 */
QAPI const uint8_t *font_glyph(uint8_t c);

#endif
