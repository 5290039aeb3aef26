/*
 * machine_pages.c - page operations on any machine.
 */
#include "machine.h"
#include <quarry/gfp.h>
#include <quarry/mm.h>

static void run(const unsigned char *data, unsigned long size)
{
	size_t nr;
	const struct machine_op *op = machine_ops(data, size, &nr);

	for (size_t i = 0; i < nr; i++) {
		struct page *page = alloc_pages(GFP_KERNEL, op[i].what % 4);

		fuzz_step("page = alloc_pages(GFP_KERNEL, %u);", op[i].what % 4);
		if (page && op[i].what & 4)
			__free_pages(page, op[i].what % 4);
		FUZZ_CHECK(op[i].what != 77 || op[i].slot != 78, "test");
	}
	FUZZ_CHECK(!mm_check_all(), "mm_check_all()");
}

const struct fuzz_target fuzz_target = { .name = "pages", MACHINE_TARGET, .run = run };
