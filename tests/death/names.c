/*
 * names.c - the table of crimes, without committing one.
 */
#include <quarry/errno.h>
#include <quarry/ktest.h>
#include <quarry/string.h>
#include <quarry/tests.h>

KTEST(death, an_unknown_crime_is_refused)
{
	EXPECT_ERR(t, -ENOENT, death_commit("no_such_crime"));
	EXPECT_ERR(t, -ENOENT, death_commit(""));
}

KTEST(death, every_crime_is_listed_by_its_name)
{
	static char text[8192];
	struct out_buf b;

	out_buf_init(&b, text, sizeof(text));
	death_show(&b.out);
	EXPECT_EQ(t, 0, b.dropped);
	EXPECT_TRUE(t, strstr(text, "double_free\n") != NULL);
	EXPECT_TRUE(t, strstr(text, "stack_overflow\n") != NULL);
	EXPECT_TRUE(t, strstr(text, "kfree_stack\n") != NULL);
	EXPECT_TRUE(t, strstr(text, "mempool_zero\n") != NULL);
}
