/*
 * restart_table.c - the table of restartable sequences leads to instructions.
 *
 * NOT HERE.  What the sequences do: ../percpu_steps.c.  What they are made of: ../test_restart.py.
 */
#include <quarry/asm/restart.h>
#include <quarry/ktest.h>
#include <quarry/port.h>
#include <quarry/string.h>

static bool in_text(uint32_t start, uint32_t end)
{
	unsigned int nr;
	const struct port_image_part *part = port_image(&nr);

	for (unsigned int i = 0; i < nr; i++)
		if (!strcmp(part[i].name, "kernel text"))
			return start >= (uint32_t)part[i].start && end <= (uint32_t)part[i].end;
	return false;
}

KTEST(percpu_stack, every_sequence_of_the_table_lies_in_the_kernels_text)
{
	unsigned int nr = 0;

	for (const struct restart_sequence *s = restart_table; s < restart_table_end; s++) {
		EXPECT_TRUE(t, s->start < s->end);
		EXPECT_TRUE(t, in_text(s->start, s->end));
		nr++;
	}
	EXPECT_GE(t, 2, nr); /* a pop and a push */
}
