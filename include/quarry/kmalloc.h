/*
 * Layer: mm
 * kmalloc.h - memory by size, on top of caches: what <quarry/slab.h> is about as well.
 */
#ifndef QUARRY_KMALLOC_H
#define QUARRY_KMALLOC_H

#include <stdarg.h>

#include <quarry/asm/layout.h>
#include <quarry/bits.h>
#include <quarry/compiler.h>
#include <quarry/config.h>
#include <quarry/gfp.h>
#include <quarry/kmem_cache.h>
#include <quarry/sizes.h>
#include <quarry/types.h>

#define KMALLOC_MAX_SIZE ((size_t)CONFIG_KMALLOC_MAX_SIZE)

/* Up to here sizes are served by caches, above by whole pages. */
#define KMALLOC_CACHE_MAX  ((size_t)(128 * KiB))
#define KMALLOC_NR_CLASSES 17u

static_assert(CONFIG_KMALLOC_MAX_SIZE >= 128 * KiB && CONFIG_KMALLOC_MAX_SIZE <= 4 * MiB,
	      "the largest kmalloc() is one block of the page allocator at most");
static_assert((CONFIG_KMALLOC_MAX_SIZE & (CONFIG_KMALLOC_MAX_SIZE - 1)) == 0,
	      "the limit is a block");

/* What kmalloc(0) returns: no memory, but not NULL.  Any access to it faults. */
#define ZERO_SIZE_PTR       ((void *)16)
#define ZERO_OR_NULL_PTR(p) ((uintptr_t)(p) <= (uintptr_t)ZERO_SIZE_PTR)

/* kmalloc-N, N = 8, 16, 32, 64, 96, 128, 192, 256, 512, ... 131072; then dma-kmalloc-N. */
extern struct kmem_cache *kmalloc_caches[2][KMALLOC_NR_CLASSES];

/* Sizes above the limit that the compiler sees: defined nowhere, so that they do not link. */
QAPI void *__you_cannot_kmalloc_that_much(void);

/**
 * kmalloc_index - the class that serves @size: the index into kmalloc_caches[].
 * @size: 1..KMALLOC_CACHE_MAX.
 *
 * For constants: it folds to one.
 */
static inline unsigned int kmalloc_index(size_t size)
{
	unsigned int bits;

	if (size <= 8)
		return 0;
	if (size > 64 && size <= 96)
		return 4;
	if (size > 128 && size <= 192)
		return 6;
	bits = log2_roundup(size);
	if (bits <= 6)
		return bits - 3;
	return bits == 7 ? 5 : bits - 1;
}

/* kmalloc() of a size that the compiler does not know, and of one above KMALLOC_CACHE_MAX. */
QAPI void *__kmalloc(size_t size, gfp_t gfp) __must_check;
QAPI void *kmalloc_large(size_t size, gfp_t gfp) __must_check;

/**
 * kmalloc - memory of any size up to KMALLOC_MAX_SIZE, physically contiguous.
 * @size: bytes; 0 gives ZERO_SIZE_PTR (a constant 0 does so without looking at @gfp).
 * @gfp:  as for kmem_cache_alloc(); with __GFP_DMA below 16 MiB.
 *
 * Return:  at least @size bytes, aligned to 8, and to @size if that is a power of two; NULL when
 *          there is no memory.  Above KMALLOC_MAX_SIZE a constant does not link; any other size
 *          gives NULL, with one warning.
 * Owner:   the caller, until kfree().
 * Context, cost: as kmem_cache_alloc(); a constant size picks its cache at compile time.
 */
static inline __always_inline void *kmalloc(size_t size, gfp_t gfp)
{
	if (!__builtin_constant_p(size))
		return __kmalloc(size, gfp);
	if (size > KMALLOC_MAX_SIZE)
		return __you_cannot_kmalloc_that_much();
	if (size > KMALLOC_CACHE_MAX)
		return kmalloc_large(size, gfp);
	if (!size)
		return ZERO_SIZE_PTR;
	return kmem_cache_alloc(kmalloc_caches[gfp & __GFP_DMA ? 1 : 0][kmalloc_index(size)], gfp);
}

/**
 * kfree - give memory of kmalloc() and its relatives back.
 * @p: NULL and ZERO_SIZE_PTR are ignored; an object of any cache goes back to its own; anything
 *     else that is no such memory is a BUG, found as kmem_cache_free() finds it.
 *
 * Context: any.
 */
QAPI void kfree(const void *p);

/**
 * kzalloc - kmalloc() of memory that is all zeroes.
 */
static inline __always_inline void *kzalloc(size_t size, gfp_t gfp)
{
	return kmalloc(size, gfp | __GFP_ZERO);
}

/**
 * kmalloc_array - memory for @nr elements of @size bytes each.
 *
 * Return:  as kmalloc(); NULL when the product does not fit into a size_t.
 */
static inline __always_inline void *kmalloc_array(size_t nr, size_t size, gfp_t gfp)
{
	size_t bytes;

	if (unlikely(__builtin_mul_overflow(nr, size, &bytes)))
		return NULL;
	return kmalloc(bytes, gfp);
}

/**
 * kcalloc - kmalloc_array() of memory that is all zeroes.
 */
static inline __always_inline void *kcalloc(size_t nr, size_t size, gfp_t gfp)
{
	return kmalloc_array(nr, size, gfp | __GFP_ZERO);
}

/**
 * krealloc - change the size of memory; it moves if it must grow, or if half of it would do.
 * @p:    NULL or ZERO_SIZE_PTR: kmalloc(@size, @gfp).
 * @size: bytes; 0: kfree(@p), and the result is ZERO_SIZE_PTR.
 *
 * Return:  the memory, its first min(old, new) bytes as they were; with __GFP_ZERO new bytes
 *          beyond what ksize() said are zero.  NULL when there is no memory to grow: then @p is as
 *          it was.
 * Context: as kmalloc().
 */
QAPI void *krealloc(const void *p, size_t size, gfp_t gfp) __must_check;

/**
 * kfree_sensitive - kfree() of memory that is overwritten with zeroes before.
 */
QAPI void kfree_sensitive(const void *p);

/**
 * ksize - how many bytes the owner of @p may use: all of its class.
 *
 * Return:  0 for NULL and ZERO_SIZE_PTR.
 */
QAPI size_t ksize(const void *p);

/**
 * kmemdup, kstrdup, kstrndup - a copy of @len bytes, of a string, of at most @max bytes of one.
 *
 * Return:  the copy, with a final 0 for strings; NULL when there is no memory, and for strings
 *          when @s is NULL.
 * Owner:   the caller, until kfree().
 */
QAPI void *kmemdup(const void *src, size_t len, gfp_t gfp) __must_check;
QAPI char *kstrdup(const char *s, gfp_t gfp) __must_check;
QAPI char *kstrndup(const char *s, size_t max, gfp_t gfp) __must_check;

/**
 * kasprintf, kvasprintf - print into memory of the right size.
 *
 * Return:  the string, until kfree(); NULL when there is no memory.
 */
char *kasprintf(gfp_t gfp, const char *fmt, ...) __printf(2, 3) __must_check;
QAPI char *kvasprintf(gfp_t gfp, const char *fmt, va_list args) __printf(2, 0) __must_check;

#endif
