/*
 * zz_last.c - tests that must run after all others: the link puts them there by the file's name.
 *
 * THEORY.  A boot module lies in RAM that nobody may touch.  Its checksum is taken before the first
 * test and printed; after a suite that emptied every zone to its last page, more than once, it
 * must be the same.  Modules are read through early_ioremap(), so one above lowmem is as good.
 *
 * SOURCES.  The checksum is FNV-1a: Fowler, Noll, Vo, "The FNV non-cryptographic hash algorithm".
 */
#include <quarry/align.h>
#include <quarry/kernel.h>
#include <quarry/ktest.h>
#include <quarry/memblock.h>
#include <quarry/mm.h>
#include <quarry/port.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#include "modules.h"

#define FNV_OFFSET 2166136261u
#define FNV_PRIME  16777619u
#define WINDOW     (16 * PAGE_SIZE) /* bytes read at a time */

static uint32_t remembered[BOOT_MODULES_MAX];
static bool readable[BOOT_MODULES_MAX];

QAPI bool module_checksum(const struct boot_module *m, uint32_t *sum)
{
	*sum = FNV_OFFSET;
	for (phys_addr_t done = 0; done < m->size;) {
		size_t size = (size_t)min(m->size - done, (phys_addr_t)WINDOW);
		const unsigned char *byte = early_ioremap(m->start + done, size);

		if (!byte)
			return false;
		for (size_t i = 0; i < size; i++)
			*sum = (*sum ^ byte[i]) * FNV_PRIME;
		early_iounmap((void *)byte, size);
		done += size;
	}
	return true;
}

QAPI void modules_remember(const struct bootinfo *bi)
{
	for (unsigned int i = 0; i < bi->nr_modules; i++) {
		const struct boot_module *m = &bi->modules[i];

		readable[i] = module_checksum(m, &remembered[i]);
		pr_info("module %s: %llu bytes at 0x%llx, checksum %08x\n", m->name,
			(unsigned long long)m->size, (unsigned long long)m->start, remembered[i]);
	}
}

KTEST_NEEDS(zz_last, boot_modules_have_survived_the_suite, .features = KTEST_MODULE)
{
	for (unsigned int i = 0; i < kernel_bootinfo->nr_modules; i++) {
		uint32_t sum;

		EXPECT_TRUE(t, readable[i]);
		EXPECT_TRUE(t, module_checksum(&kernel_bootinfo->modules[i], &sum));
		EXPECT_EQ(t, remembered[i], sum);
	}
}

KTEST(zz_last, no_page_that_boot_reserved_was_handed_out)
{
	unsigned long nr_wrong = 0;

	for (unsigned int i = 0; i < memblock.reserved.nr; i++) {
		const struct memblock_region *r = &memblock.reserved.region[i];

		for (phys_addr_t pa = ALIGN_DOWN(r->start, PAGE_SIZE);
		     pa < r->end && pfn_valid((pfn_t)(pa >> PAGE_SHIFT)); pa += PAGE_SIZE) {
			const struct page *page = pfn_to_page((pfn_t)(pa >> PAGE_SHIFT));

			nr_wrong += !(page->flags & PG_reserved) || atomic_read(&page->_count) != 0;
		}
	}
	EXPECT_EQ(t, 0, nr_wrong);
}
