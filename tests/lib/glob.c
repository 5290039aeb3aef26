/*
 * glob.c - tests of glob_match().
 *
 * Fixed cases; a pattern that takes for ever in a matcher that backtracks into every star; random
 * patterns over a two-letter alphabet, where near misses are frequent, against the definition.
 */
#include <quarry/ktest.h>
#include <quarry/string.h>

KTEST(glob, literal_text_matches_itself_only)
{
	EXPECT_TRUE(t, glob_match("buddy.order", "buddy.order"));
	EXPECT_FALSE(t, glob_match("buddy.order", "buddy.orders"));
	EXPECT_FALSE(t, glob_match("buddy.orders", "buddy.order"));
	EXPECT_TRUE(t, glob_match("", ""));
	EXPECT_FALSE(t, glob_match("", "a"));
	EXPECT_TRUE(t, glob_match("[a]", "[a]"));
	EXPECT_FALSE(t, glob_match("[a]", "a"));
}

KTEST(glob, a_question_mark_is_exactly_one_character)
{
	EXPECT_TRUE(t, glob_match("a?c", "abc"));
	EXPECT_FALSE(t, glob_match("a?c", "ac"));
	EXPECT_FALSE(t, glob_match("a?", "a"));
	EXPECT_FALSE(t, glob_match("?", ""));
}

KTEST(glob, a_star_is_any_run_even_an_empty_one)
{
	EXPECT_TRUE(t, glob_match("*", ""));
	EXPECT_TRUE(t, glob_match("*", "anything"));
	EXPECT_TRUE(t, glob_match("a*c", "ac"));
	EXPECT_TRUE(t, glob_match("a*c", "abcbc"));
	EXPECT_FALSE(t, glob_match("a*c", "abcb"));
	EXPECT_TRUE(t, glob_match("*ab*", "xxaabxx"));
	EXPECT_TRUE(t, glob_match("**a**", "a"));
	EXPECT_FALSE(t, glob_match("*a", "ab"));
	EXPECT_TRUE(t, glob_match("*a?b*", "aaxb"));
}

KTEST(glob, many_stars_on_a_long_text_without_a_match_end_soon)
{
	char text[400];

	/* A matcher that backtracks into every star would need about 10^20 steps here. */
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	EXPECT_FALSE(t, glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
	EXPECT_TRUE(t, glob_match("*a*a*a*a*a*a*a*a*a*a*a*a*", text));
}

#define TEXT_MAX 7u

/* The definition, as a recursion on the first character. */
static bool oracle(const char *pattern, const char *text)
{
	if (!*pattern)
		return !*text;
	if (*pattern == '*')
		return oracle(pattern + 1, text) || (*text && oracle(pattern, text + 1));
	return *text && (*pattern == '?' || *pattern == *text) && oracle(pattern + 1, text + 1);
}

static void random_text(struct ktest *t, char *s, const char *alphabet)
{
	uint32_t len = ktest_random_below(t, TEXT_MAX + 1);

	for (uint32_t i = 0; i < len; i++)
		s[i] = alphabet[ktest_random_below(t, (uint32_t)strlen(alphabet))];
	s[len] = '\0';
}

KTEST(glob, random_patterns_match_as_the_definition_says)
{
	char pattern[TEXT_MAX + 1], text[TEXT_MAX + 1];
	unsigned int nr_matches = 0;

	for (unsigned long i = 0; i < 20000; i++) {
		bool want;

		random_text(t, pattern, "ab?*");
		random_text(t, text, "ab");
		want = oracle(pattern, text);
		nr_matches += want;
		EXPECT_EQ(t, want, glob_match(pattern, text));
	}
	EXPECT_GE(t, 1000, nr_matches); /* both answers were asked for */
	EXPECT_LE(t, 19000, nr_matches);
}
