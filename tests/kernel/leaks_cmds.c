/*
 * leaks_cmds.c - the commands of owners and leaks: the reports of mm/, and a mark between them.
 *
 * CONTEXT.  Thread.
 */
#include "../shown.h"
#include "typed.h"

#include <quarry/compiler.h>
#include <quarry/errno.h>
#include <quarry/ktest.h>
#include <quarry/leaks.h>
#include <quarry/monitor.h>
#include <quarry/printk.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

KTEST(leaks_cmds, pageowner_and_leaks_print_the_reports)
{
	EXPECT_EQ(t, 0, typed(t, "pageowner"));
	EXPECT_STREQ(t, shown(t, pageowner_show), typed_text);
	EXPECT_EQ(t, 0, typed(t, "leaks"));
	EXPECT_STREQ(t, shown(t, leaks_show), typed_text);
}

KTEST(leaks_cmds, leaks_lists_what_was_taken_behind_leaks_mark)
{
	void *before = vmalloc(1), *p;

	EXPECT_EQ(t, 0, typed(t, "leaks mark"));
	EXPECT_STREQ(t, "", typed_text);
	EXPECT_EQ(t, 0, typed(t, "leaks"));
	EXPECT_NE(t, NULL, strstr(typed_text, "areas pages=0 nr=0 callers=0\n"));
	p = vmalloc(1);
	ASSERT_TRUE(t, before && p);
	EXPECT_EQ(t, 0, typed(t, "leaks"));
	EXPECT_NE(t, NULL, strstr(typed_text, "areas pages=1 nr=1 callers=1\n"));
	vfree(before);
	vfree(p);
}

KTEST(leaks_cmds, they_refuse_what_makes_no_sense)
{
	static const char *const bad[] = { "leaks all", "leaks mark now", "pageowner 1" };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(t, -EINVAL, typed(t, bad[i]));
		EXPECT_EQ(t, 0, strncmp(typed_text, "usage: ", strlen("usage: ")));
	}
}
