/*
 * Layer: port
 * restart.h - a test's view of pop and push: have an interrupt come when you like.
 *
 * A pop or push has steps (<quarry/asm/percpu_stack.h>); a program with one CPU has one moment at
 * which one can come: before it.
 */
#ifndef QUARRY_ASM_RESTART_H
#define QUARRY_ASM_RESTART_H

#include <quarry/compiler.h>
#include <quarry/types.h>

struct percpu_stack;

#define RESTART_LEAST (HOSTED_SCHED ? 2u : 1u) /* moments at least at which an interrupt can come */

/* How many those are. */
#define RESTART_POP_HITS       (HOSTED_SCHED ? 2u : 1u)
#define RESTART_POP_EMPTY_HITS (HOSTED_SCHED ? 2u : 1u)
#define RESTART_PUSH_HITS      (HOSTED_SCHED ? 3u : 1u)
/* Of a function with both. */
#define RESTART_CALL_HITS      (HOSTED_SCHED ? RESTART_POP_HITS + RESTART_PUSH_HITS : 1u)
#define RESTART_PUSH_FULL_HITS 1u
#define RESTART_PUSH_TOP_HITS  1u

/**
 * restart_step_call - call a function with an interrupt within a pop or push of its own.
 * @fn:   QAPI function of two arguments, or fewer.
 * @arg1: its first argument.
 * @arg2: its second argument.
 * @nth:  at which step, counted from 1 over all pops and pushes, @interruption is called.
 * @hit:  set to whether @interruption was called.
 * @interruption: what the interruption does; it runs in interrupt context.
 *
 * Return:  what @fn returned.
 * Context: thread.
 */
QAPI uintptr_t restart_step_call(const void *fn, uintptr_t arg1, uintptr_t arg2, unsigned int nth,
				 bool *hit, QAPI void (*interruption)(void));

/**
 * restart_step_pop, restart_step_push - pop or push with an interrupt in the middle.
 * @nth: as for restart_step_call(), like @hit and @interruption.
 *
 * Return:  what pop or push returned.
 * Context: thread.
 */
QAPI void *restart_step_pop(struct percpu_stack *s, unsigned int nth, bool *hit,
			    QAPI void (*interruption)(void));
QAPI bool restart_step_push(struct percpu_stack *s, void *obj, unsigned int nth, bool *hit,
			    QAPI void (*interruption)(void));

#endif
