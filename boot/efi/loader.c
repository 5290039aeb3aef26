/*
 * loader.c - the EFI application that boots the kernel: the order of things, in one screen.
 *
 * IDEA.  Firmware loads BOOTX64.EFI or BOOTIA32.EFI from a volume and calls efi_main().  The same
 * volume has a text file (config.h) that names a kernel, its command line and its modules.  Each is
 * read, the kernel's file is checked as if an enemy had written it, an information block as of
 * multiboot2 is written, and once boot services have ended the kernel is entered in 32-bit
 * protected mode: it has one consumer, ../multiboot2.c, and does not know who loaded it.
 *
 *	loader.c      this              efi_*.c      what talks to firmware
 *	handoff.asm   the way down      all others   pure functions, also tested as a process
 *
 * ERRORS.  Whatever goes wrong is one line on the screen and on the serial port; then all memory is
 * given back, and after a pause to read it the firmware gets its error status and goes on with its
 * next boot option.
 *
 * STATE.  app; the configuration.
 *
 * CONTEXT.  Boot services, one CPU, until launch_kernel().
 *
 * SOURCES.  UEFI Specification 2.10; Multiboot2 Specification 2.0.
 */
#include "efi_app.h"

#include "config.h"
#include "elf.h"
#include "mb2head.h"

#include <quarry/errno.h>

#define KERNEL_FILE_MAX 0x2000000u  /* 32 MiB, symbols included */
#define MODULE_FILE_MAX 0x40000000u /* 1 GiB */

/* Room for the information block: texts, both maps. */
#define INFO_SIZE 0x40000u

struct app app;

static struct config config;

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

static EFI_STATUS read_config(void)
{
	struct blob file;
	EFI_STATUS status = file_read(CONFIG_FILE, CONFIG_SIZE_MAX, &file);

	if (EFI_ERROR(status))
		return status;
	if (!config_parse(&config, (const char *)file.bytes, file.size))
		return EFI_SUCCESS;
	if (config.line)
		return fail(EFI_LOAD_ERROR, CONFIG_FILE ": line %u: %s", config.line, config.why);
	return fail(EFI_LOAD_ERROR, CONFIG_FILE ": %s", config.why);
}

static EFI_STATUS check_kernel(const struct blob *file, struct elf_image *elf)
{
	enum elf_result result = elf_parse(elf, file->bytes, file->size);

	if (result && elf->culprit == ELF_NO_CULPRIT)
		return fail(EFI_LOAD_ERROR, "%s: %s", config.kernel, elf_result_text(result));
	if (result)
		return fail(EFI_LOAD_ERROR, "%s: %s (program header %u)", config.kernel,
			    elf_result_text(result), elf->culprit);
	switch (mb2_check_header(file->bytes, file->size)) {
	case 0:
		return EFI_SUCCESS;
	case -ENOENT:
		return fail(EFI_LOAD_ERROR, "%s: has no multiboot2 header", config.kernel);
	case -EINVAL:
		return fail(EFI_LOAD_ERROR, "%s: asks for what this loader cannot do",
			    config.kernel);
	default:
		return fail(EFI_LOAD_ERROR, "%s: has a broken multiboot2 header", config.kernel);
	}
}

/* Where the image is laid out: at its place, if boot services do not use any of that. */
static EFI_STATUS find_place(const struct elf_image *elf, void **image)
{
	bool is_ours;
	EFI_STATUS status = pages_claim(elf->start, elf->end, &is_ours);

	if (EFI_ERROR(status))
		return status;
	say("%s at 0x%x-0x%x, entry 0x%x%s", config.kernel, elf->start, elf->end - 1, elf->entry,
	    is_ours ? "" : ", moved there when boot services have ended");
	*image = (void *)(UINTN)elf->start;
	if (is_ours)
		return EFI_SUCCESS;
	return pages_alloc(config.kernel, EfiLoaderData, elf->file_end - elf->start, image);
}

static EFI_STATUS load_kernel(struct launch *launch)
{
	struct elf_image elf;
	struct blob file;
	EFI_STATUS status = file_read(config.kernel, KERNEL_FILE_MAX, &file);

	if (!EFI_ERROR(status))
		status = check_kernel(&file, &elf);
	if (!EFI_ERROR(status))
		status = find_place(&elf, &launch->image);
	if (EFI_ERROR(status))
		return status;
	elf_place(&elf, file.bytes, launch->image);
	pages_free(file.bytes); /* room for modules, where there is little */
	launch->start = elf.start;
	launch->end = elf.end;
	launch->file_end = elf.file_end;
	launch->entry = elf.entry;
	return EFI_SUCCESS;
}

static EFI_STATUS load_modules(struct mb2_writer *info)
{
	for (unsigned int i = 0; i < config.nr_modules; i++) {
		const struct config_module *m = &config.module[i];
		EFI_STATUS status;
		struct blob file;
		uint32_t start;

		status = file_read(m->path, MODULE_FILE_MAX, &file);
		if (EFI_ERROR(status))
			return status;
		start = (uint32_t)(UINTN)file.bytes;
		mb2_add_module(info, start, start + (uint32_t)file.size, m->text);
	}
	return EFI_SUCCESS;
}

static EFI_STATUS start_info(struct mb2_writer *info)
{
	void *at;
	EFI_STATUS status = pages_alloc("boot information", EfiLoaderData, INFO_SIZE, &at);

	if (EFI_ERROR(status))
		return status;
	mb2_start(info, at, INFO_SIZE);
	mb2_add_text(info, MB2_TAG_CMDLINE, config.cmdline);
	mb2_add_text(info, MB2_TAG_LOADER, APP_NAME);
	add_firmware_tables(info);
	return EFI_SUCCESS;
}

static EFI_STATUS boot_kernel(void)
{
	struct launch launch;
	EFI_STATUS status = memory_init();

	if (!EFI_ERROR(status))
		status = read_config();
	if (!EFI_ERROR(status))
		status = load_kernel(&launch);
	if (!EFI_ERROR(status))
		status = start_info(&launch.info);
	if (!EFI_ERROR(status))
		status = load_modules(&launch.info);
	return EFI_ERROR(status) ? status : launch_kernel(&launch);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
	EFI_STATUS status;

	app = (struct app){ image, system, system->BootServices };
	console_init();
	status = boot_kernel();
	app_give_back();
	console_pause();
	return status;
}
