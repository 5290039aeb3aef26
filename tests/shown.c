/*
 * shown.c - what a test looks at of a report: its text, all of it.
 *
 * STATE.  One text: a report of each kind that is printed here fits, and is looked at before the
 * next one is made.
 *
 * CONTEXT.  Thread, one test at a time.
 */
#include "shown.h"

char shown_text[32768];

static struct out_buf buf;

QAPI struct out *to_shown(void)
{
	out_buf_init(&buf, shown_text, sizeof(shown_text));
	return &buf.out;
}

QAPI bool shown_fits(void)
{
	return !buf.dropped;
}

QAPI const char *shown(struct ktest *t, QAPI void (*report)(struct out *o))
{
	report(to_shown());
	EXPECT_TRUE(t, shown_fits());
	return shown_text;
}
