/*
 * context.c - "may this context sleep?", interrupts on and off, locks and counters of the port.
 */
#include <quarry/asm/smp.h>
#include <quarry/atomic.h>
#include <quarry/env.h>
#include <quarry/ktest.h>
#include <quarry/percpu.h>
#include <quarry/port.h>
#include <quarry/spinlock.h>

KTEST(context, a_thread_may_sleep)
{
	EXPECT_EQ(t, 0, context_read());
	EXPECT_TRUE(t, env_can_sleep());
	EXPECT_FALSE(t, in_interrupt());
	EXPECT_FALSE(t, irqs_disabled());
	EXPECT_TRUE(t, cpu_irqs_enabled());
	might_sleep();
}

KTEST(context, with_interrupts_off_nothing_may_sleep)
{
	unsigned long flags = irq_save();
	bool can_sleep = env_can_sleep(), on = cpu_irqs_enabled(), off = irqs_disabled();

	irq_restore(flags);
	EXPECT_FALSE(t, can_sleep);
	EXPECT_FALSE(t, on);
	EXPECT_TRUE(t, off);
	EXPECT_TRUE(t, cpu_irqs_enabled());
	EXPECT_TRUE(t, env_can_sleep());
}

KTEST(context, the_outermost_restore_switches_interrupts_on_again)
{
	unsigned long outer = irq_save();
	unsigned long inner = irq_save();
	bool after_inner;

	irq_restore(inner);
	after_inner = cpu_irqs_enabled();
	irq_restore(outer);
	EXPECT_FALSE(t, after_inner);
	EXPECT_TRUE(t, cpu_irqs_enabled());
	EXPECT_EQ(t, 0, context_read());
}

KTEST(context, with_preemption_off_nothing_may_sleep_however_deep)
{
	bool once, twice, after;

	preempt_disable();
	once = env_can_sleep();
	preempt_disable();
	twice = env_can_sleep();
	preempt_enable();
	after = env_can_sleep();
	preempt_enable();
	EXPECT_FALSE(t, once);
	EXPECT_FALSE(t, twice);
	EXPECT_FALSE(t, after);
	EXPECT_TRUE(t, env_can_sleep());
	EXPECT_TRUE(t, cpu_irqs_enabled());
}

KTEST(context, whoever_holds_a_spinlock_may_not_sleep)
{
	static spinlock_t lock = SPINLOCK_INIT;
	unsigned long flags;
	bool can_sleep, on, locked = true;

	spin_lock_init(&lock);
	flags = spin_lock_irqsave(&lock);
	can_sleep = env_can_sleep();
	on = cpu_irqs_enabled();
	if (CONFIG_SMP)
		locked = arch_spin_is_locked(&lock.raw);
	spin_unlock_irqrestore(&lock, flags);
	EXPECT_TRUE(t, locked);
	EXPECT_FALSE(t, can_sleep);
	EXPECT_FALSE(t, on);
	EXPECT_TRUE(t, env_can_sleep());
	if (CONFIG_SMP)
		EXPECT_FALSE(t, arch_spin_is_locked(&lock.raw));
}

KTEST(context, an_exception_counts_while_it_lasts_and_leaves_the_word_as_it_was)
{
	unsigned long val;

	preempt_disable();
	EXPECT_EQ(t, 1, context_read() & CONTEXT_PREEMPT_MASK);
	/* A fault in the middle. */
	EXPECT_NE(t, 0, probe_read(NULL, &val));
	EXPECT_EQ(t, 1, context_read());
	preempt_enable();
	EXPECT_EQ(t, 0, context_read());
}

static QAPI void count_call(void *arg)
{
	unsigned int *nr_calls = arg;

	/* Sleeping in it would be wrong: that is counted as a call too many. */
	*nr_calls += env_can_sleep() ? 2 : 1;
}

KTEST(context, a_function_runs_once_on_each_cpu_with_interrupts_off)
{
	unsigned int nr_calls = 0;

	EXPECT_GE(t, 1, env_nr_cpus());
	EXPECT_TRUE(t, smp_cpu_id() < env_nr_cpus());
	env_for_each_cpu(count_call, &nr_calls);
	EXPECT_EQ(t, env_nr_cpus(), nr_calls);
	EXPECT_TRUE(t, env_can_sleep());
}

KTEST(context, the_kernel_has_the_ports_cpus)
{
	struct env_task task;
	unsigned int nr_calls = 0;

	EXPECT_EQ(t, smp_nr_cpus(), env_nr_cpus());
	smp_call_each(count_call, &nr_calls);
	EXPECT_EQ(t, smp_nr_cpus(), nr_calls);
	EXPECT_TRUE(t, env_can_sleep());
	/* Tests run in the thread that booted, and no others do meanwhile. */
	EXPECT_EQ(t, &task, smp_task(&task));
	EXPECT_FALSE(t, smp_wait());
}

KTEST(atomic, a_counter_goes_up_and_down_and_tells_when_it_reaches_zero)
{
	atomic_t a;

	atomic_set(&a, 1);
	atomic_inc(&a);
	EXPECT_EQ(t, 2, atomic_read(&a));
	EXPECT_FALSE(t, atomic_dec_and_test(&a));
	EXPECT_TRUE(t, atomic_dec_and_test(&a));
	EXPECT_EQ(t, 0, atomic_read(&a));
	EXPECT_EQ(t, 0, atomic_fetch_add(&a, 5));
	EXPECT_EQ(t, 5, atomic_fetch_add(&a, -7));
	EXPECT_EQ(t, -2, atomic_read(&a));
}

KTEST(atomic, a_compare_and_exchange_stores_only_over_what_was_expected)
{
	atomic_t a;

	atomic_set(&a, 7);
	EXPECT_EQ(t, 7, atomic_cmpxchg(&a, 7, -1));
	EXPECT_EQ(t, -1, atomic_read(&a));
	EXPECT_EQ(t, -1, atomic_cmpxchg(&a, 7, 9));
	EXPECT_EQ(t, -1, atomic_read(&a));
}

static DEFINE_PER_CPU(unsigned int, word) = 0;

KTEST(percpu, a_variable_of_this_cpu_is_read_and_changed_by_name_and_by_pointer)
{
	this_cpu_write(word, 5u);
	this_cpu_add(word, 2);
	EXPECT_EQ(t, 7, this_cpu_read(word));
	EXPECT_EQ(t, 7, *this_cpu_ptr(&word));
	EXPECT_EQ(t, this_cpu_ptr(&word), per_cpu_ptr(&word, smp_cpu_id()));
	this_cpu_or(word, 8u);
	this_cpu_and(word, ~1u);
	EXPECT_EQ(t, 14, this_cpu_read(word));
	this_cpu_write(word, 0u);
}
