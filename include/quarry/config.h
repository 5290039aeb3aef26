/*
 * Layer: base
 * config.h - every build option, always defined, to 0 or 1 unless said otherwise.
 *
 * `make CONFIG="SMP=0 SHOW=0"` and `make lib CONFIG=...` pass them on the command line.
 */
#ifndef QUARRY_CONFIG_H
#define QUARRY_CONFIG_H

/* More than one CPU may run mm/: spinlocks spin, counts are locked.  0: interrupts off suffice. */
#ifndef CONFIG_SMP
#define CONFIG_SMP 1
#endif

/* The text reports (buddyinfo, zoneinfo, ...): mm/show.c. */
#ifndef CONFIG_SHOW
#define CONFIG_SHOW 1
#endif

/* The validators: mm/check.c. */
#ifndef CONFIG_CHECK
#define CONFIG_CHECK 1
#endif

/* Boot options page_poison=, init_on_alloc=, init_on_free=: mm/debug/page_poison.c. */
#ifndef CONFIG_PAGE_POISON
#define CONFIG_PAGE_POISON 1
#endif

/* Boot option page_owner=, and the reports on who holds memory: mm/debug/page_owner.c, leaks.c. */
#ifndef CONFIG_PAGE_OWNER
#define CONFIG_PAGE_OWNER 1
#endif

/* Red zones, poison, owners and consistency checks of slab caches: mm/debug/slab_debug.c. */
#ifndef CONFIG_SLAB_DEBUG
#define CONFIG_SLAB_DEBUG 1
#endif

/* Boot options fault=, fail_page_alloc=, failslab=: mm/debug/fault_inject.c. */
#ifndef CONFIG_FAULT_INJECT
#define CONFIG_FAULT_INJECT 1
#endif

/* A recording of every allocation and free: mm/debug/alloc_trace.c. */
#ifndef CONFIG_ALLOC_TRACE
#define CONFIG_ALLOC_TRACE 1
#endif

/*
 * Magazines of slab caches, 256 bytes each on every CPU.  One stays empty: it is that of all caches
 * with debug flags, and of those for which there is none left, which go to their slabs.
 */
#ifndef CONFIG_SLAB_MAGAZINES
#define CONFIG_SLAB_MAGAZINES 128
#endif

/* The largest kmalloc(), in bytes: a power of two, 131072 to 4194304. */
#ifndef CONFIG_KMALLOC_MAX_SIZE
#define CONFIG_KMALLOC_MAX_SIZE 131072
#endif

#endif
