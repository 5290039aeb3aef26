/*
 * highmem.c - crimes against kmap(), kmap_local_page() and the fixmap.
 *
 * Rows in which a lowmem page has to have a slot boot with kmap_debug=1.
 *
 * CONTEXT.  A thread, after boot.
 */
#include "death.h"

#include <quarry/env.h>
#include <quarry/fixmap.h>
#include <quarry/highmem.h>
#include <quarry/port.h>

static void kmap_in_atomic(void)
{
	struct page *page = victim(GFP_KERNEL, 0);

	preempt_disable();
	pr_info("got %p\n", kmap(page));
}

static void kmap_with_interrupts_off(void)
{
	struct page *page = victim(GFP_KERNEL, 0);

	irq_save();
	pr_info("got %p\n", kmap(page));
}

static void kunmap_not_mapped(void)
{
	kunmap(victim(GFP_KERNEL, 0));
}

static void kunmap_twice(void)
{
	struct page *page = victim(GFP_KERNEL, 0);

	pr_info("got %p\n", kmap(page));
	kunmap(page);
	kunmap(page);
}

static void kunmap_local_out_of_order(void)
{
	void *first = kmap_local_page(victim(GFP_ATOMIC, 0));

	pr_info("got %p\n", kmap_local_page(victim(GFP_ATOMIC, 0)));
	kunmap_local(first);
}

static void kunmap_local_twice(void)
{
	void *va = kmap_local_page(victim(GFP_KERNEL, 0));

	kunmap_local(va);
	kunmap_local(va);
}

static void kmap_local_too_deep(void)
{
	struct page *page = victim(GFP_KERNEL, 0);

	for (unsigned int i = 0; i <= KMAP_LOCAL_SLOTS; i++)
		pr_info("got %p\n", kmap_local_page(page));
}

static void sleep_with_kmap_local(void)
{
	void *va = kmap_local_page(victim(GFP_KERNEL, 0));

	pr_info("got %p\n", alloc_page(GFP_KERNEL));
	kunmap_local(va);
}

static void kmap_flush_in_atomic(void)
{
	preempt_disable();
	kmap_flush_unused();
}

static void memcpy_from_beyond_the_page(void)
{
	char bytes[2];

	memcpy_from_page(bytes, victim(GFP_KERNEL, 0), PAGE_SIZE - 1, sizeof(bytes));
}

static void zero_user_beyond_the_page(void)
{
	zero_user(victim(GFP_KERNEL, 0), PAGE_SIZE - 8, 9);
}

static void set_fixmap_of_early_window(void)
{
	set_fixmap(FIX_EARLY_FIRST, 0);
}

static void set_fixmap_of_kmap_local(void)
{
	set_fixmap(FIX_KMAP_LOCAL_FIRST, 0);
}

static void set_fixmap_unaligned(void)
{
	set_fixmap(FIX_SPARE_FIRST, 0x1234);
}

static void clear_fixmap_not_set(void)
{
	clear_fixmap(FIX_SPARE_FIRST);
}

static void early_iounmap_twice(void)
{
	void *window = early_ioremap(0, PAGE_SIZE);

	early_iounmap(window, PAGE_SIZE);
	early_iounmap(window, PAGE_SIZE);
}

static void early_iounmap_of_another_size(void)
{
	early_iounmap(early_ioremap(0, PAGE_SIZE), PAGE_SIZE - 1);
}

static void virt_to_fix_outside(void)
{
	pr_info("got %u\n", virt_to_fix(PAGE_OFFSET));
}

const struct death highmem_deaths[] = {
	DEATH(kmap_in_atomic),
	DEATH(kmap_with_interrupts_off),
	DEATH(kunmap_not_mapped),
	DEATH(kunmap_twice),
	DEATH(kunmap_local_out_of_order),
	DEATH(kunmap_local_twice),
	DEATH(kmap_local_too_deep),
	DEATH(sleep_with_kmap_local),
	DEATH(kmap_flush_in_atomic),
	DEATH(memcpy_from_beyond_the_page),
	DEATH(zero_user_beyond_the_page),
	DEATH(set_fixmap_of_early_window),
	DEATH(set_fixmap_of_kmap_local),
	DEATH(set_fixmap_unaligned),
	DEATH(clear_fixmap_not_set),
	DEATH(virt_to_fix_outside),
	DEATH(early_iounmap_twice),
	DEATH(early_iounmap_of_another_size),
	{ NULL, NULL },
};
