/*
 * main.c - what the library must do in a kernel that it was not written for.
 *
 * IDEA.  A program without libc starts the page allocator on 64 MiB of make-believe RAM and uses
 * each part of it once: every order, exhaustion and recovery, page tables, per-CPU stacks.  What
 * does not hold is printed; the exit status is 0 when all of it held.
 *
 * CONTEXT.  The one thread.
 */
#include <quarry/bootinfo.h>
#include <quarry/config.h>
#include <quarry/gfp.h>
#include <quarry/mm.h>
#include <quarry/panic.h>
#include <quarry/percpu.h>
#include <quarry/pgtable.h>
#include <quarry/printk.h>

#include "sample.h"

#define NR_PAGES (SAMPLE_RAM >> PAGE_SHIFT)

static unsigned int nr_held, nr_broken;

#define HOLDS(cond) check((cond), #cond, __LINE__)

static void check(bool held, const char *what, int line)
{
	nr_held += held;
	nr_broken += !held;
	if (!held)
		printk("port_sample: line %d: %s does not hold\n", line, what);
}

static QAPI void stop(int code)
{
	sample_exit(code);
}

static void start_library(void)
{
	static const struct panic_ops ops = { .stop = stop };
	static const struct mem_region map[] = { { 0, SAMPLE_RAM, MEM_RAM } };
	static struct bootinfo bi = { .protocol = "none" };

	sample_start_console();
	panic_register(&ops);
	mm_init(&bi, map, ARRAY_SIZE(map));
}

static void check_accounts(void)
{
	struct mm_account a;

	mm_account(&a);
	HOLDS(a.nr_ram == NR_PAGES);
	HOLDS(a.nr_managed + a.nr_reserved == a.nr_ram);
	HOLDS(a.nr_free + a.nr_pcp <= a.nr_managed);
	HOLDS(sample_nr_switches == 1);
	HOLDS(sample_nr_root_added > 0);
}

static void check_orders(void)
{
	unsigned long before;

	mm_quiesce();
	before = nr_free_pages();
	for (unsigned int order = 0; order < MAX_ORDER; order++) {
		struct page *page = alloc_pages(GFP_KERNEL | __GFP_ZERO, order);

		HOLDS(page != NULL);
		if (!page)
			continue;
		HOLDS(page_to_pfn(page) % (1ul << order) == 0);
		HOLDS(*(unsigned long *)page_address(page) == 0);
		*(unsigned long *)page_address(page) = order + 1;
		__free_pages(page, order);
	}
	mm_quiesce();
	HOLDS(nr_free_pages() == before);
}

/* Each page holds the address of the one before: a page that was given twice breaks the chain. */
static void check_exhaustion(void)
{
	unsigned long before, nr = 0, last = 0, va;

	mm_quiesce();
	before = nr_free_pages();
	while ((va = __get_free_page(GFP_ATOMIC | __GFP_NOWARN)) != 0) {
		*(unsigned long *)va = last;
		last = va;
		nr++;
	}
	HOLDS(nr > before / 2 && nr <= before);
	HOLDS(sample_nr_wakes > 0);
	while (last) {
		va = last;
		last = *(unsigned long *)va;
		free_page(va);
		nr--;
	}
	HOLDS(nr == 0);
	mm_quiesce();
	HOLDS(nr_free_pages() == before);
}

static void check_page_tables(void)
{
	uintptr_t va = mm_layout.vmalloc_start;
	struct page *page = alloc_page(GFP_KERNEL);
	struct pt_walk w;

	HOLDS(page != NULL);
	if (!page)
		return;
	HOLDS(pgtable_map(va, page_to_phys(page), PAGE_SIZE, PROT_KERNEL, false) == 0);
	pgtable_walk(va + 5, &w);
	HOLDS(w.present && w.level == 0 && w.pa == page_to_phys(page) + 5);
	HOLDS(pgtable_unmap(va, PAGE_SIZE) == 0);
	pgtable_walk(va, &w);
	HOLDS(!w.present);
	__free_page(page);

	pgtable_walk((uintptr_t)pa_to_va(SAMPLE_RAM - 1), &w);
	HOLDS(w.present && w.pa == SAMPLE_RAM - 1);
	pgtable_walk(PAGE_OFFSET, &w);
	HOLDS(w.level == 0 && !(pte_prot(w.pte) & PROT_WRITE));
}

static void check_stacks(void)
{
	static DEFINE_PER_CPU(struct percpu_stack, stack);
	int one, two;

	stack.limit = 2;
	HOLDS(!percpu_stack_pop(&stack));
	HOLDS(percpu_stack_push(&stack, &one));
	HOLDS(!percpu_stack_push(&stack, &one));
	HOLDS(percpu_stack_push(&stack, &two));
	HOLDS(!percpu_stack_push(&stack, &one));
	HOLDS(percpu_stack_pop(&stack) == &two);
	HOLDS(percpu_stack_pop(&stack) == &one);
	HOLDS(!percpu_stack_pop(&stack));
}

/* In the smallest configuration there are no validators. */
#if CONFIG_CHECK
static void check_invariants(void)
{
	HOLDS(mm_check_all() == 0);
}
#else
static void check_invariants(void)
{
}
#endif

static void run(void)
{
	start_library();
	check_accounts();
	check_orders();
	check_exhaustion();
	check_page_tables();
	check_stacks();
	check_invariants();
	HOLDS(sample_atomic_depth == 0);
	printk("port_sample: %u held, %u broken\n", nr_held, nr_broken);
}

void _start(void) __noreturn;

/* The kernel enters with a stack that is aligned to 16 bytes; nothing here asks for more than 4. */
void _start(void)
{
	if (!sample_map_memory(PAGE_OFFSET, SAMPLE_RAM))
		sample_exit(2);
	run();
	sample_exit(nr_broken ? 1 : 0);
}
