/*
 * Layer: tests
 * fuzz.h - what the targets share: giving up, writing steps down, reading an input.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "fuzz_target.h"
#include <quarry/bug.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

/* What must hold; the message names what was found, numbers last. */
#define FUZZ_CHECK(cond, ...)                        \
	do {                                         \
		if (unlikely(!(cond)))               \
			panic("fuzz: " __VA_ARGS__); \
	} while (0)

/* Write a line of C down, if steps are: what stands in it will be a test. */
void fuzz_step(const char *fmt, ...) __printf(1, 2);

/* The bytes of an input, one after the other; zeroes beyond its end. */
struct fuzz_bytes {
	const unsigned char *data;
	size_t size, used;
};

static inline uint8_t fuzz_u8(struct fuzz_bytes *b)
{
	return b->used < b->size ? b->data[b->used++] : 0;
}

static inline uint16_t fuzz_u16(struct fuzz_bytes *b)
{
	uint16_t low = fuzz_u8(b);

	return (uint16_t)(low | (uint16_t)(fuzz_u8(b) << 8));
}

static inline uint32_t fuzz_u32(struct fuzz_bytes *b)
{
	uint32_t low = fuzz_u16(b);

	return low | (uint32_t)fuzz_u16(b) << 16;
}

static inline bool fuzz_end(const struct fuzz_bytes *b)
{
	return b->used >= b->size;
}

#endif
