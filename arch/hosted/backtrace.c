/*
 * backtrace.c - the call chain, from frame pointers.
 *
 * IDEA.  As on x86: the caller's frame pointer at [fp], the return address above it, each read by a
 * probe; each link must lead upwards.  libc's own frames at the end of the chain keep no frame
 * pointers, so the last lines may be of no use.
 *
 * CONTEXT.  Any, a report included.
 */
#include "hosted.h"
#include <quarry/ksyms.h>
#include <quarry/out.h>
#include <quarry/port.h>

#define BACKTRACE_MAX 32u

/* A return address may lie behind its function, when the call was the last instruction. */
static void show_frame(struct out *o, unsigned int nr, uintptr_t pc)
{
	unsigned long offset, size, back = nr ? 1 : 0;
	const char *name = ksym_lookup(pc - back, &offset, &size);

	if (name)
		out_printf(o, "  #%u %08lx %s+0x%lx/0x%lx\n", nr, (unsigned long)pc, name,
			   offset + back, size);
	else
		out_printf(o, "  #%u %08lx\n", nr, (unsigned long)pc);
}

/* To the frame of the caller; false: there is none, or nothing that could be one. */
static bool step_up(uintptr_t *pc, uintptr_t *fp)
{
	const unsigned long *frame = (const unsigned long *)*fp;
	unsigned long caller_fp, caller_pc;

	if (!*fp || probe_read(&frame[0], &caller_fp) || probe_read(&frame[1], &caller_pc))
		return false;
	if (caller_fp && caller_fp <= *fp)
		return false;
	*pc = caller_pc;
	*fp = caller_fp;
	return true;
}

void backtrace_show(struct out *o, uintptr_t pc, uintptr_t fp)
{
	out_printf(o, "backtrace:\n");
	for (unsigned int i = 0; i < BACKTRACE_MAX; i++) {
		show_frame(o, i, pc);
		if (!step_up(&pc, &fp))
			return;
	}
}

QAPI void backtrace_here(struct out *o)
{
	const uintptr_t *frame = __builtin_frame_address(0);

	backtrace_show(o, frame[1], frame[0]);
}

/* ---- who called the library ------------------------------------------------------------- */

/* library_start.c and library_end.c, between which the program is linked with lib/ and mm/. */
extern const char library_text_start[], library_text_end[];
extern const char library_init_start[], library_init_end[];

static bool in_library(uintptr_t pc)
{
	return (pc >= (uintptr_t)library_text_start && pc < (uintptr_t)library_text_end) ||
	       (pc >= (uintptr_t)library_init_start && pc < (uintptr_t)library_init_end);
}

QAPI unsigned int port_callers(const void **to, unsigned int nr)
{
	uintptr_t pc = 0, fp = (uintptr_t)__builtin_frame_address(0);
	unsigned int nr_found = 0;

	for (unsigned int i = 0; i < BACKTRACE_MAX && nr_found < nr && step_up(&pc, &fp); i++) {
		if (nr_found || !in_library(pc))
			to[nr_found++] = (const void *)pc;
	}
	return nr_found;
}
