/*
 * typed.c - lines for the monitor without a terminal: tests of commands type here.
 *
 * STATE.  What the last line printed: the next one begins anew.
 *
 * CONTEXT.  Thread, one test at a time.
 */
#include "typed.h"

#include <quarry/monitor.h>
#include <quarry/out.h>
#include <quarry/string.h>

char typed_text[32768];

QAPI int typed(struct ktest *t, const char *line)
{
	char words[LINE_EDITOR_MAX];
	struct out_buf buf;
	int err;

	EXPECT_LE(t, sizeof(words) - 1, strlcpy(words, line, sizeof(words)));
	out_buf_init(&buf, typed_text, sizeof(typed_text));
	err = monitor_execute(&buf.out, words);
	EXPECT_EQ(t, 0, buf.dropped);
	return err;
}
