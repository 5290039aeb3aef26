/*
 * tsan.c - READ_ONCE() and WRITE_ONCE() as the thread sanitizer is to see them: relaxed atomics.
 *
 * IDEA.  The compiler calls these before an access to a volatile object.  The sanitizer is shown an
 * atomic access to the same place, which changes nothing; the access itself follows, unseen.
 *
 * CONTEXT.  Any.
 */
#include <quarry/compiler.h>
#include <quarry/types.h>

#define ONCE(size, type)                                               \
	void __tsan_volatile_read##size(const type *p);                \
	void __tsan_volatile_write##size(type *p);                     \
	void __tsan_volatile_read##size(const type *p)                 \
	{                                                              \
		(void)__atomic_load_n(p, __ATOMIC_RELAXED);            \
	}                                                              \
	void __tsan_volatile_write##size(type *p)                      \
	{                                                              \
		(void)__atomic_fetch_or(p, (type)0, __ATOMIC_RELAXED); \
	}

ONCE(1, uint8_t)
ONCE(2, uint16_t)
ONCE(4, uint32_t)
ONCE(8, uint64_t)
