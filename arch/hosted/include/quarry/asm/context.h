/*
 * Layer: port
 * context.h - one per-CPU word answers "may this context sleep?", as on x86.
 *
 *	bit 31      interrupts are off on this CPU
 *	bits 16-23  nesting depth of interrupts
 *	bits 0-15   preempt_disable() depth
 *
 * Interrupts are calls: who plays one (restart_step_pop(), for one) sets the word for as long as
 * the handler runs.
 */
#ifndef QUARRY_ASM_CONTEXT_H
#define QUARRY_ASM_CONTEXT_H

#include <quarry/asm/percpu.h>

#define CONTEXT_IRQS_OFF     0x80000000u
#define CONTEXT_IRQ_ONE      0x00010000u
#define CONTEXT_IRQ_MASK     0x00ff0000u
#define CONTEXT_PREEMPT_MASK 0x0000ffffu

DECLARE_PER_CPU(unsigned int, context_word);

#if HOSTED_SCHED

/* Each is one instruction to the rest: nothing comes in between (arch/hosted/smp/cpus.c). */
QAPI unsigned int context_read(void);
QAPI unsigned long irq_save(void);
QAPI void irq_enable(void);
QAPI void preempt_disable(void);
QAPI void preempt_enable(void);

#else

/* The whole word: 0 where sleeping is allowed. */
static inline unsigned int context_read(void)
{
	return this_cpu_read(context_word);
}

/* Switch interrupts off; the result is for irq_restore(). */
static inline unsigned long irq_save(void)
{
	unsigned long was_off = context_read() & CONTEXT_IRQS_OFF;

	this_cpu_or(context_word, CONTEXT_IRQS_OFF);
	barrier();
	return was_off;
}

static inline void irq_enable(void)
{
	barrier();
	this_cpu_and(context_word, ~CONTEXT_IRQS_OFF);
}

static inline void preempt_disable(void)
{
	this_cpu_add(context_word, 1);
	barrier();
}

static inline void preempt_enable(void)
{
	barrier();
	this_cpu_add(context_word, -1);
}

#endif

static inline bool env_can_sleep(void)
{
	return context_read() == 0;
}

static inline bool in_interrupt(void)
{
	return context_read() & CONTEXT_IRQ_MASK;
}

static inline bool irqs_disabled(void)
{
	return context_read() & CONTEXT_IRQS_OFF;
}

/* There is nothing but the word that could say it. */
static inline bool cpu_irqs_enabled(void)
{
	return !irqs_disabled();
}

static inline void irq_restore(unsigned long was_off)
{
	if (!was_off)
		irq_enable();
}

#endif
