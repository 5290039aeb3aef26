/*
 * string.c - tests of memory and string functions.
 *
 * Memory functions are tried at every alignment and every small length against byte loops written
 * here, with guard bytes around: they work in words, so the edges are where they can be wrong.
 */
#include <quarry/ktest.h>
#include <quarry/string.h>

#define AREA_SIZE  64u
#define GUARD      0xA5
#define MAX_LEN    20u
#define MAX_OFFSET 8u

static void fill_pattern(unsigned char *area)
{
	for (unsigned int i = 0; i < AREA_SIZE; i++)
		area[i] = (unsigned char)(i * 7 + 1);
}

/* The bytes of @got equal those of @want, one claim for the whole area. */
static bool same(const unsigned char *want, const unsigned char *got)
{
	for (unsigned int i = 0; i < AREA_SIZE; i++)
		if (want[i] != got[i])
			return false;
	return true;
}

KTEST(string, memcpy_copies_exactly_n_bytes_at_any_alignment)
{
	unsigned char src[AREA_SIZE], dst[AREA_SIZE], want[AREA_SIZE];

	fill_pattern(src);
	for (unsigned int d = 0; d < MAX_OFFSET; d++) {
		for (unsigned int s = 0; s < MAX_OFFSET; s++) {
			for (unsigned int n = 0; n < MAX_LEN; n++) {
				for (unsigned int i = 0; i < AREA_SIZE; i++)
					dst[i] = want[i] = GUARD;
				for (unsigned int i = 0; i < n; i++)
					want[d + i] = src[s + i];
				EXPECT_EQ(t, dst + d, memcpy(dst + d, src + s, n));
				EXPECT_TRUE(t, same(want, dst));
			}
		}
	}
}

KTEST(string, memmove_is_right_for_every_overlap)
{
	unsigned char area[AREA_SIZE], want[AREA_SIZE], before[AREA_SIZE];

	fill_pattern(before);
	for (unsigned int d = 0; d < MAX_LEN; d++) {
		for (unsigned int s = 0; s < MAX_LEN; s++) {
			for (unsigned int n = 0; n < MAX_LEN; n++) {
				fill_pattern(area);
				fill_pattern(want);
				for (unsigned int i = 0; i < n; i++)
					want[d + i] = before[s + i];
				EXPECT_EQ(t, area + d, memmove(area + d, area + s, n));
				EXPECT_TRUE(t, same(want, area));
			}
		}
	}
}

KTEST(string, memset_sets_exactly_n_bytes_to_the_low_byte)
{
	unsigned char area[AREA_SIZE], want[AREA_SIZE];

	for (unsigned int d = 0; d < MAX_OFFSET; d++) {
		for (unsigned int n = 0; n < MAX_LEN; n++) {
			for (unsigned int i = 0; i < AREA_SIZE; i++)
				area[i] = want[i] = GUARD;
			for (unsigned int i = 0; i < n; i++)
				want[d + i] = 0x7E;
			EXPECT_EQ(t, area + d, memset(area + d, 0x1237E, n));
			EXPECT_TRUE(t, same(want, area));
		}
	}
}

KTEST(string, memset32_sets_exactly_n_words)
{
	uint32_t area[6];

	for (unsigned int n = 0; n <= 4; n++) {
		for (unsigned int i = 0; i < 6; i++)
			area[i] = 0x11111111u;
		EXPECT_EQ(t, area + 1, memset32(area + 1, 0xDEADBEEFu, n));
		for (unsigned int i = 0; i < 6; i++)
			EXPECT_EQ(t, i >= 1 && i <= n ? 0xDEADBEEFu : 0x11111111u, area[i]);
	}
}

KTEST(string, memcmp_orders_by_the_first_difference_as_unsigned_bytes)
{
	EXPECT_EQ(t, 0, memcmp("abc", "abd", 2));
	EXPECT_TRUE(t, memcmp("abc", "abd", 3) < 0);
	EXPECT_TRUE(t, memcmp("\x80", "\x7f", 1) > 0);
	EXPECT_TRUE(t, memcmp("a\0c", "a\0b", 3) > 0);
	EXPECT_EQ(t, 0, memcmp("x", "y", 0));
}

KTEST(string, memchr_inv_finds_the_first_byte_that_differs)
{
	unsigned char area[AREA_SIZE];

	memset(area, 0xAA, sizeof(area));
	EXPECT_EQ(t, NULL, memchr_inv(area, 0xAA, sizeof(area)));
	EXPECT_EQ(t, NULL, memchr_inv(area, 0x3AA, sizeof(area)));
	area[40] = 0;
	area[50] = 1;
	EXPECT_EQ(t, area + 40, memchr_inv(area, 0xAA, sizeof(area)));
	EXPECT_EQ(t, NULL, memchr_inv(area, 0xAA, 40));
	EXPECT_EQ(t, NULL, memchr_inv(area + 40, 0, 1));
}

KTEST(string, strlen_and_strnlen_stop_at_the_nul)
{
	EXPECT_EQ(t, 0, strlen(""));
	EXPECT_EQ(t, 5, strlen("hello"));
	EXPECT_EQ(t, 5, strnlen("hello", 10));
	EXPECT_EQ(t, 3, strnlen("hello", 3));
	EXPECT_EQ(t, 0, strnlen("hello", 0));
}

KTEST(string, comparisons_order_as_unsigned_and_stop_at_the_nul)
{
	EXPECT_EQ(t, 0, strcmp("same", "same"));
	EXPECT_TRUE(t, strcmp("a", "b") < 0);
	EXPECT_TRUE(t, strcmp("ab", "a") > 0);
	EXPECT_TRUE(t, strcmp("", "a") < 0);
	EXPECT_TRUE(t, strcmp("\xff", "a") > 0);
	EXPECT_EQ(t, 0, strncmp("abcX", "abcY", 3));
	EXPECT_TRUE(t, strncmp("abcX", "abcY", 4) < 0);
	EXPECT_EQ(t, 0, strncmp("ab\0X", "ab\0Y", 4));
	EXPECT_EQ(t, 0, strncmp("a", "b", 0));
}

KTEST(string, strchr_finds_the_first_strrchr_the_last_and_both_the_nul)
{
	const char *s = "abcabc";

	EXPECT_EQ(t, s + 1, strchr(s, 'b'));
	EXPECT_EQ(t, s + 4, strrchr(s, 'b'));
	EXPECT_EQ(t, s + 6, strchr(s, '\0'));
	EXPECT_EQ(t, s + 6, strrchr(s, '\0'));
	EXPECT_EQ(t, NULL, strchr(s, 'x'));
	EXPECT_EQ(t, NULL, strrchr(s, 'x'));
}

KTEST(string, strstr_finds_the_first_occurrence)
{
	const char *s = "aabaabaaa";

	EXPECT_EQ(t, s + 1, strstr(s, "abaa"));
	EXPECT_EQ(t, s + 6, strstr(s, "aaa"));
	EXPECT_EQ(t, s, strstr(s, ""));
	EXPECT_EQ(t, NULL, strstr(s, "aaaa"));
	EXPECT_EQ(t, NULL, strstr("", "a"));
}

KTEST(string, strlcpy_cuts_ends_with_a_nul_and_returns_the_full_length)
{
	char buf[8];

	memset(buf, 'z', sizeof(buf));
	EXPECT_EQ(t, 5, strlcpy(buf, "hello", 6));
	EXPECT_STREQ(t, "hello", buf);
	EXPECT_EQ(t, 'z', buf[6]);
	EXPECT_EQ(t, 5, strlcpy(buf, "HELLO", 4));
	EXPECT_STREQ(t, "HEL", buf);
	EXPECT_EQ(t, 'o', buf[4]);
	EXPECT_EQ(t, 4, strlcpy(buf, "four", 4));
	EXPECT_STREQ(t, "fou", buf);
	EXPECT_EQ(t, 'o', buf[4]);
	EXPECT_EQ(t, 5, strlcpy(buf, "xyzzy", 0));
	EXPECT_STREQ(t, "fou", buf);
	EXPECT_EQ(t, 5, strlcpy(buf, "xyzzy", 1));
	EXPECT_STREQ(t, "", buf);
}
