/*
 * Layer: port
 * smp.h - the make-believe CPUs as the kernel and its tests see them.
 */
#ifndef QUARRY_ASM_SMP_H
#define QUARRY_ASM_SMP_H

#if HOSTED_SCHED

#include <quarry/env.h>

#define SMP_THREADS_MAX 64u

/* CPUs, all of them online from the start. */
QAPI unsigned int smp_nr_cpus(void);

/* Run @fn(@arg) on every CPU, interrupts off; wait for all. */
QAPI void smp_call_each(QAPI void (*fn)(void *arg), void *arg);

/* Let others run; false: there are none. */
QAPI bool smp_wait(void);

/* The running thread; @boot is the one that booted. */
QAPI struct env_task *smp_task(struct env_task *boot);

/* Threads on all CPUs at once. */
struct smp_plan {
	QAPI void (*run)(unsigned int nr, void *arg); /* thread number @nr, from 0 */
	QAPI void (*interrupt)(void);                 /* comes at any time; NULL: none */
	void *arg;
	unsigned int nr_threads; /* at most SMP_THREADS_MAX; 0: as many as CPUs */
	unsigned int distance;   /* points between two events, on average; 0: the usual */
	uint64_t seed;           /* of who runs when, and when interrupts come */
};

/* What came of it. */
struct smp_result {
	uint64_t hash; /* of who ran when: the same seed has the same */
	unsigned long nr_switches;
	unsigned long nr_interrupts;
	unsigned long nr_moves; /* threads that went on on another CPU, or waited for one */
};

/**
 * smp_run - run threads on all CPUs until each has returned.
 *
 * By seed, one CPU runs at a time, and the result says how; with real threads it says nothing.
 * Context: the boot thread, which waits.
 */
QAPI void smp_run(const struct smp_plan *plan, struct smp_result *result);

/* Do CPUs run one at a time, by seed? */
QAPI bool smp_is_by_seed(void);

#else

#include <quarry/smp_one.h>

#endif

#endif
