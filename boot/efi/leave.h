/*
 * Layer: boot
 * leave.h - the end of boot services, which may take more than one try.
 */
#ifndef QUARRY_BOOT_EFI_LEAVE_H
#define QUARRY_BOOT_EFI_LEAVE_H

#include <quarry/compiler.h>

/* Firmware whose map goes on changing for so long never stops. */
#define LEAVE_TRIES 16u

/* What the loop below needs of a firmware. */
struct leave_ops {
	/* Get the map and its key, write the information block: 0 or -errno, which ends it. */
	QAPI int (*prepare)(struct leave_ops *ops);
	/* End boot services with that key: 0, -EAGAIN when the key is stale, or another -errno. */
	QAPI int (*exit)(struct leave_ops *ops);
};

/**
 * leave_boot_services - end them.
 * @nr_exits: how often exit() was called: after the first call most services are gone.
 *
 * Return: 0; what prepare() or exit() returned; -EAGAIN after LEAVE_TRIES stale keys.
 */
QAPI int leave_boot_services(struct leave_ops *ops, unsigned int *nr_exits) __must_check;

#endif
