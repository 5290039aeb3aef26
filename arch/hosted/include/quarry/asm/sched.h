/*
 * Layer: port
 * sched.h - points at which another CPU may run, or an interrupt may come.
 *
 * A program with one CPU only (HOSTED_SCHED=0: for valgrind and profilers) has none of them.
 */
#ifndef QUARRY_ASM_SCHED_H
#define QUARRY_ASM_SCHED_H

#include <quarry/compiler.h>
#include <quarry/types.h>

#if HOSTED_SCHED

extern unsigned int sched_active; /* several CPUs are running */

/* A point while several CPUs run: was this one interrupted, or its thread moved? */
QAPI bool sched_act(void);

/* Others may run here, an interrupt may come, and a thread may be moved to another CPU. */
static inline void sched_point(void)
{
	if (__atomic_load_n(&sched_active, __ATOMIC_RELAXED))
		sched_act();
}

#else

static inline void sched_point(void)
{
}

#endif

#endif
