/*
 * page_bulk.c - how many single pages leave a zone under one lock.
 *
 * STATE.  One array.
 */
#include <quarry/gfp.h>
#include <quarry/ktest.h>

#include "../../../mm/debug/page_owner.h"
#include "../../../mm/debug/page_poison.h"
#include "../../../mm/internal.h"

#define NR 600u

static struct page *array[NR];

KTEST_NEEDS(page_bulk, one_lock_serves_some_hundreds_of_pages_and_many_locks_serve_all,
	    .ram_mib = 30)
{
	unsigned long taken;

	static_assert(NR > 2 * MANY_PAGES_MAX, "more than two locks");
	if (!page_poison_on() && !page_owner_on()) {
		taken = alloc_pages_many(GFP_KERNEL, NR, array);
		EXPECT_GE(t, MANY_PAGES, taken);
		EXPECT_LE(t, MANY_PAGES_MAX, taken);
		free_pages_bulk_array(taken, array);
	}
	EXPECT_EQ(t, NR, alloc_pages_bulk_array(GFP_KERNEL, NR, array));
	free_pages_bulk_array(NR, array);
}
