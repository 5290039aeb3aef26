/*
 * Layer: tests
 * shown.h - a report of mm/ or the kernel as text.  Tests run one at a time and share one buffer:
 * what is in it is gone with the next report.
 */
#ifndef TESTS_SHOWN_H
#define TESTS_SHOWN_H

#include <quarry/ktest.h>
#include <quarry/out.h>
#include <quarry/types.h>

extern char shown_text[32768];

/* A sink that fills shown_text from its start. */
QAPI struct out *to_shown(void);

/* Did all that was printed since fit? */
QAPI bool shown_fits(void);

/* What @report prints, which has to fit; it is shown_text. */
QAPI const char *shown(struct ktest *t, QAPI void (*report)(struct out *o));

#endif
