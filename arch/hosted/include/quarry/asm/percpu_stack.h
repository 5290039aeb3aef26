/*
 * Layer: port
 * percpu_stack.h - pop and push of a per-CPU stack: in steps between which an interrupt may come.
 *
 * As on x86: whoever was interrupted, or moved to another CPU, before the last step begins again
 * (arch/hosted/smp/stack.c).  A program with one CPU has interrupts off meanwhile.
 */
#ifndef QUARRY_ASM_PERCPU_STACK_H
#define QUARRY_ASM_PERCPU_STACK_H

#if HOSTED_SCHED

#include <quarry/compiler.h>
#include <quarry/types.h>

struct percpu_stack;

/* The contract: <quarry/percpu.h>. */
QAPI void *percpu_stack_pop(struct percpu_stack *s);
/* The same. */
QAPI bool percpu_stack_push(struct percpu_stack *s, void *obj);

#else

#include <quarry/percpu_stack_irq.h>

#endif

#endif
