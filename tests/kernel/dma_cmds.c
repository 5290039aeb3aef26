/*
 * dma_cmds.c - the command that shows DMA memory prints what the report of mm/ says.
 *
 * CONTEXT.  Thread.
 */
#include "../shown.h"
#include "typed.h"

#include <quarry/dma.h>
#include <quarry/errno.h>

KTEST(dma_cmds, dma_prints_the_report)
{
	EXPECT_EQ(t, 0, typed(t, "dma"));
	EXPECT_STREQ(t, shown(t, dma_show), typed_text);
	EXPECT_EQ(t, -EINVAL, typed(t, "dma all"));
}
