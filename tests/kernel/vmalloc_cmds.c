/*
 * vmalloc_cmds.c - the commands of areas: what `vmalloc` gave, `vfree` takes, and nothing else.
 *
 * CONTEXT.  Thread.
 */
#include "../shown.h"
#include "typed.h"

#include <quarry/errno.h>
#include <quarry/ktest.h>
#include <quarry/monitor.h>
#include <quarry/printk.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

KTEST(vmalloc_cmds, vmalloc_gives_an_area_that_vfree_takes_once)
{
	struct vm_counts before, c;
	const char *end;
	char line[32];
	uint64_t va;

	vm_count(&before);
	EXPECT_EQ(t, 0, typed(t, "vmalloc 8192"));
	ASSERT_EQ(t, 0, strncmp(typed_text, "area=", 5));
	ASSERT_EQ(t, 0, parse_u64(typed_text + 5, &end, &va));
	EXPECT_STREQ(t, " size=8192\n", end);
	vm_count(&c);
	EXPECT_EQ(t, before.nr_pages + 2, c.nr_pages);
	snprintf(line, sizeof(line), "vfree %#lx", (unsigned long)va);
	EXPECT_EQ(t, 0, typed(t, line));
	EXPECT_EQ(t, -ENOENT, typed(t, line));
	vm_count(&c);
	EXPECT_EQ(t, before.nr_pages, c.nr_pages);
}

KTEST(vmalloc_cmds, what_vmalloc_did_not_give_vfree_does_not_take)
{
	char line[32];
	void *p = vmalloc(1);

	ASSERT_NE(t, NULL, p);
	snprintf(line, sizeof(line), "vfree 0x%lx", (unsigned long)(uintptr_t)p);
	EXPECT_EQ(t, -ENOENT, typed(t, line));
	EXPECT_EQ(t, -ENOENT, typed(t, "vfree 0"));
	EXPECT_EQ(t, -EINVAL, typed(t, "vfree"));
	EXPECT_EQ(t, -EINVAL, typed(t, "vmalloc"));
	EXPECT_EQ(t, -EINVAL, typed(t, "vmalloc many"));
	EXPECT_EQ(t, -ENOMEM, typed(t, "vmalloc 0"));
	vfree(p);
}

KTEST(vmalloc_cmds, vmallocinfo_prints_the_report)
{
	void *p = vmalloc(1);

	ASSERT_NE(t, NULL, p);
	vmallocinfo_show(to_shown());
	EXPECT_EQ(t, 0, typed(t, "vmallocinfo"));
	EXPECT_STREQ(t, shown_text, typed_text);
	EXPECT_EQ(t, -EINVAL, typed(t, "vmallocinfo all"));
	vfree(p);
}
