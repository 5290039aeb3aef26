/*
 * Layer: port
 * spinlock.h - one CPU never waits for itself: a lock that is taken twice is a fault.
 */
#ifndef QUARRY_ASM_SPINLOCK_H
#define QUARRY_ASM_SPINLOCK_H

#include <quarry/types.h>

typedef struct {
	bool held;
} arch_spinlock_t;

#define ARCH_SPINLOCK_INIT \
	{                  \
		false      \
	}

static inline void arch_spin_lock(arch_spinlock_t *l)
{
	if (l->held)
		__builtin_trap();
	l->held = true;
}

static inline void arch_spin_unlock(arch_spinlock_t *l)
{
	l->held = false;
}

#endif
