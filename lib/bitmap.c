/*
 * bitmap.c - ranges and searches in bitmaps, a word at a time.
 *
 * THEORY.  Every function walks whole words and treats the two ends with masks: FIRST_MASK keeps
 * the bits of a word from a start on, LAST_MASK those below an end.  A search for a clear bit is
 * the search for a set one in the inverted words.
 *
 * STATE.  None.  A map's bits beyond its size may have any value; they are never looked at.
 *
 * CONTEXT.  Any.  Nothing is atomic: the owner of the map excludes others.
 */
#include <quarry/bitmap.h>

#include <quarry/align.h>

#define FIRST_MASK(start) (~0ul << ((start) % BITS_PER_LONG))
/* Only for an @end that is no multiple of a word: otherwise its word is not looked at. */
#define LAST_MASK(end) (~0ul >> (-(end) % BITS_PER_LONG))

/* The bits of word @word that lie in [start, end). */
static unsigned long range_mask(unsigned long word, unsigned long start, unsigned long end)
{
	unsigned long mask = ~0ul;

	if (word == start / BITS_PER_LONG)
		mask &= FIRST_MASK(start);
	if (word == end / BITS_PER_LONG)
		mask &= LAST_MASK(end);
	return mask;
}

QAPI void bitmap_set(unsigned long *map, unsigned long start, unsigned long nr)
{
	unsigned long end = start + nr;

	for (unsigned long w = start / BITS_PER_LONG; w * BITS_PER_LONG < end && nr; w++)
		map[w] |= range_mask(w, start, end);
}

QAPI void bitmap_clear(unsigned long *map, unsigned long start, unsigned long nr)
{
	unsigned long end = start + nr;

	for (unsigned long w = start / BITS_PER_LONG; w * BITS_PER_LONG < end && nr; w++)
		map[w] &= ~range_mask(w, start, end);
}

/* The first set bit in [start, size) of the words of @map, each xor @invert. */
static unsigned long find_next(const unsigned long *map, unsigned long size, unsigned long start,
			       unsigned long invert)
{
	for (unsigned long w = start / BITS_PER_LONG; w < BITS_TO_LONGS(size); w++) {
		unsigned long bits = (map[w] ^ invert) & range_mask(w, start, size);

		if (bits)
			return w * BITS_PER_LONG + bit_lowest(bits);
	}
	return size;
}

QAPI unsigned long find_next_bit(const unsigned long *map, unsigned long size, unsigned long start)
{
	return find_next(map, size, start, 0);
}

QAPI unsigned long find_next_zero_bit(const unsigned long *map, unsigned long size,
				      unsigned long start)
{
	return find_next(map, size, start, ~0ul);
}

QAPI unsigned long bitmap_weight(const unsigned long *map, unsigned long size)
{
	unsigned long weight = 0;

	for (unsigned long w = 0; w < BITS_TO_LONGS(size); w++) {
		unsigned long bits = map[w] & range_mask(w, 0, size);

		/* Each step clears the lowest set bit. */
		for (; bits; bits &= bits - 1)
			weight++;
	}
	return weight;
}
