/*
 * schedule.c - several CPUs, one at a time: who runs, and for how long, is drawn from a seed.
 *
 * IDEA.  Each thread of a run is a thread of the host, but only the one whose turn it is runs; the
 * others wait for theirs.  Code under test comes through points (sched_point(): around locks,
 * interrupts switched on and off, atomic operations, within pops and pushes; and with the steps
 * variant before each access to memory).  After a number of points that is drawn, something
 * happens: another CPU's thread runs; the simulated device interrupts this CPU, if it has
 * interrupts on; or, where the context word is 0, the thread is preempted: one that waits for a CPU
 * takes this one, and the first goes on later, on whichever CPU is free.
 *
 * All draws are from one generator and nothing else decides, so the same seed, program and state of
 * memory give the same run; the hash sums up every decision and how many points lay in between.
 *
 * A thread that spins on a lock, or waits for others to answer a call, cannot run until that has
 * changed.  When nobody can run, that is a deadlock, and certain.
 *
 * STATE.  current[]: the thread on each CPU, NULL: idle.  waiting[]: threads without a CPU.  rng,
 * countdown.  All of it is touched only by the thread whose turn it is.
 *
 * INVARIANTS.
 *   D1  current[t->cpu] is t for every thread with a CPU, but while it acts for an idle one;
 *   D2  no CPU is idle while a thread waits for one, but between two turns.
 *
 * CONTEXT.  Any, but where the host's handler of a fault runs.
 */
#include "smp.h"

#include "../host_ops.h"
#include "../hosted.h"
#include <quarry/asm/context.h>
#include <quarry/asm/sched.h>
#include <quarry/bug.h>

static struct thread *current[NR_CPUS];
static struct thread *waiting[SMP_THREADS_MAX];
static unsigned int nr_waiting, nr_left;
static uint64_t rng;
static unsigned int countdown;
static unsigned long nr_points;
static void *boot_turn;

/* What happens after a number of points; the weights are their places in a table. */
enum event { SWITCH, INTERRUPT, PREEMPT };
static const enum event events[] = { SWITCH, SWITCH, INTERRUPT, PREEMPT };

#define HASH_PRIME 0x100000001B3ull /* FNV-1a's, of 64 bits */

static unsigned int draw(unsigned int limit)
{
	return (unsigned int)(random_next(&rng) >> 32) % limit;
}

static void note(enum event event, unsigned int who)
{
	result->hash = (result->hash ^ ((uint64_t)nr_points << 16 | event << 8 | who)) * HASH_PRIME;
}

/* ---- who can run ---------------------------------------------------------------------------- */

static bool asked_anywhere(unsigned int cpu)
{
	for (unsigned int i = 0; i < nr_threads; i++)
		if (is_asked(&threads[i], cpu))
			return true;
	return false;
}

static bool can_run(const struct thread *t)
{
	unsigned int cpu = (unsigned int)t->cpu;

	if (t->waits_for)
		return !t->waits_for->holder;
	if (!t->waits_for_call || !t->call_left)
		return true;
	return !(*per_cpu_ptr(&context_word, cpu) & CONTEXT_IRQS_OFF) && asked_anywhere(cpu);
}

/* The thread that runs next: of those on CPUs, one that can. */
static struct thread *pick(void)
{
	struct thread *able[SMP_THREADS_MAX];
	unsigned int nr = 0;

	for (unsigned int i = 0; i < nr_threads; i++) {
		struct thread *t = &threads[i];

		if (t->cpu >= 0 && !t->done && can_run(t))
			able[nr++] = t;
	}
	if (!nr)
		deadlock("no CPU can go on");
	return able[draw(nr)];
}

/* It is @next's turn; ours comes again. */
static void hand_over(struct thread *next)
{
	struct thread *me = self;

	note(SWITCH, next->nr);
	if (next == me)
		return;
	result->nr_switches++;
	host_turn_give(next->turn);
	host_turn_wait(me->turn);
	become((unsigned int)me->cpu);
}

/* Somebody who waits takes @cpu; NULL: nobody waits. */
static struct thread *take_waiting(unsigned int cpu)
{
	unsigned int i;
	struct thread *t;

	if (!nr_waiting)
		return NULL;
	i = draw(nr_waiting);
	t = waiting[i];
	waiting[i] = waiting[--nr_waiting];
	t->cpu = (int)cpu;
	current[cpu] = t;
	return t;
}

/* ---- what happens at a point ---------------------------------------------------------------- */

/* Run what others ask this CPU for. */
static bool answer(void)
{
	unsigned int cpu = smp_cpu_id();
	bool any = false;

	for (unsigned int i = 0; i < nr_threads; i++) {
		if (!is_asked(&threads[i], cpu))
			continue;
		run_call(&threads[i]);
		threads[i].call_left &= ~(1u << cpu);
		any = true;
	}
	return any;
}

/* Until nobody asks; what comes next must be done before the next point. */
static void answer_all(void)
{
	while (answer())
		;
}

/* The thread's CPU goes to one that waits. */
static void preempt(void)
{
	struct thread *me = self;
	unsigned int cpu = smp_cpu_id();

	if (!take_waiting(cpu))
		return;
	me->cpu = -1;
	me->nr_left_cpu++;
	result->nr_moves++;
	waiting[nr_waiting++] = me;
	note(PREEMPT, me->nr);
}

static bool happen(enum event event)
{
	unsigned int word = context_read();

	if (event == INTERRUPT && plan->interrupt && !(word & CONTEXT_IRQS_OFF)) {
		note(INTERRUPT, smp_cpu_id());
		run_interrupt();
		return true;
	}
	if (event == PREEMPT && !word)
		preempt();
	hand_over(pick());
	return false;
}

static bool act(void)
{
	unsigned int nr_left_cpu = self->nr_left_cpu;
	bool disturbed = false;

	nr_points++;
	if (!(context_read() & CONTEXT_IRQS_OFF))
		disturbed = answer();
	if (!--countdown) {
		countdown = random_distance(&rng);
		disturbed |= happen(events[draw(ARRAY_SIZE(events))]);
	}
	return disturbed || self->nr_left_cpu != nr_left_cpu;
}

static void spin(arch_spinlock_t *l)
{
	self->waits_for = l;
	hand_over(pick());
	self->waits_for = NULL;
}

static void wait(void)
{
	if (!context_read())
		preempt();
	hand_over(pick());
}

/* Nobody is on @cpu: we do it in its name, and what others ask it for meanwhile. */
static void act_for(unsigned int cpu, QAPI void (*fn)(void *arg), void *arg)
{
	struct thread *me = self;
	unsigned int here = smp_cpu_id(), word;

	current[cpu] = me;
	me->cpu = (int)cpu;
	become(cpu);
	word = interrupt_begin();
	fn(arg);
	interrupt_end(word);
	answer_all();
	current[cpu] = NULL;
	me->cpu = (int)here;
	become(here);
}

static void call(QAPI void (*fn)(void *arg), void *arg)
{
	struct thread *me = self;
	unsigned int here = smp_cpu_id();

	me->call = fn;
	me->call_arg = arg;
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++)
		if (cpu != here && current[cpu])
			me->call_left |= 1u << cpu;
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++)
		if (!current[cpu])
			act_for(cpu, fn, arg);
	while (me->call_left) {
		if (!(context_read() & CONTEXT_IRQS_OFF))
			answer();
		me->waits_for_call = true;
		hand_over(pick());
		me->waits_for_call = false;
	}
}

/* ---- a run ---------------------------------------------------------------------------------- */

/* The thread has returned: its CPU takes another one, and somebody goes on. */
static void leave(struct thread *me)
{
	unsigned int cpu = smp_cpu_id();

	BUG_ON(context_read());
	answer_all();
	me->done = true;
	me->cpu = -1;
	current[cpu] = NULL;
	take_waiting(cpu);
	if (--nr_left) {
		host_turn_give(pick()->turn);
		return;
	}
	__atomic_store_n(&sched_active, 0u, __ATOMIC_RELAXED);
	host_turn_give(boot_turn);
}

static void thread_main(void *thread)
{
	struct thread *me = thread;

	self = me;
	host_turn_wait(me->turn);
	become((unsigned int)me->cpu);
	plan->run(me->nr, plan->arg);
	leave(me);
}

static void run(void)
{
	if (!boot_turn)
		boot_turn = host_turn_new();
	rng = plan->seed;
	countdown = random_distance(&rng);
	nr_points = 0;
	nr_waiting = 0;
	nr_left = nr_threads;
	for (unsigned int i = 0; i < nr_threads; i++) {
		thread_start(&threads[i], thread_main);
		waiting[nr_waiting++] = &threads[i];
	}
	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++) {
		current[cpu] = NULL;
		take_waiting(cpu);
	}
	__atomic_store_n(&sched_active, 1u, __ATOMIC_RELAXED);
	host_turn_give(pick()->turn);
	host_turn_wait(boot_turn);
	note(SWITCH, 0);
}

const struct sched_ops by_seed_ops = {
	.act = act, .spin = spin, .call = call, .wait = wait, .run = run
};
