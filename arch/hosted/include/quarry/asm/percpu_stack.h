/*
 * Layer: port
 * percpu_stack.h - pop and push of a per-CPU stack: nothing better than interrupts off.
 */
#ifndef QUARRY_ASM_PERCPU_STACK_H
#define QUARRY_ASM_PERCPU_STACK_H

#include <quarry/percpu_stack_irq.h>

#endif
