/*
 * pat.c - memory types: what the bits of the entries in use mean to the CPU.
 *
 * THEORY.  PCD, PWT and the PAT bit of an entry choose one of eight memory types, which the PAT's
 * register lists; a CPU without a PAT has a fixed list.  The tests read the register and follow the
 * bits of real mappings to the type, so that no constant of the port is believed.
 *
 * SOURCES.  Intel SDM vol. 3, sections 4.9 and 11.12.
 */
#include <quarry/align.h>
#include <quarry/asm/framebuffer.h>
#include <quarry/asm/vga.h>
#include <quarry/fixmap.h>
#include <quarry/mm.h>
#include <quarry/pgtable.h>
#include <quarry/vmalloc.h>

#include "../../../arch/x86/font.h"
#include "../../../arch/x86/io.h"
#include "../../mm/helpers.h"

#define DEVICE      0xFEE00000ull
#define AFTER_RESET 0x0007040600070406ull
#define PAT_BIT     0x080u  /* of a page's entry */
#define PAT_LARGE   0x1000u /* of a large page's */
#define TYPE_MASK   0xffu
#define BITS_A_TYPE 8u

static uint64_t types(void)
{
	return pte_supported & PTE_PWT ? read_msr(MSR_PAT) : AFTER_RESET;
}

/* The type of what is mapped at @va; an entry that is not there is no type. */
static uint32_t type_of(uintptr_t va)
{
	unsigned int choice;
	struct pt_walk w;
	uint32_t raw;

	pgtable_walk(va, &w);
	raw = (uint32_t)pte_raw(w.pte);
	choice = (raw & PTE_PWT ? 1 : 0) | (raw & PTE_PCD ? 2 : 0) |
		 (raw & (w.level ? PAT_LARGE : PAT_BIT) ? 4 : 0);
	return w.present ? (uint32_t)(types() >> choice * BITS_A_TYPE) & TYPE_MASK : ~0u;
}

KTEST(pte, write_combining_is_remembered_where_the_cpu_has_it_and_else_uncached)
{
	uint32_t cache = PROT_UNCACHED | PROT_WRITE_COMBINE;
	uint32_t want = pte_supported & PTE_PWT ? PROT_WRITE_COMBINE : PROT_UNCACHED;

	for (unsigned int level = 0; level < PT_LEVELS; level++) {
		pte_t pte = pte_make(0x12400, PROT_WRITE | PROT_WRITE_COMBINE, level);

		EXPECT_EQ(t, want, pte_prot(pte) & cache);
		EXPECT_EQ(t, PROT_UNCACHED, pte_prot(pte_make(0x12400, cache, level)) & cache);
	}
}

KTEST(memory_type, ioremap_wc_is_write_combining_or_where_there_is_no_pat_uncached)
{
	void *va = ioremap_wc(DEVICE, 2 * PAGE_SIZE);

	ASSERT_NE(t, NULL, va);
	EXPECT_EQ(t, pte_supported & PTE_PWT ? MEMORY_WC : MEMORY_UC, type_of((uintptr_t)va));
	EXPECT_EQ(t, type_of((uintptr_t)va), type_of((uintptr_t)va + PAGE_SIZE));
	iounmap(va);
}

KTEST(memory_type, registers_of_devices_are_uncached_whatever_the_mtrrs_say)
{
	void *va = ioremap(DEVICE, PAGE_SIZE), *other = ioremap_nocache(DEVICE, PAGE_SIZE);

	ASSERT_TRUE(t, va && other);
	EXPECT_EQ(t, MEMORY_UC, type_of((uintptr_t)va));
	EXPECT_EQ(t, MEMORY_UC, type_of((uintptr_t)other));
	set_fixmap_nocache(FIX_SPARE_FIRST, DEVICE);
	EXPECT_EQ(t, MEMORY_UC, type_of(fix_to_virt(FIX_SPARE_FIRST)));
	clear_fixmap(FIX_SPARE_FIRST);
	iounmap(va);
	iounmap(other);
}

KTEST(memory_type, ram_is_write_back_wherever_it_is_mapped)
{
	struct page *page = alloc_page(GFP_KERNEL);
	void *area = vmalloc(PAGE_SIZE);

	ASSERT_TRUE(t, page && area);
	set_fixmap(FIX_SPARE_FIRST, page_to_phys(page));
	EXPECT_EQ(t, MEMORY_WB, type_of(fix_to_virt(FIX_SPARE_FIRST)));
	clear_fixmap(FIX_SPARE_FIRST);
	EXPECT_EQ(t, MEMORY_WB, type_of((uintptr_t)page_address(page)));
	EXPECT_EQ(t, MEMORY_WB, type_of((uintptr_t)area));
	EXPECT_EQ(t, MEMORY_WB, type_of(mm_layout.high_memory - PAGE_SIZE));
	vfree(area);
	__free_page(page);
}

/* Pages of [@start, @end) that are mapped, but not with @type. */
static unsigned long nr_of_another_type(uintptr_t start, uintptr_t end, uint32_t type)
{
	unsigned long nr = 0;
	struct pt_walk w;

	for (uintptr_t va = start; va != end; va += PAGE_SIZE) {
		pgtable_walk(va, &w);
		nr += w.present && type_of(va) != type;
	}
	return nr;
}

/* A range of one large page that never had a table, for tables stay; 0 when none is left. */
static uintptr_t fresh_range(size_t span)
{
	struct pt_walk w;

	for (uintptr_t va = ALIGN_UP(mm_layout.vmalloc_start, span);
	     va + span <= mm_layout.vmalloc_end; va += span) {
		pgtable_walk(va, &w);
		if (w.level && pte_is_none(w.pte))
			return va;
	}
	return 0;
}

/* A large page's own bit is where a page's PAT bit is: a split must not leave it there. */
KTEST_NEEDS(memory_type, the_pages_of_a_split_large_page_have_its_type, .features = KTEST_PSE)
{
	static const uint32_t prots[] = { PROT_KERNEL, PROT_KERNEL | PROT_WRITE_COMBINE,
					  PROT_KERNEL | PROT_UNCACHED };
	size_t span = (size_t)1 << pt_shift(1);

	for (unsigned int i = 0; i < ARRAY_SIZE(prots); i++) {
		uintptr_t va = fresh_range(span);
		struct pt_walk w;
		uint32_t type;

		if (!va)
			return; /* the tests of areas have been everywhere: in a second run */
		ASSERT_EQ(t, 0, pgtable_map(va, 0, span, prots[i], true));
		pgtable_walk(va, &w);
		EXPECT_EQ(t, 1, w.level);
		type = type_of(va);
		EXPECT_EQ(t, 0, pgtable_protect(va + PAGE_SIZE, PAGE_SIZE, prots[i] & ~PROT_WRITE));
		pgtable_walk(va, &w);
		EXPECT_EQ(t, 0, w.level);
		EXPECT_EQ(t, 0, nr_of_another_type(va, va + span, type));
		EXPECT_EQ(t, 0, pgtable_unmap(va, span));
	}
}

/* Large pages and small ones, whatever set_memory_ro() and its like did to it before. */
KTEST(memory_type, the_direct_map_is_write_back)
{
	EXPECT_EQ(t, 0, nr_of_another_type(PAGE_OFFSET, mm_layout.high_memory, MEMORY_WB));
}

KTEST_NEEDS(memory_type, only_one_entry_of_the_pat_differs_from_those_after_reset,
	    .features = KTEST_PAT)
{
	uint64_t wt_to_wc = (MEMORY_WT ^ MEMORY_WC) << BITS_A_TYPE;

	EXPECT_EQ(t, AFTER_RESET ^ wt_to_wc, read_msr(MSR_PAT));
	EXPECT_EQ(t, 0, read_cr0() & CR0_CD);
}

KTEST_NEEDS(memory_type, the_screen_is_write_combining_and_the_local_apic_uncached,
	    .features = KTEST_SCREEN | KTEST_LAPIC | KTEST_PAT)
{
	EXPECT_EQ(t, MEMORY_WC, type_of(fix_to_virt(FIX_VGA_TEXT)));
	EXPECT_EQ(t, MEMORY_UC, type_of(fix_to_virt(FIX_LAPIC)));
}

KTEST_NEEDS(memory_type, a_framebuffer_is_write_combining_where_there_is_a_pat,
	    .features = KTEST_PIXELS)
{
	const struct framebuffer_screen *s = framebuffer_console();
	uintptr_t va = (uintptr_t)s->pixels & PAGE_MASK;
	uintptr_t end = (uintptr_t)s->pixels + (size_t)s->pitch * s->term.rows * FONT_HEIGHT;

	EXPECT_EQ(t, 0,
		  nr_of_another_type(va, ALIGN_UP(end, PAGE_SIZE),
				     pte_supported & PTE_PWT ? MEMORY_WC : MEMORY_UC));
}
