/*
 * Layer: base
 * panic.h - what panic() and warnings ask of the environment.
 *
 * panic() itself is in <quarry/bug.h>.  The library knows neither stacks nor power switches: the
 * environment registers both here, as soon as it has them.  Until then panic() prints and spins.
 */
#ifndef QUARRY_PANIC_H
#define QUARRY_PANIC_H

#include <quarry/compiler.h>
#include <quarry/out.h>

/* What panic() passes to stop(): the status by which a test runner knows a panic. */
#define PANIC_EXIT_CODE 0x12

struct panic_ops {
	/* Write the current call chain to @o.  May be NULL. */
	QAPI void (*dump_stack)(struct out *o);
	/* Stop the machine; @code is handed to whoever watches it.  Should not return. */
	QAPI void (*stop)(int code);
};

/**
 * panic_register - use @ops from now on; NULL: none.
 * @ops: must stay as long as it is registered.
 */
QAPI void panic_register(const struct panic_ops *ops);

#endif
