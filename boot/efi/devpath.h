/*
 * Layer: boot
 * devpath.h - what an EFI device path leads through.
 */
#ifndef QUARRY_BOOT_EFI_DEVPATH_H
#define QUARRY_BOOT_EFI_DEVPATH_H

#include <quarry/compiler.h>
#include <quarry/types.h>

/**
 * devpath_has_uart - does one of the paths in the @size bytes at @bytes go through a UART?
 */
QAPI bool devpath_has_uart(const uint8_t *bytes, size_t size);

#endif
