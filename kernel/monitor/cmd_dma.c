/*
 * cmd_dma.c - the command that shows what devices have.
 *
 * THEORY.  As cmd_reports.c: every report is a function of mm/.
 *
 * CONTEXT.  The monitor's thread.
 */
#include <quarry/dma.h>
#include <quarry/errno.h>
#include <quarry/monitor.h>

static QAPI int cmd_dma(struct out *o, int argc, char **argv)
{
	(void)argv;
	if (argc != 1)
		return -EINVAL;
	dma_show(o);
	return 0;
}
MONITOR_COMMAND(dma, "", "memory of devices: coherent, bounced, pools", cmd_dma);
