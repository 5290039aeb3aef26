/*
 * parse_bitmap.c - bitmaps against an array of booleans.
 *
 * IDEA.  An operation is a byte and two positions.  After each the bitmap must say what the array
 * says: every bit, the next set and the next clear one from a position on, and how many are set.
 *
 * CONTEXT.  In the fuzzer: there is no state but the run's own.
 */
#include "fuzz.h"
#include <quarry/bitmap.h>

#define NR_BITS 200u

struct pair {
	unsigned long map[BITS_TO_LONGS(NR_BITS)];
	bool bits[NR_BITS];
};

static unsigned int next_in_array(const bool *bits, bool wanted, unsigned int start)
{
	while (start < NR_BITS && bits[start] != wanted)
		start++;
	return start;
}

static void compare(const struct pair *p, unsigned int start)
{
	unsigned int weight = 0;

	for (unsigned int i = 0; i < NR_BITS; i++) {
		weight += p->bits[i];
		FUZZ_CHECK(test_bit(i, p->map) == p->bits[i], "bit %u is wrong", i);
	}
	FUZZ_CHECK(bitmap_weight(p->map, NR_BITS) == weight, "the weight is not %u", weight);
	FUZZ_CHECK(find_next_bit(p->map, NR_BITS, start) == next_in_array(p->bits, true, start),
		   "the next set bit from %u is wrong", start);
	FUZZ_CHECK(find_next_zero_bit(p->map, NR_BITS, start) ==
			   next_in_array(p->bits, false, start),
		   "the next clear bit from %u is wrong", start);
}

static void change(struct pair *p, bool set, unsigned int start, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		p->bits[start + i] = set;
	if (set)
		bitmap_set(p->map, start, nr);
	else
		bitmap_clear(p->map, start, nr);
}

static void run(const unsigned char *data, unsigned long size)
{
	struct fuzz_bytes b = { .data = data, .size = size };
	struct pair p = { 0 };

	while (!fuzz_end(&b)) {
		unsigned int what = fuzz_u8(&b), start = fuzz_u8(&b) % NR_BITS;
		unsigned int nr = fuzz_u8(&b) % (NR_BITS - start + 1);

		fuzz_step("bitmap_%s(map, %u, %u);", what & 1 ? "set" : "clear", start, nr);
		change(&p, what & 1, start, nr);
		compare(&p, start);
	}
}

const struct fuzz_target fuzz_target = {
	.name = "bitmap", .where = FUZZ_IN_PROCESS, .record = 3, .size_max = 300, .run = run
};
