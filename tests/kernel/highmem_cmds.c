/*
 * highmem_cmds.c - the commands of slots: what `kmap` mapped, `kunmap` ends, and nothing else.
 *
 * CONTEXT.  Thread.
 */
#include "typed.h"

#include <quarry/errno.h>
#include <quarry/gfp.h>
#include <quarry/highmem.h>
#include <quarry/ktest.h>
#include <quarry/monitor.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#define NR_HELD 64u /* what the table of the monitor has room for */

/* "@command pfn", for a page. */
static int run(struct ktest *t, const char *command, const struct page *page)
{
	char line[64];

	snprintf(line, sizeof(line), "%s pfn:0x%lx", command, page_to_pfn(page));
	return typed(t, line);
}

KTEST(highmem_cmds, kmap_maps_a_page_until_as_many_kunmap)
{
	struct page *page = alloc_page(GFP_HIGHUSER);
	char want[64];

	ASSERT_NE(t, NULL, page);
	EXPECT_EQ(t, 0, run(t, "kmap", page));
	snprintf(want, sizeof(want), "mapped pfn=0x%05lx va=0x", page_to_pfn(page));
	EXPECT_EQ(t, 0, strncmp(typed_text, want, strlen(want)));
	EXPECT_EQ(t, kmap_needs_slot(page), kmap_nr_held());
	EXPECT_EQ(t, 0, run(t, "kmap", page));
	EXPECT_EQ(t, 0, run(t, "kunmap", page));
	EXPECT_EQ(t, kmap_needs_slot(page), kmap_nr_held());
	EXPECT_EQ(t, 0, run(t, "kunmap", page));
	snprintf(want, sizeof(want), "unmapped pfn=0x%05lx\n", page_to_pfn(page));
	EXPECT_STREQ(t, want, typed_text);
	EXPECT_EQ(t, 0, kmap_nr_held());
	EXPECT_EQ(t, -ENOENT, run(t, "kunmap", page));
	__free_page(page);
}

KTEST(highmem_cmds, what_kmap_did_not_map_kunmap_does_not_take)
{
	struct page *page = alloc_page(GFP_HIGHUSER);

	ASSERT_NE(t, NULL, page);
	EXPECT_NE(t, NULL, kmap(page));
	EXPECT_EQ(t, -ENOENT, run(t, "kunmap", page));
	EXPECT_NE(t, NULL, strstr(typed_text, " is nothing that kmap mapped\n"));
	EXPECT_EQ(t, kmap_needs_slot(page), kmap_nr_held());
	kunmap(page);
	__free_page(page);
}

KTEST(highmem_cmds, words_that_are_no_page_are_refused)
{
	EXPECT_EQ(t, -EINVAL, typed(t, "kmap"));
	EXPECT_EQ(t, -EINVAL, typed(t, "kmap many"));
	EXPECT_EQ(t, -EINVAL, typed(t, "kmap 1 2"));
	EXPECT_EQ(t, -EFAULT, typed(t, "kmap 0xfffff000"));
	EXPECT_EQ(t, -EFAULT, typed(t, "kunmap pfn:0x7fffffff"));
	EXPECT_EQ(t, -EINVAL, typed(t, "kunmap"));
	EXPECT_EQ(t, -EINVAL, typed(t, "pkmap all"));
	EXPECT_EQ(t, -EINVAL, typed(t, "fixmap all"));
}

KTEST(highmem_cmds, kmap_says_when_its_table_is_full)
{
	struct page *page = alloc_page(GFP_HIGHUSER);

	ASSERT_NE(t, NULL, page);
	for (unsigned int i = 0; i < NR_HELD; i++)
		EXPECT_EQ(t, 0, run(t, "kmap", page));
	EXPECT_EQ(t, -ENOSPC, run(t, "kmap", page));
	for (unsigned int i = 0; i < NR_HELD; i++)
		EXPECT_EQ(t, 0, run(t, "kunmap", page));
	EXPECT_EQ(t, 0, kmap_nr_held());
	__free_page(page);
}
