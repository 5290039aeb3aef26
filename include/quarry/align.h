/*
 * Layer: base
 * align.h - rounding to powers of two, and minimum and maximum without double evaluation.
 *
 * The rounding macros must work on every integer type and in constant expressions, which no
 * function can; the alignment takes the type of the value, so 64-bit addresses keep their upper
 * half.
 */
#ifndef QUARRY_ALIGN_H
#define QUARRY_ALIGN_H

#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a)-1))
#define ALIGN_UP(x, a)   (((x) + ((__typeof__(x))(a)-1)) & ~((__typeof__(x))(a)-1))
#define IS_ALIGNED(x, a) (((x) & ((__typeof__(x))(a)-1)) == 0)

#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))

#define min(a, b)                                  \
	({                                         \
		__typeof__(a) min_a_ = (a);        \
		__typeof__(b) min_b_ = (b);        \
		min_a_ < min_b_ ? min_a_ : min_b_; \
	})

#define max(a, b)                                  \
	({                                         \
		__typeof__(a) max_a_ = (a);        \
		__typeof__(b) max_b_ = (b);        \
		max_a_ > max_b_ ? max_a_ : max_b_; \
	})

#define clamp(x, low, high)                                                                        \
	({                                                                                         \
		__typeof__(x) clamp_x_ = (x);                                                      \
		__typeof__(x) clamp_low_ = (low), clamp_high_ = (high);                            \
		clamp_x_<clamp_low_ ? clamp_low_ : clamp_x_> clamp_high_ ? clamp_high_ : clamp_x_; \
	})

#endif
