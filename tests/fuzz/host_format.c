/*
 * host_format.c - one conversion by libc's snprintf().
 *
 * IDEA.  The argument has to have the type that the length says: a cast for each of them.
 *
 * CONTEXT.  The fuzzer's process.
 */
#include "host_format.h"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#define FORMAT_MAX 32

/* The format is made at run time: which is what this file is for. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static int format_number(char *buf, unsigned long size, const char *fmt,
			 const struct host_conversion *c)
{
	int width = c->width < 0 ? 0 : c->width;
	unsigned long long v = c->value;

	if (!strcmp(c->length, "ll"))
		return snprintf(buf, size, fmt, width, c->precision, v);
	switch (c->length[0]) {
	case 'l':
		return snprintf(buf, size, fmt, width, c->precision, (unsigned long)v);
	case 'z':
		return snprintf(buf, size, fmt, width, c->precision, (size_t)v);
	case 't':
		return snprintf(buf, size, fmt, width, c->precision, (ptrdiff_t)v);
	case 'j':
		return snprintf(buf, size, fmt, width, c->precision, (uintmax_t)v);
	default:
		return snprintf(buf, size, fmt, width, c->precision, (unsigned int)v);
	}
}

int host_format(char *buf, unsigned long size, const struct host_conversion *c)
{
	char fmt[FORMAT_MAX];

	snprintf(fmt, sizeof(fmt), "%%%s*.*%s%c", c->flags, c->length, c->letter);
	if (c->letter == 's')
		return snprintf(buf, size, fmt, c->width < 0 ? 0 : c->width, c->precision,
				c->string);
	return format_number(buf, size, fmt, c);
}
