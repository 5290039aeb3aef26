/*
 * Layer: base
 * compiler.h - what the compiler is told about functions, data and locks.
 */
#ifndef QUARRY_COMPILER_H
#define QUARRY_COMPILER_H

/*
 * The calling convention of every public function, and of every function pointer in a public
 * structure.  It stands on the prototype, not on the command line, so that a kernel built with
 * other flags links against the library: three arguments in EAX, EDX, ECX.  The functions that
 * a compiler calls by itself (memcpy, memset, ...) and variadic functions keep plain cdecl.
 */
#if defined(__i386__)
#define QAPI __attribute__((regparm(3)))
#else
#define QAPI
#endif

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define __must_check __attribute__((warn_unused_result))
#define __noreturn   __attribute__((noreturn))
#define __noinline   __attribute__((noinline))
#define __cold       __attribute__((cold, noinline))
/* For what a constant argument decides where it stands; who looks for uses may define it away. */
#ifndef __always_inline
#define __always_inline __attribute__((always_inline))
#endif

#define __packed         __attribute__((packed))
#define __aligned(n)     __attribute__((aligned(n)))
#define __maybe_unused   __attribute__((unused))
#define __used           __attribute__((used))
#define __weak           __attribute__((weak))
#define __section(s)     __attribute__((section(s)))
#define __printf(fmt, n) __attribute__((format(printf, fmt, n)))

/*
 * For reports that may be asked in the middle of a change, by a panic: they take no lock, and what
 * they read may change under them.  The thread sanitizer, who would say so, does not watch them.
 */
#define __racy_report __attribute__((no_sanitize("thread")))

/* Code and data that only boot needs: handed to the page allocator once boot is over. */
#define __init     __section(".init.text") __cold
#define __init_hot __section(".init.text") __attribute__((hot)) /* a loop over all memory */
#define __initdata __section(".init.data")
#define __initbss  __section(".bss.init") /* zero at first */

/* Lock annotations: clang -Wthread-safety proves them, gcc ignores them. */
#if defined(__clang__)
#define __capability(n)    __attribute__((capability(n)))
#define __acquires(l)      __attribute__((acquire_capability(l)))
#define __releases(l)      __attribute__((release_capability(l)))
#define __must_hold(l)     __attribute__((requires_capability(l)))
#define __guarded_by(l)    __attribute__((guarded_by(l)))
#define __no_lock_analysis __attribute__((no_thread_safety_analysis))
#else
#define __capability(n)
#define __acquires(l)
#define __releases(l)
#define __must_hold(l)
#define __guarded_by(l)
#define __no_lock_analysis
#endif

/* A compiler barrier: no memory access moves across it. */
#define barrier() __asm__ volatile("" ::: "memory")

/* @x keeps its value, but the compiler knows no more what it is. */
#define opaque(x) __asm__("" : "+r"(x))

/* One load, one store: the compiler neither splits, repeats nor invents the access. */
#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

/* Of a count that only one may change at a time, and that others read with READ_ONCE(). */
#define ADD_ONCE(x, n) WRITE_ONCE(x, (x) + (n))

#define container_of(ptr, type, member) ((type *)((char *)(ptr) - __builtin_offsetof(type, member)))

#define ARRAY_SIZE(a) ((unsigned int)(sizeof(a) / sizeof((a)[0])))

#endif
