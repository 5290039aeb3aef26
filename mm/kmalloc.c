/*
 * kmalloc.c - memory by size: a cache for each class of sizes, and whole pages above them.
 *
 * THEORY.  Classes are the powers of two from 8 to 128 KiB, with 96 and 192 between them, where
 * most sizes of a kernel fall.  A constant size picks its class when it is compiled; for any other,
 * a table of bytes does up to 192 and the highest set bit above.  Alignment is that of the largest
 * power of two that divides the class: a power of two is aligned to itself.
 *
 * Above the largest class, if the configuration allows so much, a request is a block of pages,
 * marked PG_kmalloc: its order is in the page, so a free needs no size.
 *
 * STATE.  kmalloc_caches[][], set once.
 *
 * CONTEXT.  As <quarry/slab.h> says.
 *
 * NOT HERE.  kfree() of an object: slab_cpu.c.
 */
#include <quarry/align.h>
#include <quarry/bits.h>
#include <quarry/bug.h>
#include <quarry/env.h>
#include <quarry/mm.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#include "debug/alloc_trace.h"
#include "internal.h"
#include "slab.h"

#define SMALL_STEP 8u   /* bytes to a byte of small_class[] */
#define SMALL_MAX  192u /* the largest size in it */

struct kmem_cache *kmalloc_caches[2][KMALLOC_NR_CLASSES];

static const unsigned int class_size[KMALLOC_NR_CLASSES] = {
	8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072,
};

/* kmalloc_index() of SMALL_STEP * (i + 1). */
static const unsigned char small_class[SMALL_MAX / SMALL_STEP] = {
	0, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6,
};

/* Above SMALL_MAX a class is the highest bit of the last byte's index: 256 is class 7. */
static inline unsigned int class_of(size_t size)
{
	if (size <= SMALL_MAX)
		return small_class[(size - 1) / SMALL_STEP];
	return bit_highest(size - 1);
}

/* ---- misuse, and who is to be named ----------------------------------------------------- */

/* What is asked of no cache is checked here. */
static void check_request(gfp_t gfp)
{
	if ((gfp & __GFP_WAIT) && !env_can_sleep())
		panic("kmalloc: request of mask %#x may sleep, but its context may not", gfp);
	if (gfp & (GFP_SLAB_FORBIDDEN | ~__GFP_ALL))
		panic("kmalloc: request of mask %#x asks for what no object has", gfp);
}

/* kmalloc() and kfree() for a function of this file: its caller is noted, not itself. */
static void *alloc_for(size_t size, gfp_t gfp, const void *caller)
{
	struct kmem_cache *c;

	if (!size || size > KMALLOC_CACHE_MAX)
		return __kmalloc(size, gfp);
	c = kmalloc_caches[gfp & __GFP_DMA ? 1 : 0][class_of(size)];
	return slab_debugged(c) ? slab_alloc_slow(c, gfp, caller) : kmem_cache_alloc(c, gfp);
}

static void free_for(const void *p, const void *caller)
{
	const struct page *page = lowmem_page(p);

	if (page && (page->flags & PG_slab) && slab_debugged(page->slab_cache))
		slab_free_slow(caller, (void *)(uintptr_t)p);
	else
		kfree(p);
}

/* ---- allocating ------------------------------------------------------------------------- */

static __noinline void *beyond_classes(size_t size, gfp_t gfp)
{
	if (size)
		return kmalloc_large(size, gfp);
	check_request(gfp);
	return ZERO_SIZE_PTR;
}

QAPI void *__kmalloc(size_t size, gfp_t gfp)
{
	if (unlikely(size - 1 >= KMALLOC_CACHE_MAX))
		return beyond_classes(size, gfp);
	return kmem_cache_alloc(kmalloc_caches[gfp & __GFP_DMA ? 1 : 0][class_of(size)], gfp);
}

static __cold void warn_too_large(size_t size)
{
	static bool warned;

	if (warned)
		return;
	warned = true;
	pr_warn("kmalloc: %zu bytes are more than the limit of %zu; told once\n", size,
		KMALLOC_MAX_SIZE);
	env_dump_stack();
}

QAPI void *kmalloc_large(size_t size, gfp_t gfp)
{
	struct page *page;

	check_request(gfp);
	if (size > KMALLOC_MAX_SIZE) {
		if (!(gfp & __GFP_NOWARN))
			warn_too_large(size);
		return NULL;
	}
	page = alloc_pages(gfp | __GFP_COMP, log2_roundup(DIV_ROUND_UP(size, PAGE_SIZE)));
	alloc_trace_large(page ? page_address(page) : NULL, size, gfp);
	if (!page)
		return NULL;
	page_flags_set(page, PG_kmalloc);
	return page_address(page);
}

/* The head of a kmalloc() of whole pages that starts at @p; NULL if there is none. */
static struct page *large_page(const void *p)
{
	struct page *page = lowmem_page(p);

	if (!page || !(page->flags & PG_kmalloc) || page_address(page) != p)
		return NULL;
	return page;
}

/* ---- freeing ---------------------------------------------------------------------------- */

__noinline QAPI void kfree_slow(const void *p)
{
	struct page *page;

	if (p == ZERO_SIZE_PTR)
		return;
	page = large_page(p);
	if (!page)
		slab_bad_object(NULL, p, "is freed but is no memory of kmalloc()");
	alloc_trace_large_free(p);
	page_flags_clear(page, PG_kmalloc);
	__free_pages(page, compound_order(page));
}

QAPI void kfree_sensitive(const void *p)
{
	size_t size = ksize(p);

	if (size) {
		memset((void *)(uintptr_t)p, 0, size);
		barrier(); /* nobody reads the zeroes: they must be written all the same */
	}
	free_for(p, __builtin_return_address(0));
}

/* ---- by size ---------------------------------------------------------------------------- */

QAPI size_t ksize(const void *p)
{
	const struct page *page = lowmem_page(p);

	if (page && (page->flags & PG_slab))
		return page->slab_cache->object_size;
	if (ZERO_OR_NULL_PTR(p))
		return 0;
	page = large_page(p);
	if (!page)
		slab_bad_object(NULL, p, "is asked for its size but is no memory of kmalloc()");
	return PAGE_SIZE << compound_order(page);
}

/* Does memory of @old bytes stay where it is when @size are wanted?  Not if half of it would do. */
static bool stays(size_t old, size_t size)
{
	return size <= old && (size > old / 2 || old == class_size[0]);
}

QAPI void *krealloc(const void *p, size_t size, gfp_t gfp)
{
	const void *caller = __builtin_return_address(0);
	size_t old = ksize(p);
	void *new;

	if (size && stays(old, size))
		return (void *)(uintptr_t)p;
	/* Who wants less can do without: nothing is to be reclaimed or reported for it. */
	if (size < old)
		gfp = (gfp & ~__GFP_NOFAIL) | __GFP_NORETRY | __GFP_NOWARN;
	new = alloc_for(size, gfp, caller);
	if (!new)
		return size < old ? (void *)(uintptr_t)p : NULL;
	memcpy(new, p, min(old, size));
	free_for(p, caller);
	return new;
}

/* ---- copies ----------------------------------------------------------------------------- */

QAPI void *kmemdup(const void *src, size_t len, gfp_t gfp)
{
	void *copy = alloc_for(len, gfp, __builtin_return_address(0));

	if (copy && len)
		memcpy(copy, src, len);
	return copy;
}

static char *copy_string(const char *s, size_t max, gfp_t gfp, const void *caller)
{
	size_t len = s ? strnlen(s, max) : 0;
	char *copy = s ? alloc_for(len + 1, gfp, caller) : NULL;

	if (!copy)
		return NULL;
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

QAPI char *kstrndup(const char *s, size_t max, gfp_t gfp)
{
	return copy_string(s, max, gfp, __builtin_return_address(0));
}

QAPI char *kstrdup(const char *s, gfp_t gfp)
{
	return copy_string(s, SIZE_MAX - 1, gfp, __builtin_return_address(0));
}

static char *print_string(gfp_t gfp, const char *fmt, va_list args, const void *caller)
{
	va_list again;
	char *text;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	text = alloc_for((size_t)len + 1, gfp, caller);
	if (text)
		vsnprintf(text, (size_t)len + 1, fmt, args);
	return text;
}

QAPI char *kvasprintf(gfp_t gfp, const char *fmt, va_list args)
{
	return print_string(gfp, fmt, args, __builtin_return_address(0));
}

char *kasprintf(gfp_t gfp, const char *fmt, ...)
{
	va_list args;
	char *text;

	va_start(args, fmt);
	text = print_string(gfp, fmt, args, __builtin_return_address(0));
	va_end(args);
	return text;
}

/* ---- the beginning ---------------------------------------------------------------------- */

static __init void create_class(unsigned int i, bool dma)
{
	char name[SLAB_NAME_MAX];
	unsigned int size = class_size[i];

	BUG_ON(kmalloc_index(size) != i || class_of(size) != i);
	snprintf(name, sizeof(name), "%skmalloc-%u", dma ? "dma-" : "", size);
	kmalloc_caches[dma][i] =
		slab_cache_create(name, size, 1u << bit_lowest(size),
				  SLAB_PANIC | (dma ? SLAB_CACHE_DMA : 0), NULL, NULL, GFP_NOWAIT);
	kmalloc_caches[dma][i]->permanent = true;
}

__init QAPI void kmalloc_init(void)
{
	for (unsigned int i = 0; i < KMALLOC_NR_CLASSES; i++)
		create_class(i, false);
	for (unsigned int i = 0; i < KMALLOC_NR_CLASSES; i++)
		create_class(i, true);
}
