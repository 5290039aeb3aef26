/*
 * Layer: port
 * context.h - a kernel without interrupts: what forbids sleeping is a count.
 */
#ifndef QUARRY_ASM_CONTEXT_H
#define QUARRY_ASM_CONTEXT_H

#include <quarry/compiler.h>
#include <quarry/types.h>

/* How many irq_save() and preempt_disable() are in force; the sample's env.c owns it. */
extern unsigned int sample_atomic_depth;

static inline bool irqs_disabled(void)
{
	return sample_atomic_depth > 0;
}

static inline bool in_interrupt(void)
{
	return false;
}

static inline bool env_can_sleep(void)
{
	return sample_atomic_depth == 0;
}

static inline unsigned long irq_save(void)
{
	barrier();
	return sample_atomic_depth++;
}

static inline void irq_restore(unsigned long depth)
{
	barrier();
	sample_atomic_depth = (unsigned int)depth;
}

static inline void preempt_disable(void)
{
	irq_save();
}

static inline void preempt_enable(void)
{
	barrier();
	sample_atomic_depth--;
}

#endif
