/*
 * Layer: contract
 * smp_one.h - the CPUs of a port that runs one.
 *
 * A port's <quarry/asm/smp.h> includes this file when it has no others.
 */
#ifndef QUARRY_SMP_ONE_H
#define QUARRY_SMP_ONE_H

#include <quarry/env.h>

static inline unsigned int smp_nr_cpus(void)
{
	return 1;
}

/* Run @fn(@arg) on every CPU, interrupts off; wait for all. */
static inline void smp_call_each(QAPI void (*fn)(void *arg), void *arg)
{
	unsigned long flags = irq_save();

	fn(arg);
	irq_restore(flags);
}

/* Let others run; false: there are none. */
static inline bool smp_wait(void)
{
	return false;
}

/* The running thread; @boot is the one that booted. */
static inline struct env_task *smp_task(struct env_task *boot)
{
	return boot;
}

/* Do CPUs run one at a time, by seed?  There is nobody to draw. */
static inline bool smp_is_by_seed(void)
{
	return false;
}

#endif
