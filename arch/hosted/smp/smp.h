/*
 * Layer: port
 * smp.h - what the files of the make-believe CPUs share.
 */
#ifndef ARCH_HOSTED_SMP_H
#define ARCH_HOSTED_SMP_H

#include <quarry/asm/smp.h>
#include <quarry/asm/spinlock.h>
#include <quarry/compiler.h>
#include <quarry/env.h>
#include <quarry/types.h>

/* A thread of smp_run(): a thread of the host, which plays the CPU that it is on. */
struct thread {
	struct env_task task;
	unsigned int nr;
	void *turn;                       /* the host's semaphore: whose turn it is */
	int cpu;                          /* -1: none, it waits for one */
	bool done;                        /* it has returned */
	unsigned int nr_left_cpu;         /* how often it waited for a CPU */
	const arch_spinlock_t *waits_for; /* spins on it */
	const void *waits_at;             /* for reports */
	QAPI void (*call)(void *arg);     /* what it asks other CPUs to run */
	void *call_arg;
	uint32_t call_left;  /* the CPUs that have not run it yet, a bit each */
	bool waits_for_call; /* for those, and does nothing else */
	uint64_t rng;        /* of real threads; by seed there is one for all */
	unsigned int countdown;
};

extern struct thread threads[SMP_THREADS_MAX];
extern unsigned int nr_threads; /* of this run */
extern unsigned int nr_cpus;
extern __thread struct thread *self; /* NULL: the boot thread */
extern const struct smp_plan *plan;
extern struct smp_result *result;

/* The two ways to run several CPUs: one at a time by seed, or all at once. */
struct sched_ops {
	bool (*act)(void);                                   /* a point; was it disturbed? */
	void (*spin)(arch_spinlock_t *l);                    /* wait a little for a lock */
	void (*call)(QAPI void (*fn)(void *arg), void *arg); /* on all CPUs but this one */
	void (*wait)(void);
	void (*run)(void);
};

extern const struct sched_ops by_seed_ops, at_once_ops;

/* cpus.c */
void become(unsigned int cpu);
void run_call(struct thread *t); /* what @t asks for, as an interrupt of this CPU */
void run_interrupt(void);        /* the plan's, on this CPU */
uint64_t random_next(uint64_t *state);
unsigned int random_distance(uint64_t *state);
void thread_start(struct thread *t, void (*main)(void *thread));
void deadlock(const char *why) __noreturn __cold;

/* Is this CPU, which has interrupts on, asked to run something? */
static inline bool is_asked(const struct thread *t, unsigned int cpu)
{
	return __atomic_load_n(&t->call_left, __ATOMIC_ACQUIRE) >> cpu & 1;
}

#endif
