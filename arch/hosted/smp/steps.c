/*
 * steps.c - the thread sanitizer's functions, played by the scheduler: each access is a point.
 *
 * IDEA.  mm/ is compiled for the thread sanitizer, which calls a function before each access to
 * memory and in place of each atomic operation; but it is linked with these.  So another CPU may
 * run, or an interrupt come, between any two accesses: what a missing lock lets happen happens.
 *
 * STATE.  None.
 *
 * CONTEXT.  Any.
 */
#include <quarry/asm/sched.h>
#include <quarry/compiler.h>
#include <quarry/types.h>

#define ACCESS(name)              \
	void name(const void *p); \
	void name(const void *p)  \
	{                         \
		(void)p;          \
		sched_point();    \
	}

#define ACCESSES(size)                      \
	ACCESS(__tsan_read##size)           \
	ACCESS(__tsan_write##size)          \
	ACCESS(__tsan_volatile_read##size)  \
	ACCESS(__tsan_volatile_write##size) \
	ACCESS(__tsan_unaligned_read##size) \
	ACCESS(__tsan_unaligned_write##size)

ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

#define RANGE(name)                                \
	void name(const void *p, unsigned long n); \
	void name(const void *p, unsigned long n)  \
	{                                          \
		(void)p;                           \
		(void)n;                           \
		sched_point();                     \
	}

RANGE(__tsan_read_range)
RANGE(__tsan_write_range)

/*
 * <quarry/asm/atomic.h> has a point before each already; its counters are ints.  Entries of page
 * tables have 64 bits.
 */
uint64_t __tsan_atomic64_load(const uint64_t *p, int order);
void __tsan_atomic64_store(uint64_t *p, uint64_t v, int order);
uint32_t __tsan_atomic32_load(const uint32_t *p, int order);
void __tsan_atomic32_store(uint32_t *p, uint32_t v, int order);
uint32_t __tsan_atomic32_fetch_add(uint32_t *p, uint32_t v, int order);
bool __tsan_atomic32_compare_exchange_strong(uint32_t *p, uint32_t *old, uint32_t v, int order,
					     int failed);

uint64_t __tsan_atomic64_load(const uint64_t *p, int order)
{
	(void)order;
	sched_point();
	return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

void __tsan_atomic64_store(uint64_t *p, uint64_t v, int order)
{
	(void)order;
	sched_point();
	__atomic_store_n(p, v, __ATOMIC_SEQ_CST);
}

uint32_t __tsan_atomic32_load(const uint32_t *p, int order)
{
	(void)order;
	return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

void __tsan_atomic32_store(uint32_t *p, uint32_t v, int order)
{
	(void)order;
	__atomic_store_n(p, v, __ATOMIC_SEQ_CST);
}

uint32_t __tsan_atomic32_fetch_add(uint32_t *p, uint32_t v, int order)
{
	(void)order;
	return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);
}

bool __tsan_atomic32_compare_exchange_strong(uint32_t *p, uint32_t *old, uint32_t v, int order,
					     int failed)
{
	(void)order;
	(void)failed;
	return __atomic_compare_exchange_n(p, old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void __tsan_init(void);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void);

void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller)
{
	(void)caller;
}

void __tsan_func_exit(void)
{
}
