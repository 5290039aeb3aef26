/*
 * Layer: contract
 * spinlock.h - locks that spin, safe against interrupts; the lock order is in mm/README.md.
 *
 * Built for one CPU (CONFIG_SMP=0) the lock word is gone and interrupts off is all there is.
 */
#ifndef QUARRY_SPINLOCK_H
#define QUARRY_SPINLOCK_H

#include <quarry/asm/spinlock.h>
#include <quarry/compiler.h>
#include <quarry/config.h>
#include <quarry/env.h>

typedef struct __capability("spinlock")
{
	arch_spinlock_t raw;
}
spinlock_t;

#define SPINLOCK_INIT              \
	{                          \
		ARCH_SPINLOCK_INIT \
	}

static inline void spin_lock_init(spinlock_t *l)
{
	l->raw = (arch_spinlock_t)ARCH_SPINLOCK_INIT;
}

/**
 * spin_lock_irqsave - take @l with interrupts off on this CPU.
 *
 * Return:  what spin_unlock_irqrestore() wants back.
 * Context: any.  Nothing may sleep until the lock is released.
 */
static inline unsigned long spin_lock_irqsave(spinlock_t *l) __acquires(*l) __no_lock_analysis
{
	unsigned long flags = irq_save();

	if (CONFIG_SMP)
		arch_spin_lock(&l->raw);
	return flags;
}

static inline void spin_unlock_irqrestore(spinlock_t *l, unsigned long flags)
	__releases(*l) __no_lock_analysis
{
	if (CONFIG_SMP)
		arch_spin_unlock(&l->raw);
	irq_restore(flags);
}

#endif
