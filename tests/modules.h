/*
 * Layer: tests
 * modules.h - checksums of the boot modules, from before the first test and from now.
 */
#ifndef TESTS_MODULES_H
#define TESTS_MODULES_H

#include <quarry/bootinfo.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

/* Read the whole module; false when a part of it cannot be mapped. */
QAPI bool module_checksum(const struct boot_module *m, uint32_t *sum);

/* Remember and print the checksum of each module; tests_init() calls it. */
QAPI void modules_remember(const struct bootinfo *bi);

#endif
