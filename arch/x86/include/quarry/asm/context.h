/*
 * Layer: port
 * context.h - one per-CPU word answers "may this context sleep?".
 *
 *	bit 31      interrupts are off on this CPU (mirrors EFLAGS.IF of code that used irq_save)
 *	bits 16-23  nesting depth of interrupts and exceptions
 *	bits 0-15   preempt_disable() depth; a spinlock counts one
 *
 * Zero means: a thread, preemptible, with interrupts on.  Every other value forbids sleeping.  The
 * word is changed with interrupts off or by single instructions on this CPU's own copy, so it
 * needs no lock; an interrupt that comes in between leaves it as it found it.
 */
#ifndef QUARRY_ASM_CONTEXT_H
#define QUARRY_ASM_CONTEXT_H

#include <quarry/asm/percpu.h>

#define CONTEXT_IRQS_OFF     0x80000000u
#define CONTEXT_IRQ_ONE      0x00010000u
#define CONTEXT_IRQ_MASK     0x00ff0000u
#define CONTEXT_PREEMPT_MASK 0x0000ffffu

#define CONTEXT_EFLAGS_IF 0x200u

DECLARE_PER_CPU(unsigned int, context_word);

/* The whole word: 0 where sleeping is allowed. */
static inline unsigned int context_read(void)
{
	return this_cpu_read(context_word);
}

/* Compared in memory: it stands in front of every allocation. */
static inline bool env_can_sleep(void)
{
	bool zero;

	__asm__ volatile("cmpl $0, %%fs:%1" : "=@cce"(zero) : "m"(context_word));
	return zero;
}

static inline bool in_interrupt(void)
{
	return context_read() & CONTEXT_IRQ_MASK;
}

static inline bool irqs_disabled(void)
{
	return context_read() & CONTEXT_IRQS_OFF;
}

/* What the CPU itself says, whatever the word says. */
static inline bool cpu_irqs_enabled(void)
{
	unsigned long eflags;

	__asm__ volatile("pushfl; popl %0" : "=r"(eflags));
	return eflags & CONTEXT_EFLAGS_IF;
}

/* Switch interrupts off; the result is for irq_restore(). */
static inline unsigned long irq_save(void)
{
	unsigned long was_off = context_read() & CONTEXT_IRQS_OFF;

	__asm__ volatile("cli" ::: "memory");
	this_cpu_or(context_word, CONTEXT_IRQS_OFF);
	return was_off;
}

static inline void irq_enable(void)
{
	this_cpu_and(context_word, ~CONTEXT_IRQS_OFF);
	__asm__ volatile("sti" ::: "memory");
}

static inline void irq_restore(unsigned long was_off)
{
	if (!was_off)
		irq_enable();
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
