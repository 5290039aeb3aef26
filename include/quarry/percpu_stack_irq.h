/*
 * Layer: contract
 * percpu_stack_irq.h - pop and push of a per-CPU stack with interrupts off: what every port can do.
 *
 * A port's <quarry/asm/percpu_stack.h> includes this file when it has no restartable sequences.
 */
#ifndef QUARRY_PERCPU_STACK_IRQ_H
#define QUARRY_PERCPU_STACK_IRQ_H

#include <quarry/env.h>
#include <quarry/percpu.h>

static inline void *percpu_stack_pop(struct percpu_stack *template)
{
	unsigned long flags = irq_save();
	struct percpu_stack *s = this_cpu_ptr(template);
	void *obj = s->nr ? s->slot[--s->nr] : NULL;

	irq_restore(flags);
	return obj;
}

static inline bool percpu_stack_push(struct percpu_stack *template, void *obj)
{
	unsigned long flags = irq_save();
	struct percpu_stack *s = this_cpu_ptr(template);
	bool taken = s->nr < s->limit && !(s->nr && s->slot[s->nr - 1] == obj);

	if (taken)
		s->slot[s->nr++] = obj;
	irq_restore(flags);
	return taken;
}

#endif
