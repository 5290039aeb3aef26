/*
 * port.c - what the port offers beyond page tables: windows, probes, flushes, symbols, time.
 */
#include <quarry/align.h>
#include <quarry/errno.h>
#include <quarry/fixmap.h>
#include <quarry/gfp.h>
#include <quarry/ksyms.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/pgtable.h>
#include <quarry/port.h>
#include <quarry/string.h>

#include "../mm/helpers.h"

#define MARK 0xA2C40000u

/* ---- early_ioremap ------------------------------------------------------------------------- */

KTEST(early_ioremap, a_window_shows_the_memory_that_the_direct_map_shows)
{
	uint32_t *page = (uint32_t *)__get_free_pages(GFP_KERNEL, 1);
	uint32_t *window;

	ASSERT_NE(t, NULL, page);
	page[1] = MARK;
	window = early_ioremap(va_to_pa(page), 2 * PAGE_SIZE);
	ASSERT_NE(t, NULL, window);
	EXPECT_EQ(t, MARK, READ_ONCE(window[1]));
	WRITE_ONCE(window[PAGE_SIZE / 4], MARK + 1);
	EXPECT_EQ(t, MARK + 1, READ_ONCE(page[PAGE_SIZE / 4]));
	early_iounmap(window, 2 * PAGE_SIZE);
	free_pages((unsigned long)page, 1);
}

KTEST(early_ioremap, a_window_may_begin_and_end_anywhere_in_a_page)
{
	char *page = (char *)__get_free_pages(GFP_KERNEL, 1);
	const char *window;

	ASSERT_NE(t, NULL, page);
	memcpy(page + PAGE_SIZE - 3, "across", 7);
	window = early_ioremap(va_to_pa(page) + PAGE_SIZE - 3, 7);
	ASSERT_NE(t, NULL, window);
	EXPECT_STREQ(t, "across", window);
	early_iounmap((void *)window, 7);
	free_pages((unsigned long)page, 1);
}

KTEST(early_ioremap, four_windows_can_be_open_and_a_fifth_is_refused)
{
	void *window[FIX_EARLY_WINDOWS];

	EXPECT_EQ(t, 0, early_ioremap_nr_used());
	for (unsigned int i = 0; i < FIX_EARLY_WINDOWS; i++) {
		window[i] = early_ioremap(i * PAGE_SIZE, PAGE_SIZE);
		EXPECT_NE(t, NULL, window[i]);
		for (unsigned int k = 0; k < i; k++)
			EXPECT_NE(t, window[k], window[i]);
	}
	EXPECT_EQ(t, FIX_EARLY_WINDOWS, early_ioremap_nr_used());
	EXPECT_EQ(t, NULL, early_ioremap(0, 1));
	early_iounmap(window[2], PAGE_SIZE);
	window[2] = early_ioremap(0, PAGE_SIZE);
	EXPECT_NE(t, NULL, window[2]);
	for (unsigned int i = 0; i < FIX_EARLY_WINDOWS; i++)
		early_iounmap(window[i], PAGE_SIZE);
	EXPECT_EQ(t, 0, early_ioremap_nr_used());
}

KTEST(early_ioremap, windows_are_the_first_pages_of_the_fixmap)
{
	char *window = early_ioremap(0, 1);

	ASSERT_NE(t, NULL, window);
	EXPECT_EQ(t, fix_to_virt(FIX_EARLY_FIRST), window);
	early_iounmap(window, 1);
	window = early_ioremap(PAGE_SIZE - 1, (FIX_EARLY_PAGES - 1) * PAGE_SIZE);
	ASSERT_NE(t, NULL, window);
	EXPECT_EQ(t, FIX_EARLY_FIRST + FIX_EARLY_PAGES - 1,
		  virt_to_fix((uintptr_t)window + (FIX_EARLY_PAGES - 1) * PAGE_SIZE));
	early_iounmap(window, (FIX_EARLY_PAGES - 1) * PAGE_SIZE);
}

KTEST(early_ioremap, a_closed_window_faults)
{
	void *window = early_ioremap(0, PAGE_SIZE);
	unsigned long val;

	ASSERT_NE(t, NULL, window);
	EXPECT_EQ(t, 0, probe_read(window, &val));
	early_iounmap(window, PAGE_SIZE);
	EXPECT_EQ(t, -EFAULT, probe_read(window, &val));
}

KTEST(early_ioremap, what_does_not_fit_a_window_or_the_physical_space_is_refused)
{
	size_t largest = FIX_EARLY_PAGES * PAGE_SIZE;
	void *window = early_ioremap(0, largest);

	EXPECT_NE(t, NULL, window);
	if (window)
		early_iounmap(window, largest);
	EXPECT_EQ(t, NULL, early_ioremap(0, 0));
	EXPECT_EQ(t, NULL, early_ioremap(0, largest + 1));
	EXPECT_EQ(t, NULL, early_ioremap(1, largest));
	EXPECT_EQ(t, NULL, early_ioremap(0, ~(size_t)0));
	EXPECT_EQ(t, NULL, early_ioremap(PHYS_ADDR_LIMIT, 1));
	EXPECT_EQ(t, NULL, early_ioremap(PHYS_ADDR_LIMIT - 1, 2));
	EXPECT_EQ(t, NULL, early_ioremap(~(phys_addr_t)0, 1));
}

KTEST_NEEDS(early_ioremap, memory_above_lowmem_can_be_read_and_written, .zones = KTEST_ZONE_HIGHMEM)
{
	struct page *page = alloc_page(GFP_HIGHUSER);
	uint32_t *first, *second;

	ASSERT_NE(t, NULL, page);
	first = early_ioremap(page_to_phys(page), PAGE_SIZE);
	second = early_ioremap(page_to_phys(page), PAGE_SIZE);
	EXPECT_TRUE(t, first && second);
	if (first && second) {
		WRITE_ONCE(*first, MARK);
		EXPECT_EQ(t, MARK, READ_ONCE(*second));
	}
	early_iounmap(second, PAGE_SIZE);
	early_iounmap(first, PAGE_SIZE);
	__free_page(page);
}

/* ---- probes ----------------------------------------------------------------------------- */

KTEST(probe, a_word_that_is_there_is_read_and_written)
{
	static unsigned long word = 7;
	unsigned long val = 0;

	EXPECT_EQ(t, 0, probe_read(&word, &val));
	EXPECT_EQ(t, 7, val);
	EXPECT_EQ(t, 0, probe_write(&word, 8));
	EXPECT_EQ(t, 8, READ_ONCE(word));
}

KTEST(probe, a_word_that_is_not_there_is_an_error_and_nothing_else)
{
	unsigned long val = 7;

	EXPECT_ERR(t, -EFAULT, probe_read((void *)8, &val));
	EXPECT_ERR(t, -EFAULT, probe_write((void *)8, 1));
	EXPECT_EQ(t, 7, val);
	EXPECT_TRUE(t, env_can_sleep());
}

/* ---- the TLB ---------------------------------------------------------------------------- */

/* Exchange the page behind @va without telling the CPU, then flush, then read. */
static void exchange(struct ktest *t, QAPI void (*flush)(uintptr_t va))
{
	uintptr_t va = unmapped_range(PAGE_SIZE);
	uint32_t *page[2] = { (uint32_t *)__get_free_page(GFP_KERNEL),
			      (uint32_t *)__get_free_page(GFP_KERNEL) };
	struct pt_walk w;

	ASSERT_TRUE(t, page[0] && page[1]);
	*page[0] = MARK;
	*page[1] = MARK + 1;
	ASSERT_EQ(t, 0, pgtable_map(va, va_to_pa(page[0]), PAGE_SIZE, PROT_KERNEL, false));
	EXPECT_EQ(t, MARK, READ_ONCE(*(uint32_t *)va));
	pgtable_walk(va, &w);
	pte_set(w.slot, pte_make((pfn_t)(va_to_pa(page[1]) >> PAGE_SHIFT), PROT_KERNEL, 0));
	flush(va);
	EXPECT_EQ(t, MARK + 1, READ_ONCE(*(uint32_t *)va));
	EXPECT_EQ(t, 0, pgtable_unmap(va, PAGE_SIZE));
	free_page((unsigned long)page[0]);
	free_page((unsigned long)page[1]);
}

static QAPI void flush_small_range(uintptr_t va)
{
	tlb_flush_range(va - PAGE_SIZE, va + PAGE_SIZE);
}

static QAPI void flush_large_range(uintptr_t va)
{
	tlb_flush_range(va, va + 8 * MiB);
}

static QAPI void flush_to_the_top(uintptr_t va)
{
	tlb_flush_range(va, 0);
}

static QAPI void flush_all(uintptr_t va)
{
	(void)va;
	tlb_flush_all();
}

KTEST(tlb, a_flushed_page_is_translated_anew)
{
	exchange(t, tlb_flush_page);
}

static QAPI void flush_here(uintptr_t va)
{
	tlb_flush_page_local(va);
}

KTEST(tlb, a_page_forgotten_on_this_cpu_is_translated_anew)
{
	exchange(t, flush_here);
}

KTEST(tlb, a_flushed_range_is_translated_anew_however_large)
{
	exchange(t, flush_small_range);
	exchange(t, flush_large_range);
	exchange(t, flush_to_the_top);
}

KTEST(tlb, a_full_flush_takes_global_translations_too)
{
	exchange(t, flush_all);
}

/* ---- names and time --------------------------------------------------------------------- */

KTEST(symbols, a_function_is_found_by_any_address_inside_it)
{
	unsigned long offset = 99, size = 0;

	EXPECT_STREQ(t, "alloc_pages", ksym_lookup((uintptr_t)&alloc_pages, &offset, &size));
	EXPECT_EQ(t, 0, offset);
	EXPECT_GE(t, 2, size);
	EXPECT_STREQ(t, "alloc_pages",
		     ksym_lookup((uintptr_t)&alloc_pages + size - 1, &offset, NULL));
	EXPECT_EQ(t, size - 1, offset);
	EXPECT_NE(t, NULL, ksym_lookup((uintptr_t)&alloc_pages + size, NULL, NULL));
}

KTEST(symbols, an_address_outside_the_image_has_no_name)
{
	EXPECT_EQ(t, NULL, ksym_lookup(0, NULL, NULL));
	EXPECT_EQ(t, NULL, ksym_lookup(PAGE_OFFSET, NULL, NULL));
	EXPECT_EQ(t, NULL, ksym_lookup(~0ul, NULL, NULL));
}

static __noinline void a_function_with_a_telling_name(struct out *o)
{
	backtrace_here(o);
	barrier(); /* not a tail call: the frame stays */
}

KTEST(symbols, a_backtrace_names_its_callers_innermost_first)
{
	static char text[2048];
	struct out_buf b;
	const char *inner, *outer;

	out_buf_init(&b, text, sizeof(text));
	a_function_with_a_telling_name(&b.out);
	inner = strstr(text, "a_function_with_a_telling_name");
	outer = strstr(text, "ktest_run");
	EXPECT_NE(t, NULL, inner);
	EXPECT_NE(t, NULL, outer);
	EXPECT_TRUE(t, inner < outer);
}

KTEST(clock, cycles_never_go_back)
{
	uint64_t last = clock_cycles();

	for (unsigned int i = 0; i < 1000; i++) {
		uint64_t now = clock_cycles();

		EXPECT_TRUE(t, now >= last);
		last = now;
	}
}

/* ---- who called ------------------------------------------------------------------------- */

#define CALLERS_MAX 64u /* more than the chain is long */

static __noinline unsigned int callers_of(const void **to, unsigned int nr)
{
	unsigned int nr_found = port_callers(to, nr);

	opaque(nr_found);
	return nr_found;
}

static bool leads_to(const void *caller, const char *name)
{
	const char *found = ksym_lookup((uintptr_t)caller - 1, NULL, NULL);

	return found && !strncmp(found, name, strlen(name));
}

KTEST(port_callers, the_chain_begins_with_the_innermost_caller_and_has_an_end)
{
	const void *callers[CALLERS_MAX] = { NULL };
	unsigned int nr = callers_of(callers, CALLERS_MAX);

	EXPECT_TRUE(t, nr > 2 && nr < CALLERS_MAX);
	EXPECT_TRUE(t, leads_to(callers[0], "callers_of"));
	EXPECT_TRUE(t, leads_to(callers[1], __func__));
	EXPECT_EQ(t, NULL, callers[nr]);
}

KTEST(port_callers, no_more_are_stored_than_there_is_room_for)
{
	const void *callers[3] = { NULL };

	EXPECT_EQ(t, 2, callers_of(callers, 2));
	EXPECT_NE(t, NULL, callers[1]);
	EXPECT_EQ(t, NULL, callers[2]);
	EXPECT_EQ(t, 0, callers_of(callers, 0));
}
