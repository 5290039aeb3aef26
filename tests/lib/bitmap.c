/*
 * bitmap.c - tests of bitmaps against an array of bools.
 *
 * The size is no multiple of a word, and what lies behind it in the last word is junk: a function
 * that works in words must neither see nor change that.
 */
#include <quarry/bitmap.h>
#include <quarry/ktest.h>
#include <quarry/string.h>

#define NR_BITS 150u /* two words and a part, whatever their size */

struct model {
	DECLARE_BITMAP(map, NR_BITS);
	bool bits[NR_BITS];
};

static void expect_equal(struct ktest *t, const struct model *m)
{
	for (unsigned int i = 0; i < NR_BITS; i++)
		EXPECT_EQ(t, m->bits[i], test_bit(i, m->map));
}

KTEST(bitmap, single_bits_are_set_and_cleared_alone)
{
	struct model m;

	memset(&m, 0, sizeof(m));
	for (unsigned int i = 0; i < NR_BITS; i += 7) {
		__set_bit(i, m.map);
		m.bits[i] = true;
	}
	expect_equal(t, &m);
	for (unsigned int i = 0; i < NR_BITS; i += 14) {
		__clear_bit(i, m.map);
		m.bits[i] = false;
	}
	expect_equal(t, &m);
}

KTEST(bitmap, ranges_are_set_and_cleared_exactly)
{
	struct model m;

	for (unsigned int start = 0; start < NR_BITS; start++) {
		for (unsigned int nr = 0; start + nr <= NR_BITS; nr += 1 + start % 3) {
			bool set = (start ^ nr) & 1;

			memset(m.map, set ? 0 : 0xFF, sizeof(m.map));
			for (unsigned int i = 0; i < NR_BITS; i++)
				m.bits[i] = (i >= start && i < start + nr) == set;
			if (set)
				bitmap_set(m.map, start, nr);
			else
				bitmap_clear(m.map, start, nr);
			expect_equal(t, &m);
			EXPECT_EQ(t, set ? nr : NR_BITS - nr, bitmap_weight(m.map, NR_BITS));
		}
	}
}

/* The first bit at or behind @start, below @size, that is @value; @size without one. */
static unsigned long slow_find(const struct model *m, unsigned long size, unsigned long start,
			       bool value)
{
	for (unsigned long i = start; i < size; i++)
		if (m->bits[i] == value)
			return i;
	return size;
}

static void random_model(struct ktest *t, struct model *m, uint32_t one_in)
{
	memset(m->map, (int)ktest_random_below(t, 256), sizeof(m->map)); /* junk behind the size */
	for (unsigned int i = 0; i < NR_BITS; i++) {
		m->bits[i] = ktest_random_below(t, one_in) == 0;
		if (m->bits[i])
			__set_bit(i, m->map);
		else
			__clear_bit(i, m->map);
	}
}

KTEST(bitmap, searches_find_what_a_bit_by_bit_search_finds)
{
	struct model m;

	for (unsigned int round = 0; round < 60; round++) {
		unsigned long size = NR_BITS - ktest_random_below(t, 70);

		random_model(t, &m, round % 2 ? 2 : 40);
		for (unsigned long start = 0; start <= NR_BITS; start++) {
			unsigned long want = start < size ? slow_find(&m, size, start, true) : size;

			EXPECT_EQ(t, want, find_next_bit(m.map, size, start));
			want = start < size ? slow_find(&m, size, start, false) : size;
			EXPECT_EQ(t, want, find_next_zero_bit(m.map, size, start));
		}
	}
}

KTEST(bitmap, the_loop_and_the_weight_count_every_set_bit_once)
{
	struct model m;

	for (unsigned int round = 0; round < 60; round++) {
		unsigned long size = NR_BITS - ktest_random_below(t, NR_BITS), bit, want = 0,
			      seen = 0;

		random_model(t, &m, 3);
		for (unsigned long i = 0; i < size; i++)
			want += m.bits[i];
		for_each_set_bit(bit, m.map, size) {
			EXPECT_TRUE(t, m.bits[bit]);
			seen++;
		}
		EXPECT_EQ(t, want, seen);
		EXPECT_EQ(t, want, bitmap_weight(m.map, size));
	}
}

KTEST(bitmap, an_empty_map_has_nothing)
{
	unsigned long map[1] = { ~0ul };

	EXPECT_EQ(t, 0, bitmap_weight(map, 0));
	EXPECT_EQ(t, 0, find_next_bit(map, 0, 0));
	EXPECT_EQ(t, 0, find_next_zero_bit(map, 0, 0));
}
