/*
 * Layer: efi
 * efi_app.h - what the parts of the loader that talk to firmware share.
 *
 * A function that fails prints why, once, and returns the firmware's status; its caller passes that
 * on.  What was allocated by then, app_give_back() frees.
 */
#ifndef QUARRY_BOOT_EFI_APP_H
#define QUARRY_BOOT_EFI_APP_H

#include <efi.h>

#include "mb2info.h"
#include "memmap.h"

#include <quarry/compiler.h>
#include <quarry/types.h>

#define APP_NAME  "quarry-efi"
#define PAGE_SIZE 4096u

/* Set once, at the start. */
struct app {
	EFI_HANDLE image;
	EFI_SYSTEM_TABLE *system;
	EFI_BOOT_SERVICES *boot;
};

extern struct app app;

/* A file in memory, on pages of its own, below 4 GiB. */
struct blob {
	const uint8_t *bytes;
	size_t size;
};

/* ---- efi_console.c ---- */

/**
 * console_init - find out where messages have to go.
 */
void console_init(void);

/**
 * say - a line to the screen and to the serial port.
 */
void say(const char *fmt, ...) __printf(1, 2);

/**
 * fail - the same, marked as an error.
 *
 * Return: @status.
 */
EFI_STATUS fail(EFI_STATUS status, const char *fmt, ...) __printf(2, 3);

/**
 * console_pause - time to read the screen, which the firmware may clear: some seconds, or a key.
 */
void console_pause(void);

/**
 * console_forget - boot services have ended, or may have: from now on only the serial port.
 */
void console_forget(void);

/**
 * status_text - @status in words.
 */
const char *status_text(EFI_STATUS status);

/* ---- efi_file.c ---- */

/* An open file of the volume that the loader came from. */
struct file {
	EFI_FILE_HANDLE handle;
	const char *path;
	uint64_t size; /* bytes */
};

/**
 * file_open - open the file @path, for file_close().
 * @size_max: bytes; a larger one is refused.
 */
EFI_STATUS file_open(struct file *file, const char *path, uint64_t size_max) __must_check;

/**
 * file_read_at - read the @size bytes at @offset, which must all be there.
 */
EFI_STATUS file_read_at(const struct file *file, uint64_t offset, void *to, size_t size)
	__must_check;

/**
 * file_close - the end of what file_open() began.
 */
void file_close(const struct file *file);

/**
 * file_read - read the whole file @path.
 * @size_max: bytes; a larger one is refused.
 */
EFI_STATUS file_read(const char *path, size_t size_max, struct blob *blob) __must_check;

/* ---- efi_memory.c ---- */

/**
 * memory_init - room for the memory map.
 */
EFI_STATUS memory_init(void) __must_check;

/**
 * pages_alloc - whole pages between 1 MiB and 4 GiB, not in what pages_claim() claimed.
 * @what: for the message if there are none.
 */
EFI_STATUS pages_alloc(const char *what, EFI_MEMORY_TYPE type, size_t size, void **at) __must_check;

/**
 * pages_claim - make sure that [@start, @end) is free once boot services have ended.
 *
 * What of it is free now is allocated, so that nothing else comes to lie there.
 * @is_ours: that was all of it.
 */
EFI_STATUS pages_claim(uint32_t start, uint32_t end, bool *is_ours) __must_check;

/**
 * app_give_back - free all pages, for a return to the firmware.
 */
void app_give_back(void);

/* What the kernel is entered with. */
struct launch {
	void *image;            /* file_end - start bytes: at start already, or elsewhere */
	uint32_t start, end;    /* where the kernel belongs */
	uint32_t file_end;      /* all from here to the end is zero */
	uint32_t entry;         /* physical */
	struct mb2_writer info; /* without the maps and the end */
};

/**
 * launch_kernel - end boot services, put the kernel in its place, enter it.
 *
 * Return: only if that failed.
 */
EFI_STATUS launch_kernel(const struct launch *launch) __must_check;

/* ---- efi_tables.c ---- */

/**
 * add_firmware_tables - put the ACPI root pointer and the framebuffer into the block.
 */
void add_firmware_tables(struct mb2_writer *info);

/* ---- handoff.asm ---- */

/* The head of the page that handoff() runs in: filled in by launch_kernel(). */
struct handoff {
	uint32_t from, to;
	uint32_t nr_words, nr_zeros; /* words, one kind behind the other */
	uint32_t entry, info;
};

extern const uint8_t handoff_page[], handoff_page_end[];

/* Boot services have ended; @page holds a copy of handoff_page below 4 GiB. */
void handoff(struct handoff *page) __noreturn;

#endif
