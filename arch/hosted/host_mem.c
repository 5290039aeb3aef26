/*
 * host_mem.c - physical memory and the window on it, as the process has them.
 *
 * IDEA.  Physical memory is a file without a name (memfd), sparse and as large as the physical
 * address space, so that any memory map can be booted.  The kernel's addresses are a reserved range
 * of the process in which nothing may be touched; a translation is a mapping of a piece of the file
 * over a piece of the range, and forgetting it is the reservation put back.
 *
 * STATE.  ram_fd; bus: where its beginning is mapped for good.
 *
 * CONTEXT.  Any, the handler of a fault included: mmap() is all it does.
 */
#define _GNU_SOURCE
#include "host_ops.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <valgrind/valgrind.h>

/* Bits of the page-fault error code. */
#define ERROR_WRITE 0x02
#define ERROR_FETCH 0x10

#if defined(__x86_64__)
#define REG_PC     REG_RIP
#define REG_FP     REG_RBP
#define MMAP_CALL  SYS_mmap
#define MMAP_SHIFT 0 /* unit of its offset, log2 of bytes */
#else
#define REG_PC     REG_EIP
#define REG_FP     REG_EBP
#define MMAP_CALL  SYS_mmap2
#define MMAP_SHIFT 12
#endif

static int ram_fd = -1;
static void *bus;
static unsigned long bus_bytes;

static void *map_or_die(void *at, unsigned long size, int prot, int flags, int fd, const char *what)
{
	void *p = mmap(at, size, prot, flags, fd, 0);

	if (p == MAP_FAILED || (at && p != at)) {
		fprintf(stderr, "hosted: cannot map %s (%lu KiB at %p): %s\n", what, size >> 10, at,
			p == MAP_FAILED ? strerror(errno) : "the range is in use");
		exit(2);
	}
	return p;
}

void *host_memory_init(unsigned long long ram_size, unsigned long bus_size, unsigned long window,
		       unsigned long window_size)
{
	ram_fd = memfd_create("quarry-ram", MFD_CLOEXEC);
	if (ram_fd < 0 || ftruncate(ram_fd, (off_t)ram_size)) {
		perror("hosted: memfd");
		exit(2);
	}
	map_or_die((void *)window, window_size, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
		   "the window");
	bus_bytes = bus_size;
	bus = map_or_die(NULL, bus_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, ram_fd,
			 "physical memory");
	return bus;
}

static void copy_or_die(int to, off_t start, off_t end)
{
	if (lseek(to, start, SEEK_SET) < 0)
		abort();
	while (start < end) {
		if (sendfile(to, ram_fd, &start, (size_t)(end - start)) <= 0)
			abort();
	}
}

/* Only what was ever touched is there to be copied. */
void host_memory_copy(void)
{
	off_t size = lseek(ram_fd, 0, SEEK_END), start = 0, end;
	int copy = memfd_create("quarry-ram", MFD_CLOEXEC);

	if (copy < 0 || ftruncate(copy, size))
		abort();
	while ((start = lseek(ram_fd, start, SEEK_DATA)) >= 0) {
		end = lseek(ram_fd, start, SEEK_HOLE);
		copy_or_die(copy, start, end);
		start = end;
	}
	if (dup2(copy, ram_fd) < 0)
		abort();
	close(copy);
	map_or_die(bus, bus_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED,
		   ram_fd, "physical memory");
}

/*
 * Past what a sanitizer puts in front of mmap(): to the thread sanitizer that would be a write to
 * the whole range, by whoever happened to fault first.
 */
static long map_over(unsigned long va, unsigned long size, int prot, int flags, int fd,
		     unsigned long long offset)
{
	return syscall(MMAP_CALL, va, size, prot, flags | MAP_FIXED, fd,
		       (unsigned long)(offset >> MMAP_SHIFT));
}

int host_map(unsigned long va, unsigned long size, unsigned long long pa, int may_write)
{
	int prot = PROT_READ | (may_write ? PROT_WRITE : 0);

	return map_over(va, size, prot, MAP_SHARED | MAP_NORESERVE, ram_fd, pa) == -1 ? -1 : 0;
}

void host_unmap(unsigned long va, unsigned long size)
{
	if (map_over(va, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == -1)
		abort();
}

#if defined(__i386__)

#define OP_REP  0xf3
#define OP_MOVS 0xa4 /* of bytes; + 1: of words */
#define OP_STOS 0xaa

/* valgrind counts a repeated string instruction down before it touches memory: take that back. */
static void mend_count(greg_t *regs)
{
	const unsigned char *op = (const unsigned char *)regs[REG_PC];

	if (RUNNING_ON_VALGRIND && op[0] == OP_REP &&
	    ((op[1] & ~1) == OP_MOVS || (op[1] & ~1) == OP_STOS))
		regs[REG_ECX]++;
}

#else

static void mend_count(greg_t *regs)
{
	(void)regs;
}

#endif

static void on_fault(int signal, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	struct host_fault fault = {
		.va = (unsigned long)info->si_addr,
		.pc = (unsigned long)regs[REG_PC],
		.fp = (unsigned long)regs[REG_FP],
		.is_write = (regs[REG_ERR] & ERROR_WRITE) != 0,
		.is_fetch = (regs[REG_ERR] & ERROR_FETCH) != 0,
		.is_no_frame = signal == SIGBUS,
	};
	int saved_errno = errno;

	mend_count(regs);
	hosted_fault(&fault);
	regs[REG_PC] = (greg_t)fault.pc;
	errno = saved_errno;
}

/* SA_NODEFER: a report may fault itself. */
void host_catch_faults(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigemptyset(&action.sa_mask);
	if (sigaction(SIGSEGV, &action, NULL) || sigaction(SIGBUS, &action, NULL))
		abort();
}
