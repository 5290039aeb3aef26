/*
 * Layer: contract
 * percpu.h - per-CPU variables, and the stack of pointers that every per-CPU cache is made of.
 *
 * From <quarry/asm/percpu.h>: NR_CPUS, DEFINE_PER_CPU, DECLARE_PER_CPU, per_cpu_ptr(ptr, cpu),
 * this_cpu_ptr(ptr), this_cpu_read/write/add(var) on one word each, smp_cpu_id().
 */
#ifndef QUARRY_PERCPU_H
#define QUARRY_PERCPU_H

#include <quarry/asm/percpu.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

/*
 * A bounded stack of pointers that belongs to one CPU.  Only that CPU touches it, so it has no
 * lock; what remains is that an interrupt or a migration may come in the middle of an operation.
 * @nr is the only word that commits: everything below slot[nr] is in the stack, everything above
 * is not, so a pop or push that is interrupted before it stores @nr has not happened.
 */
#define PERCPU_STACK_WORDS 64u /* 256 bytes here: stacks in an array are indexed by a shift */
#define PERCPU_STACK_SLOTS         \
	(PERCPU_STACK_WORDS - 1u - \
	 2u * (unsigned int)(sizeof(unsigned int)) / (unsigned int)sizeof(void *))

struct percpu_stack {
	unsigned int nr;    /* pointers in slot[0..nr), none of them NULL */
	unsigned int limit; /* push refuses beyond; 0 switches the stack off */
	void *bottom;       /* NULL: what lies below slot[0] is the top of an empty stack */
	void *slot[PERCPU_STACK_SLOTS];
};

static_assert(sizeof(struct percpu_stack) == PERCPU_STACK_WORDS * sizeof(void *),
	      "PERCPU_STACK_WORDS is the size");
static_assert(__builtin_offsetof(struct percpu_stack, bottom) + sizeof(void *) ==
		      __builtin_offsetof(struct percpu_stack, slot),
	      "slot[nr - 1] is bottom when nr is 0");

/*
 * The port's two operations on this CPU's copy of a per-CPU stack @s (its template address):
 *
 *   void *percpu_stack_pop(s)         the newest pointer, or NULL when the stack is empty
 *   bool percpu_stack_push(s, obj)    false when the stack holds @limit pointers already, or
 *                                     when @obj, not NULL, is the one on top: it is freed twice
 *
 * Both are safe against interrupts on this CPU and against being moved to another CPU half-way:
 * each happens wholly, on one CPU.  A port that has nothing better includes
 * <quarry/percpu_stack_irq.h>.
 */
#include <quarry/asm/percpu_stack.h>

#endif
