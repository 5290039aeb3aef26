/*
 * Layer: port
 * restart.h - a test's view of the restartable sequences: interrupt one of them where you like.
 */
#ifndef QUARRY_ASM_RESTART_H
#define QUARRY_ASM_RESTART_H

#include <quarry/compiler.h>
#include <quarry/types.h>

struct percpu_stack;

#define RESTART_LEAST 4u /* moments at least at which an interrupt finds a pop or push begun */

/* Where an interruption finds a sequence begun: before each of its instructions but the first. */
#define RESTART_POP_HITS       4u /* of 5: two loads, test, jump, commit */
#define RESTART_POP_EMPTY_HITS 3u /* the commit is not reached */
#define RESTART_PUSH_HITS      6u /* of 7: load, two tests and jumps, store, commit */
/* Of a function with both. */
#define RESTART_CALL_HITS      (RESTART_POP_HITS + RESTART_PUSH_HITS)
#define RESTART_PUSH_FULL_HITS 2u
#define RESTART_PUSH_TOP_HITS  4u

/* One inlined pop or push.  EIP in (start, end): begun, not committed. */
struct restart_sequence {
	uint32_t start, end;
};

extern struct restart_sequence restart_table[], restart_table_end[];

/**
 * restart_step_call - call a function with an interruption inside a restartable sequence.
 * @fn:   QAPI function of two arguments, or fewer; what it calls is stepped through as well.
 * @arg1: its first argument.
 * @arg2: its second argument.
 * @nth:  before which instruction inside a restartable sequence @interruption is called, counted
 *        from 1 (the second instruction of the first sequence that @fn comes through) over all
 *        sequences; afterwards the sequence is treated as an interrupt return treats it, and the
 *        rest of @fn runs undisturbed.
 * @hit:  set to whether @fn came to that many instructions, that is, @interruption was called.
 * @interruption: what the interruption does; it runs in interrupt context.
 *
 * Return:  what @fn returned in EAX.
 * Context: thread.
 */
QAPI uintptr_t restart_step_call(const void *fn, uintptr_t arg1, uintptr_t arg2, unsigned int nth,
				 bool *hit, QAPI void (*interruption)(void));

/**
 * restart_step_anywhere - the same with an interruption anywhere in @fn.
 * @nth: counts every instruction before which an interrupt might come: one with interrupts on.
 */
QAPI uintptr_t restart_step_anywhere(const void *fn, uintptr_t arg1, uintptr_t arg2,
				     unsigned int nth, bool *hit, QAPI void (*interruption)(void));

/**
 * restart_step_pop, restart_step_push - pop or push with an interruption in the middle.
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
