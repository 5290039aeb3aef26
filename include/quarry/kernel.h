/*
 * Layer: kernel
 * kernel.h - what boot found out and the kernel keeps: read-only after kernel_main() filled it.
 */
#ifndef QUARRY_KERNEL_H
#define QUARRY_KERNEL_H

#include <quarry/bootinfo.h>

/* What the boot loader said, the firmware's own memory map included. */
extern const struct bootinfo *kernel_bootinfo;

/* The sanitised map that mm_init() was given: after mem=, memmap=, e820= and the limits. */
extern struct mem_region kernel_map[];
extern unsigned int kernel_map_nr;

#endif
