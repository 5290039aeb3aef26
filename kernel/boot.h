/*
 * Layer: kernel
 * boot.h - what the files of kernel/ share during boot; nobody else includes it.
 */
#ifndef KERNEL_BOOT_H
#define KERNEL_BOOT_H

#include <quarry/bootinfo.h>
#include <quarry/cmdline.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

#define OPTION_TEXT_MAX 256u

/* The options that are the kernel's own, as the command line gave them. */
struct kernel_options {
	char test[OPTION_TEXT_MAX]; /* patterns; "" for none */
	bool test_given;
	char death[OPTION_TEXT_MAX];
	char bench[OPTION_TEXT_MAX]; /* patterns */
	bool bench_given;
	char map_module[BOOT_NAME_MAX]; /* e820= */
	char map_edits
		[BOOT_CMDLINE_MAX]; /* mem= and memmap=, in their order, separated by blanks */
	uint64_t seed;
	unsigned long steps;
	bool may_take_long;
};

extern struct kernel_options kernel_options;
extern const struct boot_option kernel_boot_options[];
extern const unsigned int nr_kernel_boot_options;

/* boot_map.c: from the firmware's map to the one that mm_init() gets. */
QAPI void boot_map_make(const struct bootinfo *bi);

/* whatis.c: register what the kernel knows of addresses. */
QAPI void whatis_image_init(void);

/* region.c: what an address is, for fault reports. */
QAPI const char *region_describe(uintptr_t va);

#endif
