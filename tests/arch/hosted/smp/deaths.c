/*
 * deaths.c - crimes that need several CPUs, or know this port.
 */
#include "../../../death/death.h"

#include <quarry/asm/context.h>
#include <quarry/asm/sched.h>
#include <quarry/asm/smp.h>
#include <quarry/spinlock.h>
#include <quarry/vmalloc.h>

static spinlock_t first_lock = SPINLOCK_INIT, second_lock = SPINLOCK_INIT;

#define NR_TRIES 1000u

/* Thread 0 takes them in one order, thread 1 in the other. */
static QAPI void take_both(unsigned int nr, void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < NR_TRIES; i++) {
		spinlock_t *outer = nr ? &second_lock : &first_lock;
		spinlock_t *inner = nr ? &first_lock : &second_lock;
		unsigned long flags = spin_lock_irqsave(outer);
		unsigned long inner_flags = spin_lock_irqsave(inner);

		spin_unlock_irqrestore(inner, inner_flags);
		spin_unlock_irqrestore(outer, flags);
	}
}

static void run(QAPI void (*fn)(unsigned int nr, void *arg))
{
	const struct smp_plan plan = { .run = fn, .nr_threads = 2, .seed = 1 };
	struct smp_result result;

	smp_run(&plan, &result);
}

static void smp_locks_in_both_orders(void)
{
	run(take_both);
}

static void smp_lock_twice(void)
{
	unsigned long flags = spin_lock_irqsave(&first_lock);

	flags |= spin_lock_irqsave(&first_lock);
	(void)flags;
}

static QAPI void flush_with_lock(unsigned int nr, void *arg)
{
	unsigned long flags = spin_lock_irqsave(&first_lock);

	(void)nr;
	(void)arg;
	vm_unmap_aliases();
	spin_unlock_irqrestore(&first_lock, flags);
}

static void smp_sleep_with_lock(void)
{
	run(flush_with_lock);
}

/* Nothing in the window can be run, whatever its entry says. */
static void run_data(void)
{
	void (*data)(void) = (void (*)(void))(uintptr_t)page_address(victim(GFP_KERNEL, 0));

	data();
}

const struct death port_deaths[] = {
	DEATH(smp_locks_in_both_orders),
	DEATH(smp_lock_twice),
	DEATH(smp_sleep_with_lock),
	DEATH(run_data),
	{ NULL, NULL },
};
