/*
 * slab_cmds.c - the commands that show slab caches print what the reports of mm/ say.
 *
 * CONTEXT.  Thread.
 */
#include "../shown.h"
#include "typed.h"

#include <quarry/errno.h>
#include <quarry/ktest.h>
#include <quarry/mempool.h>
#include <quarry/monitor.h>
#include <quarry/printk.h>
#include <quarry/slab.h>
#include <quarry/string.h>

KTEST(slab_cmds, slabinfo_prints_the_report)
{
	slabinfo_show(to_shown());
	EXPECT_EQ(t, 0, typed(t, "slabinfo"));
	EXPECT_STREQ(t, shown_text, typed_text);
	EXPECT_EQ(t, -EINVAL, typed(t, "slabinfo kmalloc-8"));
}

KTEST(slab_cmds, slab_prints_one_cache_and_refuses_an_unknown_one)
{
	slab_cache_show(to_shown(), slab_cache_find("kmalloc-64"));
	EXPECT_EQ(t, 0, typed(t, "slab kmalloc-64"));
	EXPECT_STREQ(t, shown_text, typed_text);
	EXPECT_EQ(t, -ENOENT, typed(t, "slab kmalloc-63"));
	EXPECT_EQ(t, -EINVAL, typed(t, "slab"));
	EXPECT_EQ(t, -EINVAL, typed(t, "slab kmalloc-64 kmalloc-96"));
}

KTEST(slab_cmds, mempools_prints_the_report)
{
	mempool_t *pool = mempool_create_kmalloc_pool(3, 100);

	ASSERT_NE(t, NULL, pool);
	mempools_show(to_shown());
	EXPECT_EQ(t, 0, typed(t, "mempools"));
	EXPECT_NE(t, NULL, strstr(typed_text, " min_nr=3 curr_nr=3"));
	EXPECT_STREQ(t, shown_text, typed_text);
	EXPECT_EQ(t, -EINVAL, typed(t, "mempools all"));
	mempool_destroy(pool);
}
