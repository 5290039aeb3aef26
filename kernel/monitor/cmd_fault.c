/*
 * cmd_fault.c - the command that makes allocations fail on purpose.
 *
 * THEORY.  As cmd_reports.c: words and report are functions of mm/ (<quarry/fault_inject.h>).
 *
 * CONTEXT.  The monitor's thread.
 */
#include <quarry/errno.h>
#include <quarry/fault_inject.h>
#include <quarry/monitor.h>
#include <quarry/string.h>

static QAPI int cmd_fault(struct out *o, int argc, char **argv)
{
	if (argc > 2)
		return -EINVAL;
	if (argc == 2 && !strcmp(argv[1], "reset"))
		fault_count_reset();
	else if (argc == 2)
		return fault_parse(argv[1]);
	else
		fault_show(o);
	return 0;
}
MONITOR_COMMAND(fault, "[KIND:I,P,S,T,... | nth:KIND,K[,T] | off | reset]",
		"points where memory may be missing, seen and failed; let some fail", cmd_fault);
