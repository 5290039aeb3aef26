/*
 * host_format.h - libc's idea of one conversion.  Plain C types: see fuzz_target.h.
 */
#ifndef TESTS_FUZZ_HOST_FORMAT_H
#define TESTS_FUZZ_HOST_FORMAT_H

struct host_conversion {
	const char *flags;
	int width, precision; /* -1: none */
	const char *length;   /* "hh", "h", "", "l", "ll", "z", "t", "j" */
	char letter;          /* of "diuxXocs" */
	unsigned long long value;
	const char *string; /* of 's' */
};

/* snprintf()'s return, and its text at @buf, of @size bytes. */
int host_format(char *buf, unsigned long size, const struct host_conversion *c);

#endif
