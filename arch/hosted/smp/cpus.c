/*
 * cpus.c - several make-believe CPUs: their per-CPU data, context words, locks, calls to all.
 *
 * IDEA.  A CPU is a number, a copy of the per-CPU data and a context word.  Threads of the host
 * play CPUs: a thread that takes up a CPU sets its own percpu_this_offset and percpu_cpu_id.
 * While the boot thread alone runs, the other CPUs are idle, and what they are to do is done by it
 * in their name.  During smp_run() there are as many threads as the plan wants, and who plays
 * which CPU, and when, is decided by schedule.c (one at a time, by seed) or by the host
 * (parallel.c).
 *
 * What must be one instruction to the rest (the context word's changes) is a function here, and
 * between its parts nobody else runs.  Around it are points: sched_point().
 *
 * STATE.  nr_cpus, percpu_offset[]; during a run: threads[], plan, result.
 *
 * INVARIANTS.
 *   C1  a thread with a CPU has that CPU's base and number;
 *   C2  an idle CPU has the context word 0.
 *
 * CONTEXT.  Any; smp_run() the boot thread.
 */
#include "smp.h"

#include "../host_ops.h"
#include "../hosted.h"
#include <quarry/align.h>
#include <quarry/asm/context.h>
#include <quarry/asm/sched.h>
#include <quarry/bug.h>
#include <quarry/ksyms.h>
#include <quarry/panic.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#define USUAL_DISTANCE 16u /* points between two events, on average */

extern char __start_percpu_data[], __stop_percpu_data[];

struct thread threads[SMP_THREADS_MAX];
unsigned int nr_threads;
unsigned int nr_cpus = 1;
__thread struct thread *self;
const struct smp_plan *plan;
struct smp_result *result;
unsigned int sched_active;

static const struct sched_ops *ops = &by_seed_ops;

/* ---- CPUs -------------------------------------------------------------------------------- */

void become(unsigned int cpu)
{
	percpu_cpu_id = cpu;
	percpu_this_offset = percpu_offset[cpu];
}

bool smp_init(unsigned int nr, bool at_once)
{
	size_t size = (size_t)(__stop_percpu_data - __start_percpu_data);

	BUG_ON(!nr || nr > NR_CPUS);
	if (at_once)
		ops = &at_once_ops;
	for (unsigned int cpu = 1; cpu < nr; cpu++) {
		char *copy = host_alloc(size);

		memcpy(copy, __start_percpu_data, size);
		percpu_offset[cpu] = (uintptr_t)copy - (uintptr_t)__start_percpu_data;
		*per_cpu_ptr(&context_word, cpu) = 0;
	}
	nr_cpus = nr;
	return true;
}

/* Something is to be reported: from now on nobody else runs, if one runs at a time. */
void smp_freeze(void)
{
	if (!__atomic_exchange_n(&sched_active, 0u, __ATOMIC_RELAXED))
		return;
	console_fresh_line();
	pr_emerg("CPU %u: thread %u of a run with seed=%llu, after %lu switches\n", smp_cpu_id(),
		 self->nr, (unsigned long long)plan->seed, result->nr_switches);
}

QAPI unsigned int smp_nr_cpus(void)
{
	return nr_cpus;
}

QAPI bool smp_is_by_seed(void)
{
	return ops == &by_seed_ops;
}

QAPI struct env_task *smp_task(struct env_task *boot)
{
	return self ? &self->task : boot;
}

QAPI bool smp_wait(void)
{
	if (!sched_active)
		return false;
	ops->wait();
	return true;
}

/* ---- the context word --------------------------------------------------------------------- */

QAPI unsigned int context_read(void)
{
	return this_cpu_read(context_word);
}

QAPI unsigned long irq_save(void)
{
	unsigned long was_off;

	sched_point();
	was_off = context_read() & CONTEXT_IRQS_OFF;
	this_cpu_or(context_word, CONTEXT_IRQS_OFF);
	return was_off;
}

QAPI void irq_enable(void)
{
	this_cpu_and(context_word, ~CONTEXT_IRQS_OFF);
	sched_point();
}

QAPI void preempt_disable(void)
{
	sched_point();
	this_cpu_add(context_word, 1);
}

QAPI void preempt_enable(void)
{
	this_cpu_add(context_word, -1);
	sched_point();
}

/* ---- locks --------------------------------------------------------------------------------- */

/* "symbol+offset", or the bare address. */
static void name(uintptr_t va, char *to, size_t size)
{
	unsigned long offset;
	const char *symbol = ksym_lookup(va, &offset, NULL);

	if (symbol)
		snprintf(to, size, "%s+%#lx", symbol, offset);
	else
		snprintf(to, size, "%#lx", (unsigned long)va);
}

static void name_lock(const arch_spinlock_t *l)
{
	char lock[64], taker[64];

	name((uintptr_t)l, lock, sizeof(lock));
	name((uintptr_t)l->taker, taker, sizeof(taker));
	pr_emerg("  lock %s is held by CPU %u, taken at %s\n", lock, l->holder - 1, taker);
}

static void name_thread(const struct thread *t)
{
	char at[64];

	name((uintptr_t)t->waits_at, at, sizeof(at));
	if (t->waits_for)
		pr_emerg("CPU %d: thread %u waits at %s\n", t->cpu, t->nr, at);
	else if (t->waits_for_call)
		pr_emerg("CPU %d: thread %u waits for CPUs %#x to answer a call\n", t->cpu, t->nr,
			 t->call_left);
	if (t->waits_for)
		name_lock(t->waits_for);
}

void deadlock(const char *why)
{
	smp_freeze();
	console_fresh_line();
	for (unsigned int i = 0; i < nr_threads; i++)
		if (threads[i].cpu >= 0 && !threads[i].done)
			name_thread(&threads[i]);
	panic("deadlock: %s", why);
}

static __cold void wait_for_lock(arch_spinlock_t *l, const void *at)
{
	char who[64];

	/* Of CPUs that run at once, the others go on while one reports; this is no deadlock. */
	bool others_run = self && (sched_active || !smp_is_by_seed());

	if (__atomic_load_n(&l->holder, __ATOMIC_RELAXED) != smp_cpu_id() + 1 && others_run) {
		self->waits_at = at;
		ops->spin(l);
		return;
	}
	smp_freeze();
	console_fresh_line();
	name_lock(l);
	name((uintptr_t)at, who, sizeof(who));
	panic("deadlock: CPU %u waits at %s, and nobody can release the lock", smp_cpu_id(), who);
}

__noinline QAPI void arch_spin_lock(arch_spinlock_t *l)
{
	unsigned int holder = 0;

	sched_point();
	while (!__atomic_compare_exchange_n(&l->holder, &holder, smp_cpu_id() + 1, false,
					    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		wait_for_lock(l, __builtin_return_address(0));
		holder = 0;
	}
	l->taker = __builtin_return_address(0);
	sched_point();
}

QAPI void arch_spin_unlock(arch_spinlock_t *l)
{
	sched_point();
	__atomic_store_n(&l->holder, 0, __ATOMIC_RELEASE);
	sched_point();
}

/* ---- calls to all --------------------------------------------------------------------------- */

void run_call(struct thread *t)
{
	unsigned int word = interrupt_begin();

	t->call(t->call_arg);
	interrupt_end(word);
}

void run_interrupt(void)
{
	unsigned int word = interrupt_begin();

	__atomic_fetch_add(&result->nr_interrupts, 1, __ATOMIC_RELAXED);
	plan->interrupt();
	interrupt_end(word);
}

/* All others are idle: their part is done here, in their name. */
static void call_idle(QAPI void (*fn)(void *arg), void *arg)
{
	unsigned int here = smp_cpu_id();

	for (unsigned int cpu = 0; cpu < nr_cpus; cpu++) {
		unsigned int word;

		if (cpu == here)
			continue;
		become(cpu);
		word = interrupt_begin();
		fn(arg);
		interrupt_end(word);
	}
	become(here);
}

QAPI void smp_call_each(QAPI void (*fn)(void *arg), void *arg)
{
	unsigned long flags;

	preempt_disable();
	if (sched_active)
		ops->call(fn, arg);
	else
		call_idle(fn, arg);
	flags = irq_save();
	fn(arg);
	irq_restore(flags);
	preempt_enable();
}

static QAPI void nothing(void *unused)
{
	(void)unused;
}

/* Others are told of a flush and waited for, which is why interrupts must be on. */
void smp_flush(void)
{
	if (!sched_active)
		return;
	BUG_ON(irqs_disabled());
	preempt_disable();
	ops->call(nothing, NULL);
	preempt_enable();
}

/* ---- runs ----------------------------------------------------------------------------------- */

/* Sebastiano Vigna's splitmix64: any seed will do. */
uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9E3779B97F4A7C15ull;

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
	z = (z ^ z >> 27) * 0x94D049BB133111EBull;
	return z ^ z >> 31;
}

unsigned int random_distance(uint64_t *state)
{
	unsigned int mean = plan->distance ? plan->distance : USUAL_DISTANCE;

	return 1 + (unsigned int)(random_next(state) >> 32) % (2 * mean);
}

QAPI bool sched_act(void)
{
	/* The boot thread is no thread of the run: it only gets it going. */
	return self && ops->act();
}

void thread_start(struct thread *t, void (*main)(void *thread))
{
	unsigned int nr = (unsigned int)(t - threads);
	void *turn = t->turn ? t->turn : host_turn_new();

	*t = (struct thread){ .task = { .name = "thread" }, .nr = nr, .turn = turn, .cpu = -1 };
	t->rng = plan->seed + nr;
	t->countdown = random_distance(&t->rng);
	host_thread_start(main, t);
}

QAPI void smp_run(const struct smp_plan *p, struct smp_result *r)
{
	BUG_ON(self || sched_active || p->nr_threads > SMP_THREADS_MAX);
	*r = (struct smp_result){ 0 };
	plan = p;
	result = r;
	nr_threads = p->nr_threads ? p->nr_threads : nr_cpus;
	ops->run();
	host_threads_join();
	become(0);
}
