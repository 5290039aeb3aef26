/*
 * div64.c - tests of 64-bit division and the square root.
 *
 * The quotient is proved instead of compared, since the compiler's own may be the code under test:
 * n == q * d + r with r < d and no overflow has exactly one solution.
 */
#include <quarry/div64.h>
#include <quarry/ktest.h>

static void expect_division(struct ktest *t, uint64_t n, uint32_t d)
{
	uint32_t rem = 0;
	uint64_t q = div_u64_rem(n, d, &rem);

	EXPECT_TRUE(t, rem < d);
	EXPECT_EQ(t, n, q * d + rem);
	/* q * d in 96 bits has nothing above bit 63, so the line above holds without wrapping. */
	EXPECT_EQ(t, 0, ((q >> 32) * d + ((uint64_t)(uint32_t)q * d >> 32)) >> 32);
	EXPECT_EQ(t, q, div_u64(n, d));
}

KTEST(div64, quotient_and_remainder_are_exact_at_the_edges)
{
	static const uint64_t values[] = { 0,
					   1,
					   2,
					   9,
					   10,
					   0x7FFFFFFF,
					   0x80000000,
					   0xFFFFFFFF,
					   0x100000000,
					   0x100000001,
					   0x7FFFFFFFFFFFFFFF,
					   0x8000000000000000,
					   0xFFFFFFFF00000000,
					   UINT64_MAX - 1,
					   UINT64_MAX };
	static const uint32_t divisors[] = { 1,    2,          3,          7,          10,
					     4096, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF };

	for (unsigned int i = 0; i < ARRAY_SIZE(values); i++)
		for (unsigned int j = 0; j < ARRAY_SIZE(divisors); j++)
			expect_division(t, values[i], divisors[j]);
}

KTEST(div64, random_quotients_and_remainders_are_exact)
{
	for (unsigned int i = 0; i < 20000; i++) {
		uint64_t n = (uint64_t)ktest_random(t) << 32 | ktest_random(t);
		uint32_t d = ktest_random(t) >> ktest_random_below(t, 32);

		expect_division(t, n >> ktest_random_below(t, 64), d ? d : 1);
	}
}

KTEST(div64, the_square_root_is_rounded_down)
{
	static const unsigned long roots[] = { 0, 1, 2, 3, 10, 255, 256, 1000, 46340, 65535 };

	for (unsigned int i = 0; i < ARRAY_SIZE(roots); i++) {
		unsigned long r = roots[i];

		EXPECT_EQ(t, r, int_sqrt(r * r));
		EXPECT_EQ(t, r, int_sqrt(r * r + 2 * r)); /* the last before (r + 1)^2 */
	}
	for (unsigned int i = 0; i < 5000; i++) {
		unsigned long x = ktest_random(t), r = int_sqrt(x);

		EXPECT_TRUE(t, r <= 65535);
		EXPECT_TRUE(t, (uint64_t)r * r <= x && (uint64_t)(r + 1) * (r + 1) > x);
	}
}
