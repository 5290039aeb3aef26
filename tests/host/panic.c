/*
 * panic.c - tests of panics and warnings, each in a child process.
 *
 * The child commits the crime; its whole output and its exit status are the claim.  One that stops
 * for ever is killed by its timeout.
 */
#include "host_ops.h"
#include <quarry/bug.h>
#include <quarry/ktest.h>
#include <quarry/panic.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#define TIMEOUT_MS 20000u
#define SPIN_MS    300u /* long enough to see that a child does not end */

static char text[4096];

static QAPI void dump_stack(struct out *o)
{
	out_printf(o, "the stack\n");
}

static QAPI void stop(int code)
{
	host_exit(code);
}

static const struct panic_ops ops = { dump_stack, stop };

static void panic_in_an_open_line(void)
{
	panic_register(&ops);
	console_loglevel = 0;
	out_printf(&out_console, "quarry> ");
	panic("boom %d of %s\n", 42, "many");
}

KTEST(panic, the_message_starts_a_line_then_the_stack_then_the_stop)
{
	EXPECT_EQ(t, PANIC_EXIT_CODE,
		  host_fork(panic_in_an_open_line, text, sizeof(text), TIMEOUT_MS));
	EXPECT_STREQ(t, "quarry> \npanic: boom 42 of many\nthe stack\n", text);
}

static QAPI void dump_stack_and_fail(struct out *o)
{
	out_printf(o, "half a line");
	panic("second");
}

static const struct panic_ops failing_ops = { dump_stack_and_fail, stop };

static void panic_in_a_panic(void)
{
	panic_register(&failing_ops);
	panic("first");
}

KTEST(panic, a_panic_inside_a_panic_prints_its_line_and_stops_at_once)
{
	EXPECT_EQ(t, PANIC_EXIT_CODE, host_fork(panic_in_a_panic, text, sizeof(text), TIMEOUT_MS));
	EXPECT_STREQ(t, "panic: first\nhalf a line\npanic: second (during another panic)\n", text);
}

static void panic_without_ops(void)
{
	panic_register(NULL);
	panic("alone");
}

KTEST(panic, without_an_environment_it_prints_and_never_returns)
{
	EXPECT_EQ(t, HOST_KILLED, host_fork(panic_without_ops, text, sizeof(text), SPIN_MS));
	EXPECT_STREQ(t, "panic: alone\n", text);
}

static QAPI void stop_that_returns(int code)
{
	out_printf(&out_console, "code %#x\n", (unsigned int)code);
}

static const struct panic_ops returning_ops = { NULL, stop_that_returns };

static void panic_with_a_stop_that_returns(void)
{
	panic_register(&returning_ops);
	panic("stubborn");
}

KTEST(panic, a_stop_that_returns_does_not_let_it_return)
{
	EXPECT_EQ(t, HOST_KILLED,
		  host_fork(panic_with_a_stop_that_returns, text, sizeof(text), SPIN_MS));
	EXPECT_STREQ(t, "panic: stubborn\ncode 0x12\n", text);
}

static void panic_with_a_long_message(void)
{
	panic_register(&ops);
	panic("%1000d", 7);
}

KTEST(panic, a_message_that_is_too_long_is_cut)
{
	EXPECT_EQ(t, PANIC_EXIT_CODE,
		  host_fork(panic_with_a_long_message, text, sizeof(text), TIMEOUT_MS));
	EXPECT_TRUE(t, glob_match("panic:  * ...\nthe stack\n", text));
	EXPECT_EQ(t, NULL, strchr(text, '7'));
}

static int apples = 3;

static void commit_a_bug(void)
{
	panic_register(&ops);
	BUG_ON(apples < 3);
	out_printf(&out_console, "still here\n");
	BUG_ON(apples == 3);
	out_printf(&out_console, "never here\n");
}

KTEST(panic, a_bug_names_condition_file_and_line_and_panics)
{
	EXPECT_EQ(t, PANIC_EXIT_CODE, host_fork(commit_a_bug, text, sizeof(text), TIMEOUT_MS));
	EXPECT_TRUE(t, glob_match("still here\n"
				  "BUG: apples == 3 at tests/host/panic.c:*\n"
				  "panic: BUG at tests/host/panic.c:*\n"
				  "the stack\n",
				  text));
}

static void reach_the_unreachable(void)
{
	panic_register(&ops);
	BUG();
}

KTEST(panic, a_bug_without_condition_says_reached)
{
	EXPECT_EQ(t, PANIC_EXIT_CODE,
		  host_fork(reach_the_unreachable, text, sizeof(text), TIMEOUT_MS));
	EXPECT_TRUE(t, glob_match("BUG: reached at tests/host/panic.c:*\npanic: *", text));
}

static void warn_twice(void)
{
	panic_register(&ops);
	for (int i = 0; i < 3; i++)
		out_printf(&out_console, "%s", WARN_ON_ONCE(i > 0) ? "true " : "false ");
}

KTEST(panic, a_warning_is_reported_once_and_is_true_each_time)
{
	EXPECT_EQ(t, 0, host_fork(warn_twice, text, sizeof(text), TIMEOUT_MS));
	EXPECT_TRUE(t, glob_match("false \nWARNING: i > 0 at tests/host/panic.c:*\n"
				  "the stack\ntrue true ",
				  text));
}
