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

void backtrace_show(struct out *o, uintptr_t pc, uintptr_t fp)
{
	out_printf(o, "backtrace:\n");
	for (unsigned int i = 0; i < BACKTRACE_MAX; i++) {
		const unsigned long *frame = (const unsigned long *)fp;
		unsigned long caller_fp, caller_pc;

		show_frame(o, i, pc);
		if (!fp || probe_read(&frame[0], &caller_fp) || probe_read(&frame[1], &caller_pc))
			return;
		if (caller_fp && caller_fp <= fp)
			return;
		pc = caller_pc;
		fp = caller_fp;
	}
}

QAPI void backtrace_here(struct out *o)
{
	const uintptr_t *frame = __builtin_frame_address(0);

	backtrace_show(o, frame[1], frame[0]);
}
