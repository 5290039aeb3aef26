/*
 * Layer: boot
 * config.h - the text file that tells the EFI loader what to load.
 *
 *	# what stands behind a hash at the start of a line is a comment; empty lines are skipped
 *	kernel=/boot/quarry.elf
 *	cmdline=loglevel=7 highmem=64M
 *	module=/boot/maps/odd.map what else the kernel is told of it
 *
 * kernel= is due once, cmdline= may stand once, module= up to CONFIG_MODULES_MAX times.  Paths are
 * those of the volume that the loader came from, from its root on.  Blanks at the ends of a line do
 * not count; everything else is printable ASCII.  Lines end in LF or CR LF.
 */
#ifndef QUARRY_BOOT_EFI_CONFIG_H
#define QUARRY_BOOT_EFI_CONFIG_H

#include <quarry/bootinfo.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

#define CONFIG_FILE        "/boot/quarry.cfg"
#define CONFIG_SIZE_MAX    16384u /* bytes of the file */
#define CONFIG_PATH_MAX    256u   /* bytes, the NUL included */
#define CONFIG_TEXT_MAX    512u   /* of a module's path and arguments */
#define CONFIG_MODULES_MAX BOOT_MODULES_MAX

struct config_module {
	char path[CONFIG_PATH_MAX];
	char text
		[CONFIG_TEXT_MAX]; /* path and arguments: the kernel names a module by the former */
};

struct config {
	char kernel[CONFIG_PATH_MAX];
	char cmdline[BOOT_CMDLINE_MAX];
	struct config_module module[CONFIG_MODULES_MAX];
	unsigned int nr_modules;
	bool has_cmdline;
	/* Of a failure. */
	unsigned int line; /* from 1 on; 0: it is about the whole file */
	const char *why;
};

/**
 * config_parse - read the @len bytes of @text.
 *
 * Return: 0; -EILSEQ, with line and why: then nothing else in @c means anything.
 */
QAPI int config_parse(struct config *c, const char *text, size_t len) __must_check;

#endif
