/*
 * percpu_stack.c - the stacks of the per-CPU lists: what pop and push take, give and refuse.
 *
 * NOT HERE.  Interruptions at each instruction of the port's steps: percpu_steps.c.
 *
 * STATE.  The stack under test, a per-CPU variable; what the interruption saw.
 */
#include <quarry/asm/restart.h>
#include <quarry/env.h>
#include <quarry/ktest.h>
#include <quarry/percpu.h>

#define NR_OBJECTS 4u
#define LIMIT      3u

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

KTEST(percpu_stack, the_object_pushed_last_is_popped_first)
{
	setup(0, LIMIT);
	for (unsigned int i = 0; i < LIMIT; i++)
		EXPECT_TRUE(t, percpu_stack_push(&stack, &objects[i]));
	for (unsigned int i = LIMIT; i-- > 0;)
		EXPECT_EQ(t, &objects[i], percpu_stack_pop(&stack));
}

KTEST(percpu_stack, an_empty_stack_gives_null)
{
	setup(0, LIMIT);
	EXPECT_EQ(t, NULL, percpu_stack_pop(&stack));
	EXPECT_EQ(t, NULL, percpu_stack_pop(&stack));
	EXPECT_EQ(t, 0, this_cpu_ptr(&stack)->nr);
}

KTEST(percpu_stack, a_push_beyond_the_limit_is_refused)
{
	setup(LIMIT, LIMIT);
	EXPECT_FALSE(t, percpu_stack_push(&stack, &objects[LIMIT]));
	EXPECT_EQ(t, LIMIT, this_cpu_ptr(&stack)->nr);
	EXPECT_EQ(t, &objects[LIMIT - 1], percpu_stack_pop(&stack));
	EXPECT_TRUE(t, percpu_stack_push(&stack, &objects[LIMIT]));
}

KTEST(percpu_stack, a_push_of_the_pointer_on_top_is_refused)
{
	setup(2, LIMIT);
	EXPECT_FALSE(t, percpu_stack_push(&stack, &objects[1]));
	EXPECT_EQ(t, 2, this_cpu_ptr(&stack)->nr);
	EXPECT_TRUE(t, percpu_stack_push(&stack, &objects[2]));
	EXPECT_EQ(t, &objects[2], percpu_stack_pop(&stack));
	EXPECT_EQ(t, &objects[1], percpu_stack_pop(&stack));
}

KTEST(percpu_stack, a_popped_pointer_can_be_pushed_again)
{
	setup(1, LIMIT);
	EXPECT_EQ(t, &objects[0], percpu_stack_pop(&stack));
	EXPECT_TRUE(t, percpu_stack_push(&stack, &objects[0]));
	EXPECT_EQ(t, &objects[0], percpu_stack_pop(&stack));
}

KTEST(percpu_stack, a_limit_of_0_switches_the_stack_off)
{
	setup(0, 0);
	EXPECT_FALSE(t, percpu_stack_push(&stack, &objects[0]));
	EXPECT_EQ(t, NULL, percpu_stack_pop(&stack));
	EXPECT_EQ(t, 0, this_cpu_ptr(&stack)->nr);
}

KTEST(percpu_stack, what_is_above_a_lowered_limit_can_be_popped)
{
	setup(2, 0);
	EXPECT_EQ(t, &objects[1], percpu_stack_pop(&stack));
	EXPECT_EQ(t, &objects[0], percpu_stack_pop(&stack));
	EXPECT_EQ(t, NULL, percpu_stack_pop(&stack));
}

KTEST(percpu_stack, a_stack_can_fill_all_its_slots)
{
	setup(0, PERCPU_STACK_SLOTS);
	for (unsigned int i = 0; i < PERCPU_STACK_SLOTS; i++)
		EXPECT_TRUE(t, percpu_stack_push(&stack, &objects[i % NR_OBJECTS]));
	EXPECT_FALSE(t, percpu_stack_push(&stack, &objects[PERCPU_STACK_SLOTS % NR_OBJECTS]));
	for (unsigned int i = PERCPU_STACK_SLOTS; i-- > 0;)
		EXPECT_EQ(t, &objects[i % NR_OBJECTS], percpu_stack_pop(&stack));
	EXPECT_EQ(t, NULL, percpu_stack_pop(&stack));
}

static struct {
	bool in_interrupt, could_sleep;
} interruption;

static QAPI void look_at_context(void)
{
	interruption.in_interrupt = in_interrupt();
	interruption.could_sleep = env_can_sleep();
}

KTEST(percpu_stack, the_interruption_runs_in_interrupt_context)
{
	bool hit;

	setup(1, LIMIT);
	EXPECT_EQ(t, &objects[0], restart_step_pop(&stack, 1, &hit, look_at_context));
	EXPECT_TRUE(t, hit);
	EXPECT_TRUE(t, interruption.in_interrupt);
	EXPECT_FALSE(t, interruption.could_sleep);
	EXPECT_FALSE(t, in_interrupt());
	EXPECT_TRUE(t, env_can_sleep());
}
