/*
 * stack.c - pop and push of a per-CPU stack, in steps.
 *
 * IDEA.  As on x86 (arch/x86/include/quarry/asm/percpu_stack.h): a few steps that read, and a last
 * one, the store of the count, that commits.  Between any two an interrupt may come, or the thread
 * may be moved to another CPU; then it begins again, with the stack that is this CPU's now.
 *
 * STATE.  nth, nth_call: an interrupt that a test wants at a certain step.
 *
 * CONTEXT.  Any.
 */
#include "../hosted.h"
#include <quarry/asm/percpu_stack.h>
#include <quarry/asm/restart.h>
#include <quarry/asm/sched.h>
#include <quarry/percpu.h>

static __thread unsigned int steps_left; /* 0: no test waits for a step */
static __thread QAPI void (*at_step)(void);

/* Between two steps; true: begin again. */
static bool step(void)
{
	if (steps_left && !--steps_left) {
		interrupt_call(at_step);
		return true;
	}
	return __atomic_load_n(&sched_active, __ATOMIC_RELAXED) && sched_act();
}

QAPI void *percpu_stack_pop(struct percpu_stack *template)
{
	for (;;) {
		struct percpu_stack *s = this_cpu_ptr(template);
		unsigned int nr = s->nr;
		void *obj;

		if (step())
			continue;
		obj = nr ? s->slot[nr - 1] : NULL;
		if (step())
			continue;
		if (obj)
			WRITE_ONCE(s->nr, nr - 1);
		return obj;
	}
}

QAPI bool percpu_stack_push(struct percpu_stack *template, void *obj)
{
	for (;;) {
		struct percpu_stack *s = this_cpu_ptr(template);
		unsigned int nr = s->nr;

		if (step())
			continue;
		if (nr >= s->limit || (nr && s->slot[nr - 1] == obj))
			return false;
		if (step())
			continue;
		s->slot[nr] = obj;
		if (step())
			continue;
		WRITE_ONCE(s->nr, nr + 1);
		return true;
	}
}

QAPI uintptr_t restart_step_call(const void *fn, uintptr_t arg1, uintptr_t arg2, unsigned int nth,
				 bool *hit, QAPI void (*interruption)(void))
{
	QAPI uintptr_t (*call)(uintptr_t, uintptr_t) =
		(QAPI uintptr_t(*)(uintptr_t, uintptr_t))(uintptr_t)fn;
	uintptr_t value;

	steps_left = nth;
	at_step = interruption;
	value = call(arg1, arg2);
	*hit = !steps_left;
	steps_left = 0;
	return value;
}

QAPI void *restart_step_pop(struct percpu_stack *s, unsigned int nth, bool *hit,
			    QAPI void (*interruption)(void))
{
	return (void *)restart_step_call((const void *)percpu_stack_pop, (uintptr_t)s, 0, nth, hit,
					 interruption);
}

QAPI bool restart_step_push(struct percpu_stack *s, void *obj, unsigned int nth, bool *hit,
			    QAPI void (*interruption)(void))
{
	return restart_step_call((const void *)percpu_stack_push, (uintptr_t)s, (uintptr_t)obj, nth,
				 hit, interruption) &
	       1;
}
