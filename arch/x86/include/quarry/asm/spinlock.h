/*
 * Layer: port
 * spinlock.h - the lock word of <quarry/spinlock.h>: a ticket lock, first come first served.
 *
 *	next: ticket of the next comer    owner: ticket that holds the lock    free: next == owner
 */
#ifndef QUARRY_ASM_SPINLOCK_H
#define QUARRY_ASM_SPINLOCK_H

#include <quarry/compiler.h>
#include <quarry/types.h>

typedef struct {
	uint16_t owner;
	uint16_t next;
} arch_spinlock_t;

#define ARCH_SPINLOCK_INIT \
	{                  \
		0, 0       \
	}

static inline void arch_spin_lock(arch_spinlock_t *l)
{
	uint16_t ticket = 1;

	__asm__ volatile("lock xaddw %0, %1" : "+r"(ticket), "+m"(l->next)::"memory", "cc");
	while (READ_ONCE(l->owner) != ticket)
		__asm__ volatile("pause" ::: "memory");
}

/* x86 stores are not reordered with older ones: a plain increment by the owner releases. */
static inline void arch_spin_unlock(arch_spinlock_t *l)
{
	__asm__ volatile("incw %0" : "+m"(l->owner)::"memory", "cc");
}

static inline bool arch_spin_is_locked(const arch_spinlock_t *l)
{
	return READ_ONCE(l->owner) != READ_ONCE(l->next);
}

#endif
