/*
 * leave.c - ending boot services while the memory map may still change.
 *
 * THEORY.  ExitBootServices() wants the key of the current memory map, as proof that the caller
 * knows it.  Between getting the map and handing in its key an event of the firmware's may allocate
 * memory; worse, the call itself notifies drivers, which may free some.  Then the key is stale, and
 * the only way is another map with another key.  After the first attempt just the memory
 * functions and ExitBootServices() itself may still be called, so what is done between tries must
 * need no others: the information block is written anew in memory that was allocated before.
 *
 * CONTEXT.  Any: the firmware is behind two function pointers, so a process can play it.
 *
 * SOURCES.  UEFI Specification 2.10, section 7.4.6 (EFI_BOOT_SERVICES.ExitBootServices).
 */
#include "leave.h"

#include <quarry/errno.h>

QAPI int leave_boot_services(struct leave_ops *ops, unsigned int *nr_exits)
{
	for (*nr_exits = 0; *nr_exits < LEAVE_TRIES;) {
		int err = ops->prepare(ops);

		if (err)
			return err;
		++*nr_exits;
		err = ops->exit(ops);
		if (err != -EAGAIN)
			return err;
	}
	return -EAGAIN;
}
