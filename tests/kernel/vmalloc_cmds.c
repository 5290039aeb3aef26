/*
 * vmalloc_cmds.c - the commands of areas: what `vmalloc` gave, `vfree` takes, and nothing else.
 *
 * CONTEXT.  Thread.
 */
#include <quarry/errno.h>
#include <quarry/ktest.h>
#include <quarry/monitor.h>
#include <quarry/printk.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

static char typed_text[32768], shown_text[32768];
static struct out_buf typed, shown;

static int run(const char *line)
{
	char words[LINE_EDITOR_MAX];

	strlcpy(words, line, sizeof(words));
	out_buf_init(&typed, typed_text, sizeof(typed_text));
	return monitor_execute(&typed.out, words);
}

KTEST(vmalloc_cmds, vmalloc_gives_an_area_that_vfree_takes_once)
{
	struct vm_counts before, c;
	const char *end;
	char line[32];
	uint64_t va;

	vm_count(&before);
	EXPECT_EQ(t, 0, run("vmalloc 8192"));
	ASSERT_EQ(t, 0, strncmp(typed_text, "area=", 5));
	ASSERT_EQ(t, 0, parse_u64(typed_text + 5, &end, &va));
	EXPECT_STREQ(t, " size=8192\n", end);
	vm_count(&c);
	EXPECT_EQ(t, before.nr_pages + 2, c.nr_pages);
	snprintf(line, sizeof(line), "vfree %#lx", (unsigned long)va);
	EXPECT_EQ(t, 0, run(line));
	EXPECT_EQ(t, -ENOENT, run(line));
	vm_count(&c);
	EXPECT_EQ(t, before.nr_pages, c.nr_pages);
}

KTEST(vmalloc_cmds, what_vmalloc_did_not_give_vfree_does_not_take)
{
	char line[32];
	void *p = vmalloc(1);

	ASSERT_NE(t, NULL, p);
	snprintf(line, sizeof(line), "vfree 0x%lx", (unsigned long)(uintptr_t)p);
	EXPECT_EQ(t, -ENOENT, run(line));
	EXPECT_EQ(t, -ENOENT, run("vfree 0"));
	EXPECT_EQ(t, -EINVAL, run("vfree"));
	EXPECT_EQ(t, -EINVAL, run("vmalloc"));
	EXPECT_EQ(t, -EINVAL, run("vmalloc many"));
	EXPECT_EQ(t, -ENOMEM, run("vmalloc 0"));
	vfree(p);
}

KTEST(vmalloc_cmds, vmallocinfo_prints_the_report)
{
	void *p = vmalloc(1);

	ASSERT_NE(t, NULL, p);
	out_buf_init(&shown, shown_text, sizeof(shown_text));
	vmallocinfo_show(&shown.out);
	EXPECT_EQ(t, 0, run("vmallocinfo"));
	EXPECT_STREQ(t, shown_text, typed_text);
	EXPECT_EQ(t, -EINVAL, run("vmallocinfo all"));
	vfree(p);
}
