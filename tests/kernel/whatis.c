/*
 * whatis.c - the kernel's own addresses are known: symbols, parts of the image, stacks.
 *
 * STATE.  The answer: tests/mm/whatis.h.
 */
#include "../mm/whatis.h"

#include <quarry/mm.h>
#include <quarry/port.h>
#include <quarry/printk.h>

QAPI void kernel_entry(uint32_t magic, uint32_t info_pa);

KTEST_NEEDS(whatis, a_function_is_known_by_its_name_and_the_part_of_the_image,
	    .features = KTEST_IMAGE)
{
	whatis(t, (uintptr_t)whatis_show + 3);
	EXPECT_TRUE(t, begins("symbol name=whatis_show offset=0x3 size=0x"));
	EXPECT_NE(t, NULL, strstr(text, "\nimage start=0x"));
	EXPECT_NE(t, NULL, strstr(text, " name=kernel text\n"));
	EXPECT_NE(t, NULL, strstr(text, " state=reserved "));
}

KTEST_NEEDS(whatis, a_variable_is_known_by_its_name, .features = KTEST_IMAGE)
{
	whatis(t, (uintptr_t)&text[1000]);
	EXPECT_TRUE(t, begins("symbol name=text offset=0x3e8 size=0x"));
	EXPECT_NE(t, NULL, strstr(text, " name=kernel bss\n"));
}

KTEST(whatis, what_only_boot_needed_is_no_symbol_any_more)
{
	whatis(t, (uintptr_t)kernel_entry);
	EXPECT_EQ(t, NULL, strstr(text, "symbol "));
	EXPECT_EQ(t, NULL, strstr(text, "image "));
	EXPECT_EQ(t, NULL, strstr(text, " state=reserved "));
}

KTEST(whatis, an_address_that_is_no_part_of_the_image_has_no_symbol)
{
	EXPECT_EQ(t, NULL, strstr(whatis(t, 0x08000000), "symbol "));
	EXPECT_EQ(t, NULL, strstr(whatis(t, PAGE_OFFSET), "symbol "));
	EXPECT_EQ(t, NULL, strstr(whatis(t, mm_layout.high_memory - 1), "symbol "));
}

KTEST_NEEDS(whatis, the_running_stack_is_live_above_and_unused_below_the_stack_pointer,
	    .features = KTEST_IMAGE)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);

	whatis(t, here);
	EXPECT_TRUE(t, begins("stack name=boot start=0x"));
	EXPECT_NE(t, NULL, strstr(text, " use=live below_top="));
	EXPECT_EQ(t, number(" end=") - here, number(" below_top="));
	EXPECT_NE(t, NULL, strstr(whatis(t, number(" end=") - 1), " use=live below_top=1\n"));
	EXPECT_NE(t, NULL, strstr(whatis(t, number(" start=")), " use=unused "));
}

KTEST(whatis, every_guard_page_is_told_with_the_stack_above_it)
{
	unsigned int nr;
	const void *const *guards = port_guard_pages(&nr);

	for (unsigned int i = 0; i < nr; i++) {
		uintptr_t guard = (uintptr_t)guards[i];

		whatis(t, guard);
		EXPECT_TRUE(t, begins("stack name="));
		EXPECT_EQ(t, guard + PAGE_SIZE, number(" start="));
		EXPECT_EQ(t, PAGE_SIZE, number(" use=guard below_start="));
		EXPECT_NE(t, NULL, strstr(text, " mapped=no "));
		whatis(t, guard + PAGE_SIZE - 1);
		EXPECT_EQ(t, 1, number(" use=guard below_start="));
		whatis(t, guard + PAGE_SIZE);
		EXPECT_EQ(t, NONE, number(" use=guard below_start="));
		EXPECT_NE(t, NULL, strstr(text, " mapped=yes "));
	}
	EXPECT_GE(t, 2, nr);
}

KTEST(whatis, the_stack_of_double_faults_is_idle)
{
	unsigned int nr;
	const void *const *guards = port_guard_pages(&nr);

	ASSERT_GE(t, 2, nr);
	whatis(t, (uintptr_t)guards[1] + PAGE_SIZE + 8);
	EXPECT_TRUE(t, begins("stack name=double_fault start=0x"));
	EXPECT_NE(t, NULL, strstr(text, " use=idle "));
}
