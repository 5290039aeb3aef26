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

/* Where the log and the monitor appear. */
enum console_choice {
	CONSOLE_BOTH,
	CONSOLE_SERIAL,
	CONSOLE_VGA,
};

/* The options that are the kernel's own, as the command line gave them. */
struct kernel_options {
	char test[OPTION_TEXT_MAX]; /* patterns; "" for none */
	bool test_given;
	char death[OPTION_TEXT_MAX];
	char bench[OPTION_TEXT_MAX]; /* patterns */
	bool bench_given;
	size_t alloc_trace;             /* bytes of the ring; 0: no recording */
	char replay[OPTION_TEXT_MAX];   /* a boot module and words */
	char map_module[BOOT_NAME_MAX]; /* e820= */
	char map_edits
		[BOOT_CMDLINE_MAX]; /* mem= and memmap=, in their order, separated by blanks */
	uint64_t seed;
	unsigned long steps;
	bool may_take_long;
	enum console_choice console;
};

extern struct kernel_options kernel_options;
extern const struct boot_option kernel_boot_options[];
extern const unsigned int nr_kernel_boot_options;

/* boot_map.c: from the firmware's map to the one that mm_init() gets. */
QAPI void boot_map_make(const struct bootinfo *bi);

/*
 * devices.c: the text screen, where there is one and it is wanted; where there are pixels instead,
 * these (a thread that may sleep); the local APIC.
 */
QAPI void devices_map_screen(const struct bootinfo *bi);
QAPI void devices_map_pixels(const struct bootinfo *bi);
QAPI void devices_map_lapic(void);

/* whatis.c: register what the kernel knows of addresses. */
QAPI void whatis_image_init(void);

/* region.c: what an address is, for fault reports. */
QAPI const char *region_describe(uintptr_t va);

#endif
