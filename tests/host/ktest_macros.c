/*
 * ktest_macros.c - tests of the expectations themselves: each is given something false.
 *
 * In a child process, whose exit status is the number of failures that were counted and whose
 * output is what was printed.
 */
#include "host_ops.h"
#include <quarry/errno.h>
#include <quarry/ktest.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#define TIMEOUT_MS 20000u

static char text[8192];

static const struct ktest_case inner_case = { .suite = "inner", .name = "case", .file = __FILE__ };

static bool is_printed(const char *what)
{
	return strstr(text, what) != NULL;
}

static void false_expectations(void)
{
	struct ktest t = { .tc = &inner_case };
	unsigned int six = 6;

	EXPECT_EQ(&t, 5, six);
	EXPECT_EQ(&t, 0xFFFFFFFFu, -1);
	EXPECT_EQ(&t, 0x100000000ull, 0);
	EXPECT_EQ(&t, NULL, &t);
	EXPECT_NE(&t, 6, six);
	EXPECT_LE(&t, 5, six);
	EXPECT_GE(&t, 7, six);
	EXPECT_TRUE(&t, six == 5);
	EXPECT_FALSE(&t, six == 6);
	EXPECT_STREQ(&t, "want", "got");
	EXPECT_STREQ(&t, "want", NULL);
	EXPECT_ERR(&t, -EINVAL, 0);
	host_exit((int)t.nr_failed);
}

KTEST(ktest_macros, each_false_expectation_is_counted_and_printed)
{
	EXPECT_EQ(t, 12, host_fork(false_expectations, text, sizeof(text), TIMEOUT_MS));
	EXPECT_TRUE(t, is_printed("# inner.case: tests/host/ktest_macros.c:"));
	EXPECT_TRUE(t, is_printed(": expected six == 5 (0x5), got 6 (0x6)\n"));
	EXPECT_TRUE(t, is_printed(": expected six != 6 (0x6), got 6 (0x6)\n"));
	EXPECT_TRUE(t, is_printed(": expected six <= 5 (0x5), got 6 (0x6)\n"));
	EXPECT_TRUE(t, is_printed(": expected six >= 7 (0x7), got 6 (0x6)\n"));
	EXPECT_TRUE(t, is_printed(": expected six == 5 to be true\n"));
	EXPECT_TRUE(t, is_printed(": expected six == 6 to be false\n"));
	EXPECT_TRUE(t, is_printed(": expected \"got\" == \"want\", got \"got\"\n"));
	EXPECT_TRUE(t, is_printed(", got \"(null)\"\n"));
}

static void true_expectations(void)
{
	struct ktest t = { .tc = &inner_case };
	unsigned char small = 255;

	EXPECT_EQ(&t, 255, small);
	EXPECT_EQ(&t, -1, -1l);
	EXPECT_EQ(&t, UINT64_MAX, 0xFFFFFFFFFFFFFFFFull);
	EXPECT_EQ(&t, &t, &t);
	EXPECT_NE(&t, 1, small);
	EXPECT_LE(&t, 255, small);
	EXPECT_GE(&t, 255, small);
	EXPECT_TRUE(&t, 5 & 4);
	EXPECT_FALSE(&t, 5 & 2);
	EXPECT_STREQ(&t, "same", "same");
	EXPECT_ERR(&t, -EINVAL, -22);
	host_exit((int)t.nr_failed);
}

KTEST(ktest_macros, a_true_expectation_is_silent)
{
	EXPECT_EQ(t, 0, host_fork(true_expectations, text, sizeof(text), TIMEOUT_MS));
	EXPECT_STREQ(t, "", text);
}

static unsigned int nr_passed_asserts;

#define ASSERTING(name, statement)        \
	static void name(struct ktest *t) \
	{                                 \
		statement;                \
		nr_passed_asserts++;      \
	}

ASSERTING(assert_eq, ASSERT_EQ(t, 1, 2))
ASSERTING(assert_ne, ASSERT_NE(t, 2, 2))
ASSERTING(assert_le, ASSERT_LE(t, 1, 2))
ASSERTING(assert_ge, ASSERT_GE(t, 3, 2))
ASSERTING(assert_true, ASSERT_TRUE(t, 1 == 2))
ASSERTING(assert_false, ASSERT_FALSE(t, 2 == 2))
ASSERTING(assert_streq, ASSERT_STREQ(t, "a", "b"))
ASSERTING(assert_that_holds, ASSERT_EQ(t, 2, 2))

static void false_assertions(void)
{
	struct ktest t = { .tc = &inner_case };

	assert_eq(&t);
	assert_ne(&t);
	assert_le(&t);
	assert_ge(&t);
	assert_true(&t);
	assert_false(&t);
	assert_streq(&t);
	assert_that_holds(&t);
	if (nr_passed_asserts != 1)
		out_printf(&out_console, "went on\n");
	host_exit((int)t.nr_failed);
}

KTEST(ktest_macros, a_false_assertion_ends_its_function_a_true_one_does_not)
{
	EXPECT_EQ(t, 7, host_fork(false_assertions, text, sizeof(text), TIMEOUT_MS));
	EXPECT_FALSE(t, is_printed("went on"));
}

static void many_failures(void)
{
	struct ktest t = { .tc = &inner_case };

	for (int i = 0; i < 100; i++)
		EXPECT_EQ(&t, 1000, i);
	host_exit((int)t.nr_failed);
}

KTEST(ktest_macros, a_flood_of_failures_is_counted_and_printed_in_part)
{
	EXPECT_EQ(t, 100, host_fork(many_failures, text, sizeof(text), TIMEOUT_MS));
	EXPECT_TRUE(t, is_printed("got 19 (0x13)\n"));
	EXPECT_FALSE(t, is_printed("got 20 (0x14)\n"));
	EXPECT_TRUE(t, is_printed("# inner.case: further failures are only counted\n"));
}

KTEST(ktest_macros, the_same_test_and_seed_give_the_same_numbers_and_other_tests_others)
{
	struct ktest one = { .tc = t->tc, .seed = t->seed };
	struct ktest two = { .tc = t->tc, .seed = t->seed };
	struct ktest other = { .tc = &inner_case, .seed = t->seed };
	unsigned int nr_equal = 0;

	for (unsigned int i = 0; i < 100; i++) {
		uint32_t number = ktest_random(&one);

		EXPECT_EQ(t, number, ktest_random(&two));
		nr_equal += number == ktest_random(&other);
		EXPECT_TRUE(t, ktest_random_below(t, i + 1) <= i);
	}
	EXPECT_LE(t, 1, nr_equal);
}

KTEST(ktest_macros, a_walk_has_its_own_length_unless_the_run_has_one)
{
	EXPECT_EQ(t, ktest_steps(t, 1), ktest_steps(t, 1));
	EXPECT_TRUE(t, ktest_steps(t, 12345) == 12345 || ktest_steps(t, 1) == ktest_steps(t, 2));
}
