/*
 * string.c - memory, strings, glob patterns and numbers as text.
 *
 * THEORY.  memcpy, memset and their kin are the floor: the compiler turns structure assignments
 * and loops into calls of them, so they must not contain what it would turn into a call again
 * (string_ops.h).  On i386 they are the string instructions, which copy four bytes an element and
 * need no alignment.
 *
 * A glob is matched by remembering one place only: the last '*' and how far into the text it has
 * been stretched.  An earlier star never needs to be stretched again: whatever it matched, the
 * later one can swallow the difference.  So there is no recursion and no exponential case.
 *
 * STATE.  None.  No pointer lies in data and no table holds an address, so that the object also
 * runs where it was not linked: the code before paging is built -fpie and uses it.
 *
 * CONTEXT.  Any.
 *
 * NOT HERE.  Formatting: vsnprintf.c.  Words of the command line: cmdline.c.
 */
#include <quarry/string.h>

#include "string_ops.h"
#include <quarry/div64.h>
#include <quarry/errno.h>

void *memcpy(void *dst, const void *src, size_t n)
{
	copy_up(dst, src, n);
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	/* One comparison: below @src, or so far above that they do not overlap. */
	if ((uintptr_t)dst - (uintptr_t)src >= n)
		copy_up(dst, src, n);
	else
		copy_down(dst, src, n);
	return dst;
}

void *memset(void *s, int c, size_t n)
{
	fill_bytes(s, (unsigned char)c, n);
	return s;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (size_t i = 0; i < n; i++)
		if (x[i] != y[i])
			return x[i] - y[i];
	return 0;
}

QAPI void *memchr_inv(const void *s, int c, size_t n)
{
	const unsigned char *p = s, *end = p + n;
	uint32_t same = (unsigned char)c * 0x01010101u, word;

	/* A word at a time; the word that differs is looked at byte by byte. */
	for (; (size_t)(end - p) >= sizeof(word); p += sizeof(word)) {
		__builtin_memcpy(&word, p, sizeof(word));
		if (word != same)
			break;
	}
	for (; p < end; p++)
		if (*p != (unsigned char)c)
			return (void *)p;
	return NULL;
}

QAPI uint32_t *memset32(uint32_t *s, uint32_t v, size_t n)
{
	fill_words(s, v, n);
	return s;
}

QAPI size_t strlen(const char *s)
{
	return strnlen(s, SIZE_MAX);
}

QAPI size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

QAPI int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

QAPI int strncmp(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char x = (unsigned char)a[i], y = (unsigned char)b[i];

		if (x != y)
			return x - y;
		if (!x)
			break;
	}
	return 0;
}

QAPI char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++)
		if (!*s)
			return NULL;
	return (char *)s;
}

QAPI char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	do {
		if (*s == (char)c)
			last = s;
	} while (*s++);
	return (char *)last;
}

QAPI char *strstr(const char *s, const char *what)
{
	size_t n = strlen(what);

	for (;; s++) {
		if (!strncmp(s, what, n))
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

QAPI size_t strlcpy(char *dst, const char *src, size_t size)
{
	size_t len = strlen(src);

	if (size) {
		size_t n = len < size ? len : size - 1;

		memcpy(dst, src, n);
		dst[n] = '\0';
	}
	return len;
}

QAPI bool glob_match(const char *pattern, const char *text)
{
	const char *star = NULL;    /* behind the last '*' seen */
	const char *stretch = text; /* where the text behind that star's run begins */

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			stretch = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++stretch;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

#define NO_DIGIT 255u

static unsigned int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned int)(c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (unsigned int)(c - 'A' + 10);
	return NO_DIGIT;
}

/* The base that the prefix at *@s names; a 0x is stepped over. */
static unsigned int parse_base(const char **s)
{
	if ((*s)[0] != '0')
		return 10;
	if ((*s)[1] != 'x' && (*s)[1] != 'X')
		return 8;
	*s += 2;
	return 16;
}

/* The digits at *@s, stepped over; at least one is needed. */
static int parse_digits(const char **s, unsigned int base, uint64_t *val)
{
	uint64_t v = 0;
	const char *p = *s;

	for (; digit_value(*p) < base; p++) {
		unsigned int digit = digit_value(*p);

		/* v * base + digit <= UINT64_MAX, without overflowing to find out. */
		if (v > div_u64(UINT64_MAX - digit, base))
			return -ERANGE;
		v = v * base + digit;
	}
	if (p == *s)
		return -EINVAL;
	*s = p;
	*val = v;
	return 0;
}

/* Hand over what was read up to @p, if the caller allows text behind it. */
static int parse_end(const char *p, const char **end, uint64_t v, uint64_t *val)
{
	if (!end && *p)
		return -EINVAL;
	if (end)
		*end = p;
	*val = v;
	return 0;
}

QAPI int parse_u64(const char *s, const char **end, uint64_t *val)
{
	uint64_t v;
	int err = parse_digits(&s, parse_base(&s), &v);

	return err ? err : parse_end(s, end, v, val);
}

/* log2 of the multiple that a suffix stands for; 0 when it is none. */
static unsigned int suffix_shift(char c)
{
	switch (c) {
	case 'K':
	case 'k':
		return 10;
	case 'M':
	case 'm':
		return 20;
	case 'G':
	case 'g':
		return 30;
	case 'T':
	case 't':
		return 40;
	default:
		return 0;
	}
}

QAPI int parse_size(const char *s, const char **end, uint64_t *val)
{
	const char *p;
	uint64_t v;
	unsigned int shift;
	int err = parse_u64(s, &p, &v);

	if (err)
		return err;
	shift = suffix_shift(*p);
	if (v << shift >> shift != v)
		return -ERANGE;
	return parse_end(shift ? p + 1 : p, end, v << shift, val);
}
