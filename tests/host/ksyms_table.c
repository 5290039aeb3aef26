/*
 * ksyms_table.c - tests of gen_ksyms.py and of the lookup in what it makes.
 *
 * The table in this program is made of ksyms_table.nm, a list with one symbol of each kind: those
 * to keep, those to leave out, several at one address.
 */
#include <quarry/ksyms.h>
#include <quarry/ktest.h>

/* @va is @want + @offset, and @want is @size bytes long. */
static void expect_symbol(struct ktest *t, uintptr_t va, const char *want, unsigned long offset,
			  unsigned long size)
{
	unsigned long got_offset = ~0ul, got_size = ~0ul;
	const char *name = ksym_lookup(va, &got_offset, &got_size);

	ASSERT_STREQ(t, want, name);
	EXPECT_EQ(t, offset, got_offset);
	EXPECT_EQ(t, size, got_size);
}

KTEST(ksyms_table, an_address_belongs_to_the_symbol_that_starts_below_it)
{
	expect_symbol(t, 0xC0100010, "helper.part.0", 0, 0xFF0);
	expect_symbol(t, 0xC0100011, "helper.part.0", 1, 0xFF0);
	expect_symbol(t, 0xC0100FFF, "helper.part.0", 0xFEF, 0xFF0);
	expect_symbol(t, 0xC0101000, "counter", 0, 4);
	expect_symbol(t, 0xC0101003, "counter", 3, 4);
	expect_symbol(t, 0xC0101004, "weak_function", 0, 0xFFC);
	expect_symbol(t, 0xC0102000, "buffer", 0, 0xFF0);
}

KTEST(ksyms_table, of_several_symbols_at_one_address_a_global_one_then_the_first_by_name_counts)
{
	expect_symbol(t, 0xC0100000, "first_function", 0, 0x10);
	expect_symbol(t, 0xC010000F, "first_function", 0xF, 0x10);
	expect_symbol(t, 0xC0102FF0, "also_zero_sized", 0, 0x10);
	expect_symbol(t, 0xC0102FFF, "also_zero_sized", 0xF, 0x10);
}

KTEST(ksyms_table, the_last_symbol_is_the_end_and_nothing_has_a_name_from_there_on)
{
	EXPECT_EQ(t, NULL, ksym_lookup(0xC0103000, NULL, NULL));
	EXPECT_EQ(t, NULL, ksym_lookup(0xC0103001, NULL, NULL));
	EXPECT_EQ(t, NULL, ksym_lookup(0xFFFFFFFF, NULL, NULL));
}

KTEST(ksyms_table, boot_symbols_and_constants_below_the_image_are_left_out)
{
	EXPECT_EQ(t, NULL, ksym_lookup(0x12, NULL, NULL));
	EXPECT_EQ(t, NULL, ksym_lookup(0x100000, NULL, NULL));
	EXPECT_EQ(t, NULL, ksym_lookup(0x100041, NULL, NULL));
	EXPECT_EQ(t, NULL, ksym_lookup(0xC00FFFFF, NULL, NULL));
}
