/*
 * parse.c - tests of numbers and sizes as text.
 *
 * The edges of 64 bits in each base and with each suffix, one in range and one out; a refused text
 * must leave the result alone.
 */
#include <quarry/errno.h>
#include <quarry/ktest.h>
#include <quarry/string.h>

KTEST(parse, the_prefix_chooses_the_base)
{
	uint64_t v = 0;

	EXPECT_EQ(t, 0, parse_u64("1234", NULL, &v));
	EXPECT_EQ(t, 1234, v);
	EXPECT_EQ(t, 0, parse_u64("0x12aF", NULL, &v));
	EXPECT_EQ(t, 0x12AF, v);
	EXPECT_EQ(t, 0, parse_u64("0Xff", NULL, &v));
	EXPECT_EQ(t, 255, v);
	EXPECT_EQ(t, 0, parse_u64("0755", NULL, &v));
	EXPECT_EQ(t, 493, v);
	EXPECT_EQ(t, 0, parse_u64("0", NULL, &v));
	EXPECT_EQ(t, 0, v);
}

KTEST(parse, the_end_is_the_first_character_behind_the_digits)
{
	const char *s = "12zz", *octal = "078", *end = NULL;
	uint64_t v = 0;

	EXPECT_EQ(t, 0, parse_u64(s, &end, &v));
	EXPECT_EQ(t, s + 2, end);
	EXPECT_EQ(t, 12, v);
	EXPECT_EQ(t, 0, parse_u64(octal, &end, &v));
	EXPECT_EQ(t, octal + 2, end);
	EXPECT_EQ(t, 7, v);
}

KTEST(parse, without_digits_nothing_is_stored)
{
	const char *end = "untouched";
	uint64_t v = 77;

	EXPECT_ERR(t, -EINVAL, parse_u64("", &end, &v));
	EXPECT_ERR(t, -EINVAL, parse_u64("x1", &end, &v));
	EXPECT_ERR(t, -EINVAL, parse_u64("-1", &end, &v));
	EXPECT_ERR(t, -EINVAL, parse_u64(" 1", &end, &v));
	EXPECT_ERR(t, -EINVAL, parse_u64("0x", &end, &v));
	EXPECT_ERR(t, -EINVAL, parse_u64("0xg", &end, &v));
	EXPECT_ERR(t, -EINVAL, parse_size("M", &end, &v));
	EXPECT_STREQ(t, "untouched", end);
	EXPECT_EQ(t, 77, v);
}

KTEST(parse, text_behind_the_number_is_refused_when_no_end_is_asked_for)
{
	uint64_t v = 77;

	EXPECT_ERR(t, -EINVAL, parse_u64("12 ", NULL, &v));
	EXPECT_ERR(t, -EINVAL, parse_u64("12K", NULL, &v));
	EXPECT_ERR(t, -EINVAL, parse_size("12KB", NULL, &v));
	EXPECT_EQ(t, 77, v);
}

KTEST(parse, the_largest_number_fits_and_the_next_does_not)
{
	uint64_t v = 77;

	EXPECT_ERR(t, -ERANGE, parse_u64("18446744073709551616", NULL, &v));
	EXPECT_ERR(t, -ERANGE, parse_u64("0x10000000000000000", NULL, &v));
	EXPECT_ERR(t, -ERANGE, parse_u64("02000000000000000000000", NULL, &v));
	EXPECT_ERR(t, -ERANGE, parse_u64("99999999999999999999999", NULL, &v));
	EXPECT_EQ(t, 77, v);
	EXPECT_EQ(t, 0, parse_u64("18446744073709551615", NULL, &v));
	EXPECT_EQ(t, UINT64_MAX, v);
	EXPECT_EQ(t, 0, parse_u64("0xffffffffffffffff", NULL, &v));
	EXPECT_EQ(t, UINT64_MAX, v);
	EXPECT_EQ(t, 0, parse_u64("01777777777777777777777", NULL, &v));
	EXPECT_EQ(t, UINT64_MAX, v);
	EXPECT_EQ(t, 0, parse_u64("0000000000000000000000000000017", NULL, &v));
	EXPECT_EQ(t, 15, v);
}

KTEST(parse, suffixes_are_binary_multiples_in_either_case)
{
	static const struct {
		const char *text;
		uint64_t want;
	} cases[] = {
		{ "3", 3 },
		{ "3K", 3072 },
		{ "3k", 3072 },
		{ "64M", 64ull << 20 },
		{ "64m", 64ull << 20 },
		{ "4G", 4ull << 30 },
		{ "0x10g", 16ull << 30 },
		{ "2T", 2ull << 40 },
		{ "16777215t", 16777215ull << 40 },
		{ "0M", 0 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t v = 77;

		EXPECT_EQ(t, 0, parse_size(cases[i].text, NULL, &v));
		EXPECT_EQ(t, cases[i].want, v);
	}
}

KTEST(parse, the_end_of_a_size_is_behind_its_suffix)
{
	const char *s = "64M@16M", *plain = "64@16M", *end = NULL;
	uint64_t v = 0;

	EXPECT_EQ(t, 0, parse_size(s, &end, &v));
	EXPECT_EQ(t, s + 3, end);
	EXPECT_EQ(t, 64ull << 20, v);
	EXPECT_EQ(t, 0, parse_size(plain, &end, &v));
	EXPECT_EQ(t, plain + 2, end);
	EXPECT_EQ(t, 64, v);
}

KTEST(parse, a_size_that_its_suffix_pushes_out_of_64_bits_is_refused)
{
	uint64_t v = 77;

	EXPECT_ERR(t, -ERANGE, parse_size("16777216T", NULL, &v));
	EXPECT_ERR(t, -ERANGE, parse_size("0x4000000000000000K", NULL, &v));
	EXPECT_ERR(t, -ERANGE, parse_size("18446744073709551616", NULL, &v));
	EXPECT_EQ(t, 77, v);
	EXPECT_EQ(t, 0, parse_size("0x3fffffffffffffK", NULL, &v));
	EXPECT_EQ(t, UINT64_MAX - 1023, v);
}
