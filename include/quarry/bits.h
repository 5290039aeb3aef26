/*
 * Layer: base
 * bits.h - single bits and powers of two.
 */
#ifndef QUARRY_BITS_H
#define QUARRY_BITS_H

#include <quarry/compiler.h>
#include <quarry/types.h>

#define BIT(n)        (1ul << (n))
#define BITS_PER_LONG (8u * (unsigned int)sizeof(unsigned long))

/* Is @x a power of two?  Zero is not. */
static inline bool is_power_of_2(unsigned long x)
{
	return x && !(x & (x - 1));
}

/* Index of the lowest set bit; undefined for 0. */
static inline unsigned int bit_lowest(unsigned long x)
{
	return (unsigned int)__builtin_ctzl(x);
}

/* Index of the highest set bit, that is floor(log2(x)); undefined for 0. */
static inline unsigned int bit_highest(unsigned long x)
{
	return BITS_PER_LONG - 1u - (unsigned int)__builtin_clzl(x);
}

/* ceil(log2(x)): the smallest n with 2^n >= x.  1 gives 0; undefined for 0. */
static inline unsigned int log2_roundup(unsigned long x)
{
	return x == 1 ? 0 : bit_highest(x - 1) + 1;
}

#endif
