/*
 * fault_cmds.c - the command that makes allocations fail: it arms, shows, and says no to nonsense.
 *
 * CONTEXT.  Thread.
 */
#include <quarry/compiler.h>
#include <quarry/errno.h>
#include <quarry/fault_inject.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/monitor.h>
#include <quarry/string.h>
#include <quarry/tests.h>

static char typed_text[4096], shown_text[4096];

static int run(const char *line)
{
	char words[LINE_EDITOR_MAX];
	struct out_buf b;

	strlcpy(words, line, sizeof(words));
	out_buf_init(&b, typed_text, sizeof(typed_text));
	return monitor_execute(&b.out, words);
}

KTEST(fault_cmds, fault_arms_what_then_fails_and_shows_it)
{
	struct out_buf b;
	struct page *page;

	EXPECT_EQ(t, 0, run("fault reset"));
	EXPECT_EQ(t, 0, run("fault nth:page,1"));
	page = alloc_page(GFP_KERNEL);
	EXPECT_EQ(t, NULL, page);
	EXPECT_EQ(t, 0, run("fault"));
	out_buf_init(&b, shown_text, sizeof(shown_text));
	fault_show(&b.out);
	EXPECT_STREQ(t, shown_text, typed_text);
	EXPECT_NE(t, NULL, strstr(typed_text, "fault kind=page armed=1 seen=1 failed=1\n"));
	EXPECT_EQ(t, 0, run("fault off"));
	EXPECT_EQ(t, 0, fault_kinds());
}

KTEST(fault_cmds, fault_refuses_what_makes_no_sense)
{
	EXPECT_EQ(t, -EINVAL, run("fault pages:1,100"));
	EXPECT_EQ(t, -EINVAL, run("fault page:1,100 nth:page,1"));
	EXPECT_EQ(t, 0, fault_kinds());
}

KTEST(fault_cmds, a_run_of_tests_refuses_faults_that_make_no_sense)
{
	EXPECT_ERR(t, -EINVAL, faults_parse("0"));
	EXPECT_ERR(t, -EINVAL, faults_parse("1-"));
	EXPECT_ERR(t, -EINVAL, faults_parse("walk:"));
	EXPECT_ERR(t, -EINVAL, faults_parse("some"));
	EXPECT_EQ(t, -EINVAL, run("test symbols.* 0"));
	EXPECT_EQ(t, -EINVAL, run("test symbols.* 1 2"));
}

KTEST(fault_cmds, a_list_of_tests_has_no_faults)
{
	EXPECT_EQ(t, -EINVAL, run("test list all"));
}
