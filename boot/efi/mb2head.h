/*
 * Layer: boot
 * mb2head.h - does a kernel file want to be started the multiboot2 way, and can it be?
 */
#ifndef QUARRY_BOOT_EFI_MB2HEAD_H
#define QUARRY_BOOT_EFI_MB2HEAD_H

#include <quarry/compiler.h>
#include <quarry/types.h>

/* The header lies in the first bytes of a file. */
#define MB2_HEAD_SIZE 32768u

/**
 * mb2_check_header - look for the multiboot2 header in the @size bytes at @file.
 *
 * Return: 0; -ENOENT when there is none for i386; -EILSEQ when it contradicts itself; -EINVAL when
 *         it has a tag which must be obeyed and is not.
 */
QAPI int mb2_check_header(const uint8_t *file, size_t size) __must_check;

#endif
