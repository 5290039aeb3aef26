/*
 * cpu.c - the make-believe CPU: its per-CPU base, its interrupts, its clock.
 *
 * IDEA.  An interrupt is a call, made by whoever plays a device, with the context word of a
 * handler.  More than one CPU: smp/.
 *
 * STATE.  percpu_offset[], percpu_this_offset, percpu_cpu_id, context_word.
 *
 * CONTEXT.  Any.
 */
#include "hosted.h"
#include <quarry/asm/context.h>
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

unsigned int interrupt_begin(void)
{
	unsigned int word = context_read();

	this_cpu_write(context_word, (word | CONTEXT_IRQS_OFF) + CONTEXT_IRQ_ONE);
	return word;
}

void interrupt_end(unsigned int word)
{
	this_cpu_write(context_word, word);
}

void interrupt_call(QAPI void (*fn)(void))
{
	unsigned int word = interrupt_begin();

	fn();
	interrupt_end(word);
}
