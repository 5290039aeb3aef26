/*
 * Layer: port
 * percpu_stack.h - pop and push of a per-CPU stack: inline, as restartable sequences.
 *
 * IDEA.  Each operation is a few instructions that read, and one last instruction that changes the
 * count: the commit.  Until then nothing has happened that anybody could see (push writes a slot
 * above the count, which belongs to nobody).  The address of the first instruction and the address
 * behind the last one are noted in a table.  When an interrupt arrives between the first
 * instruction and the commit, the interrupt return path finds EIP there and moves it back to the
 * start (arch/x86/restart.c).  So the fast path disables nothing, takes no lock and no locked
 * instruction, and is still atomic on its CPU.
 *
 * INVARIANTS.
 *   R1  the inputs are unchanged until the commit, so that starting again is possible: only a
 *       register that is no input is written;
 *   R2  the commit is one instruction, the last of its sequence, and nothing before it writes a
 *       word that is in use;
 *   R3  code behind the commit is outside [start, end): it must not run twice; and a sequence is
 *       entered at its start only, and left by the commit or by a jump that leads outside.
 *
 * WHY THIS SUFFICES.  Nobody but code on a CPU changes the stacks of that CPU: a drain from
 * elsewhere asks it by an interrupt.  So what can come in between is an interrupt on this CPU,
 * which arrives before or after an instruction but not within one:
 *
 *   EIP at start    nothing has been read: the sequence runs as if it began later;
 *   EIP in between  begun, not committed.  The handler may pop, push or drain; and instead of
 *                   returning, the kernel may run other threads, which do the same, and wake this
 *                   one up on another CPU.  What the registers hold may no longer be true, so it
 *                   is dropped: by R1 and R2 the sequence begins again, with the stack that %fs
 *                   leads to now, as if it had not run before.  A slot that push wrote above the
 *                   count stays behind, in nobody's way;
 *   EIP at end      committed, once, on the CPU where all of it was read;
 *   EIP elsewhere   not begun, or refused: the stack was empty, or full, or had @obj on top, and
 *                   nothing was changed.
 *
 * So between the first read of a run that commits, or refuses, and its last instruction there was
 * no interrupt, and hence nobody else.  Handlers nest in the same way: each has run to its end, its
 * own sequences included, before what it interrupted goes on.  Code that changes a stack by other
 * means has interrupts off, so that nothing comes between its steps, and to a sequence it is
 * part of an interrupt.  An exception does not return here: it reports where it was; the debug
 * exception of a test does, and behaves as an interrupt.  An NMI comes also where interrupts are
 * off, and so must neither pop nor push.
 *
 * CONTEXT.  Any but NMI, on this CPU's own stacks.
 *
 * SOURCES.  Bershad, Redell, Ellis, "Fast mutual exclusion for uniprocessors", ASPLOS 1992.
 */
#ifndef QUARRY_ASM_PERCPU_STACK_H
#define QUARRY_ASM_PERCPU_STACK_H

#include <quarry/compiler.h>
#include <quarry/types.h>

/* struct percpu_stack is complete: <quarry/percpu.h> includes this file behind it. */

/* The instructions, and their line in the table. */
#define RESTARTABLE(insns)                                \
	"1:\n" insns "2:\n"                               \
	".pushsection restart_table, \"aw\", @progbits\n" \
	".balign 4\n"                                     \
	".long 1b, 2b\n"                                  \
	".popsection\n"

#define STACK_OPERANDS                                                                     \
	[nr] "i"(__builtin_offsetof(struct percpu_stack, nr)),                             \
		[limit] "i"(__builtin_offsetof(struct percpu_stack, limit)),               \
		[top] "i"(__builtin_offsetof(struct percpu_stack, bottom)), /* + 4 * nr */ \
		[slot] "i"(__builtin_offsetof(struct percpu_stack, slot))

/* The contract: <quarry/percpu.h>. */
static inline void *percpu_stack_pop(struct percpu_stack *s)
{
	void *obj;

	__asm__ volatile inline goto(RESTARTABLE("movl %%fs:%c[nr](%[s]), %[obj]\n"
						 "movl %%fs:%c[top](%[s],%[obj],4), %[obj]\n"
						 "testl %[obj], %[obj]\n"
						 "jz %l[empty]\n"
						 "decl %%fs:%c[nr](%[s])\n")
				     : [obj] "=&r"(obj)
				     : [s] "r"(s), STACK_OPERANDS
				     : "cc", "memory"
				     : empty);
	barrier(); /* without it gcc up to 12.3 may lose the output: its PR 113921 */
	if (!obj)
		__builtin_unreachable();
	return obj;
empty:
	return NULL;
}

static inline bool percpu_stack_push(struct percpu_stack *s, void *obj)
{
	unsigned int n;

	__asm__ volatile inline goto(RESTARTABLE("movl %%fs:%c[nr](%[s]), %[n]\n"
						 "cmpl %%fs:%c[limit](%[s]), %[n]\n"
						 "jae %l[refused]\n"
						 "cmpl %%fs:%c[top](%[s],%[n],4), %[obj]\n"
						 "je %l[refused]\n"
						 "movl %[obj], %%fs:%c[slot](%[s],%[n],4)\n"
						 "incl %%fs:%c[nr](%[s])\n")
				     : [n] "=&r"(n)
				     : [s] "r"(s), [obj] "r"(obj), STACK_OPERANDS
				     : "cc", "memory"
				     : refused);
	barrier();
	return true;
refused:
	return false;
}

#undef RESTARTABLE
#undef STACK_OPERANDS

#endif
