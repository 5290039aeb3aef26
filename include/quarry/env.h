/*
 * Layer: contract
 * env.h - what mm/ asks of the kernel that it lives in.
 *
 * Inline, from <quarry/asm/context.h>: env_can_sleep(), in_interrupt(), irqs_disabled(),
 * irq_save(), irq_restore(), preempt_disable(), preempt_enable().  Extern: the functions below.
 * include/quarry/contract.txt is the complete list; a kernel without threads may answer each in a
 * line (see kernel/env.c).
 */
#ifndef QUARRY_ENV_H
#define QUARRY_ENV_H

#include <quarry/asm/context.h>
#include <quarry/bug.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

/* The running thread, as far as mm/ cares. */
struct env_task {
	unsigned int flags; /* PF_* */
	const char *name;   /* for reports */
};

#define PF_MEMALLOC 0x1u /* is itself freeing memory: may use all reserves, must not reclaim */

/**
 * env_current - the running thread; in an interrupt, the interrupted one.
 *
 * Return:  never NULL.
 * Context: any.
 */
QAPI struct env_task *env_current(void);

/**
 * env_nr_cpus - CPUs that are online: numbers 0 .. n - 1.
 */
QAPI unsigned int env_nr_cpus(void);

/**
 * env_for_each_cpu - run @fn(@arg) once on every online CPU, this one included, and wait for all.
 *
 * Context: a thread that may sleep.  @fn runs with interrupts off and must not sleep.
 */
QAPI void env_for_each_cpu(QAPI void (*fn)(void *arg), void *arg);

/**
 * env_wait_for_memory - let others run: an allocation found nothing and was told to wait, every
 * slot of kmap() is held, another thread is about to flush freed areas, or a shrinker that is
 * unregistered is running.
 * @ms: how long at most.
 *
 * Return:  true when it waited (trying again makes sense); false when this kernel has nobody else
 *          to wait for, and an allocation that may fail gives up at once.
 * Context: a thread that may sleep.
 */
QAPI bool env_wait_for_memory(unsigned int ms);

/**
 * env_wake_reclaim - free pages of some zone fell below its low watermark.
 *
 * Wakes whatever calls reclaim_background(); a kernel without such a thread does nothing.
 * Context: any, interrupts included, with no lock of mm/ held.
 */
QAPI void env_wake_reclaim(void);

/**
 * env_out_of_memory - nothing could be reclaimed for an allocation that may not fail easily.
 *
 * Return:  true when memory was or will be freed (try again); false when there is nobody to end.
 * Context: a thread that may sleep.
 */
QAPI bool env_out_of_memory(gfp_t gfp, unsigned int order);

/**
 * env_dump_stack - print the caller's backtrace with printk.
 *
 * Context: any.
 */
QAPI void env_dump_stack(void);

/* A function that may sleep says so at its start, so that a wrong call shows every time. */
static inline void might_sleep(void)
{
	BUG_ON(!env_can_sleep());
}

#endif
