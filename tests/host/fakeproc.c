/*
 * fakeproc.c - a shared object that shows a program another /proc.
 *
 * THEORY.  procps has the names of its files built in.  Loaded before libc (LD_PRELOAD), this
 * open() and fopen() turn "/proc/NAME" into "$FAKEPROC/NAME" where such a file exists, and leave
 * every other name alone.  No privilege is needed, unlike for a mount.
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
typedef FILE *fopen_fn(const char *path, const char *mode);

/* What is to be opened instead of @path, maybe in @fake. */
static const char *redirect(const char *path, char *fake, size_t size)
{
	const char *root = getenv("FAKEPROC");

	if (!root || strncmp(path, PROC, strlen(PROC)) != 0)
		return path;
	snprintf(fake, size, "%s/%s", root, path + strlen(PROC));
	return access(fake, R_OK) == 0 ? fake : path;
}

int open(const char *path, int flags, ...)
{
	open_fn *real = (open_fn *)dlsym(RTLD_NEXT, "open");
	char fake[4096];
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return real(redirect(path, fake, sizeof(fake)), flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
	fopen_fn *real = (fopen_fn *)dlsym(RTLD_NEXT, "fopen");
	char fake[4096];

	return real(redirect(path, fake, sizeof(fake)), mode);
}
