/*
 * Layer: port
 * framebuffer.h - the make-believe machine has no pixels either.
 */
#ifndef QUARRY_ASM_FRAMEBUFFER_H
#define QUARRY_ASM_FRAMEBUFFER_H

#include <quarry/bootinfo.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

struct framebuffer_plan {
	unsigned int cols, rows;
	size_t map_size;
	size_t cells_size;
};

static inline const char *framebuffer_refusal(const struct boot_framebuffer *fb)
{
	(void)fb;
	return "a process has no screen";
}

/* Of none: everything is refused. */
static inline void framebuffer_plan(const struct boot_framebuffer *fb,
				    struct framebuffer_plan *plan)
{
	(void)fb;
	*plan = (struct framebuffer_plan){ 0 };
}

static inline void framebuffer_console_init(const struct boot_framebuffer *fb, void *pixels,
					    void *cells)
{
	(void)fb;
	(void)pixels;
	(void)cells;
}

static inline bool framebuffer_console(void)
{
	return false;
}

#endif
