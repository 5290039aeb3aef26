/*
 * ksyms.c - tests of the kernel's own symbol table.
 *
 * Only a kernel image has one that the running code can be compared with; the lookup itself is
 * tested on the host, over a table made of a known list (tests/host/ksyms_table.c).
 */
#include <quarry/bug.h>
#include <quarry/ksyms.h>
#include <quarry/ktest.h>
#include <quarry/printk.h>
#include <quarry/sort.h>

KTEST_NEEDS(ksyms, every_byte_of_a_function_has_its_name, .features = KTEST_KERNEL)
{
	uintptr_t start = (uintptr_t)ksym_lookup;
	unsigned long offset = 99, size = 0;

	EXPECT_STREQ(t, "ksym_lookup", ksym_lookup(start, &offset, &size));
	EXPECT_EQ(t, 0, offset);
	EXPECT_GE(t, 16, size);
	EXPECT_STREQ(t, "ksym_lookup", ksym_lookup(start + size - 1, &offset, NULL));
	EXPECT_EQ(t, size - 1, offset);
	EXPECT_NE(t, 0, ksym_lookup(start + size, &offset, NULL));
	EXPECT_EQ(t, 0, offset);
}

KTEST_NEEDS(ksyms, variables_have_names_too, .features = KTEST_KERNEL)
{
	unsigned long offset = 99;

	EXPECT_STREQ(t, "console_loglevel",
		     ksym_lookup((uintptr_t)&console_loglevel, &offset, NULL));
	EXPECT_EQ(t, 0, offset);
}

KTEST_NEEDS(ksyms, functions_of_several_files_are_found, .features = KTEST_KERNEL)
{
	EXPECT_STREQ(t, "sort", ksym_lookup((uintptr_t)sort, NULL, NULL));
	EXPECT_STREQ(t, "printk", ksym_lookup((uintptr_t)printk, NULL, NULL));
	EXPECT_STREQ(t, "ktest_run", ksym_lookup((uintptr_t)ktest_run, NULL, NULL));
}

KTEST(ksyms, addresses_outside_the_image_have_no_name)
{
	EXPECT_EQ(t, NULL, ksym_lookup(0, NULL, NULL));
	EXPECT_EQ(t, NULL, ksym_lookup(0x1000, NULL, NULL));
	EXPECT_EQ(t, NULL, ksym_lookup(UINTPTR_MAX, NULL, NULL));
}
