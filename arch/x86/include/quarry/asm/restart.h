/*
 * Layer: port
 * restart.h - a test's view of the restartable sequences: interrupt one of them where you like.
 */
#ifndef QUARRY_ASM_RESTART_H
#define QUARRY_ASM_RESTART_H

#include <quarry/compiler.h>
#include <quarry/types.h>

struct percpu_stack;

/**
 * restart_step_pop, restart_step_push - pop or push with an interruption in the middle.
 * @nth: before which instruction inside a restartable sequence @fn is called, counted from 1 (the
 *       second instruction); afterwards the sequence is treated as an interrupt return treats it.
 * @fn:  what the interruption does; it runs in interrupt context.
 * @hit: set when the sequence had that many instructions, that is, when @fn was called.
 *
 * Return:  what pop or push returned.
 * Context: thread.
 */
QAPI void *restart_step_pop(struct percpu_stack *s, unsigned int nth, bool *hit,
			    QAPI void (*fn)(void));
QAPI bool restart_step_push(struct percpu_stack *s, void *obj, unsigned int nth, bool *hit,
			    QAPI void (*fn)(void));

#endif
