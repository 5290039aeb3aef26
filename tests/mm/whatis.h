/*
 * Layer: tests
 * whatis.h - ask what an address is, and read the answer by the names of its fields.
 */
#ifndef TESTS_MM_WHATIS_H
#define TESTS_MM_WHATIS_H

#include <quarry/ktest.h>
#include <quarry/out.h>
#include <quarry/string.h>
#include <quarry/types.h>
#include <quarry/whatis.h>

#define NONE (~0ul)

static char text[4096]; /* the last answer */

static inline const char *whatis(struct ktest *t, uintptr_t va)
{
	struct out_buf b;

	out_buf_init(&b, text, sizeof(text));
	whatis_show(&b.out, va);
	EXPECT_EQ(t, 0, b.dropped);
	return text;
}

/* The number behind the first @label of the answer; NONE when there is none. */
static inline unsigned long number(const char *label)
{
	const char *at = strstr(text, label), *end;
	uint64_t val;

	if (!at || parse_u64(at + strlen(label), &end, &val))
		return NONE;
	return (unsigned long)val;
}

/* Does the answer begin with @what? */
static inline bool begins(const char *what)
{
	return strncmp(text, what, strlen(what)) == 0;
}

#endif
