/*
 * slab.c - crimes against slab caches and kmalloc().
 *
 * IDEA.  The caches here have no debug flags unless the crime's name begins with debug_: what those
 * find, they find at the call itself.  A crime that the default build finds when the object reaches
 * its slab is followed by what brings it there: mm_quiesce().
 *
 * Each crime is one function, and takes and frees its objects itself: the reports are expected to
 * name it.
 *
 * CONTEXT.  A thread, after boot.
 */
#include "death.h"

#include <quarry/asm/restart.h>
#include <quarry/config.h>
#include <quarry/env.h>
#include <quarry/percpu.h>
#include <quarry/port.h>
#include <quarry/slab.h>
#include <quarry/string.h>

#define VICTIM_SIZE 100u

static char kernel_data[64];

/* The same number, of which the compiler knows nothing. */
static size_t unknown(size_t n)
{
	return (size_t)hidden(n);
}

static struct kmem_cache *victims(void)
{
	return kmem_cache_create("victims", VICTIM_SIZE, 0, 0, NULL, NULL);
}

static struct kmem_cache *debugged_victims(void)
{
	return kmem_cache_create("victims", VICTIM_SIZE, 0, SLAB_DEBUG_FLAGS, NULL, NULL);
}

static QAPI void construct(void *obj, struct kmem_cache *c, unsigned long flags)
{
	(void)c;
	(void)flags;
	memset(obj, 0x11, 4);
}

/* ---- no slab ---------------------------------------------------------------------------- */

static void slab_free_stack(void)
{
	char local[16];

	kmem_cache_free(victims(), hidden((uintptr_t)local));
}

static void slab_free_kernel_data(void)
{
	kmem_cache_free(victims(), kernel_data);
}

static void slab_free_page(void)
{
	kmem_cache_free(victims(), page_address(victim(GFP_KERNEL, 0)));
}

static void slab_free_vmalloc_address(void)
{
	kmem_cache_free(victims(), hidden(mm_layout.vmalloc_start));
}

static void slab_free_user_address(void)
{
	kmem_cache_free(victims(), hidden(0x08048000));
}

static void slab_free_bulk_page(void)
{
	struct kmem_cache *c = victims();
	void *objs[2] = { kmem_cache_alloc(c, GFP_KERNEL), page_address(victim(GFP_KERNEL, 0)) };

	kmem_cache_free_bulk(c, 2, objs);
}

static void kfree_stack(void)
{
	char local[16];

	kfree(hidden((uintptr_t)local));
}

static void kfree_kernel_data(void)
{
	kfree(kernel_data);
}

static void kfree_page(void)
{
	kfree(page_address(victim(GFP_KERNEL, 0)));
}

static void kfree_middle_of_pages(void)
{
	kfree((char *)page_address(victim(GFP_KERNEL, 2)) + PAGE_SIZE + 64);
}

static void kfree_vmalloc_address(void)
{
	kfree(hidden(mm_layout.vmalloc_start));
}

static void kfree_user_address(void)
{
	kfree(hidden(0x08048000));
}

/* Next to what is not mapped: the report may not look there. */
static char *guard_page(void)
{
	unsigned int nr;

	return (char *)(uintptr_t)port_guard_pages(&nr)[0];
}

static void kfree_guard_page(void)
{
	kfree(hidden((uintptr_t)guard_page() + 64));
}

static void kfree_before_guard_page(void)
{
	kfree(hidden((uintptr_t)guard_page() - 16));
}

static void kfree_behind_guard_page(void)
{
	kfree(hidden((uintptr_t)guard_page() + PAGE_SIZE));
}

static void ksize_of_page(void)
{
	pr_info("got %zu\n", ksize(page_address(victim(GFP_KERNEL, 0))));
}

/* ---- no object, or not of this cache ------------------------------------------------------ */

static void slab_free_to_wrong_cache(void)
{
	void *obj = kmem_cache_alloc(victims(), GFP_KERNEL);

	kmem_cache_free(kmem_cache_create("others", VICTIM_SIZE, 0, 0, NULL, NULL), obj);
}

static void slab_free_bulk_to_wrong_cache(void)
{
	struct kmem_cache *c = victims();
	void *objs[2] = { kmem_cache_alloc(c, GFP_KERNEL), kmalloc(VICTIM_SIZE, GFP_KERNEL) };

	kmem_cache_free_bulk(c, 2, objs);
}

static void slab_free_inside_object(void)
{
	struct kmem_cache *c = victims();
	char *obj = kmem_cache_alloc(c, GFP_KERNEL);

	kmem_cache_free(c, obj + 12);
	mm_quiesce();
}

static void kfree_inside_object(void)
{
	kfree((char *)kmalloc(200, GFP_KERNEL) + 8);
	mm_quiesce();
}

/* ---- free already ----------------------------------------------------------------------- */

static void slab_free_twice_at_once(void)
{
	struct kmem_cache *c = victims();
	void *obj = kmem_cache_alloc(c, GFP_KERNEL);

	kmem_cache_free(c, obj);
	kmem_cache_free(c, obj);
}

static void slab_free_twice_later(void)
{
	struct kmem_cache *c = victims();
	void *a = kmem_cache_alloc(c, GFP_KERNEL), *b = kmem_cache_alloc(c, GFP_KERNEL);

	kmem_cache_free(c, a);
	kmem_cache_free(c, b);
	kmem_cache_free(c, a);
	mm_quiesce();
}

/* Between the two, the object went back to its slab. */
static void slab_free_twice_after_drain(void)
{
	struct kmem_cache *c = victims();
	void *a = kmem_cache_alloc(c, GFP_KERNEL), *b = kmem_cache_alloc(c, GFP_KERNEL);

	kmem_cache_free(c, a);
	mm_quiesce();
	kmem_cache_free(c, a);
	mm_quiesce();
	kmem_cache_free(c, b);
}

static void kfree_twice_at_once(void)
{
	void *p = kmalloc(unknown(60), GFP_KERNEL);

	kfree(p);
	kfree(p);
}

static void kfree_twice_later(void)
{
	void *a = kmalloc(60, GFP_KERNEL), *b = kmalloc(60, GFP_KERNEL);

	kfree(a);
	kfree(b);
	kfree(a);
	mm_quiesce();
}

static void slab_free_bulk_twice(void)
{
	struct kmem_cache *c = victims();
	void *obj = kmem_cache_alloc(c, GFP_KERNEL);
	void *objs[3] = { kmem_cache_alloc(c, GFP_KERNEL), obj, obj };

	kmem_cache_free_bulk(c, 3, objs);
}

static void slab_free_bulk_twice_later(void)
{
	struct kmem_cache *c = victims();
	void *obj = kmem_cache_alloc(c, GFP_KERNEL);
	void *objs[3] = { obj, kmem_cache_alloc(c, GFP_KERNEL), obj };

	kmem_cache_free_bulk(c, 3, objs);
	mm_quiesce();
}

static void slab_free_bulk_after_free(void)
{
	struct kmem_cache *c = victims();
	void *objs[2] = { kmem_cache_alloc(c, GFP_KERNEL), kmem_cache_alloc(c, GFP_KERNEL) };

	kmem_cache_free(c, objs[0]);
	kmem_cache_free_bulk(c, 2, objs);
}

static void slab_free_bulk_null(void)
{
	struct kmem_cache *c = victims();
	void *objs[2] = { kmem_cache_alloc(c, GFP_KERNEL), NULL };

	kmem_cache_free_bulk(c, 2, objs);
}

/* Of a cache that came too late for a magazine: no call brings the object to its slab. */
static void slab_free_twice_without_magazine(void)
{
	char name[SLAB_NAME_MAX];
	struct kmem_cache *c;
	void *a, *b;

	for (unsigned int i = 0; i < CONFIG_SLAB_MAGAZINES; i++) {
		snprintf(name, sizeof(name), "others-%u", i);
		if (!kmem_cache_create(name, VICTIM_SIZE, 0, 0, NULL, NULL))
			pr_err("death: no cache %u\n", i);
	}
	c = victims();
	a = kmem_cache_alloc(c, GFP_KERNEL);
	b = kmem_cache_alloc(c, GFP_KERNEL);
	kmem_cache_free(c, a);
	kmem_cache_free(c, b);
	kmem_cache_free(c, a);
}

/* Whole pages, where the configuration serves such sizes from them. */
static void kfree_large_twice(void)
{
	void *p = kmalloc(unknown(200000), GFP_KERNEL);

	kfree(p);
	kfree(p);
}

static void kfree_inside_large(void)
{
	kfree((char *)kmalloc(unknown(200000), GFP_KERNEL) + PAGE_SIZE);
}

/* ---- the wrong context ------------------------------------------------------------------ */

static void slab_wait_in_atomic(void)
{
	struct kmem_cache *c = victims();

	preempt_disable();
	pr_info("got %p\n", kmem_cache_alloc(c, GFP_KERNEL));
}

static void slab_wait_with_interrupts_off(void)
{
	struct kmem_cache *c = victims();

	irq_save();
	pr_info("got %p\n", kmem_cache_alloc(c, GFP_NOFS));
}

static struct kmem_cache *interrupted;

static QAPI void take_waiting(void)
{
	pr_info("got %p\n", kmem_cache_alloc(interrupted, GFP_KERNEL));
}

static DEFINE_PER_CPU(struct percpu_stack, stack);

static void slab_wait_in_interrupt(void)
{
	bool hit;

	interrupted = victims();
	restart_step_pop(&stack, 1, &hit, take_waiting);
}

static void slab_zeroed_wait_in_atomic(void)
{
	struct kmem_cache *c = victims();

	preempt_disable();
	pr_info("got %p\n", kmem_cache_zalloc(c, GFP_KERNEL));
}

static void slab_bulk_wait_in_atomic(void)
{
	struct kmem_cache *c = victims();
	void *objs[2];

	preempt_disable();
	pr_info("got %u\n", kmem_cache_alloc_bulk(c, GFP_KERNEL, 2, objs));
}

static void kmalloc_wait_in_atomic(void)
{
	preempt_disable();
	pr_info("got %p\n", kmalloc(64, GFP_KERNEL));
}

static void kmalloc_of_variable_size_wait_in_atomic(void)
{
	preempt_disable();
	pr_info("got %p\n", kmalloc(unknown(64), GFP_KERNEL));
}

static void kmalloc_wait_with_interrupts_off(void)
{
	irq_save();
	pr_info("got %p\n", kmalloc(64, GFP_NOIO));
}

static void kmalloc_of_0_wait_in_atomic(void)
{
	preempt_disable();
	pr_info("got %p\n", kmalloc(unknown(0), GFP_KERNEL));
}

static void kmalloc_too_large_wait_in_atomic(void)
{
	preempt_disable();
	pr_info("got %p\n", kmalloc(unknown(KMALLOC_MAX_SIZE + 1), GFP_KERNEL | __GFP_NOWARN));
}

static QAPI void kmalloc_waiting(void)
{
	pr_info("got %p\n", kmalloc(64, GFP_KERNEL));
}

static void kmalloc_wait_in_interrupt(void)
{
	bool hit;

	restart_step_pop(&stack, 1, &hit, kmalloc_waiting);
}

static void slab_create_in_atomic(void)
{
	preempt_disable();
	victims();
}

static void slab_destroy_in_atomic(void)
{
	struct kmem_cache *c = victims();

	preempt_disable();
	pr_info("got %d\n", kmem_cache_destroy(c));
}

static void slab_shrink_in_atomic(void)
{
	struct kmem_cache *c = victims();

	preempt_disable();
	kmem_cache_shrink(c);
}

/* ---- the wrong mask --------------------------------------------------------------------- */

static void slab_alloc_dma(void)
{
	pr_info("got %p\n", kmem_cache_alloc(victims(), GFP_KERNEL | __GFP_DMA));
}

static void slab_alloc_highmem(void)
{
	pr_info("got %p\n", kmem_cache_alloc(victims(), GFP_HIGHUSER));
}

static void slab_alloc_movable(void)
{
	pr_info("got %p\n", kmem_cache_alloc(victims(), GFP_KERNEL | __GFP_MOVABLE));
}

static void slab_alloc_compound(void)
{
	pr_info("got %p\n", kmem_cache_alloc(victims(), GFP_KERNEL | __GFP_COMP));
}

static void slab_alloc_unknown_bit(void)
{
	pr_info("got %p\n", kmem_cache_alloc(victims(), GFP_KERNEL | 1u << __GFP_BITS));
}

static void slab_alloc_zeroed_of_constructor(void)
{
	struct kmem_cache *c = kmem_cache_create("victims", 64, 0, 0, construct, NULL);

	pr_info("got %p\n", kmem_cache_zalloc(c, GFP_KERNEL));
}

static void kmalloc_highmem(void)
{
	pr_info("got %p\n", kmalloc(64, GFP_KERNEL | __GFP_HIGHMEM));
}

static void kmalloc_unknown_bit(void)
{
	pr_info("got %p\n", kmalloc(unknown(64), GFP_KERNEL | 1u << __GFP_BITS));
}

/* Whole pages, where the configuration serves such sizes from them. */
static void kmalloc_large_compound(void)
{
	pr_info("got %p\n", kmalloc(unknown(200000), GFP_KERNEL | __GFP_COMP));
}

/* ---- caches ----------------------------------------------------------------------------- */

static void slab_create_of_size_0(void)
{
	kmem_cache_create("victims", 0, 0, 0, NULL, NULL);
}

static void slab_create_too_large(void)
{
	kmem_cache_create("victims", SLAB_OBJECT_SIZE_MAX + 1, 0, 0, NULL, NULL);
}

static void slab_create_with_odd_alignment(void)
{
	kmem_cache_create("victims", VICTIM_SIZE, 24, 0, NULL, NULL);
}

static void slab_create_with_huge_alignment(void)
{
	kmem_cache_create("victims", VICTIM_SIZE, 2 * SLAB_ALIGN_MAX, 0, NULL, NULL);
}

static void slab_create_twice(void)
{
	victims();
	victims();
}

static void slab_create_without_name(void)
{
	kmem_cache_create(NULL, VICTIM_SIZE, 0, 0, NULL, NULL);
}

static void slab_create_with_empty_name(void)
{
	kmem_cache_create("", VICTIM_SIZE, 0, 0, NULL, NULL);
}

static void slab_create_with_blank_in_name(void)
{
	kmem_cache_create("poor victims", VICTIM_SIZE, 0, 0, NULL, NULL);
}

static void slab_create_with_tab_in_name(void)
{
	kmem_cache_create("poor\tvictims", VICTIM_SIZE, 0, 0, NULL, NULL);
}

static void slab_create_with_newline_in_name(void)
{
	kmem_cache_create("victims\n", VICTIM_SIZE, 0, 0, NULL, NULL);
}

static void slab_create_with_long_name(void)
{
	kmem_cache_create("12345678901234567890123456789012", VICTIM_SIZE, 0, 0, NULL, NULL);
}

static void slab_create_with_unknown_flags(void)
{
	kmem_cache_create("victims", VICTIM_SIZE, 0, 0x1, NULL, NULL);
}

static void slab_create_with_destructor_alone(void)
{
	kmem_cache_create("victims", VICTIM_SIZE, 0, 0, NULL, construct);
}

static void slab_create_without_memory(void)
{
	char name[SLAB_NAME_MAX];

	while (alloc_page(GFP_ATOMIC | __GFP_MEMALLOC | __GFP_NOWARN))
		;
	for (unsigned int i = 0;; i++) {
		snprintf(name, sizeof(name), "victims-%u", i);
		kmem_cache_create(name, VICTIM_SIZE, 0, SLAB_PANIC, NULL, NULL);
	}
}

static void slab_destroy_cache_of_caches(void)
{
	pr_info("got %d\n", kmem_cache_destroy(slab_cache_find("kmem_cache")));
}

static void slab_destroy_cache_of_kmalloc(void)
{
	pr_info("got %d\n", kmem_cache_destroy(kmalloc_caches[0][0]));
}

/* A cache that is destroyed; the pointer to it is not. */
static struct kmem_cache *late_victims(void)
{
	struct kmem_cache *c = victims();
	void *obj = kmem_cache_alloc(c, GFP_KERNEL);

	kmem_cache_free(c, obj);
	pr_info("destroyed: %d\n", kmem_cache_destroy(c));
	return c;
}

static void slab_alloc_of_destroyed(void)
{
	pr_info("got %p\n", kmem_cache_alloc(late_victims(), GFP_KERNEL));
}

static void slab_alloc_atomic_of_destroyed(void)
{
	pr_info("got %p\n", kmem_cache_alloc(late_victims(), GFP_ATOMIC));
}

/* ---- with debug flags ------------------------------------------------------------------- */

static void debug_free_twice(void)
{
	struct kmem_cache *c = debugged_victims();
	void *a = kmem_cache_alloc(c, GFP_KERNEL), *b = kmem_cache_alloc(c, GFP_KERNEL);

	kmem_cache_free(c, a);
	kmem_cache_free(c, b);
	kmem_cache_free(c, a);
}

static void debug_free_inside_object(void)
{
	struct kmem_cache *c = debugged_victims();
	char *obj = kmem_cache_alloc(c, GFP_KERNEL);

	kmem_cache_free(c, obj + 12);
}

static void debug_free_to_wrong_cache(void)
{
	void *obj = kmem_cache_alloc(debugged_victims(), GFP_KERNEL);

	kmem_cache_free(kmem_cache_create("others", VICTIM_SIZE, 0, 0, NULL, NULL), obj);
}

static void debug_write_past_object(void)
{
	struct kmem_cache *c = debugged_victims();
	char *obj = kmem_cache_alloc(c, GFP_KERNEL);

	obj[VICTIM_SIZE] = 0x77;
	kmem_cache_free(c, obj);
}

static void debug_write_before_object(void)
{
	struct kmem_cache *c = debugged_victims();
	char *obj = kmem_cache_alloc(c, GFP_KERNEL);

	obj[-1] = 0x77;
	kmem_cache_free(c, obj);
}

static void debug_write_after_free(void)
{
	struct kmem_cache *c = debugged_victims();
	char *obj = kmem_cache_alloc(c, GFP_KERNEL);

	kmem_cache_free(c, obj);
	obj[40] = 0x77;
	pr_info("got %p\n", kmem_cache_alloc(c, GFP_KERNEL));
}

static void debug_write_past_free_object(void)
{
	struct kmem_cache *c = debugged_victims();
	char *obj = kmem_cache_alloc(c, GFP_KERNEL);

	kmem_cache_free(c, obj);
	obj[VICTIM_SIZE + 1] = 0x77;
	pr_info("got %p\n", kmem_cache_alloc(c, GFP_KERNEL));
}

/* One flag each finds its crime without the others. */
static void debug_red_zone_alone(void)
{
	struct kmem_cache *c =
		kmem_cache_create("victims", VICTIM_SIZE, 0, SLAB_RED_ZONE, NULL, NULL);
	char *obj = kmem_cache_alloc(c, GFP_KERNEL);

	obj[VICTIM_SIZE] = 0x77;
	kmem_cache_free(c, obj);
}

static void debug_poison_alone(void)
{
	struct kmem_cache *c =
		kmem_cache_create("victims", VICTIM_SIZE, 0, SLAB_POISON, NULL, NULL);
	char *obj = kmem_cache_alloc(c, GFP_KERNEL);

	kmem_cache_free(c, obj);
	obj[VICTIM_SIZE - 1] = 0x77;
	pr_info("got %p\n", kmem_cache_alloc(c, GFP_KERNEL));
}

static void debug_checks_alone(void)
{
	struct kmem_cache *c =
		kmem_cache_create("victims", VICTIM_SIZE, 0, SLAB_CONSISTENCY_CHECKS, NULL, NULL);
	void *a = kmem_cache_alloc(c, GFP_KERNEL), *b = kmem_cache_alloc(c, GFP_KERNEL);

	kmem_cache_free(c, a);
	kmem_cache_free(c, b);
	kmem_cache_free(c, a);
}

static void debug_kfree_twice(void)
{
	void *a = kmalloc(60, GFP_KERNEL), *b = kmalloc(60, GFP_KERNEL);

	kfree(a);
	kfree(b);
	kfree(a);
}

static void debug_kmalloc_write_past_class(void)
{
	char *p = kmalloc(64, GFP_KERNEL);

	p[64] = 0x77;
	kfree(p);
}

static void debug_kmalloc_write_after_free(void)
{
	char *p = kmalloc(unknown(60), GFP_KERNEL);

	kfree(p);
	p[7] = 0x77;
	pr_info("got %p\n", kmalloc(unknown(60), GFP_KERNEL));
}

static void debug_kfree_inside_object(void)
{
	kfree((char *)kmalloc(60, GFP_KERNEL) + 4);
}

/* ---- the table -------------------------------------------------------------------------- */

const struct death slab_deaths[] = {
	DEATH(slab_free_stack),
	DEATH(slab_free_kernel_data),
	DEATH(slab_free_page),
	DEATH(slab_free_vmalloc_address),
	DEATH(slab_free_user_address),
	DEATH(slab_free_bulk_page),
	DEATH(kfree_stack),
	DEATH(kfree_kernel_data),
	DEATH(kfree_page),
	DEATH(kfree_middle_of_pages),
	DEATH(kfree_vmalloc_address),
	DEATH(kfree_user_address),
	DEATH(kfree_guard_page),
	DEATH(kfree_before_guard_page),
	DEATH(kfree_behind_guard_page),
	DEATH(ksize_of_page),
	DEATH(slab_free_to_wrong_cache),
	DEATH(slab_free_bulk_to_wrong_cache),
	DEATH(slab_free_inside_object),
	DEATH(kfree_inside_object),
	DEATH(slab_free_twice_at_once),
	DEATH(slab_free_twice_later),
	DEATH(slab_free_twice_after_drain),
	DEATH(kfree_twice_at_once),
	DEATH(kfree_twice_later),
	DEATH(slab_free_bulk_twice),
	DEATH(slab_free_bulk_twice_later),
	DEATH(slab_free_bulk_after_free),
	DEATH(slab_free_bulk_null),
	DEATH(slab_free_twice_without_magazine),
	DEATH(kfree_large_twice),
	DEATH(kfree_inside_large),
	DEATH(slab_wait_in_atomic),
	DEATH(slab_wait_with_interrupts_off),
	DEATH(slab_wait_in_interrupt),
	DEATH(slab_zeroed_wait_in_atomic),
	DEATH(slab_bulk_wait_in_atomic),
	DEATH(kmalloc_wait_in_atomic),
	DEATH(kmalloc_of_variable_size_wait_in_atomic),
	DEATH(kmalloc_wait_with_interrupts_off),
	DEATH(kmalloc_of_0_wait_in_atomic),
	DEATH(kmalloc_too_large_wait_in_atomic),
	DEATH(kmalloc_wait_in_interrupt),
	DEATH(slab_create_in_atomic),
	DEATH(slab_destroy_in_atomic),
	DEATH(slab_shrink_in_atomic),
	DEATH(slab_alloc_dma),
	DEATH(slab_alloc_highmem),
	DEATH(slab_alloc_movable),
	DEATH(slab_alloc_compound),
	DEATH(slab_alloc_unknown_bit),
	DEATH(slab_alloc_zeroed_of_constructor),
	DEATH(kmalloc_highmem),
	DEATH(kmalloc_unknown_bit),
	DEATH(kmalloc_large_compound),
	DEATH(slab_create_of_size_0),
	DEATH(slab_create_too_large),
	DEATH(slab_create_with_odd_alignment),
	DEATH(slab_create_with_huge_alignment),
	DEATH(slab_create_twice),
	DEATH(slab_create_without_name),
	DEATH(slab_create_with_empty_name),
	DEATH(slab_create_with_blank_in_name),
	DEATH(slab_create_with_tab_in_name),
	DEATH(slab_create_with_newline_in_name),
	DEATH(slab_create_with_long_name),
	DEATH(slab_create_with_unknown_flags),
	DEATH(slab_create_with_destructor_alone),
	DEATH(slab_create_without_memory),
	DEATH(slab_destroy_cache_of_caches),
	DEATH(slab_destroy_cache_of_kmalloc),
	DEATH(slab_alloc_of_destroyed),
	DEATH(slab_alloc_atomic_of_destroyed),
	DEATH(debug_free_twice),
	DEATH(debug_free_inside_object),
	DEATH(debug_free_to_wrong_cache),
	DEATH(debug_write_past_object),
	DEATH(debug_write_before_object),
	DEATH(debug_write_after_free),
	DEATH(debug_write_past_free_object),
	DEATH(debug_red_zone_alone),
	DEATH(debug_poison_alone),
	DEATH(debug_checks_alone),
	DEATH(debug_kfree_twice),
	DEATH(debug_kmalloc_write_past_class),
	DEATH(debug_kmalloc_write_after_free),
	DEATH(debug_kfree_inside_object),
	{ NULL, NULL },
};
