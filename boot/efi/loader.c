/*
 * loader.c - the EFI application that boots the kernel: the order of things, in one screen.
 *
 * IDEA.  Firmware loads BOOTX64.EFI or BOOTIA32.EFI from a volume and calls efi_main().  The same
 * volume has a text file (config.h) that names a kernel, its command line and its modules.  The
 * head of the kernel's file is checked as if an enemy had written it, then what has to be loaded of
 * it is read, and the modules; an information block as of multiboot2 is written, and once boot
 * services have ended the kernel is entered in 32-bit protected mode: it has one consumer,
 * ../multiboot2.c, and does not know who loaded it.
 *
 *	loader.c      this              efi_*.c      what talks to firmware
 *	handoff.asm   the way down      all others   pure functions, also tested as a process
 *
 * ERRORS.  Whatever goes wrong is one line on the screen and on the serial port; then all memory is
 * given back, and after a pause to read it the firmware gets its error status and goes on with its
 * next boot option.
 *
 * STATE.  app; the configuration; the head of the kernel's file.
 *
 * CONTEXT.  Boot services, one CPU, until launch_kernel().
 *
 * SOURCES.  UEFI Specification 2.10; Multiboot2 Specification 2.0.
 */
#include "efi_app.h"

#include "config.h"
#include "elf.h"
#include "mb2head.h"

#include <quarry/align.h>
#include <quarry/errno.h>

#define KERNEL_FILE_MAX 0x2000000u  /* 32 MiB, symbols included */
#define MODULE_FILE_MAX 0x40000000u /* 1 GiB */

/* Room for the information block: texts, both maps. */
#define INFO_SIZE 0x40000u

struct app app;

static struct config config;

/* The first bytes of the kernel's file: its program headers and its multiboot2 header. */
static uint8_t head[ELF_HEAD_SIZE];
static_assert(ELF_HEAD_SIZE >= MB2_HEAD_SIZE, "has both");

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

static size_t head_size(const struct file *file)
{
	return (size_t)min(file->size, (uint64_t)sizeof(head));
}

static EFI_STATUS check_elf(const struct file *file, struct elf_image *elf)
{
	enum elf_result result = elf_parse(elf, head, file->size);

	if (!result)
		return EFI_SUCCESS;
	if (elf->culprit == ELF_NO_CULPRIT)
		return fail(EFI_LOAD_ERROR, "%s: %s", file->path, elf_result_text(result));
	return fail(EFI_LOAD_ERROR, "%s: %s (program header %u)", file->path,
		    elf_result_text(result), elf->culprit);
}

static EFI_STATUS check_multiboot2(const struct file *file)
{
	switch (mb2_check_header(head, head_size(file))) {
	case 0:
		return EFI_SUCCESS;
	case -ENOENT:
		return fail(EFI_LOAD_ERROR, "%s: has no multiboot2 header", file->path);
	case -EINVAL:
		return fail(EFI_LOAD_ERROR, "%s: asks for what this loader cannot do", file->path);
	default:
		return fail(EFI_LOAD_ERROR, "%s: has a broken multiboot2 header", file->path);
	}
}

static EFI_STATUS check_kernel(const struct file *file, struct elf_image *elf)
{
	EFI_STATUS status = file_read_at(file, 0, head, head_size(file));

	if (!EFI_ERROR(status))
		status = check_elf(file, elf);
	return EFI_ERROR(status) ? status : check_multiboot2(file);
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

struct kernel_reader {
	struct elf_reader elf;
	const struct file *file;
	EFI_STATUS status; /* of the last read */
};

static QAPI int read_piece(struct elf_reader *reader, uint32_t offset, void *to, uint32_t nr)
{
	struct kernel_reader *r = container_of(reader, struct kernel_reader, elf);

	r->status = file_read_at(r->file, offset, to, nr);
	return EFI_ERROR(r->status) ? -EIO : 0;
}

static EFI_STATUS load_segments(const struct file *file, struct launch *launch)
{
	struct kernel_reader reader = { { read_piece }, file, EFI_SUCCESS };
	struct elf_image elf;
	EFI_STATUS status = check_kernel(file, &elf);

	if (!EFI_ERROR(status))
		status = find_place(&elf, &launch->image);
	if (EFI_ERROR(status))
		return status;
	if (elf_place(&elf, &reader.elf, launch->image))
		return reader.status;
	launch->start = elf.start;
	launch->end = elf.end;
	launch->file_end = elf.file_end;
	launch->entry = elf.entry;
	return EFI_SUCCESS;
}

static EFI_STATUS load_kernel(struct launch *launch)
{
	struct file file;
	EFI_STATUS status = file_open(&file, config.kernel, KERNEL_FILE_MAX);

	if (EFI_ERROR(status))
		return status;
	status = load_segments(&file, launch);
	file_close(&file);
	return status;
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
