/*
 * Layer: kernel
 * kernel.h - what boot found out and the kernel keeps: read-only after kernel_main() filled it.
 */
#ifndef QUARRY_KERNEL_H
#define QUARRY_KERNEL_H

#include <quarry/bootinfo.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

/* What the boot loader said, the firmware's own memory map included. */
extern const struct bootinfo *kernel_bootinfo;

/* The sanitised map that mm_init() was given: after mem=, memmap=, e820= and the limits. */
extern struct mem_region kernel_map[];
extern unsigned int kernel_map_nr;

/**
 * screen_refusal - why the screen cannot be a console.
 * @bi: what the loader said.
 * @pa: set to where its cells are, when it can.
 *
 * Return:  a reason in words; NULL when it shows text and is ours to use.
 * Context: any, one user at a time.
 */
QAPI const char *screen_refusal(const struct bootinfo *bi, phys_addr_t *pa);

/**
 * pixels_refusal - why the loader's framebuffer cannot be a console.
 * @bi: what the loader said.
 *
 * Return:  a reason in words; NULL when its numbers agree, it can be mapped, and no RAM lies there.
 * Context: any.
 */
QAPI const char *pixels_refusal(const struct bootinfo *bi);

/**
 * pixels_clear_rest - make the lines of @fb black that a console on it does not use.
 * @fb: not refused.
 *
 * Without addresses to map them, what firmware has drawn there stays.
 * Context: thread, may sleep.
 */
QAPI void pixels_clear_rest(const struct boot_framebuffer *fb);

#endif
