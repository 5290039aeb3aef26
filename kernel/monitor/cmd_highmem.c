/*
 * cmd_highmem.c - commands that show the slots of kmap() and the fixmap.
 *
 * THEORY.  As cmd_reports.c: every report is a function of mm/.
 *
 * CONTEXT.  The monitor's thread.
 */
#include <quarry/errno.h>
#include <quarry/fixmap.h>
#include <quarry/highmem.h>
#include <quarry/monitor.h>

static QAPI int cmd_pkmap(struct out *o, int argc, char **argv)
{
	(void)argv;
	if (argc != 1)
		return -EINVAL;
	pkmap_show(o);
	return 0;
}
MONITOR_COMMAND(pkmap, "", "slots of kmap(): pages, counts, who holds them", cmd_pkmap);

static QAPI int cmd_fixmap(struct out *o, int argc, char **argv)
{
	(void)argv;
	if (argc != 1)
		return -EINVAL;
	fixmap_show(o);
	return 0;
}
MONITOR_COMMAND(fixmap, "", "fixed pages that are mapped", cmd_fixmap);
