/*
 * Layer: base
 * bug.h - what happens when a promise was broken.
 *
 * BUG and BUG_ON end in panic(): the state can no longer be trusted.  WARN_ON_ONCE reports once a
 * call site and goes on.  All of them are always compiled in.
 */
#ifndef QUARRY_BUG_H
#define QUARRY_BUG_H

#include <quarry/compiler.h>
#include <quarry/types.h>

/**
 * panic - report @fmt, the stack and the registers, and stop the machine.
 *
 * Context: any.  Does not return.  A panic inside a panic prints its own line and stops.
 */
void panic(const char *fmt, ...) __printf(1, 2) __noreturn __cold;

/* Out of line, so that a check costs its caller one compare and one branch. */
QAPI void bug_report(const char *cond, const char *file, int line) __noreturn __cold;
QAPI void warn_report(const char *cond, const char *file, int line) __cold;

#define BUG() bug_report("reached", __FILE__, __LINE__)

#define BUG_ON(cond)                                           \
	do {                                                   \
		if (unlikely(cond))                            \
			bug_report(#cond, __FILE__, __LINE__); \
	} while (0)

/* True when @cond holds; the report is printed the first time only. */
#define WARN_ON_ONCE(cond)                                      \
	({                                                      \
		static bool warned_;                            \
		bool warn_cond_ = (cond);                       \
		if (unlikely(warn_cond_ && !warned_)) {         \
			warned_ = true;                         \
			warn_report(#cond, __FILE__, __LINE__); \
		}                                               \
		unlikely(warn_cond_);                           \
	})

#endif
