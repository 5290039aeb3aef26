/*
 * host_ops.h - what the two halves of a test process know of each other.
 *
 * host_*.c is compiled against libc and sees nothing of ours but this; everything else is compiled
 * as in the kernel and sees nothing of libc.  Hence plain C types and the host's own convention.
 */
#ifndef QUARRY_TESTS_HOST_OPS_H
#define QUARRY_TESTS_HOST_OPS_H

/* libc's half: what a process can do. */
void host_write(const char *text, unsigned long n); /* to standard output, unbuffered */
void host_exit(int code) __attribute__((noreturn));

#define HOST_KILLED (-1) /* the child ended by a signal, the timeout's included */

/*
 * Run @fn in a child process with its output caught in @buf, of @size bytes, as a string.  After
 * @timeout_ms it is killed.  Its exit status, which is 0 when @fn returns, or HOST_KILLED.
 */
int host_fork(void (*fn)(void), char *buf, unsigned long size, unsigned int timeout_ms);

/* Our half: run the tests that match; how many failed. */
unsigned int run_tests(const char *patterns, unsigned long long seed, unsigned long steps);

#endif
