/*
 * Layer: port
 * atomic.h - counters that several CPUs change: the compiler's own, a full barrier each.  Before
 * each access somebody else may run.
 */
#ifndef QUARRY_ASM_ATOMIC_H
#define QUARRY_ASM_ATOMIC_H

#include <quarry/asm/sched.h>
#include <quarry/types.h>

typedef struct {
	int val;
} atomic_t;

static inline int atomic_read(const atomic_t *a)
{
	sched_point();
	return __atomic_load_n(&a->val, __ATOMIC_RELAXED);
}

static inline void atomic_set(atomic_t *a, int val)
{
	sched_point();
	__atomic_store_n(&a->val, val, __ATOMIC_RELAXED);
}

/* Add @n; the value before. */
static inline int atomic_fetch_add(atomic_t *a, int n)
{
	sched_point();
	return __atomic_fetch_add(&a->val, n, __ATOMIC_SEQ_CST);
}

/* Make it @val if it is @old; the value before. */
static inline int atomic_cmpxchg(atomic_t *a, int old, int val)
{
	sched_point();
	__atomic_compare_exchange_n(&a->val, &old, val, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return old;
}

static inline void atomic_inc(atomic_t *a)
{
	atomic_fetch_add(a, 1);
}

/* Subtract one; true when that made it zero. */
static inline bool atomic_dec_and_test(atomic_t *a)
{
	return atomic_fetch_add(a, -1) == 1;
}

#endif
