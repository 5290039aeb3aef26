/*
 * host_ops.h - what the two halves of the hosted port know of each other.
 *
 * host_*.c is compiled against libc and sees nothing of ours but this; everything else is compiled
 * as a kernel is and sees nothing of libc.  Hence plain C types and the host's own convention.
 */
#ifndef ARCH_HOSTED_HOST_OPS_H
#define ARCH_HOSTED_HOST_OPS_H

/* ---- libc's half: host_mem.c --------------------------------------------------------------- */

/*
 * Make physical memory of @ram_size bytes, all zero and none of it there until it is touched;
 * reserve [@window, @window + @window_size) of the address space.  The first @bus_size bytes of RAM
 * are mapped, elsewhere, for good: their address, which is how "hardware" sees memory.
 */
void *host_memory_init(unsigned long long ram_size, unsigned long bus_size, unsigned long window,
		       unsigned long window_size);

/* Show RAM from @pa on at [@va, @va + @size) of the window: 0, or -1 when the host has no more
 * mappings. */
int host_map(unsigned long va, unsigned long size, unsigned long long pa, int may_write);

/* Let [@va, @va + @size) of the window fault again. */
void host_unmap(unsigned long va, unsigned long size);

/*
 * In a process that was just forked: give it RAM of its own, with the same contents.  What the
 * window shows is still the parent's until hosted_forked().
 */
void host_memory_copy(void);

/* An access that faulted. */
struct host_fault {
	unsigned long va;
	unsigned long pc; /* where it is to go on when the handler returns */
	unsigned long fp; /* frame pointer */
	int is_write;
	int is_fetch;    /* of an instruction */
	int is_no_frame; /* a translation is there, but the host has no memory behind it */
};

/* From now on faults of the process are hosted_fault()'s. */
void host_catch_faults(void);

/* ---- libc's half: host_main.c ---------------------------------------------------------------- */

void host_write(const char *text, unsigned long n); /* to standard output, unbuffered */
int host_getc(void);                                /* from standard input; -1 at its end */
void host_exit(int status) __attribute__((noreturn));

/* ---- libc's half: host_thread.c ----------------------------------------------------------- */

void *host_alloc(unsigned long size); /* zero, for good */
void host_thread_start(void (*fn)(void *arg), void *arg);
void host_threads_join(void); /* all that were started */
void *host_turn_new(void);    /* a semaphore, 0 */
void host_turn_give(void *turn);
void host_turn_wait(void *turn);
void host_relax(int sleep); /* let another thread of the host run; @sleep: some 50 us */

/* ---- our half -------------------------------------------------------------------------------- */

/* A file that the "boot loader" puts into RAM. */
struct host_module {
	const char *name; /* without its folder */
	const char *data;
	unsigned long size; /* bytes */
};

/* What the "boot loader" was told. */
struct host_boot {
	unsigned long long ram_size; /* bytes */
	const char *cmdline;
	unsigned int nr_cpus;
	int at_once; /* CPUs run when the host lets them, not one at a time by seed */
	unsigned int nr_modules;
	const struct host_module *modules;
};

/* Boot the machine; does not return. */
void hosted_start(const struct host_boot *boot) __attribute__((noreturn));

/* The process is a copy, with its own RAM: forget what the window shows. */
void hosted_forked(void);

/* Decide on a fault; returns when the access is to be tried, or to go on elsewhere. */
void hosted_fault(struct host_fault *fault);

#endif
