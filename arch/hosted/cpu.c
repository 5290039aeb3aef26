/*
 * cpu.c - the make-believe CPU: its per-CPU base, its interrupts, its clock.
 *
 * IDEA.  One host thread is one CPU.  An interrupt is a call, made by whoever plays a device, with
 * the context word of a handler.
 *
 * STATE.  percpu_offset[], percpu_this_offset, percpu_cpu_id, context_word.
 *
 * CONTEXT.  Any.
 */
#include "hosted.h"
#include <quarry/asm/context.h>
#include <quarry/asm/restart.h>
#include <quarry/percpu.h>
#include <quarry/port.h>

uintptr_t percpu_offset[NR_CPUS];
__thread uintptr_t percpu_this_offset;
__thread unsigned int percpu_cpu_id;
DEFINE_PER_CPU(unsigned int, context_word) = CONTEXT_IRQS_OFF;

QAPI uint64_t clock_cycles(void)
{
	return __builtin_ia32_rdtsc();
}

void interrupt_call(QAPI void (*fn)(void))
{
	unsigned int word = context_read();

	this_cpu_write(context_word, (word | CONTEXT_IRQS_OFF) + CONTEXT_IRQ_ONE);
	fn();
	this_cpu_write(context_word, word);
}

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
