/*
 * fakeproc.c - a shared object that shows a program another /proc.
 *
 * THEORY.  procps has the names of its files built in.  Loaded before libc (LD_PRELOAD), this
 * open() turns "/proc/NAME" into "$FAKEPROC/NAME" where such a file exists, and leaves every other
 * name alone.  No privilege is needed, unlike for a mount.
 *
 * CONTEXT.  A process on the developer's machine; nothing of ours is linked in.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROC "/proc/"

typedef int open_fn(const char *path, int flags, ...);

int open(const char *path, int flags, ...)
{
	open_fn *real = (open_fn *)dlsym(RTLD_NEXT, "open");
	const char *root = getenv("FAKEPROC");
	char fake[4096];
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if (root && strncmp(path, PROC, strlen(PROC)) == 0) {
		snprintf(fake, sizeof(fake), "%s/%s", root, path + strlen(PROC));
		if (access(fake, R_OK) == 0)
			path = fake;
	}
	return real(path, flags, mode);
}
