/*
 * ioremap.c - device memory: what is refused, and how the rest is mapped.
 *
 * THEORY.  The local APIC's page is on every machine: RAM is never there.  What its register reads
 * is compared with what the boot-time window shows.
 */
#include "helpers.h"

#include <quarry/pgtable.h>
#include <quarry/port.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

#define DEVICE        0xFEE00000ull
#define DEVICE_OFFSET 0x30u /* the version of the local APIC */

static uint32_t prot_of(const void *va)
{
	struct pt_walk w;

	pgtable_walk((uintptr_t)va, &w);
	return w.present ? pte_prot(w.pte) : 0;
}

static phys_addr_t pa_of(const void *va)
{
	struct pt_walk w;

	pgtable_walk((uintptr_t)va, &w);
	return w.present ? w.pa : 0;
}

KTEST(ioremap, device_memory_is_mapped_uncached)
{
	void *va = ioremap(DEVICE, PAGE_SIZE), *other = ioremap_nocache(DEVICE, PAGE_SIZE);

	ASSERT_TRUE(t, va && other);
	EXPECT_TRUE(t, is_vmalloc_addr(va));
	EXPECT_EQ(t, DEVICE, pa_of(va));
	EXPECT_TRUE(t, prot_of(va) & PROT_UNCACHED);
	EXPECT_TRUE(t, prot_of(va) & PROT_WRITE);
	EXPECT_TRUE(t, prot_of(other) & PROT_UNCACHED);
	iounmap(va);
	iounmap(other);
	EXPECT_EQ(t, 0, pa_of(va));
}

KTEST_NEEDS(ioremap, ioremap_wc_combines_writes, .features = KTEST_PAT)
{
	void *va = ioremap_wc(DEVICE, 3 * PAGE_SIZE);

	ASSERT_NE(t, NULL, va);
	EXPECT_TRUE(t, prot_of(va) & PROT_WRITE_COMBINE);
	EXPECT_FALSE(t, prot_of(va) & PROT_UNCACHED);
	iounmap(va);
}

KTEST(ioremap, an_unaligned_address_keeps_its_offset_and_reads_the_device)
{
	const uint32_t *window = early_ioremap(DEVICE, PAGE_SIZE);
	uint32_t want = READ_ONCE(window[DEVICE_OFFSET / 4]);
	const uint32_t *va = ioremap(DEVICE + DEVICE_OFFSET, 4);

	early_iounmap((void *)window, PAGE_SIZE);
	ASSERT_NE(t, NULL, va);
	EXPECT_EQ(t, DEVICE_OFFSET, (uintptr_t)va % PAGE_SIZE);
	EXPECT_EQ(t, DEVICE + DEVICE_OFFSET, pa_of(va));
	EXPECT_EQ(t, want, READ_ONCE(*va));
	iounmap(va);
}

KTEST(ioremap, a_range_that_crosses_a_page_maps_both)
{
	char *va = ioremap(DEVICE + PAGE_SIZE - 2, 4);
	unsigned long val;

	ASSERT_NE(t, NULL, va);
	EXPECT_EQ(t, DEVICE + PAGE_SIZE + 1, pa_of(va + 3));
	EXPECT_NE(t, 0, probe_read((char *)((uintptr_t)va & PAGE_MASK) + 2 * PAGE_SIZE, &val));
	iounmap(va);
}

KTEST(ioremap, ram_is_refused_with_a_word)
{
	struct page *page = alloc_page(GFP_KERNEL);
	struct capture *c;
	void *va, *other;

	ASSERT_NE(t, NULL, page);
	c = capture_begin();
	va = ioremap(page_to_phys(page), PAGE_SIZE);
	other = ioremap_wc(page_to_phys(page) + PAGE_SIZE - 1, 1);
	capture_end(c);
	EXPECT_EQ(t, NULL, va);
	EXPECT_EQ(t, NULL, other);
	EXPECT_EQ(t, 2, capture_count(c, "is RAM, refused"));
	__free_page(page);
}

KTEST(ioremap, the_refusal_of_ram_names_its_first_and_its_last_byte)
{
	struct page *page = alloc_page(GFP_KERNEL);
	char line[64];
	struct capture *c;

	ASSERT_NE(t, NULL, page);
	snprintf(line, sizeof(line), "ioremap: 0x%llx-0x%llx is RAM", page_to_phys(page) + 16,
		 page_to_phys(page) + 23);
	c = capture_begin();
	EXPECT_EQ(t, NULL, ioremap(page_to_phys(page) + 16, 8));
	capture_end(c);
	EXPECT_EQ(t, 1, capture_count(c, line));
	__free_page(page);
}

KTEST(ioremap, what_the_port_cannot_address_is_refused)
{
	EXPECT_EQ(t, NULL, ioremap(PHYS_ADDR_LIMIT, PAGE_SIZE));
	EXPECT_EQ(t, NULL, ioremap(PHYS_ADDR_LIMIT - PAGE_SIZE, 2 * PAGE_SIZE));
	EXPECT_EQ(t, NULL, ioremap(~0ull, PAGE_SIZE));
	EXPECT_EQ(t, NULL, ioremap(DEVICE, 0));
	iounmap(NULL);
}

KTEST(ioremap, the_last_byte_that_the_port_can_address_is_mapped)
{
	void *va = ioremap(PHYS_ADDR_LIMIT - 64, (size_t)1);

	EXPECT_NE(t, NULL, va);
	iounmap(va);
}

KTEST(ioremap, areas_of_devices_cost_no_pages)
{
	struct vm_counts before, c;
	void *va;

	vm_count(&before);
	va = ioremap(DEVICE, 16 * PAGE_SIZE);
	ASSERT_NE(t, NULL, va);
	vm_count(&c);
	EXPECT_EQ(t, before.nr_areas + 1, c.nr_areas);
	EXPECT_EQ(t, before.nr_pages, c.nr_pages);
	EXPECT_GE(t, before.used_bytes + 17 * PAGE_SIZE, c.used_bytes);
	iounmap(va);
	vm_count(&c);
	EXPECT_EQ(t, before.nr_areas, c.nr_areas);
	EXPECT_EQ(t, before.nr_lazy_pages, c.nr_lazy_pages);
}
