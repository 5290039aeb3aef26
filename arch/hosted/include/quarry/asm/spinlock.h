/*
 * Layer: port
 * spinlock.h - the lock word of <quarry/spinlock.h>: who holds it.
 *
 * A CPU that waits lets others run; when nobody can go on, or it holds the lock itself, the report
 * names all of them and the locks (arch/hosted/smp/schedule.c).  With one CPU it traps.
 */
#ifndef QUARRY_ASM_SPINLOCK_H
#define QUARRY_ASM_SPINLOCK_H

#include <quarry/asm/percpu.h>
#include <quarry/types.h>

typedef struct {
	unsigned int holder; /* its CPU's number plus 1; 0: free */
	const void *taker;   /* who took it last: a return address, for reports */
} arch_spinlock_t;

#define ARCH_SPINLOCK_INIT \
	{                  \
		0, NULL    \
	}

#if HOSTED_SCHED

/* Wait until the lock is free, and hold it. */
QAPI void arch_spin_lock(arch_spinlock_t *l);
/* By its holder. */
QAPI void arch_spin_unlock(arch_spinlock_t *l);

#else

static inline void arch_spin_lock(arch_spinlock_t *l)
{
	unsigned int free = 0, me = smp_cpu_id() + 1;

	while (!__atomic_compare_exchange_n(&l->holder, &free, me, false, __ATOMIC_ACQUIRE,
					    __ATOMIC_RELAXED)) {
		if (free == me)
			__builtin_trap();
		free = 0;
	}
}

static inline void arch_spin_unlock(arch_spinlock_t *l)
{
	__atomic_store_n(&l->holder, 0, __ATOMIC_RELEASE);
}

#endif

static inline bool arch_spin_is_locked(const arch_spinlock_t *l)
{
	return __atomic_load_n(&l->holder, __ATOMIC_RELAXED) != 0;
}

#endif
