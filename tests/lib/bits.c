/*
 * bits.c - tests of single bits, rounding and error pointers.
 *
 * Every bit of a word has its turn, so nothing here depends on how wide an unsigned long is; the
 * rounding macros are given addresses above 4 GiB, where a 32-bit mask would show.
 */
#include <quarry/align.h>
#include <quarry/bits.h>
#include <quarry/err.h>
#include <quarry/errno.h>
#include <quarry/ktest.h>
#include <quarry/sizes.h>

KTEST(bits, powers_of_two_are_recognised)
{
	EXPECT_FALSE(t, is_power_of_2(0));
	for (unsigned int n = 0; n < BITS_PER_LONG; n++) {
		EXPECT_TRUE(t, is_power_of_2(BIT(n)));
		if (n > 1)
			EXPECT_FALSE(t, is_power_of_2(BIT(n) - 1));
		if (n)
			EXPECT_FALSE(t, is_power_of_2(BIT(n) + 1));
	}
}

KTEST(bits, lowest_and_highest_bit_bound_the_set_ones)
{
	for (unsigned int low = 0; low < BITS_PER_LONG; low++) {
		for (unsigned int high = low; high < BITS_PER_LONG; high++) {
			unsigned long x = BIT(low) | BIT(high);

			EXPECT_EQ(t, low, bit_lowest(x));
			EXPECT_EQ(t, high, bit_highest(x));
		}
	}
}

KTEST(bits, log2_roundup_is_the_smallest_sufficient_power)
{
	EXPECT_EQ(t, 0, log2_roundup(1));
	EXPECT_EQ(t, 1, log2_roundup(2));
	for (unsigned int n = 2; n < BITS_PER_LONG; n++) {
		EXPECT_EQ(t, n, log2_roundup(BIT(n)));
		EXPECT_EQ(t, n, log2_roundup(BIT(n) - 1 > BIT(n - 1) ? BIT(n) - 1 : BIT(n)));
		EXPECT_EQ(t, n, log2_roundup(BIT(n - 1) + 1));
	}
}

KTEST(bits, rounding_keeps_the_upper_half_of_a_64_bit_address)
{
	phys_addr_t pa = 5 * GiB + 1;

	EXPECT_EQ(t, 5 * GiB, ALIGN_DOWN(pa, 4 * KiB));
	EXPECT_EQ(t, 5 * GiB + 4 * KiB, ALIGN_UP(pa, 4 * KiB));
	EXPECT_EQ(t, 5 * GiB, ALIGN_UP(pa - 1, 4 * KiB));
	EXPECT_TRUE(t, IS_ALIGNED(pa - 1, 4 * MiB));
	EXPECT_FALSE(t, IS_ALIGNED(pa, 2));
	EXPECT_EQ(t, 3, DIV_ROUND_UP(9, 4));
	EXPECT_EQ(t, 2, DIV_ROUND_UP(8, 4));
}

KTEST(bits, minimum_and_maximum_evaluate_their_arguments_once)
{
	int a = 1, b = 5;

	EXPECT_EQ(t, 1, min(a++, b++));
	EXPECT_EQ(t, 2, a);
	EXPECT_EQ(t, 6, b);
	EXPECT_EQ(t, 6, max(a++, b++));
	EXPECT_EQ(t, 3, a);
	EXPECT_EQ(t, 7, b);
}

KTEST(bits, error_pointers_are_the_last_page_only)
{
	EXPECT_TRUE(t, IS_ERR(ERR_PTR(-ENOMEM)));
	EXPECT_EQ(t, -ENOMEM, PTR_ERR(ERR_PTR(-ENOMEM)));
	EXPECT_TRUE(t, IS_ERR(ERR_PTR(-(long)MAX_ERRNO)));
	EXPECT_FALSE(t, IS_ERR(ERR_PTR(-(long)MAX_ERRNO - 1)));
	EXPECT_FALSE(t, IS_ERR(NULL));
	EXPECT_FALSE(t, IS_ERR(&t));
}
