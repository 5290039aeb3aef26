/*
 * calls.c - the calls that the replayer measures, each in a function of its own.
 *
 * THEORY.  A function here reads the time-stamp counter, calls the allocator, and reads the counter
 * again: what is between the stamps is the call with its arguments, as in a row of the benchmark,
 * and the replayer's own work is outside.  A profiler that counts instructions by function sees the
 * same: what the functions called from here cost is the allocator's, what is executed here is not.
 * No call can become a jump, as a stamp follows it.
 *
 * A mask that is one of the two that nearly all callers have is a constant here as it is there.
 *
 * STATE.  replay_stamps[].
 *
 * CONTEXT.  A thread.
 */
#include <quarry/kmalloc.h>
#include <quarry/prot.h>
#include <quarry/vmalloc.h>

#include "replay.h"

/* Two instructions; nothing moves across. */
#define STAMP(i)                                   \
	__asm__ volatile("rdtsc\n\tmovl %%eax, %0" \
			 : "=m"(replay_stamps[i])  \
			 :                         \
			 : "eax", "edx", "memory")

uint32_t replay_stamps[2];

__noinline QAPI void replay_call_nothing(void)
{
	STAMP(0);
	STAMP(1);
}

__noinline QAPI void *replay_call_kmalloc(size_t size, gfp_t gfp)
{
	void *p;

	STAMP(0);
	p = kmalloc(size, gfp);
	STAMP(1);
	return p;
}

__noinline QAPI void *replay_call_krealloc(void *p, size_t size, gfp_t gfp)
{
	STAMP(0);
	p = krealloc(p, size, gfp);
	STAMP(1);
	return p;
}

__noinline QAPI void replay_call_kfree(void *p)
{
	STAMP(0);
	kfree(p);
	STAMP(1);
}

__noinline QAPI void *replay_call_cache_alloc_kernel(struct kmem_cache *c)
{
	void *obj;

	STAMP(0);
	obj = kmem_cache_alloc(c, GFP_KERNEL);
	STAMP(1);
	return obj;
}

__noinline QAPI void *replay_call_cache_alloc_atomic(struct kmem_cache *c)
{
	void *obj;

	STAMP(0);
	obj = kmem_cache_alloc(c, GFP_ATOMIC);
	STAMP(1);
	return obj;
}

__noinline QAPI void *replay_call_cache_alloc(struct kmem_cache *c, gfp_t gfp)
{
	void *obj;

	STAMP(0);
	obj = kmem_cache_alloc(c, gfp);
	STAMP(1);
	return obj;
}

__noinline QAPI void replay_call_cache_free(struct kmem_cache *c, void *obj)
{
	STAMP(0);
	kmem_cache_free(c, obj);
	STAMP(1);
}

__noinline QAPI struct page *replay_call_alloc_pages(gfp_t gfp, unsigned int order)
{
	struct page *page;

	STAMP(0);
	page = alloc_pages(gfp, order);
	STAMP(1);
	return page;
}

__noinline QAPI void replay_call_free_pages(struct page *page, unsigned int order)
{
	STAMP(0);
	__free_pages(page, order);
	STAMP(1);
}

__noinline QAPI void *replay_call_vmalloc(size_t size, gfp_t gfp)
{
	void *va;

	STAMP(0);
	va = __vmalloc(size, gfp, PROT_KERNEL);
	STAMP(1);
	return va;
}

__noinline QAPI void replay_call_vfree(void *va)
{
	STAMP(0);
	vfree(va);
	STAMP(1);
}
