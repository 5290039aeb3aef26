/*
 * Layer: base
 * string_ops.h - the loops under memcpy, memmove, memset and memset32, one version a compiler
 * target.  Private to lib/string.c.
 *
 * The portable loops hold a barrier: without it the compiler recognises them and calls the very
 * function that they implement.
 */
#ifndef QUARRY_LIB_STRING_OPS_H
#define QUARRY_LIB_STRING_OPS_H

#include <quarry/compiler.h>
#include <quarry/types.h>

#if defined(__i386__)

#define WORD_SIZE 4u /* bytes moved by one step of rep movsl and rep stosl */

/* Ascending, so right for overlap when @dst is below @src. */
static inline void copy_up(void *dst, const void *src, size_t n)
{
	size_t count = n / WORD_SIZE;

	__asm__ volatile("rep movsl" : "+D"(dst), "+S"(src), "+c"(count) : : "memory");
	count = n % WORD_SIZE;
	__asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(count) : : "memory");
}

static inline void fill_words(void *dst, uint32_t v, size_t count)
{
	__asm__ volatile("rep stosl" : "+D"(dst), "+c"(count) : "a"(v) : "memory");
}

static inline void fill_bytes(void *dst, unsigned char c, size_t n)
{
	size_t count = n / WORD_SIZE;
	uint32_t v = c * 0x01010101u;

	__asm__ volatile("rep stosl" : "+D"(dst), "+c"(count) : "a"(v) : "memory");
	count = n % WORD_SIZE;
	__asm__ volatile("rep stosb" : "+D"(dst), "+c"(count) : "a"(v) : "memory");
}

#else

static inline void copy_up(void *dst, const void *src, size_t n)
{
	unsigned char *d = dst;
	const unsigned char *s = src;

	for (size_t i = 0; i < n; i++) {
		d[i] = s[i];
		barrier();
	}
}

static inline void fill_words(void *dst, uint32_t v, size_t count)
{
	uint32_t *d = dst;

	for (size_t i = 0; i < count; i++) {
		d[i] = v;
		barrier();
	}
}

static inline void fill_bytes(void *dst, unsigned char c, size_t n)
{
	unsigned char *d = dst;

	for (size_t i = 0; i < n; i++) {
		d[i] = c;
		barrier();
	}
}

#endif

/*
 * Descending, for overlap with @dst above @src.  No string instruction: they are slow downwards,
 * and the direction flag would be set in interrupt handlers that forget to clear it.
 */
static inline void copy_down(void *dst, const void *src, size_t n)
{
	unsigned char *d = dst;
	const unsigned char *s = src;

	while (n--) {
		d[n] = s[n];
		barrier();
	}
}

#endif
