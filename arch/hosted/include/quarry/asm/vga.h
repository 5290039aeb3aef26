/*
 * Layer: port
 * vga.h - the make-believe machine has no screen.
 */
#ifndef QUARRY_ASM_VGA_H
#define QUARRY_ASM_VGA_H

#include <quarry/compiler.h>
#include <quarry/types.h>

static inline bool vga_find(phys_addr_t *pa)
{
	(void)pa;
	return false;
}

static inline void vga_console_init(void *va)
{
	(void)va;
}

static inline bool vga_console_present(void)
{
	return false;
}

#endif
