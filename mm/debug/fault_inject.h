/*
 * Layer: mm
 * fault_inject.h - two faces: the places in mm/ where memory may be made to be missing, or nothing.
 *
 * Called from slow paths only: while pages or objects are armed the per-CPU lists or magazines are
 * out of use, so that every request comes by, and otherwise no fast path knows of it.
 */
#ifndef MM_DEBUG_FAULT_INJECT_H
#define MM_DEBUG_FAULT_INJECT_H

#include <quarry/compiler.h>
#include <quarry/config.h>
#include <quarry/errno.h>
#include <quarry/fault_inject.h>
#include <quarry/gfp.h>

#if CONFIG_FAULT_INJECT

/* Bits 1 << kind: whose points are looked at. */
extern unsigned int fault_armed;

/* Is this point to fail?  @size: pages or bytes asked for. */
QAPI bool fault_hit(enum fault_kind kind, gfp_t gfp, size_t size, unsigned int order);

/* Boot options fail_page_alloc=, failslab=, fault=: 0, or -EINVAL. */
QAPI int fault_page_parse(const char *value);
QAPI int fault_object_parse(const char *value);
QAPI int fault_option_parse(const char *value);

/* Once there are per-CPU lists: take them out of use, if the command line armed pages. */
QAPI void fault_start(void);

/* Once mm/ stands: from now on points fail by chance. */
QAPI void fault_mm_stands(void);

static inline bool fault_on(enum fault_kind kind)
{
	return unlikely(READ_ONCE(fault_armed) & 1u << kind);
}

static inline bool fault_page(gfp_t gfp, unsigned int order)
{
	return fault_on(FAULT_PAGE) && fault_hit(FAULT_PAGE, gfp, (size_t)1 << order, order);
}

static inline bool fault_object(gfp_t gfp, size_t size)
{
	return fault_on(FAULT_OBJECT) && fault_hit(FAULT_OBJECT, gfp, size, 0);
}

static inline bool fault_slab(gfp_t gfp, size_t size)
{
	return fault_on(FAULT_SLAB) && fault_hit(FAULT_SLAB, gfp, size, 0);
}

static inline bool fault_vmalloc(size_t size)
{
	return fault_on(FAULT_VMALLOC) && fault_hit(FAULT_VMALLOC, 0, size, 0);
}

static inline bool fault_pgtable(void)
{
	return fault_on(FAULT_PGTABLE) && fault_hit(FAULT_PGTABLE, 0, 1, 0);
}

static inline bool fault_memblock(size_t size)
{
	return fault_on(FAULT_MEMBLOCK) && fault_hit(FAULT_MEMBLOCK, 0, size, 0);
}

#else

static inline QAPI int fault_page_parse(const char *value)
{
	(void)value;
	return -EINVAL;
}

static inline QAPI int fault_object_parse(const char *value)
{
	(void)value;
	return -EINVAL;
}

static inline QAPI int fault_option_parse(const char *value)
{
	(void)value;
	return -EINVAL;
}

static inline void fault_start(void)
{
}

static inline void fault_mm_stands(void)
{
}

static inline bool fault_on(enum fault_kind kind)
{
	(void)kind;
	return false;
}

static inline bool fault_page(gfp_t gfp, unsigned int order)
{
	(void)gfp;
	(void)order;
	return false;
}

static inline bool fault_object(gfp_t gfp, size_t size)
{
	(void)gfp;
	(void)size;
	return false;
}

static inline bool fault_slab(gfp_t gfp, size_t size)
{
	(void)gfp;
	(void)size;
	return false;
}

static inline bool fault_vmalloc(size_t size)
{
	(void)size;
	return false;
}

static inline bool fault_pgtable(void)
{
	return false;
}

static inline bool fault_memblock(size_t size)
{
	(void)size;
	return false;
}

#endif
#endif
