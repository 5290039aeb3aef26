/*
 * percpu_steps.c - the stacks of the per-CPU lists, interrupted at each step of a pop or push.
 *
 * THEORY.  A pop or push that is interrupted before its last step starts again.  The port can
 * call a function in interrupt context at the n-th step (on x86, an instruction); that function
 * pops, pushes, or empties the stack.  Whatever it does, each object must be afterwards where one
 * of the two operations left it: in the stack, in the hands of the interrupted operation, or in
 * those of the interrupting one; once.
 *
 * How many steps there are: <quarry/asm/restart.h>.  That an x86 sequence is what may be restarted
 * (its last instruction commits, none before it does) is read off the instructions:
 * test_restart.py.
 *
 * STATE.  The stack under test, a per-CPU variable; what the interruption got.
 */
#include <quarry/asm/restart.h>
#include <quarry/ktest.h>
#include <quarry/percpu.h>

#define NR_OBJECTS 4u
#define LIMIT      3u
#define MAX_NTH    64u /* more instructions than any sequence has */

static DEFINE_PER_CPU(struct percpu_stack, stack);

static int objects[NR_OBJECTS];

/* A stack of @limit places with the first @nr objects, the last one on top. */
static void setup(unsigned int nr, unsigned int limit)
{
	struct percpu_stack *s = this_cpu_ptr(&stack);

	s->nr = 0;
	s->limit = limit;
	for (unsigned int i = 0; i < nr; i++)
		s->slot[s->nr++] = &objects[i];
}

/* ---- interrupted ---------------------------------------------------------------------------- */

static struct {
	void *popped[NR_OBJECTS]; /* by the interruption */
	unsigned int nr_popped;
	void *to_push; /* NULL: it pushes nothing */
	bool pushed;
} interruption;

static QAPI void interrupt_nothing(void)
{
}

static QAPI void interrupt_pop(void)
{
	interruption.popped[interruption.nr_popped++] = percpu_stack_pop(&stack);
}

static QAPI void interrupt_push(void)
{
	interruption.pushed = percpu_stack_push(&stack, interruption.to_push);
}

static QAPI void interrupt_pop_then_push(void)
{
	interrupt_pop();
	interrupt_push();
}

static QAPI void interrupt_empty(void)
{
	void *obj;

	while ((obj = percpu_stack_pop(&stack)) != NULL)
		interruption.popped[interruption.nr_popped++] = obj;
}

typedef QAPI void (*interruption_fn)(void);

static const interruption_fn interruptions[] = {
	interrupt_nothing, interrupt_pop, interrupt_push, interrupt_pop_then_push, interrupt_empty,
};

static unsigned int where[NR_OBJECTS]; /* how many places each object was found in */

static void found(struct ktest *t, void *obj)
{
	unsigned long i = (unsigned long)((int *)obj - objects);

	if (!obj)
		return;
	ASSERT_TRUE(t, i < NR_OBJECTS);
	where[i]++;
}

/* Each of the objects of [0, nr) is in one place, and the others are in none. */
static void expect_each_once(struct ktest *t, unsigned int nr, void *popped)
{
	struct percpu_stack *s = this_cpu_ptr(&stack);

	for (unsigned int i = 0; i < NR_OBJECTS; i++)
		where[i] = 0;
	ASSERT_LE(t, LIMIT, s->nr);
	found(t, popped);
	for (unsigned int i = 0; i < interruption.nr_popped; i++)
		found(t, interruption.popped[i]);
	for (unsigned int i = 0; i < s->nr; i++)
		found(t, s->slot[i]);
	for (unsigned int i = 0; i < NR_OBJECTS; i++)
		EXPECT_EQ(t, i < nr, where[i]);
}

static void prepare_interruption(void *to_push)
{
	__builtin_memset(&interruption, 0, sizeof(interruption));
	interruption.to_push = to_push;
}

/* A pop from a stack of @nr, interrupted at every instruction in turn; how many there are. */
static unsigned int pop_interrupted_by(struct ktest *t, interruption_fn fn, unsigned int nr)
{
	for (unsigned int nth = 1; nth < MAX_NTH; nth++) {
		void *extra = &objects[nr], *popped;
		bool hit;

		setup(nr, LIMIT);
		prepare_interruption(extra);
		popped = restart_step_pop(&stack, nth, &hit, fn);
		if (!hit)
			return nth - 1;
		expect_each_once(t, nr + interruption.pushed, popped);
		/* It starts again: it sees what the interruption left on top. */
		if (interruption.pushed)
			EXPECT_EQ(t, extra, popped);
	}
	return MAX_NTH;
}

KTEST(percpu_stack, a_pop_interrupted_at_any_instruction_neither_loses_nor_doubles_an_object)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(interruptions); i++)
		for (unsigned int nr = 1; nr <= 3; nr++) {
			EXPECT_EQ(t, RESTART_POP_HITS, pop_interrupted_by(t, interruptions[i], nr));
		}
}

KTEST(percpu_stack, a_pop_of_an_empty_stack_interrupted_by_a_push_gives_what_was_pushed)
{
	EXPECT_EQ(t, RESTART_POP_EMPTY_HITS, pop_interrupted_by(t, interrupt_nothing, 0));
	EXPECT_EQ(t, RESTART_POP_EMPTY_HITS, pop_interrupted_by(t, interrupt_push, 0));
}

/* A push to a stack of @nr, interrupted; objects[nr] is pushed by it, the next one meanwhile. */
static unsigned int push_interrupted_by(struct ktest *t, interruption_fn fn, unsigned int nr)
{
	for (unsigned int nth = 1; nth < MAX_NTH; nth++) {
		bool hit, pushed;

		setup(nr, LIMIT);
		prepare_interruption(nr + 1 < NR_OBJECTS ? &objects[nr + 1] : NULL);
		pushed = restart_step_push(&stack, &objects[nr], nth, &hit, fn);
		if (!hit)
			return nth - 1;
		/* What was refused is still its owner's. */
		expect_each_once(t, nr + 1 + interruption.pushed, pushed ? NULL : &objects[nr]);
		EXPECT_LE(t, LIMIT, this_cpu_ptr(&stack)->nr);
	}
	return MAX_NTH;
}

KTEST(percpu_stack, a_push_interrupted_at_any_instruction_neither_loses_nor_doubles_an_object)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(interruptions); i++)
		for (unsigned int nr = 0; nr <= 2; nr++) {
			EXPECT_EQ(t, RESTART_PUSH_HITS,
				  push_interrupted_by(t, interruptions[i], nr));
		}
}

KTEST(percpu_stack, a_push_to_a_full_stack_interrupted_by_a_pop_succeeds)
{
	bool hit = true, pushed;

	for (unsigned int nth = 1; hit; nth++) {
		setup(LIMIT, LIMIT);
		prepare_interruption(NULL);
		pushed = restart_step_push(&stack, &objects[LIMIT], nth, &hit, interrupt_pop);
		EXPECT_EQ(t, hit, pushed);
		EXPECT_EQ(t, nth <= RESTART_PUSH_FULL_HITS, hit);
		expect_each_once(t, NR_OBJECTS, pushed ? NULL : &objects[LIMIT]);
	}
}

KTEST(percpu_stack, a_push_interrupted_by_a_push_of_the_same_pointer_is_refused)
{
	bool hit = true;

	for (unsigned int nth = 1; hit; nth++) {
		setup(1, LIMIT);
		prepare_interruption(&objects[1]);
		EXPECT_EQ(t, nth > RESTART_PUSH_HITS,
			  restart_step_push(&stack, &objects[1], nth, &hit, interrupt_push));
		EXPECT_EQ(t, nth <= RESTART_PUSH_HITS, hit);
		expect_each_once(t, 2, NULL);
	}
}

KTEST(percpu_stack, a_push_of_the_top_interrupted_by_its_pop_succeeds)
{
	bool hit = true;

	for (unsigned int nth = 1; hit; nth++) {
		setup(2, LIMIT);
		prepare_interruption(NULL);
		EXPECT_EQ(t, nth <= RESTART_PUSH_TOP_HITS,
			  restart_step_push(&stack, &objects[1], nth, &hit, interrupt_pop));
		EXPECT_EQ(t, nth <= RESTART_PUSH_TOP_HITS, hit);
		EXPECT_EQ(t, 2, this_cpu_ptr(&stack)->nr);
	}
}

/* Two sequences in one function, with code before, between and behind them. */
static QAPI uintptr_t replace_top(struct percpu_stack *s, void *obj)
{
	void *old = percpu_stack_pop(s);

	return percpu_stack_push(s, obj) ? (uintptr_t)old : 0;
}

KTEST(percpu_stack, a_function_can_be_interrupted_in_each_of_its_sequences)
{
	unsigned int nth = 1;

	for (bool hit = true; hit; nth++) {
		uintptr_t old;

		setup(2, LIMIT);
		prepare_interruption(&objects[3]);
		old = restart_step_call((const void *)replace_top, (uintptr_t)&stack,
					(uintptr_t)&objects[2], nth, &hit, interrupt_push);
		EXPECT_EQ(t, nth <= RESTART_CALL_HITS, hit);
		EXPECT_EQ(t, (uintptr_t)&objects[nth <= RESTART_POP_HITS ? 3 : 1], old);
		expect_each_once(t, hit ? 4 : 3, (void *)old);
	}
	EXPECT_EQ(t, RESTART_CALL_HITS + 2, nth);
}
