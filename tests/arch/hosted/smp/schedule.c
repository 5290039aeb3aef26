/*
 * schedule.c - the make-believe CPUs keep the contract, and a seed is a schedule.
 *
 * THEORY.  What the walks stand on: that threads really come between each other's steps, and only
 * where they may; that a run is a function of its seed; that locks exclude, calls reach every CPU
 * once, and interrupts come where they are on and nowhere else.
 *
 * STATE.  What the threads of one run have seen.
 */
#include <quarry/asm/context.h>
#include <quarry/asm/sched.h>
#include <quarry/asm/smp.h>
#include <quarry/atomic.h>
#include <quarry/ktest.h>
#include <quarry/percpu.h>
#include <quarry/spinlock.h>
#include <quarry/string.h>

#define NR_THREADS  6u
#define NR_ROUNDS   200u /* of each thread */
#define CLOSE       3u   /* points between events: many */
#define SEED        4711u
#define NR_SEEDS    5u
#define NR_FLAG_OPS 50u

static spinlock_t lock = SPINLOCK_INIT;
static atomic_t nr_atomic;
static unsigned long nr_locked, nr_plain, nr_wrong, nr_moved;
static DEFINE_PER_CPU(unsigned int, is_off);
static DEFINE_PER_CPU(unsigned int, nr_calls);

static struct smp_result run_on(unsigned int nr_threads,
				QAPI void (*run)(unsigned int nr, void *arg),
				QAPI void (*irq)(void), uint64_t seed)
{
	const struct smp_plan plan = { .run = run,
				       .interrupt = irq,
				       .nr_threads = nr_threads,
				       .distance = CLOSE,
				       .seed = seed };
	struct smp_result result;

	atomic_set(&nr_atomic, 0);
	nr_locked = nr_plain = nr_wrong = nr_moved = 0;
	smp_run(&plan, &result);
	return result;
}

static struct smp_result run_of(QAPI void (*run)(unsigned int nr, void *arg),
				QAPI void (*irq)(void), uint64_t seed)
{
	return run_on(NR_THREADS, run, irq, seed);
}

/* ---- counting ------------------------------------------------------------------------------- */

static QAPI void count(unsigned int nr, void *arg)
{
	(void)nr;
	(void)arg;
	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		unsigned long flags = spin_lock_irqsave(&lock), was = nr_locked;

		atomic_inc(&nr_atomic);
		nr_locked = was + 1;
		spin_unlock_irqrestore(&lock, flags);
	}
}

KTEST_NEEDS(smp_schedule, a_lock_excludes_others, .cpus = 2)
{
	for (unsigned int i = 0; i < NR_SEEDS; i++) {
		run_of(count, NULL, i);
		EXPECT_EQ(t, NR_THREADS * NR_ROUNDS, nr_locked);
		EXPECT_EQ(t, NR_THREADS * NR_ROUNDS, atomic_read(&nr_atomic));
	}
}

static QAPI void count_without_lock(unsigned int nr, void *arg)
{
	(void)nr;
	(void)arg;
	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		unsigned long was = READ_ONCE(nr_plain);

		sched_point();
		WRITE_ONCE(nr_plain, was + 1);
	}
}

/* Of CPUs that run at once, one may be done before the next begins. */
KTEST_NEEDS(smp_schedule, without_a_lock_counts_are_lost, .cpus = 2, .features = KTEST_BY_SEED)
{
	unsigned int nr_lossy = 0;

	for (unsigned int i = 0; i < NR_SEEDS; i++) {
		run_of(count_without_lock, NULL, i);
		nr_lossy += nr_plain < NR_THREADS * NR_ROUNDS;
	}
	EXPECT_EQ(t, NR_SEEDS, nr_lossy);
}

KTEST_NEEDS(smp_schedule, the_same_seed_is_the_same_run, .cpus = 2, .features = KTEST_BY_SEED)
{
	struct smp_result first = run_of(count, NULL, SEED), again = run_of(count, NULL, SEED);
	struct smp_result other = run_of(count, NULL, SEED + 1);

	EXPECT_EQ(t, first.hash, again.hash);
	EXPECT_EQ(t, first.nr_switches, again.nr_switches);
	EXPECT_EQ(t, first.nr_moves, again.nr_moves);
	EXPECT_NE(t, first.hash, other.hash);
	EXPECT_GE(t, NR_THREADS, first.nr_switches);
}

/* ---- interrupts ----------------------------------------------------------------------------- */

static QAPI void look_at_flag(void)
{
	if (this_cpu_read(is_off) || !in_interrupt() || !irqs_disabled())
		__atomic_fetch_add(&nr_wrong, 1, __ATOMIC_RELAXED);
}

static QAPI void switch_off_and_on(unsigned int nr, void *arg)
{
	(void)nr;
	(void)arg;
	for (unsigned int i = 0; i < NR_FLAG_OPS; i++) {
		unsigned long flags = irq_save();

		this_cpu_write(is_off, 1);
		sched_point();
		sched_point();
		this_cpu_write(is_off, 0);
		irq_restore(flags);
		sched_point();
	}
}

KTEST_NEEDS(smp_schedule, interrupts_come_only_where_they_are_on, .cpus = 2)
{
	unsigned long nr_interrupts = 0;

	for (unsigned int i = 0; i < NR_SEEDS; i++) {
		nr_interrupts += run_of(switch_off_and_on, look_at_flag, i).nr_interrupts;
		EXPECT_EQ(t, 0, nr_wrong);
	}
	EXPECT_GE(t, NR_SEEDS, nr_interrupts);
}

/* ---- preemption ----------------------------------------------------------------------------- */

static QAPI void stay_and_go(unsigned int nr, void *arg)
{
	(void)nr;
	(void)arg;
	for (unsigned int i = 0; i < NR_ROUNDS; i++) {
		unsigned int cpu = smp_cpu_id();

		sched_point();
		nr_moved += cpu != smp_cpu_id();
		preempt_disable();
		cpu = smp_cpu_id();
		sched_point();
		sched_point();
		nr_wrong += cpu != smp_cpu_id();
		preempt_enable();
	}
}

KTEST_NEEDS(smp_schedule, a_thread_changes_its_cpu_unless_preemption_is_off, .cpus = 2,
	    .features = KTEST_BY_SEED)
{
	/* More than can run, so that some wait for a CPU. */
	run_on(smp_nr_cpus() + 2, stay_and_go, NULL, SEED);
	EXPECT_EQ(t, 0, nr_wrong);
	EXPECT_GE(t, 1, nr_moved);
}

/* ---- calls ---------------------------------------------------------------------------------- */

static QAPI void count_call(void *arg)
{
	(void)arg;
	if (!irqs_disabled())
		__atomic_fetch_add(&nr_wrong, 1, __ATOMIC_RELAXED);
	this_cpu_add(nr_calls, 1);
}

static QAPI void call_all(unsigned int nr, void *arg)
{
	(void)nr;
	(void)arg;
	for (unsigned int i = 0; i < NR_FLAG_OPS; i++)
		env_for_each_cpu(count_call, NULL);
}

KTEST_NEEDS(smp_schedule, a_call_to_all_reaches_each_cpu_once_while_all_call, .cpus = 2)
{
	for (unsigned int cpu = 0; cpu < env_nr_cpus(); cpu++)
		*per_cpu_ptr(&nr_calls, cpu) = 0;
	run_of(call_all, NULL, SEED);
	EXPECT_EQ(t, 0, nr_wrong);
	for (unsigned int cpu = 0; cpu < env_nr_cpus(); cpu++)
		EXPECT_EQ(t, NR_THREADS * NR_FLAG_OPS, *per_cpu_ptr(&nr_calls, cpu));
}
