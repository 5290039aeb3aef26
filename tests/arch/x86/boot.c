/*
 * boot.c - what boot keeps of low memory because of how x86 CPUs start.
 */
#include <quarry/align.h>
#include <quarry/ktest.h>
#include <quarry/memblock.h>
#include <quarry/port.h>
#include <quarry/string.h>

#define VGA_START 0xA0000ul

static const struct memblock_region *reservation(const char *name)
{
	for (unsigned int i = 0; i < memblock.reserved.nr; i++)
		if (!strcmp(memblock.reserved.region[i].name, name))
			return &memblock.reserved.region[i];
	return NULL;
}

KTEST(boot, a_page_below_1_mib_is_kept_for_starting_other_cpus)
{
	const struct memblock_region *r = reservation("AP trampoline");

	ASSERT_NE(t, NULL, r);
	EXPECT_LE(t, VGA_START, r->end);
	EXPECT_GE(t, PAGE_SIZE, r->start);
	EXPECT_TRUE(t, IS_ALIGNED(r->start, PAGE_SIZE));
	EXPECT_GE(t, PAGE_SIZE, r->end - r->start);
}
