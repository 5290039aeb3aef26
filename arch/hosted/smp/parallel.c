/*
 * parallel.c - several CPUs at once: one thread of the host each, for the thread sanitizer.
 *
 * IDEA.  Thread k of a run plays CPU k from beginning to end, and does the work of the plan's
 * threads k, k + nr_cpus, ...: nothing is preempted or moved.  Who has done its work answers the
 * others' calls until all have.  Interrupts, of the simulated device and of other CPUs, come at
 * points.
 *
 * A run cannot be repeated, so a wait that does not end is not known for certain; after a long time
 * it is called a deadlock.
 *
 * STATE.  nr_left; each thread's own generator, and the calls that it asks for.
 *
 * CONTEXT.  As schedule.c.
 */
#include "smp.h"

#include "../host_ops.h"
#include "../hosted.h"
#include <quarry/asm/context.h>
#include <quarry/asm/sched.h>
#include <quarry/bug.h>

#define RELAX_SPINS   100u    /* before a wait lets the host run another thread */
#define DEADLOCK_SPIN 400000u /* each sleeps for some 50 us after RELAX_SPINS */

static unsigned int nr_left;
static unsigned int nr_jobs;

/* Run what others ask this CPU for. */
static bool answer(void)
{
	unsigned int cpu = smp_cpu_id();
	bool any = false;

	if (context_read() & CONTEXT_IRQS_OFF)
		return false;
	for (unsigned int i = 0; i < nr_threads; i++) {
		if (!is_asked(&threads[i], cpu))
			continue;
		run_call(&threads[i]);
		__atomic_fetch_and(&threads[i].call_left, ~(1u << cpu), __ATOMIC_RELEASE);
		any = true;
	}
	return any;
}

static bool act(void)
{
	struct thread *me = self;
	bool disturbed = answer();

	if (--me->countdown)
		return disturbed;
	me->countdown = random_distance(&me->rng);
	if (!plan->interrupt || (context_read() & CONTEXT_IRQS_OFF)) {
		host_relax(0);
		return disturbed;
	}
	run_interrupt();
	return true;
}

static void relax(unsigned int *nr)
{
	if (++*nr > RELAX_SPINS)
		host_relax(1);
	if (*nr > DEADLOCK_SPIN)
		deadlock("a CPU has waited for very long");
}

static void spin(arch_spinlock_t *l)
{
	unsigned int nr = 0;

	while (__atomic_load_n(&l->holder, __ATOMIC_RELAXED)) {
		self->waits_for = l;
		relax(&nr);
	}
	self->waits_for = NULL;
}

static void wait(void)
{
	answer();
	host_relax(1);
}

static void call(QAPI void (*fn)(void *arg), void *arg)
{
	uint32_t all = (uint32_t)((1ull << nr_cpus) - 1);
	struct thread *me = self;
	unsigned int nr = 0;

	me->call = fn;
	me->call_arg = arg;
	__atomic_store_n(&me->call_left, all & ~(1u << smp_cpu_id()), __ATOMIC_RELEASE);
	while (__atomic_load_n(&me->call_left, __ATOMIC_ACQUIRE)) {
		if (!answer())
			relax(&nr);
	}
}

static void thread_main(void *thread)
{
	struct thread *me = thread;

	self = me;
	me->cpu = (int)me->nr;
	become(me->nr);
	host_turn_wait(me->turn);
	for (unsigned int nr = me->nr; nr < nr_jobs; nr += nr_cpus)
		plan->run(nr, plan->arg);
	BUG_ON(context_read());
	__atomic_fetch_sub(&nr_left, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&nr_left, __ATOMIC_ACQUIRE)) {
		answer();
		host_relax(0);
	}
}

static void run(void)
{
	nr_jobs = nr_threads;
	nr_threads = nr_cpus;
	nr_left = nr_cpus;
	for (unsigned int i = 0; i < nr_threads; i++)
		thread_start(&threads[i], thread_main);
	__atomic_store_n(&sched_active, 1u, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < nr_threads; i++)
		host_turn_give(threads[i].turn);
	host_threads_join();
	__atomic_store_n(&sched_active, 0u, __ATOMIC_RELAXED);
}

const struct sched_ops at_once_ops = {
	.act = act, .spin = spin, .call = call, .wait = wait, .run = run
};
