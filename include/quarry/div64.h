/*
 * Layer: base
 * div64.h - arithmetic that a 32-bit compiler would take from its run-time library.
 */
#ifndef QUARRY_DIV64_H
#define QUARRY_DIV64_H

#include <quarry/compiler.h>
#include <quarry/types.h>

/**
 * div_u64_rem - @n / @d, and the remainder to *@rem.
 * @d: not 0.
 */
#if defined(__i386__)
/*
 * Schoolbook division with digits of 32 bits.  The first divl leaves a remainder below @d as the
 * upper half of the second dividend, so the second quotient fits 32 bits and cannot trap.
 */
static inline uint64_t div_u64_rem(uint64_t n, uint32_t d, uint32_t *rem)
{
	uint32_t hi = (uint32_t)(n >> 32), lo = (uint32_t)n;
	uint32_t q_hi = hi / d, r = hi % d;

	__asm__("divl %[d]" : "+a"(lo), "+d"(r) : [d] "r"(d) : "cc");
	*rem = r;
	return (uint64_t)q_hi << 32 | lo;
}
#else
static inline uint64_t div_u64_rem(uint64_t n, uint32_t d, uint32_t *rem)
{
	*rem = (uint32_t)(n % d);
	return n / d;
}
#endif

/**
 * div_u64 - @n / @d, rounded down.
 * @d: not 0.
 */
static inline uint64_t div_u64(uint64_t n, uint32_t d)
{
	uint32_t rem;

	return div_u64_rem(n, d, &rem);
}

/**
 * int_sqrt - the square root of @x, rounded down.
 *
 * Digit by digit in base 2: @root holds the digits found so far, scaled by 2 * @bit.
 */
static inline unsigned long int_sqrt(unsigned long x)
{
	unsigned long root = 0;

	for (unsigned long bit = 1ul << (8 * sizeof(x) - 2); bit; bit >>= 2) {
		unsigned long trial = root + bit;

		root >>= 1;
		if (x >= trial) {
			x -= trial;
			root += bit;
		}
	}
	return root;
}

#endif
