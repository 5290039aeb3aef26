/*
 * Layer: port
 * percpu_stack.h - this port's pop and push are restartable sequences: arch/x86/restart.asm.
 */
#ifndef QUARRY_ASM_PERCPU_STACK_H
#define QUARRY_ASM_PERCPU_STACK_H

#include <quarry/compiler.h>
#include <quarry/types.h>

struct percpu_stack;

/* The contract: <quarry/percpu.h>. */
QAPI void *percpu_stack_pop(struct percpu_stack *s);
QAPI bool percpu_stack_push(struct percpu_stack *s, void *obj);

#endif
