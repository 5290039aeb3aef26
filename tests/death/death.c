/*
 * death.c - crimes: one a boot, and the kernel must name it.
 *
 * THEORY.  Detectors whose answer is the end of the machine cannot be tested by tests that go on.
 * Each crime here is a function; death=NAME on the command line commits one after boot.  The row
 * of that name in tests/tests.cfg says what the kernel must print.  Whoever survives says so, in
 * words that no row expects.  The crimes of each subsystem have a file and a table of their own;
 * those of pages, and everything else, are here.
 *
 * Pointers that lead nowhere are hidden from the compiler, which would otherwise know better.
 *
 * CONTEXT.  A thread, after boot.
 */
#include "death.h"

#include <quarry/tests.h>

#include <quarry/align.h>
#include <quarry/asm/restart.h>
#include <quarry/bug.h>
#include <quarry/env.h>
#include <quarry/errno.h>
#include <quarry/gfp.h>
#include <quarry/memblock.h>
#include <quarry/mm.h>
#include <quarry/panic.h>
#include <quarry/percpu.h>
#include <quarry/pgtable.h>
#include <quarry/port.h>
#include <quarry/printk.h>
#include <quarry/shrinker.h>
#include <quarry/sizes.h>
#include <quarry/string.h>

/* ---- freeing ---------------------------------------------------------------------------- */

static void double_free(void)
{
	struct page *page = victim(GFP_KERNEL, 0);

	__free_page(page);
	__free_page(page);
}

/* The second of a pair, so that it heads no block when it has merged. */
static void double_free_after_drain(void)
{
	struct page *pair = victim(GFP_KERNEL, 1);

	split_page(pair, 1);
	__free_page(pair);
	__free_page(pair + 1);
	mm_quiesce();
	__free_page(pair + 1);
}

/* Somebody wrote to the page after it was free: nothing is left to see but where it lies. */
static void double_free_of_revived(void)
{
	struct page *page = victim(GFP_KERNEL, 0);

	__free_page(page);
	atomic_set(&page->_count, 1);
	__free_page(page);
}

static void double_free_of_large_block(void)
{
	struct page *page = victim(GFP_KERNEL, MAX_ORDER - 1);

	__free_pages(page, MAX_ORDER - 1);
	__free_pages(page, MAX_ORDER - 1);
}

static void free_reserved(void)
{
	__free_page(pfn_to_page(0));
}

static void free_kernel_text(void)
{
	free_page(ALIGN_DOWN((uintptr_t)&alloc_pages, PAGE_SIZE));
}

static void free_wrong_order(void)
{
	__free_pages(victim(GFP_KERNEL, 2), 1);
}

static void free_wrong_order_large(void)
{
	__free_pages(victim(GFP_KERNEL, 6), 5);
}

static void free_wrong_order_compound(void)
{
	__free_pages(victim(GFP_KERNEL | __GFP_COMP, 3), 0);
}

static void free_order_too_large(void)
{
	__free_pages(victim(GFP_KERNEL, 0), MAX_ORDER);
}

static void free_tail(void)
{
	__free_page(victim(GFP_KERNEL, 2) + 1);
}

static void free_tail_compound(void)
{
	__free_page(victim(GFP_KERNEL | __GFP_COMP, 2) + 3);
}

static void free_unaligned(void)
{
	free_page(__get_free_page(GFP_KERNEL) + 8);
}

static void free_foreign_address(void)
{
	free_page(mm_layout.vmalloc_start);
}

static void free_user_address(void)
{
	free_page(PAGE_SIZE);
}

static void free_no_page(void)
{
	static struct page impostor;

	__free_page(&impostor);
}

static void free_referenced(void)
{
	struct page *page = victim(GFP_KERNEL, 0);

	get_page(page);
	__free_page(page);
}

static void free_in_use(void)
{
	struct page *page = victim(GFP_KERNEL, 0);

	page->flags |= PG_slab;
	__free_page(page);
}

static void free_page_table(void)
{
	free_page((uintptr_t)port_root_table());
}

static void exact_double_free(void)
{
	void *va = alloc_pages_exact(5 * PAGE_SIZE, GFP_KERNEL);

	free_pages_exact(va, 5 * PAGE_SIZE);
	free_pages_exact(va, 5 * PAGE_SIZE);
}

static void bulk_double_free(void)
{
	struct page *page = victim(GFP_KERNEL, 0);
	struct page *array[2] = { page, page };

	free_pages_bulk_array(2, array);
}

/* Enough pages to go to their zone without the per-CPU lists. */
static void bulk_free_referenced(void)
{
	struct page *array[16];

	for (unsigned int i = 0; i < ARRAY_SIZE(array); i++)
		array[i] = victim(GFP_KERNEL, 0);
	get_page(array[9]);
	free_pages_bulk_array(ARRAY_SIZE(array), array);
}

/* ---- references ------------------------------------------------------------------------- */

static void put_free(void)
{
	struct page *page = victim(GFP_KERNEL, 0);

	put_page(page);
	put_page(page);
}

static void get_free(void)
{
	struct page *page = victim(GFP_KERNEL, 0);

	__free_page(page);
	get_page(page);
}

static void split_compound(void)
{
	split_page(victim(GFP_KERNEL | __GFP_COMP, 2), 2);
}

static void split_shared(void)
{
	struct page *page = victim(GFP_KERNEL, 2);

	get_page(page);
	split_page(page, 2);
}

/* ---- asking ----------------------------------------------------------------------------- */

static void wait_in_atomic(void)
{
	preempt_disable();
	victim(GFP_KERNEL, 0);
}

static void wait_with_interrupts_off(void)
{
	irq_save();
	victim(GFP_NOIO, 5);
}

static QAPI void allocate_waiting(void)
{
	victim(GFP_KERNEL, 0);
}

static DEFINE_PER_CPU(struct percpu_stack, stack);

static void wait_in_interrupt(void)
{
	bool hit;

	restart_step_pop(&stack, 1, &hit, allocate_waiting);
}

static void quiesce_in_atomic(void)
{
	preempt_disable();
	mm_quiesce();
}

static void noretry_with_nofail(void)
{
	victim(GFP_KERNEL | __GFP_NORETRY | __GFP_NOFAIL, 0);
}

static void nofail_without_wait(void)
{
	victim(__GFP_NOFAIL, 0);
}

static void nofail_of_order_too_large(void)
{
	victim(GFP_KERNEL | __GFP_NOFAIL, MAX_ORDER);
}

static void nofail_with_nobody_to_wait_for(void)
{
	while (alloc_page(GFP_NOWAIT | __GFP_NOWARN))
		;
	victim(GFP_KERNEL | __GFP_NOFAIL, 0);
}

static QAPI unsigned long leave(struct shrinker *s, unsigned long nr, gfp_t gfp)
{
	(void)nr;
	(void)gfp;
	shrinker_unregister(s);
	return 0;
}

/* The first request that finds nothing asks it. */
static void shrinker_that_unregisters_itself(void)
{
	static struct shrinker s = { .name = "leaver", .shrink = leave };

	shrinker_register(&s);
	while (alloc_page(GFP_KERNEL | __GFP_NOWARN))
		;
}

static void unknown_gfp_bit(void)
{
	victim(GFP_KERNEL | 1u << __GFP_BITS, 0);
}

static void highmem_address(void)
{
	pr_info("got %lx\n", __get_free_pages(GFP_HIGHUSER, 0));
}

static void exact_compound(void)
{
	pr_info("got %p\n", alloc_pages_exact(PAGE_SIZE, GFP_KERNEL | __GFP_COMP));
}

static void memblock_late(void)
{
	pr_info("got %p\n", memblock_alloc(PAGE_SIZE, PAGE_SIZE, "too late"));
}

static void map_unaligned(void)
{
	pr_info("got %d\n",
		pgtable_map(mm_layout.vmalloc_start + 1, 0, PAGE_SIZE, PROT_KERNEL, false));
}

static void map_beyond_the_top(void)
{
	pr_info("got %d\n", pgtable_map(~PAGE_SIZE + 1, 0, 2 * PAGE_SIZE, PROT_KERNEL, false));
}

static void map_below_the_kernel(void)
{
	pr_info("got %d\n", pgtable_map(PAGE_SIZE, 0, PAGE_SIZE, PROT_KERNEL, false));
}

/* The direct map is made of large pages. */
static void map_pages_over_a_large_page(void)
{
	struct page *page = victim(GFP_KERNEL, 0);

	pr_info("got %d\n", pgtable_map_pages(PAGE_OFFSET + 8 * MiB, &page, 1, PROT_KERNEL));
}

static void close_another_window(void)
{
	void *window = early_ioremap(0, PAGE_SIZE);

	early_iounmap(window, PAGE_SIZE / 2);
}

static void write_after_free(void)
{
	char *va = (char *)__get_free_page(GFP_KERNEL);

	free_page((unsigned long)va);
	((char *)hidden((uintptr_t)va))[123] = 1;
	/* Whoever gets it next finds out. */
	while (alloc_page(GFP_NOWAIT | __GFP_NOWARN))
		;
}

/* Not in its first page. */
static void write_after_free_of_block(void)
{
	char *va = (char *)__get_free_pages(GFP_KERNEL, 4);

	free_pages((unsigned long)va, 4);
	((char *)hidden((uintptr_t)va))[5 * PAGE_SIZE + 100] = 1;
	while (alloc_pages(GFP_NOWAIT | __GFP_NOWARN, 4))
		;
}

/* ---- faults ----------------------------------------------------------------------------- */

static void write_text(void)
{
	*(volatile char *)hidden((uintptr_t)&alloc_pages) = (char)0x90;
}

static void write_rodata(void)
{
	static const char constant[] = "constant";

	*(volatile char *)hidden((uintptr_t)constant) = 'C';
}

static void read_null(void)
{
	(void)*(volatile char *)hidden(0);
}

static void call_null(void)
{
	((void (*)(void))hidden(0))();
}

static void wild_read(void)
{
	(void)*(volatile char *)hidden(0x50000000);
}

static void write_beyond_lowmem(void)
{
	*(volatile char *)hidden(mm_layout.high_memory) = 1;
}

static void read_error_pointer(void)
{
	(void)*(volatile char *)hidden((uintptr_t)-ENOMEM);
}

static void read_not_present(void)
{
	uintptr_t va = __get_free_page(GFP_KERNEL);

	if (!set_memory_np(va, 1))
		(void)*(volatile char *)hidden(va);
}

static __noinline unsigned long recurse(unsigned long depth)
{
	static volatile unsigned long deepest = ~0ul; /* the stack ends before */
	volatile char frame[256];

	frame[0] = (char)depth;
	if (depth == deepest)
		return depth;
	return recurse(depth + 1) + (unsigned long)frame[0];
}

static void stack_overflow(void)
{
	pr_info("got %lu\n", recurse(0));
}

static void divide_by_zero(void)
{
	unsigned int quotient = 1, remainder = 0;

	__asm__ volatile("divl %2" : "+a"(quotient), "+d"(remainder) : "r"(0u) : "cc");
}

static void general_protection(void)
{
	/* A selector beyond the end of the descriptor table. */
	__asm__ volatile("movw %w0, %%gs" ::"r"(0xfff8));
}

static void invalid_opcode(void)
{
	__asm__ volatile("ud2");
}

/* ---- the end itself --------------------------------------------------------------------- */

static void bug_on(void)
{
	unsigned long one = (unsigned long)hidden(1);

	BUG_ON(one == 1);
}

static void reach_bug(void)
{
	BUG();
}

static void plain_panic(void)
{
	panic("the crime of %s", "plain_panic");
}

static QAPI void dump_that_panics(struct out *o)
{
	(void)o;
	panic("a second one");
}

static QAPI void stop_machine(int code)
{
	port_stop(code);
}

static void panic_in_panic(void)
{
	static const struct panic_ops ops = { dump_that_panics, stop_machine };

	panic_register(&ops);
	panic("the first one");
}

static QAPI const char *describe_that_faults(uintptr_t va)
{
	(void)va;
	return (const char *)hidden(*(volatile uintptr_t *)hidden(0));
}

static void fault_in_report(void)
{
	port_set_region_hook(describe_that_faults);
	wild_read();
}

/* ---- the table -------------------------------------------------------------------------- */

const struct death page_deaths[] = {
	DEATH(double_free),
	DEATH(double_free_after_drain),
	DEATH(double_free_of_revived),
	DEATH(double_free_of_large_block),
	DEATH(free_reserved),
	DEATH(free_kernel_text),
	DEATH(free_wrong_order),
	DEATH(free_wrong_order_large),
	DEATH(free_wrong_order_compound),
	DEATH(free_order_too_large),
	DEATH(free_tail),
	DEATH(free_tail_compound),
	DEATH(free_unaligned),
	DEATH(free_foreign_address),
	DEATH(free_user_address),
	DEATH(free_no_page),
	DEATH(free_referenced),
	DEATH(free_in_use),
	DEATH(free_page_table),
	DEATH(exact_double_free),
	DEATH(bulk_double_free),
	DEATH(bulk_free_referenced),
	DEATH(put_free),
	DEATH(get_free),
	DEATH(split_compound),
	DEATH(split_shared),
	DEATH(wait_in_atomic),
	DEATH(wait_with_interrupts_off),
	DEATH(wait_in_interrupt),
	DEATH(quiesce_in_atomic),
	DEATH(noretry_with_nofail),
	DEATH(nofail_without_wait),
	DEATH(nofail_of_order_too_large),
	DEATH(nofail_with_nobody_to_wait_for),
	DEATH(shrinker_that_unregisters_itself),
	DEATH(unknown_gfp_bit),
	DEATH(highmem_address),
	DEATH(exact_compound),
	DEATH(memblock_late),
	DEATH(map_unaligned),
	DEATH(map_pages_over_a_large_page),
	DEATH(map_beyond_the_top),
	DEATH(map_below_the_kernel),
	DEATH(close_another_window),
	DEATH(write_after_free),
	DEATH(write_after_free_of_block),
	DEATH(write_text),
	DEATH(write_rodata),
	DEATH(read_null),
	DEATH(call_null),
	DEATH(wild_read),
	DEATH(write_beyond_lowmem),
	DEATH(read_error_pointer),
	DEATH(read_not_present),
	DEATH(stack_overflow),
	DEATH(divide_by_zero),
	DEATH(general_protection),
	DEATH(invalid_opcode),
	DEATH(bug_on),
	DEATH(reach_bug),
	DEATH(plain_panic),
	DEATH(panic_in_panic),
	DEATH(fault_in_report),
	{ NULL, NULL },
};

static const struct death *const tables[] = { page_deaths,    slab_deaths,    mempool_deaths,
					      vmalloc_deaths, highmem_deaths, dma_deaths,
					      white_deaths,   port_deaths };

QAPI int death_commit(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(tables); i++) {
		for (const struct death *d = tables[i]; d && d->name; d++) {
			if (strcmp(d->name, name))
				continue;
			d->commit();
			pr_err("death: %s survived\n", name);
			return 0;
		}
	}
	return -ENOENT;
}

QAPI void death_show(struct out *o)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(tables); i++) {
		for (const struct death *d = tables[i]; d && d->name; d++)
			out_printf(o, "%s\n", d->name);
	}
}
