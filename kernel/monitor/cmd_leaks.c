/*
 * cmd_leaks.c - commands that say who has memory.
 *
 * THEORY.  As cmd_reports.c: the reports are functions of mm/.
 *
 * CONTEXT.  The monitor's thread.
 */
#include <quarry/errno.h>
#include <quarry/leaks.h>
#include <quarry/monitor.h>
#include <quarry/string.h>

MONITOR_REPORT(pageowner, pageowner_show, "who has pages (page_owner=1) and areas, largest first");

static QAPI int cmd_leaks(struct out *o, int argc, char **argv)
{
	if (argc > 2 || (argc == 2 && strcmp(argv[1], "mark")))
		return -EINVAL;
	if (argc == 2)
		leaks_mark();
	else
		leaks_show(o);
	return 0;
}
MONITOR_COMMAND(leaks, "[mark]", "what was taken since the mark and is not given back, by caller",
		cmd_leaks);
