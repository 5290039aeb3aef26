/*
 * cmd_check.c - the validators of mm/, by hand.
 *
 * THEORY.  A validator prints each violation and counts them; the count is all that is left to say.
 *
 * CONTEXT.  The monitor's thread.  Each zone's lock is held while its pages are walked.
 */
#include <quarry/errno.h>
#include <quarry/mm.h>
#include <quarry/monitor.h>

static QAPI int cmd_check(struct out *o, int argc, char **argv)
{
	unsigned int nr_bad;

	(void)argv;
	if (argc != 1)
		return -EINVAL;
	nr_bad = mm_check_all();
	out_printf(o, "%u violations\n", nr_bad);
	return 0;
}
MONITOR_COMMAND(check, "", "verify every invariant of the memory subsystem", cmd_check);
