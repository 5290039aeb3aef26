/*
 * Layer: port
 * framebuffer.h - pixels in memory as a console: drawn by the port, mapped by the kernel.
 */
#ifndef QUARRY_ASM_FRAMEBUFFER_H
#define QUARRY_ASM_FRAMEBUFFER_H

#include <quarry/asm/terminal.h>
#include <quarry/bootinfo.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

/* A larger screen is used as far as that. */
#define FRAMEBUFFER_COLS_MAX 240u
#define FRAMEBUFFER_ROWS_MAX 75u

#define FRAMEBUFFER_PATTERNS       16u /* of four pixels, each on or off */
#define FRAMEBUFFER_PATTERN_PIXELS 4u

/* A terminal, and the pixels of the device, which are only written. */
struct framebuffer_screen {
	struct terminal term;
	uint8_t *pixels;
	uint32_t pitch;          /* bytes from one line to the next */
	unsigned int pixel_size; /* bytes, 2..4 */
	unsigned int cursor;     /* the cell that is underlined */

	/* Four pixels of each pattern, one after the other: pixel_size words. */
	uint32_t pattern[FRAMEBUFFER_PATTERNS][FRAMEBUFFER_PATTERN_PIXELS];
};

/* What a console on a framebuffer takes. */
struct framebuffer_plan {
	unsigned int cols, rows; /* characters */
	size_t map_size;         /* bytes of the framebuffer that are drawn on */
	size_t cells_size;       /* bytes of RAM for the terminal, 2-aligned */
};

/**
 * framebuffer_refusal - why a framebuffer cannot be drawn on.
 * @fb: what the loader said.
 *
 * Return:  a reason in words; NULL when its numbers agree and its address can be mapped.
 * Context: any.
 */
QAPI const char *framebuffer_refusal(const struct boot_framebuffer *fb);

/**
 * framebuffer_plan - what a console on @fb takes.
 * @fb: not refused.
 */
QAPI void framebuffer_plan(const struct boot_framebuffer *fb, struct framebuffer_plan *plan);

/**
 * framebuffer_screen_init - an empty screen; terminal_write() writes to its term.
 * @s:      the caller's; stays.
 * @fb:     not refused.
 * @pixels: map_size bytes of framebuffer_plan(), of the device or not; all are written.
 * @cells:  cells_size bytes; stay.
 */
QAPI void framebuffer_screen_init(struct framebuffer_screen *s, const struct boot_framebuffer *fb,
				  void *pixels, void *cells);

/**
 * framebuffer_console_init - make a framebuffer a console, which first shows the log.
 *
 * The parameters are those of framebuffer_screen_init().  Context: boot, once.
 */
QAPI void framebuffer_console_init(const struct boot_framebuffer *fb, void *pixels, void *cells);

/**
 * framebuffer_console - the console's screen.
 *
 * Return: NULL when there is none.
 */
QAPI struct framebuffer_screen *framebuffer_console(void);

#endif
