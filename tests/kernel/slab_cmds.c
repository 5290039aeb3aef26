/*
 * slab_cmds.c - the commands that show slab caches print what the reports of mm/ say.
 *
 * CONTEXT.  Thread.
 */
#include <quarry/errno.h>
#include <quarry/ktest.h>
#include <quarry/mempool.h>
#include <quarry/monitor.h>
#include <quarry/printk.h>
#include <quarry/slab.h>
#include <quarry/string.h>

static char typed_text[16384], shown_text[16384];
static struct out_buf typed, shown;

static int run(struct ktest *t, const char *line)
{
	char words[LINE_EDITOR_MAX];
	int err;

	strlcpy(words, line, sizeof(words));
	out_buf_init(&typed, typed_text, sizeof(typed_text));
	err = monitor_execute(&typed.out, words);
	EXPECT_EQ(t, 0, typed.dropped);
	return err;
}

static struct out *to_shown(void)
{
	out_buf_init(&shown, shown_text, sizeof(shown_text));
	return &shown.out;
}

KTEST(slab_cmds, slabinfo_prints_the_report)
{
	slabinfo_show(to_shown());
	EXPECT_EQ(t, 0, run(t, "slabinfo"));
	EXPECT_STREQ(t, shown_text, typed_text);
	EXPECT_EQ(t, -EINVAL, run(t, "slabinfo kmalloc-8"));
}

KTEST(slab_cmds, slab_prints_one_cache_and_refuses_an_unknown_one)
{
	slab_cache_show(to_shown(), slab_cache_find("kmalloc-64"));
	EXPECT_EQ(t, 0, run(t, "slab kmalloc-64"));
	EXPECT_STREQ(t, shown_text, typed_text);
	EXPECT_EQ(t, -ENOENT, run(t, "slab kmalloc-63"));
	EXPECT_EQ(t, -EINVAL, run(t, "slab"));
	EXPECT_EQ(t, -EINVAL, run(t, "slab kmalloc-64 kmalloc-96"));
}

KTEST(slab_cmds, mempools_prints_the_report)
{
	mempool_t *pool = mempool_create_kmalloc_pool(3, 100);

	ASSERT_NE(t, NULL, pool);
	mempools_show(to_shown());
	EXPECT_EQ(t, 0, run(t, "mempools"));
	EXPECT_NE(t, NULL, strstr(typed_text, " min_nr=3 curr_nr=3"));
	EXPECT_STREQ(t, shown_text, typed_text);
	EXPECT_EQ(t, -EINVAL, run(t, "mempools all"));
	mempool_destroy(pool);
}
