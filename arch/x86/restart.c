/*
 * restart.c - make an interrupted restartable sequence begin again; and interrupt one on purpose.
 *
 * IDEA.  <quarry/asm/percpu_stack.h> argues why a sequence may start again at any instruction
 * before its commit.  Here is the other half: every interrupt (and nothing else: a fault must
 * report where it was) looks up whether it came from inside a sequence.  The table of all sequences
 * is sorted at boot: code outside of them all pays one compare, other code a binary search.
 *
 * A test proves it instruction by instruction: with the trap flag set, the CPU raises a debug
 * exception after each one, and at the chosen one the handler behaves as an interrupt would.
 *
 * STATE.  The table, which the linker collects, sorted once at boot; no two sequences overlap.
 * step: one test at a time.
 *
 * CONTEXT.  Traps, interrupts off.
 */
#include "io.h"
#include "x86.h"
#include <quarry/asm/restart.h>
#include <quarry/percpu.h>
#include <quarry/sort.h>

QAPI uint32_t restart_stepped_call(const void *fn, uint32_t arg1, uint32_t arg2);

static unsigned int nr_sequences; /* in the table */

static struct {
	unsigned int left; /* instructions that count to go; 0: nothing armed */
	bool anywhere;     /* all count where an interrupt might come; else those in sequences */
	QAPI void (*interruption)(void);
	bool hit;
} step;

static __init QAPI int compare_starts(const void *a, const void *b)
{
	const struct restart_sequence *s = a, *other = b;

	return s->start < other->start ? -1 : s->start > other->start;
}

__init void restart_init(void)
{
	nr_sequences = (unsigned int)(restart_table_end - restart_table);
	sort(restart_table, nr_sequences, sizeof(*restart_table), compare_starts, NULL);
}

/* The sequence that was begun and not committed, or NULL. */
static const struct restart_sequence *sequence_of(uint32_t eip)
{
	unsigned int low = 0, high = nr_sequences;
	const struct restart_sequence *s;

	if (likely(eip - restart_table[0].start >=
		   restart_table[high - 1].end - restart_table[0].start))
		return NULL;
	/* [low] begins at or before eip, [high] behind it. */
	while (high - low > 1) {
		unsigned int middle = (low + high) / 2;

		if (eip >= restart_table[middle].start)
			low = middle;
		else
			high = middle;
	}
	s = &restart_table[low];
	return eip > s->start && eip < s->end ? s : NULL;
}

void restart_fixup(struct trap_frame *f)
{
	const struct restart_sequence *s = sequence_of(f->eip);

	if (s)
		f->eip = s->start;
}

static bool step_counts(const struct trap_frame *f)
{
	return step.anywhere ? f->eflags & EFLAGS_IF : sequence_of(f->eip) != NULL;
}

/* A debug exception while a test steps: true when it was ours. */
bool restart_debug_trap(struct trap_frame *f)
{
	if (!step.interruption)
		return false;
	if (step.left && step_counts(f) && --step.left == 0) {
		step.hit = true;
		step.interruption();
		restart_fixup(f);
		f->eflags &= ~EFLAGS_TF;
	}
	return true;
}

static uintptr_t step_call(const void *fn, uintptr_t arg1, uintptr_t arg2, unsigned int nth,
			   bool *hit, QAPI void (*interruption)(void))
{
	uint32_t result;

	step.left = nth;
	step.hit = false;
	step.interruption = interruption;
	result = restart_stepped_call(fn, arg1, arg2);
	step.interruption = NULL;
	*hit = step.hit;
	return result;
}

QAPI uintptr_t restart_step_call(const void *fn, uintptr_t arg1, uintptr_t arg2, unsigned int nth,
				 bool *hit, QAPI void (*interruption)(void))
{
	step.anywhere = false;
	return step_call(fn, arg1, arg2, nth, hit, interruption);
}

QAPI uintptr_t restart_step_anywhere(const void *fn, uintptr_t arg1, uintptr_t arg2,
				     unsigned int nth, bool *hit, QAPI void (*interruption)(void))
{
	step.anywhere = true;
	return step_call(fn, arg1, arg2, nth, hit, interruption);
}

/* A call's result is a whole register; of a bool only the lowest byte would be meant. */
static __noinline QAPI uint32_t pop(struct percpu_stack *s)
{
	return (uint32_t)percpu_stack_pop(s);
}

static __noinline QAPI uint32_t push(struct percpu_stack *s, void *obj)
{
	return percpu_stack_push(s, obj);
}

QAPI void *restart_step_pop(struct percpu_stack *s, unsigned int nth, bool *hit,
			    QAPI void (*interruption)(void))
{
	return (void *)restart_step_call((const void *)pop, (uint32_t)s, 0, nth, hit, interruption);
}

QAPI bool restart_step_push(struct percpu_stack *s, void *obj, unsigned int nth, bool *hit,
			    QAPI void (*interruption)(void))
{
	return restart_step_call((const void *)push, (uint32_t)s, (uint32_t)obj, nth, hit,
				 interruption);
}
