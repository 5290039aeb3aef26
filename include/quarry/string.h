/*
 * Layer: base
 * string.h - memory, strings, patterns and numbers as text.
 *
 * The four mem* functions that a compiler calls by itself keep its convention (cdecl); every other
 * function carries QAPI.  All of them work in any context and, but for glob_match(), in time
 * linear in the bytes they look at.  lib/string.c also runs at an address it was not linked for
 * (before paging): it holds no pointer in data.
 */
#ifndef QUARRY_STRING_H
#define QUARRY_STRING_H

#include <quarry/compiler.h>
#include <quarry/types.h>

/* As in ISO C.  memcpy and memset of size 0 touch nothing. */
void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *s, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/**
 * memchr_inv - find the first byte that is not @c: what poison checks ask.
 * @n: bytes to look at.
 *
 * Return:  its address; NULL when all @n bytes are @c (converted to unsigned char).
 */
QAPI void *memchr_inv(const void *s, int c, size_t n);

/**
 * memset32 - fill @n words of 32 bits with @v.
 *
 * Return:  @s.
 */
QAPI uint32_t *memset32(uint32_t *s, uint32_t v, size_t n);

/* As in ISO C. */
QAPI size_t strlen(const char *s);
QAPI size_t strnlen(const char *s, size_t max);
QAPI int strcmp(const char *a, const char *b);
QAPI int strncmp(const char *a, const char *b, size_t n);
QAPI char *strchr(const char *s, int c);
QAPI char *strrchr(const char *s, int c);
QAPI char *strstr(const char *s, const char *what);

/**
 * strlcpy - copy @src, cut to @size - 1 bytes, and end it with a NUL.
 * @size: bytes at @dst; 0 writes nothing.
 *
 * Return:  strlen(@src): the text was cut when that is @size or more.
 */
QAPI size_t strlcpy(char *dst, const char *src, size_t size);

/**
 * glob_match - does the whole of @text match @pattern?
 * @pattern: '*' stands for any run of characters, '?' for any one; all others for themselves.
 *
 * Cost:    at most strlen(@pattern) * strlen(@text) steps, without recursion.
 */
QAPI bool glob_match(const char *pattern, const char *text);

/**
 * parse_u64 - read an unsigned number: 0x... hexadecimal, 0... octal, otherwise decimal.
 * @end: where the first character after the digits is stored; NULL when the number must be all
 *       of @s.
 * @val: the number; left alone on failure.
 *
 * Return:  0; -EINVAL when @s does not start with a number, or with text behind it and no @end;
 *          -ERANGE when it does not fit 64 bits.
 */
QAPI int parse_u64(const char *s, const char **end, uint64_t *val) __must_check;

/**
 * parse_size - the same with an optional suffix K, M, G or T (either case): binary multiples.
 */
QAPI int parse_size(const char *s, const char **end, uint64_t *val) __must_check;

#endif
