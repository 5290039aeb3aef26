/*
 * step.c - pop and push interrupted, in a program with one CPU, where they have no steps: before.
 *
 * CONTEXT.  A thread.
 *
 * NOT HERE.  Steps: smp/stack.c.
 */
#include "hosted.h"
#include <quarry/asm/restart.h>
#include <quarry/percpu.h>

static void step(unsigned int nth, bool *hit, QAPI void (*interruption)(void))
{
	*hit = nth == 1;
	if (*hit)
		interrupt_call(interruption);
}

QAPI uintptr_t restart_step_call(const void *fn, uintptr_t arg1, uintptr_t arg2, unsigned int nth,
				 bool *hit, QAPI void (*interruption)(void))
{
	QAPI uintptr_t (*call)(uintptr_t, uintptr_t) =
		(QAPI uintptr_t(*)(uintptr_t, uintptr_t))(uintptr_t)fn;

	step(nth, hit, interruption);
	return call(arg1, arg2);
}

QAPI void *restart_step_pop(struct percpu_stack *s, unsigned int nth, bool *hit,
			    QAPI void (*interruption)(void))
{
	step(nth, hit, interruption);
	return percpu_stack_pop(s);
}

QAPI bool restart_step_push(struct percpu_stack *s, void *obj, unsigned int nth, bool *hit,
			    QAPI void (*interruption)(void))
{
	step(nth, hit, interruption);
	return percpu_stack_push(s, obj);
}
