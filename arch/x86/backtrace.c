/*
 * backtrace.c - the call chain, from frame pointers.
 *
 * IDEA.  Every function that calls another keeps its caller's EBP at [EBP] and the return address
 * above it.  The chain ends at 0, which the entry code put there.  After a crash nothing of this
 * can be relied on, so each word is read by a probe and each link must lead upwards.
 *
 * The library's code is what linker.ld put first, in .text and in .init: two compares for each say
 * whether a return address is in it.
 *
 * STATE.  None.
 *
 * CONTEXT.  Any, a report included.
 */
#include "x86.h"
#include <quarry/ksyms.h>
#include <quarry/out.h>
#include <quarry/port.h>

#define BACKTRACE_MAX 32u

/* A return address may lie behind its function, when the call was the last instruction. */
static void show_frame(struct out *o, unsigned int nr, uint32_t eip)
{
	unsigned long offset, size;
	uint32_t back = nr ? 1 : 0;
	const char *name = ksym_lookup(eip - back, &offset, &size);

	if (name)
		out_printf(o, "  #%u %08x %s+0x%lx/0x%lx\n", nr, eip, name, offset + back, size);
	else
		out_printf(o, "  #%u %08x\n", nr, eip);
}

/* To the frame of the caller; false: there is none, or nothing that could be one. */
static bool step_up(uint32_t *eip, uint32_t *ebp)
{
	const unsigned long *frame = (const unsigned long *)*ebp;
	unsigned long caller_ebp, caller_eip;

	if (!*ebp || probe_read(&frame[0], &caller_ebp) || probe_read(&frame[1], &caller_eip))
		return false;
	if (caller_ebp && caller_ebp <= *ebp)
		return false;
	*eip = (uint32_t)caller_eip;
	*ebp = (uint32_t)caller_ebp;
	return true;
}

void backtrace_show(struct out *o, uint32_t eip, uint32_t ebp)
{
	out_printf(o, "backtrace:\n");
	for (unsigned int i = 0; i < BACKTRACE_MAX; i++) {
		show_frame(o, i, eip);
		if (!step_up(&eip, &ebp))
			return;
	}
}

QAPI void backtrace_here(struct out *o)
{
	const uint32_t *frame = __builtin_frame_address(0);

	backtrace_show(o, frame[1], frame[0]);
}

/* ---- who called the library ------------------------------------------------------------- */

extern const char library_text_start[], library_text_end[];
extern const char library_init_start[], library_init_end[];

static bool in_library(uint32_t eip)
{
	return (eip >= (uintptr_t)library_text_start && eip < (uintptr_t)library_text_end) ||
	       (eip >= (uintptr_t)library_init_start && eip < (uintptr_t)library_init_end);
}

QAPI unsigned int port_callers(const void **to, unsigned int nr)
{
	uint32_t eip = 0, ebp = (uint32_t)__builtin_frame_address(0);
	unsigned int nr_found = 0;

	for (unsigned int i = 0; i < BACKTRACE_MAX && nr_found < nr && step_up(&eip, &ebp); i++) {
		if (nr_found || !in_library(eip))
			to[nr_found++] = (const void *)eip;
	}
	return nr_found;
}
