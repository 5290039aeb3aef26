/*
 * vmalloc.c - crimes against areas of the vmalloc range.
 *
 * CONTEXT.  A thread, after boot.
 */
#include "death.h"

#include <quarry/env.h>
#include <quarry/printk.h>
#include <quarry/vmalloc.h>

static void vfree_no_area(void)
{
	vfree(hidden(mm_layout.vmalloc_start + 64 * PAGE_SIZE));
}

static void vfree_lowmem(void)
{
	vfree(page_address(victim(GFP_KERNEL, 0)));
}

static void vfree_twice(void)
{
	void *p = vmalloc(PAGE_SIZE);

	vfree(p);
	vfree(p);
}

static void vfree_twice_after_flush(void)
{
	void *p = vmalloc(PAGE_SIZE);

	vfree(p);
	vm_unmap_aliases();
	vfree(p);
}

static void vfree_inside_area(void)
{
	vfree((char *)vmalloc(3 * PAGE_SIZE) + PAGE_SIZE);
}

static void *map_victim(void)
{
	struct page *page = victim(GFP_KERNEL, 0);

	return vmap(&page, 1, VM_MAP, PROT_KERNEL);
}

static void vmap_of_no_page(void)
{
	struct page *pages[3] = { victim(GFP_KERNEL, 0) };

	pages[2] = pages[0];
	pr_info("got %p\n", vmap(pages, ARRAY_SIZE(pages), VM_MAP, PROT_KERNEL));
}

static void vfree_of_vmap(void)
{
	vfree(map_victim());
}

static void vunmap_of_vmalloc(void)
{
	vunmap(vmalloc(PAGE_SIZE));
}

static void vm_unmap_ram_of_wrong_count(void)
{
	vm_unmap_ram(map_victim(), 2);
}

static void vmalloc_in_atomic(void)
{
	preempt_disable();
	pr_info("got %p\n", vmalloc(PAGE_SIZE));
}

static void vmalloc_without_wait(void)
{
	pr_info("got %p\n", __vmalloc(PAGE_SIZE, GFP_NOWAIT, PROT_KERNEL));
}

static void vunmap_in_atomic(void)
{
	void *p = map_victim();

	preempt_disable();
	vunmap(p);
}

static void iounmap_of_vmalloc(void)
{
	iounmap(vmalloc(PAGE_SIZE));
}

static void iounmap_of_ram(void)
{
	iounmap(page_address(victim(GFP_KERNEL, 0)));
}

static void write_into_vmalloc_guard(void)
{
	*((volatile char *)vmalloc(2 * PAGE_SIZE) + 2 * PAGE_SIZE) = 1;
}

static void write_to_freed_area(void)
{
	volatile char *p = vmalloc(PAGE_SIZE);

	*p = 1;
	vfree((const void *)p);
	vm_unmap_aliases();
	*p = 2;
}

/* With vmalloc_debug=1. */
static void write_to_area_freed_just_now(void)
{
	volatile char *p = vmalloc(PAGE_SIZE);

	*p = 1;
	vfree((const void *)p);
	*p = 2;
}

/* ---- the table -------------------------------------------------------------------------- */

const struct death vmalloc_deaths[] = {
	DEATH(vfree_no_area),
	DEATH(vfree_lowmem),
	DEATH(vfree_twice),
	DEATH(vfree_twice_after_flush),
	DEATH(vfree_inside_area),
	DEATH(vfree_of_vmap),
	DEATH(vmap_of_no_page),
	DEATH(vunmap_of_vmalloc),
	DEATH(vm_unmap_ram_of_wrong_count),
	DEATH(vmalloc_in_atomic),
	DEATH(vmalloc_without_wait),
	DEATH(vunmap_in_atomic),
	DEATH(iounmap_of_vmalloc),
	DEATH(iounmap_of_ram),
	DEATH(write_into_vmalloc_guard),
	DEATH(write_to_freed_area),
	DEATH(write_to_area_freed_just_now),
	{ NULL, NULL },
};
