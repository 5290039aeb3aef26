/*
 * host_process.c - the half of a test process that is compiled against libc.
 *
 * usage: PROGRAM [-s SEED] [-n STEPS] [PATTERNS]
 *
 * PATTERNS are globs on suite.name, separated by commas; without them every test runs.  KTAP goes
 * to standard output; the exit status is 0 when nothing failed, 1 otherwise.
 */
#include "host_ops.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_SEED 1

void host_write(const char *text, unsigned long n)
{
	while (n) {
		ssize_t done = write(STDOUT_FILENO, text, n);

		if (done < 0 && errno != EINTR)
			abort();
		if (done > 0) {
			text += done;
			n -= (unsigned long)done;
		}
	}
}

void host_exit(int code)
{
	_exit(code);
}

static void set_timeout(unsigned int ms)
{
	struct itimerval timer = { .it_value = { .tv_sec = ms / 1000,
						 .tv_usec = (suseconds_t)(ms % 1000 * 1000) } };

	setitimer(ITIMER_REAL, &timer, NULL);
}

/* Everything that the child writes, until it ends; what does not fit is read and dropped. */
static void read_all(int fd, char *buf, unsigned long size)
{
	unsigned long len = 0;
	char chunk[256];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		for (ssize_t i = 0; i < n; i++)
			if (len < size - 1)
				buf[len++] = chunk[i];
	buf[len] = '\0';
}

int host_fork(void (*fn)(void), char *buf, unsigned long size, unsigned int timeout_ms)
{
	int ends[2], status;
	pid_t pid;

	if (pipe(ends) || (pid = fork()) < 0)
		abort();
	if (!pid) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		set_timeout(timeout_ms);
		fn();
		_exit(0);
	}
	close(ends[1]);
	read_all(ends[0], buf, size);
	close(ends[0]);
	if (waitpid(pid, &status, 0) != pid)
		abort();
	return WIFEXITED(status) ? WEXITSTATUS(status) : HOST_KILLED;
}

int main(int argc, char **argv)
{
	unsigned long long seed = DEFAULT_SEED;
	unsigned long steps = 0;
	int option;

	while ((option = getopt(argc, argv, "s:n:")) != -1) {
		if (option == 's') {
			seed = strtoull(optarg, NULL, 0);
		} else if (option == 'n') {
			steps = strtoul(optarg, NULL, 0);
		} else {
			fprintf(stderr, "usage: %s [-s SEED] [-n STEPS] [PATTERNS]\n", argv[0]);
			return 2;
		}
	}
	return run_tests(argv[optind], seed, steps) ? 1 : 0;
}
