/*
 * Layer: port
 * atomic.h - counters that several CPUs change; a full barrier each.
 */
#ifndef QUARRY_ASM_ATOMIC_H
#define QUARRY_ASM_ATOMIC_H

#include <quarry/compiler.h>
#include <quarry/types.h>

typedef struct {
	int val;
} atomic_t;

static inline int atomic_read(const atomic_t *a)
{
	return READ_ONCE(a->val);
}

/* A plain store: for counters that nobody else can see or change at this moment. */
static inline void atomic_set(atomic_t *a, int val)
{
	WRITE_ONCE(a->val, val);
}

static inline void atomic_inc(atomic_t *a)
{
	__asm__ volatile("lock incl %0" : "+m"(a->val)::"memory", "cc");
}

/* Subtract one; true when that made it zero. */
static inline bool atomic_dec_and_test(atomic_t *a)
{
	bool zero;

	__asm__ volatile("lock decl %0" : "+m"(a->val), "=@ccz"(zero)::"memory");
	return zero;
}

/* Add @n; the value before. */
static inline int atomic_fetch_add(atomic_t *a, int n)
{
	__asm__ volatile("lock xaddl %0, %1" : "+r"(n), "+m"(a->val)::"memory", "cc");
	return n;
}

/* Make it @val if it is @old; the value before. */
static inline int atomic_cmpxchg(atomic_t *a, int old, int val)
{
	__asm__ volatile("lock cmpxchgl %2, %1"
			 : "+a"(old), "+m"(a->val)
			 : "r"(val)
			 : "memory", "cc");
	return old;
}

#endif
