/*
 * restart.c - make an interrupted restartable sequence begin again; and interrupt one on purpose.
 *
 * IDEA.  restart.asm argues why a sequence may start again at any instruction before its commit.
 * Here is the other half: every interrupt (and nothing else: a fault must report where it was)
 * looks whether it came from that section, which is one compare for all other code.
 *
 * A test proves it instruction by instruction: with the trap flag set, the CPU raises a debug
 * exception after each one, and at the chosen one the handler behaves as an interrupt would.
 *
 * STATE.  step: one test at a time.
 *
 * CONTEXT.  Traps, interrupts off.
 */
#include "io.h"
#include "x86.h"
#include <quarry/asm/restart.h>

struct restart_sequence {
	uint32_t start, end; /* EIP in (start, end): begun, not committed */
};

extern const struct restart_sequence restart_table[], restart_table_end[];
extern const char restart_start[], restart_end[];

QAPI void *percpu_stack_pop(struct percpu_stack *s);
QAPI bool percpu_stack_push(struct percpu_stack *s, void *obj);
QAPI uint32_t restart_stepped_call(const void *fn, void *arg1, void *arg2);

static struct {
	unsigned int left; /* instructions inside a sequence to go; 0: nothing armed */
	QAPI void (*fn)(void);
	bool hit;
} step;

static const struct restart_sequence *sequence_of(uint32_t eip)
{
	for (const struct restart_sequence *s = restart_table; s < restart_table_end; s++) {
		if (eip > s->start && eip < s->end)
			return s;
	}
	return NULL;
}

void restart_fixup(struct trap_frame *f)
{
	const struct restart_sequence *s;

	if (likely(f->eip - (uint32_t)restart_start >=
		   (uint32_t)restart_end - (uint32_t)restart_start))
		return;
	s = sequence_of(f->eip);
	if (s)
		f->eip = s->start;
}

/* A debug exception while a test steps through a sequence: true when it was ours. */
bool restart_debug_trap(struct trap_frame *f)
{
	if (!step.fn)
		return false;
	if (step.left && sequence_of(f->eip) && --step.left == 0) {
		step.hit = true;
		step.fn();
		restart_fixup(f);
		f->eflags &= ~EFLAGS_TF;
	}
	return true;
}

static uint32_t stepped(const void *operation, struct percpu_stack *s, void *obj, unsigned int nth,
			QAPI void (*fn)(void))
{
	uint32_t result;

	step.left = nth;
	step.hit = false;
	step.fn = fn;
	result = restart_stepped_call(operation, s, obj);
	step.fn = NULL;
	return result;
}

QAPI void *restart_step_pop(struct percpu_stack *s, unsigned int nth, bool *hit,
			    QAPI void (*fn)(void))
{
	void *obj = (void *)stepped((const void *)percpu_stack_pop, s, NULL, nth, fn);

	*hit = step.hit;
	return obj;
}

QAPI bool restart_step_push(struct percpu_stack *s, void *obj, unsigned int nth, bool *hit,
			    QAPI void (*fn)(void))
{
	bool pushed = stepped((const void *)percpu_stack_push, s, obj, nth, fn) != 0;

	*hit = step.hit;
	return pushed;
}
