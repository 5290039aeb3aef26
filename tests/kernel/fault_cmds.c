/*
 * fault_cmds.c - the command that makes allocations fail: it arms, shows, and says no to nonsense.
 *
 * CONTEXT.  Thread.
 */
#include "../shown.h"
#include "typed.h"

#include <quarry/compiler.h>
#include <quarry/errno.h>
#include <quarry/fault_inject.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/monitor.h>
#include <quarry/string.h>
#include <quarry/tests.h>

KTEST(fault_cmds, fault_arms_what_then_fails_and_shows_it)
{
	struct page *page;

	EXPECT_EQ(t, 0, typed(t, "fault reset"));
	EXPECT_EQ(t, 0, typed(t, "fault nth:page,1"));
	page = alloc_page(GFP_KERNEL);
	EXPECT_EQ(t, NULL, page);
	EXPECT_EQ(t, 0, typed(t, "fault"));
	EXPECT_STREQ(t, shown(t, fault_show), typed_text);
	EXPECT_NE(t, NULL, strstr(typed_text, "fault kind=page armed=1 seen=1 failed=1\n"));
	EXPECT_EQ(t, 0, typed(t, "fault off"));
	EXPECT_EQ(t, 0, fault_kinds());
}

KTEST(fault_cmds, fault_refuses_what_makes_no_sense)
{
	EXPECT_EQ(t, -EINVAL, typed(t, "fault pages:1,100"));
	EXPECT_EQ(t, -EINVAL, typed(t, "fault page:1,100 nth:page,1"));
	EXPECT_EQ(t, 0, fault_kinds());
}

KTEST(fault_cmds, a_run_of_tests_refuses_faults_that_make_no_sense)
{
	EXPECT_ERR(t, -EINVAL, faults_parse("0"));
	EXPECT_ERR(t, -EINVAL, faults_parse("1-"));
	EXPECT_ERR(t, -EINVAL, faults_parse("walk:"));
	EXPECT_ERR(t, -EINVAL, faults_parse("some"));
	EXPECT_EQ(t, -EINVAL, typed(t, "test symbols.* 0"));
	EXPECT_EQ(t, -EINVAL, typed(t, "test symbols.* 1 2"));
}

KTEST(fault_cmds, a_list_of_tests_has_no_faults)
{
	EXPECT_EQ(t, -EINVAL, typed(t, "test list all"));
}
