/*
 * ktest_fixture.c - tests with known results, some of them failures, for test_ktest.py.
 *
 * What the engine prints of them, line by line, is in test_ktest.py; this program is no test by
 * itself and its exit status is 1.
 */
#include <quarry/errno.h>
#include <quarry/ktest.h>
#include <quarry/printk.h>

KTEST(fixture, passes)
{
	EXPECT_EQ(t, 4, 2 + 2);
}

KTEST(fixture, fails_twice)
{
	EXPECT_EQ(t, 5, 2 + 2);
	EXPECT_TRUE(t, 2 + 2 == 5);
}

static int refuse(int value)
{
	return value ? -EINVAL : 0;
}

KTEST(fixture, records_what_it_saw)
{
	EXPECT_ERR(t, -EINVAL, refuse(1));
	EXPECT_ERR(t, -EINVAL, refuse(1));
	EXPECT_ERR(t, -EINVAL, refuse(2));
	EXPECT_EQ(t, 0x12u, T_GFP(t, 0x12u));
	EXPECT_EQ(t, 0x20u, T_GFP(t, 0x20u));
	EXPECT_EQ(t, 0x12u, T_GFP(t, 0x12u));
}

KTEST_NEEDS(fixture, needs_the_impossible, .zones = KTEST_ZONE_HIGHMEM | KTEST_ZONE_NORMAL,
	    .ram_mib = 64, .cpus = 2, .features = KTEST_PSE | KTEST_KERNEL)
{
	EXPECT_TRUE(t, false);
}

KTEST(fixture, leaves_a_line_open)
{
	EXPECT_EQ(t, 2, t->nr_failed + 2);
	out_printf(&out_console, "no newline");
}

KTEST(other, asks_for_a_number)
{
	EXPECT_LE(t, 9, ktest_random_below(t, 10));
	EXPECT_LE(t, 9, ktest_random_below(t, 10));
}

KTEST(other, walks)
{
	EXPECT_EQ(t, 7, ktest_steps(t, 7));
}
