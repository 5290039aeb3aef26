/*
 * Layer: base
 * bitmap.h - sets of small numbers as bits of unsigned longs.
 *
 * Bit n is bit n % BITS_PER_LONG of word n / BITS_PER_LONG.  Nothing here is atomic.
 */
#ifndef QUARRY_BITMAP_H
#define QUARRY_BITMAP_H

#include <quarry/bits.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

#define BITS_TO_LONGS(nr_bits)        (((nr_bits) + BITS_PER_LONG - 1) / BITS_PER_LONG)
#define DECLARE_BITMAP(name, nr_bits) unsigned long name[BITS_TO_LONGS(nr_bits)]

static inline void __set_bit(unsigned long bit, unsigned long *map)
{
	map[bit / BITS_PER_LONG] |= BIT(bit % BITS_PER_LONG);
}

static inline void __clear_bit(unsigned long bit, unsigned long *map)
{
	map[bit / BITS_PER_LONG] &= ~BIT(bit % BITS_PER_LONG);
}

static inline bool test_bit(unsigned long bit, const unsigned long *map)
{
	return map[bit / BITS_PER_LONG] >> (bit % BITS_PER_LONG) & 1;
}

/**
 * bitmap_set - set the @nr bits from @start on.
 */
QAPI void bitmap_set(unsigned long *map, unsigned long start, unsigned long nr);

/**
 * bitmap_clear - clear the @nr bits from @start on.
 */
QAPI void bitmap_clear(unsigned long *map, unsigned long start, unsigned long nr);

/**
 * find_next_bit - the first set bit at or behind @start.
 * @size: bits of the map.
 *
 * Return:  its number; @size when there is none.
 * Cost:    linear in the words looked at.
 */
QAPI unsigned long find_next_bit(const unsigned long *map, unsigned long size, unsigned long start);

/**
 * find_next_zero_bit - the first clear bit at or behind @start; @size when there is none.
 */
QAPI unsigned long find_next_zero_bit(const unsigned long *map, unsigned long size,
				      unsigned long start);

/**
 * bitmap_weight - how many of the first @size bits are set.
 */
QAPI unsigned long bitmap_weight(const unsigned long *map, unsigned long size);

#define for_each_set_bit(bit, map, size)                              \
	for ((bit) = find_next_bit((map), (size), 0); (bit) < (size); \
	     (bit) = find_next_bit((map), (size), (bit) + 1))

#endif
