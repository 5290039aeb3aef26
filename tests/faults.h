/*
 * Layer: tests
 * faults.h - calls of tests into mm/ that are made again when a point in them was made to fail.
 *
 * THEORY.  A test takes for granted that there is memory.  So each test is compiled with this file
 * in front, and its calls go through the functions below.  Ordinarily they are the calls.  While
 * faults.c lets points fail, a call that fails because of it is made again, with nothing failing:
 * it has to have left everything as it was, so the test then goes on as if nothing had happened,
 * gives back what it has, and the hooks find the world unchanged, or know for certain that mm/
 * lost something.  A call within another one (of a constructor, of a pool's allocator) only
 * fails: it is the outer one that is made again.
 *
 * Everything is inlined into the test, which therefore stays the caller that reports name.
 */
#ifndef TESTS_FAULTS_H
#define TESTS_FAULTS_H

#include <quarry/config.h>

#if CONFIG_FAULT_INJECT

#include <quarry/alloc_trace.h>
#include <quarry/dma.h>
#include <quarry/dmapool.h>
#include <quarry/errno.h>
#include <quarry/gfp.h>
#include <quarry/highmem.h>
#include <quarry/ktest.h>
#include <quarry/mempool.h>
#include <quarry/mm.h>
#include <quarry/monitor.h>
#include <quarry/pgtable.h>
#include <quarry/scatterlist.h>
#include <quarry/slab.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

/* What an ASSERT promises of a variable no longer holds for the compiler, as the test may go on. */
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

/* Are points of this test to fail?  Then a call begins; has ended: is it to be made again? */
extern bool faults_on;
QAPI void faults_call_begins(void);
QAPI bool faults_call_ended(bool failed);

static inline __always_inline void faults_enter(void)
{
	if (unlikely(faults_on))
		faults_call_begins();
}

static inline __always_inline bool faults_again(bool failed)
{
	return unlikely(faults_on) && faults_call_ended(failed);
}

/* @bad says of `r` whether the call failed. */
#define FAULTY(type, name, bad, params, args)                   \
	static inline __always_inline type faulty_##name params \
	{                                                       \
		type r;                                         \
                                                                \
		do {                                            \
			faults_enter();                         \
			r = name args;                          \
		} while (faults_again(bad));                    \
		return r;                                       \
	}

FAULTY(struct page *, alloc_pages, !r, (gfp_t gfp, unsigned int order), (gfp, order))
FAULTY(struct page *, alloc_page, !r, (gfp_t gfp), (gfp))
FAULTY(unsigned long, __get_free_pages, !r, (gfp_t gfp, unsigned int order), (gfp, order))
FAULTY(unsigned long, __get_free_page, !r, (gfp_t gfp), (gfp))
FAULTY(unsigned long, get_zeroed_page, !r, (gfp_t gfp), (gfp))
FAULTY(unsigned long, __get_dma_pages, !r, (gfp_t gfp, unsigned int order), (gfp, order))
FAULTY(void *, alloc_pages_exact, !r, (size_t size, gfp_t gfp), (size, gfp))
FAULTY(unsigned long, alloc_pages_bulk_array, r < nr,
       (gfp_t gfp, unsigned long nr, struct page **array), (gfp, nr, array))

FAULTY(void *, __kmalloc, !r, (size_t size, gfp_t gfp), (size, gfp))
FAULTY(void *, kmalloc_large, !r, (size_t size, gfp_t gfp), (size, gfp))
FAULTY(void *, kmalloc, !r, (size_t size, gfp_t gfp), (size, gfp))
FAULTY(void *, kzalloc, !r, (size_t size, gfp_t gfp), (size, gfp))
FAULTY(void *, kmalloc_array, !r, (size_t nr, size_t size, gfp_t gfp), (nr, size, gfp))
FAULTY(void *, kcalloc, !r, (size_t nr, size_t size, gfp_t gfp), (nr, size, gfp))
FAULTY(void *, krealloc, !r, (const void *p, size_t size, gfp_t gfp), (p, size, gfp))
FAULTY(void *, kmemdup, !r, (const void *src, size_t len, gfp_t gfp), (src, len, gfp))
FAULTY(char *, kstrdup, !r, (const char *s, gfp_t gfp), (s, gfp))
FAULTY(char *, kstrndup, !r, (const char *s, size_t max, gfp_t gfp), (s, max, gfp))

FAULTY(void *, kmem_cache_alloc, !r, (struct kmem_cache * c, gfp_t gfp), (c, gfp))
FAULTY(void *, kmem_cache_zalloc, !r, (struct kmem_cache * c, gfp_t gfp), (c, gfp))
FAULTY(void *, slab_alloc_kernel, !r, (struct kmem_cache * c), (c))
FAULTY(void *, slab_alloc_atomic, !r, (struct kmem_cache * c), (c))
FAULTY(void *, slab_alloc, !r, (struct kmem_cache * c, gfp_t gfp), (c, gfp))
FAULTY(void *, slab_alloc_any, !r, (struct kmem_cache * c, gfp_t gfp), (c, gfp))
FAULTY(unsigned int, kmem_cache_alloc_bulk, r < nr,
       (struct kmem_cache * c, gfp_t gfp, unsigned int nr, void **objs), (c, gfp, nr, objs))

FAULTY(mempool_t *, mempool_create, !r,
       (unsigned int min_nr, mempool_alloc_t alloc, mempool_free_t free, void *pool_data),
       (min_nr, alloc, free, pool_data))
FAULTY(mempool_t *, mempool_create_slab_pool, !r, (unsigned int min_nr, struct kmem_cache *c),
       (min_nr, c))
FAULTY(mempool_t *, mempool_create_kmalloc_pool, !r, (unsigned int min_nr, size_t size),
       (min_nr, size))
FAULTY(mempool_t *, mempool_create_page_pool, !r, (unsigned int min_nr, unsigned int order),
       (min_nr, order))
FAULTY(void *, mempool_alloc, !r, (mempool_t * pool, gfp_t gfp), (pool, gfp))
FAULTY(int, mempool_resize, r, (mempool_t * pool, unsigned int min_nr), (pool, min_nr))

FAULTY(void *, vmalloc, !r, (size_t size), (size))
FAULTY(void *, vzalloc, !r, (size_t size), (size))
FAULTY(void *, vmalloc_32, !r, (size_t size), (size))
FAULTY(void *, __vmalloc, !r, (size_t size, gfp_t gfp, uint32_t prot), (size, gfp, prot))
FAULTY(void *, kvmalloc, !r, (size_t size, gfp_t gfp), (size, gfp))
FAULTY(void *, vmap, !r,
       (struct page * *pages, unsigned int nr, unsigned long flags, uint32_t prot),
       (pages, nr, flags, prot))
FAULTY(void *, vm_map_ram, !r, (struct page * *pages, unsigned int nr, int node, uint32_t prot),
       (pages, nr, node, prot))
FAULTY(void *, ioremap, !r, (phys_addr_t pa, size_t size), (pa, size))
FAULTY(void *, ioremap_nocache, !r, (phys_addr_t pa, size_t size), (pa, size))
FAULTY(void *, ioremap_wc, !r, (phys_addr_t pa, size_t size), (pa, size))

FAULTY(int, pgtable_map, r, (uintptr_t va, phys_addr_t pa, size_t size, uint32_t prot, bool large),
       (va, pa, size, prot, large))
FAULTY(int, pgtable_unmap, r, (uintptr_t va, size_t size), (va, size))
FAULTY(int, pgtable_map_pages, r,
       (uintptr_t va, struct page *const *pages, unsigned long nr, uint32_t prot),
       (va, pages, nr, prot))
FAULTY(int, pgtable_protect, r, (uintptr_t va, size_t size, uint32_t prot), (va, size, prot))
FAULTY(int, set_memory_ro, r, (uintptr_t va, unsigned long nr_pages), (va, nr_pages))
FAULTY(int, set_memory_rw, r, (uintptr_t va, unsigned long nr_pages), (va, nr_pages))
FAULTY(int, set_memory_np, r, (uintptr_t va, unsigned long nr_pages), (va, nr_pages))

FAULTY(void *, dma_alloc_coherent, !r,
       (struct device * dev, size_t size, dma_addr_t *handle, gfp_t gfp), (dev, size, handle, gfp))
FAULTY(dma_addr_t, dma_map_single, r == DMA_MAPPING_ERROR,
       (struct device * dev, void *va, size_t size, enum dma_data_direction dir),
       (dev, va, size, dir))
FAULTY(dma_addr_t, dma_map_page, r == DMA_MAPPING_ERROR,
       (struct device * dev, struct page *page, size_t offset, size_t size,
	enum dma_data_direction dir),
       (dev, page, offset, size, dir))
FAULTY(unsigned int, dma_map_sg, r < nr,
       (struct device * dev, struct scatterlist *sg, unsigned int nr, enum dma_data_direction dir),
       (dev, sg, nr, dir))
FAULTY(struct dma_pool *, dma_pool_create, !r,
       (const char *name, struct device *dev, size_t size, size_t align, size_t boundary),
       (name, dev, size, align, boundary))
FAULTY(void *, dma_pool_alloc, !r, (struct dma_pool * pool, gfp_t gfp, dma_addr_t *handle),
       (pool, gfp, handle))
FAULTY(void *, dma_pool_zalloc, !r, (struct dma_pool * pool, gfp_t gfp, dma_addr_t *handle),
       (pool, gfp, handle))

FAULTY(int, alloc_trace_start, r, (size_t size), (size))

/* What would panic without memory fails instead, while some is to be missing. */
static inline __always_inline struct kmem_cache *faulty_kmem_cache_create(const char *name,
									  size_t size, size_t align,
									  unsigned long flags,
									  slab_ctor_t ctor,
									  slab_ctor_t dtor)
{
	struct kmem_cache *r;

	do {
		faults_enter();
		r = kmem_cache_create(name, size, align,
				      faults_on ? flags & ~(unsigned long)SLAB_PANIC : flags, ctor,
				      dtor);
	} while (faults_again(!r));
	return r;
}

/* A command that had no memory says so: that is not to stay in the text of its second run. */
static inline __always_inline int faulty_monitor_execute(struct out *o, char *line)
{
	struct out_buf *b = container_of(o, struct out_buf, out);
	char words[LINE_EDITOR_MAX];
	int r;

	if (likely(!faults_on))
		return monitor_execute(o, line);
	strlcpy(words, line, sizeof(words));
	faults_enter();
	r = monitor_execute(o, line);
	while (faults_again(r == -ENOMEM)) {
		out_buf_init(b, b->buf, b->size);
		faults_enter();
		r = monitor_execute(o, words);
	}
	return r;
}

/* No inlined function can have a list of arguments; of these two they are evaluated again. */
#define kvasprintf(gfp, fmt, args)                          \
	({                                                  \
		va_list copy_;                              \
		char *r_;                                   \
                                                            \
		do {                                        \
			va_copy(copy_, args);               \
			faults_enter();                     \
			r_ = (kvasprintf)(gfp, fmt, copy_); \
			va_end(copy_);                      \
		} while (faults_again(!r_));                \
		r_;                                         \
	})

#define kasprintf(...)                                 \
	({                                             \
		char *r_;                              \
                                                       \
		do {                                   \
			faults_enter();                \
			r_ = (kasprintf)(__VA_ARGS__); \
		} while (faults_again(!r_));           \
		r_;                                    \
	})

#define alloc_pages(...)                 faulty_alloc_pages(__VA_ARGS__)
#define alloc_page(...)                  faulty_alloc_page(__VA_ARGS__)
#define __get_free_pages(...)            faulty___get_free_pages(__VA_ARGS__)
#define __get_free_page(...)             faulty___get_free_page(__VA_ARGS__)
#define get_zeroed_page(...)             faulty_get_zeroed_page(__VA_ARGS__)
#define __get_dma_pages(...)             faulty___get_dma_pages(__VA_ARGS__)
#define alloc_pages_exact(...)           faulty_alloc_pages_exact(__VA_ARGS__)
#define alloc_pages_bulk_array(...)      faulty_alloc_pages_bulk_array(__VA_ARGS__)
#define __kmalloc(...)                   faulty___kmalloc(__VA_ARGS__)
#define kmalloc_large(...)               faulty_kmalloc_large(__VA_ARGS__)
#define kmalloc(...)                     faulty_kmalloc(__VA_ARGS__)
#define kzalloc(...)                     faulty_kzalloc(__VA_ARGS__)
#define kmalloc_array(...)               faulty_kmalloc_array(__VA_ARGS__)
#define kcalloc(...)                     faulty_kcalloc(__VA_ARGS__)
#define krealloc(...)                    faulty_krealloc(__VA_ARGS__)
#define kmemdup(...)                     faulty_kmemdup(__VA_ARGS__)
#define kstrdup(...)                     faulty_kstrdup(__VA_ARGS__)
#define kstrndup(...)                    faulty_kstrndup(__VA_ARGS__)
#define kmem_cache_create(...)           faulty_kmem_cache_create(__VA_ARGS__)
#define kmem_cache_alloc(...)            faulty_kmem_cache_alloc(__VA_ARGS__)
#define kmem_cache_zalloc(...)           faulty_kmem_cache_zalloc(__VA_ARGS__)
#define slab_alloc_kernel(...)           faulty_slab_alloc_kernel(__VA_ARGS__)
#define slab_alloc_atomic(...)           faulty_slab_alloc_atomic(__VA_ARGS__)
#define slab_alloc(...)                  faulty_slab_alloc(__VA_ARGS__)
#define slab_alloc_any(...)              faulty_slab_alloc_any(__VA_ARGS__)
#define kmem_cache_alloc_bulk(...)       faulty_kmem_cache_alloc_bulk(__VA_ARGS__)
#define mempool_create(...)              faulty_mempool_create(__VA_ARGS__)
#define mempool_create_slab_pool(...)    faulty_mempool_create_slab_pool(__VA_ARGS__)
#define mempool_create_kmalloc_pool(...) faulty_mempool_create_kmalloc_pool(__VA_ARGS__)
#define mempool_create_page_pool(...)    faulty_mempool_create_page_pool(__VA_ARGS__)
#define monitor_execute(...)             faulty_monitor_execute(__VA_ARGS__)
#define mempool_alloc(...)               faulty_mempool_alloc(__VA_ARGS__)
#define mempool_resize(...)              faulty_mempool_resize(__VA_ARGS__)
#define vmalloc(...)                     faulty_vmalloc(__VA_ARGS__)
#define vzalloc(...)                     faulty_vzalloc(__VA_ARGS__)
#define vmalloc_32(...)                  faulty_vmalloc_32(__VA_ARGS__)
#define __vmalloc(...)                   faulty___vmalloc(__VA_ARGS__)
#define kvmalloc(...)                    faulty_kvmalloc(__VA_ARGS__)
#define vmap(...)                        faulty_vmap(__VA_ARGS__)
#define vm_map_ram(...)                  faulty_vm_map_ram(__VA_ARGS__)
#define ioremap(...)                     faulty_ioremap(__VA_ARGS__)
#define ioremap_nocache(...)             faulty_ioremap_nocache(__VA_ARGS__)
#define ioremap_wc(...)                  faulty_ioremap_wc(__VA_ARGS__)
#define pgtable_map(...)                 faulty_pgtable_map(__VA_ARGS__)
#define pgtable_unmap(...)               faulty_pgtable_unmap(__VA_ARGS__)
#define pgtable_map_pages(...)           faulty_pgtable_map_pages(__VA_ARGS__)
#define pgtable_protect(...)             faulty_pgtable_protect(__VA_ARGS__)
#define set_memory_ro(...)               faulty_set_memory_ro(__VA_ARGS__)
#define set_memory_rw(...)               faulty_set_memory_rw(__VA_ARGS__)
#define set_memory_np(...)               faulty_set_memory_np(__VA_ARGS__)
#define dma_alloc_coherent(...)          faulty_dma_alloc_coherent(__VA_ARGS__)
#define dma_map_single(...)              faulty_dma_map_single(__VA_ARGS__)
#define dma_map_page(...)                faulty_dma_map_page(__VA_ARGS__)
#define dma_map_sg(...)                  faulty_dma_map_sg(__VA_ARGS__)
#define dma_pool_create(...)             faulty_dma_pool_create(__VA_ARGS__)
#define dma_pool_alloc(...)              faulty_dma_pool_alloc(__VA_ARGS__)
#define dma_pool_zalloc(...)             faulty_dma_pool_zalloc(__VA_ARGS__)
#define alloc_trace_start(...)           faulty_alloc_trace_start(__VA_ARGS__)

#endif
#endif
