/*
 * vmalloc.c - areas of addresses, and pages mapped there.
 *
 * THEORY.  An area is a range of addresses and what is mapped in it.  Finding addresses and finding
 * pages are two things: va_range.c knows the one, the page allocator the other, pgtable.c joins
 * them.  Each area is followed by a page that is never mapped, so that running off its end faults.
 *
 * The life of an area:
 *
 *	get --map--> living --free--> unfinished --unmap--> lazy --flush on every CPU--> gone
 *	                                (interrupt only)      addresses and pages still held
 *
 * A translation that was used may be remembered by any CPU until it is told to forget.  So a freed
 * area keeps its addresses, and its pages if they are its own, until the next flush, which serves
 * all lazy areas together: nobody else ever meets an old translation of his page or address.
 * How much may wait, of pages and of addresses, is bounded; a shortage of either flushes at once.
 * Whoever needs a flush while another thread is at one waits for that one first: what has left the
 * lists is not free yet.
 *
 * What waits needs no memory of who it was.  So a lazy area and its lazy neighbours are one, and
 * their pages are on one list: however many areas were freed, the tree has no more lazy ones than
 * living ones, but for one, and a flush releases a few large ranges.
 *
 * Which pages an area has is written in the page tables and nowhere else; when it is unmapped they
 * are linked through struct page.  So an area costs its descriptor, however large it is.
 *
 * STATE.  space: the ranges of all areas, lazy ones included.  unfinished: freed where sleeping was
 * forbidden, still mapped.  lazy: unmapped, not flushed; lazy_pages: their pages.  vm_flushing:
 * somebody has taken what was lazy, and has not released all of it yet.
 *
 * INVARIANTS, checked by vmalloc_check():
 *   A1  an area in the space that is not freed maps every page of its range, and what is its own
 *       has references;
 *   A2  a lazy area maps nothing, and no two are neighbours; its pages are on the list, with
 *       references;
 *   A3  nr_lazy_pages and lazy_bytes are the sums over the two lists, used_bytes is that over all
 *       areas, and nr_pages that over the living VM_ALLOC areas.
 *
 * LOCKING.  vmap_lock, irq-safe, a leaf, guards the space, the lists and the counts.  What an area
 * maps is its owner's alone; a freed area belongs to whoever took it from its list.
 *
 * CONTEXT.  A thread that may sleep; vfree() any.
 *
 * NOT HERE.  Devices: ioremap.c.  Where addresses are: va_range.c.  Areas in words:
 * vmalloc_report.c.
 */
#include <quarry/align.h>
#include <quarry/bug.h>
#include <quarry/env.h>
#include <quarry/errno.h>
#include <quarry/ksyms.h>
#include <quarry/out.h>
#include <quarry/pgtable.h>
#include <quarry/printk.h>
#include <quarry/shrinker.h>
#include <quarry/slab.h>
#include <quarry/spinlock.h>
#include <quarry/string.h>

#include "debug/alloc_trace.h"
#include "debug/fault_inject.h"
#include "internal.h"
#include "vmalloc.h"

#define CHUNK_PAGES 128u /* got, mapped and freed at a time: on the stack */
#define LAZY_SHARE  64ul /* of all managed pages may wait for a flush */
#define LAZY_LEAST  32ul /* pages, at least */
#define LAZY_SPAN   4ul  /* the range is divided by this: addresses that may wait */

#define FLUSH_WAIT_MS 1u /* at a time, for somebody else's flush */

static struct va_space space;
static LIST_HEAD(unfinished);
static LIST_HEAD(lazy);
static LIST_HEAD(lazy_pages);
static struct vm_counts counts;
static spinlock_t vmap_lock = SPINLOCK_INIT;
static unsigned long nr_lazy_max;    /* pages that may wait for a flush */
static unsigned long lazy_bytes_max; /* addresses */
static bool flush_at_once;
bool vm_flushing; /* guarded by vmap_lock */

__init QAPI int vmalloc_debug_parse(const char *value)
{
	if (strcmp(value, "0") && strcmp(value, "1"))
		return -EINVAL;
	flush_at_once = *value == '1';
	return 0;
}

/* ---- areas ------------------------------------------------------------------------------ */

static int reserve(struct vm_area *area)
{
	unsigned long flags = spin_lock_irqsave(&vmap_lock);
	int err = va_range_reserve(&space, &area->range, area->size, PAGE_SIZE, PAGE_SIZE);

	if (!err) {
		counts.nr_areas++;
		counts.nr_pages += area->nr_pages;
		counts.used_bytes += area->range.grip_end - area->range.start;
	}
	spin_unlock_irqrestore(&vmap_lock, flags);
	return err;
}

/* Out of line: leaks.c knows a descriptor by having been allocated here. */
__noinline QAPI struct vm_area *vm_area_get(size_t size, unsigned long flags, const void *caller)
{
	struct vm_area *area = kmalloc(sizeof(*area), GFP_KERNEL | __GFP_NOWARN);
	int err;

	if (!area)
		return NULL;
	area->size = size;
	area->flags = flags;
	area->caller = caller;
	area->nr_pages = flags & VM_ALLOC ? size >> PAGE_SHIFT : 0;
	area->pa = 0;
	area->freed = false;
	area->lazy = false;
	owner_stamp_now(&area->taken);
	alloc_trace_own(area);
	err = fault_vmalloc(size) ? -ENOMEM : reserve(area);
	if (unlikely(err == -ENOSPC)) {
		/* What waits for a flush has addresses. */
		vm_unmap_aliases();
		err = reserve(area);
	}
	if (!err)
		return area;
	kfree(area);
	return NULL;
}

/* Its addresses, and the descriptor; @nr_living: 1, if it was not freed before. */
static void release(struct vm_area *area, unsigned int nr_living)
{
	unsigned long flags = spin_lock_irqsave(&vmap_lock);

	counts.nr_areas -= nr_living;
	counts.used_bytes -= area->range.grip_end - area->range.start;
	va_range_release(&space, &area->range);
	spin_unlock_irqrestore(&vmap_lock, flags);
	kfree(area);
}

QAPI void vm_area_put(struct vm_area *area)
{
	release(area, 1);
}

static void *area_va(const struct vm_area *area)
{
	return (void *)area->range.start;
}

static __cold __noreturn void bad_area(const void *va, const char *who, const char *what)
{
	panic("%s of %p, %s", who, va, what);
}

/* The area that starts at @va and was not freed yet; NULL: none. */
static struct vm_area *find_living(const void *va) __must_hold(vmap_lock)
{
	struct va_range *r = va_range_find(&space, (uintptr_t)va);
	struct vm_area *area = r ? container_of(r, struct vm_area, range) : NULL;

	return area && !area->freed && r->start == (uintptr_t)va ? area : NULL;
}

QAPI struct vm_area *vm_area_take(const void *va, unsigned long flags, const char *who)
{
	unsigned long irq = spin_lock_irqsave(&vmap_lock);
	struct vm_area *area = find_living(va);

	if (area && (area->flags & flags)) {
		area->freed = true;
		counts.nr_pages -= area->nr_pages;
		counts.nr_areas--;
	}
	spin_unlock_irqrestore(&vmap_lock, irq);
	if (!area)
		bad_area(va, who, "which is no area's start, or was freed before");
	if (!(area->flags & flags))
		bad_area(va, who, "which is an area of another kind");
	return area;
}

/* ---- freeing ---------------------------------------------------------------------------- */

/* The lock, when nobody flushes.  Only threads of other CPUs, or preempted ones, do. */
static unsigned long lock_between_flushes(void) __acquires(vmap_lock) __no_lock_analysis
{
	unsigned long flags = spin_lock_irqsave(&vmap_lock);

	while (unlikely(vm_flushing)) {
		spin_unlock_irqrestore(&vmap_lock, flags);
		env_wait_for_memory(FLUSH_WAIT_MS);
		flags = spin_lock_irqsave(&vmap_lock);
	}
	return flags;
}

/* Begin a flush, with everything that waits and the addresses that it spans; false: nothing. */
static bool take_lazy(struct list_head *areas, struct list_head *pages, uintptr_t *start,
		      uintptr_t *end)
{
	unsigned long flags = lock_between_flushes();
	struct vm_area *area;

	vm_flushing = !list_empty(&lazy);
	*start = UINTPTR_MAX;
	*end = 0;
	list_for_each_entry(area, &lazy, link) {
		*start = min(*start, area->range.start);
		*end = max(*end, area->range.end);
		area->lazy = false;
	}
	list_splice_tail_init(&lazy, areas);
	list_splice_tail_init(&lazy_pages, pages);
	counts.nr_lazy_areas = 0;
	counts.nr_lazy_pages = 0;
	counts.lazy_bytes = 0;
	spin_unlock_irqrestore(&vmap_lock, flags);
	return *start < *end;
}

static void flush_lazy(void)
{
	struct vm_area *area, *next;
	unsigned long flags;
	uintptr_t start, end;
	LIST_HEAD(areas);
	LIST_HEAD(pages);

	if (!take_lazy(&areas, &pages, &start, &end))
		return;
	tlb_flush_range(start, end);
	/* No CPU knows them any more. */
	free_pages_list(&pages);
	list_for_each_entry_safe(area, next, &areas, link)
		release(area, 0);
	flags = spin_lock_irqsave(&vmap_lock);
	vm_flushing = false;
	spin_unlock_irqrestore(&vmap_lock, flags);
}

/* Does @r, a neighbour or NULL, wait as well? */
static struct vm_area *lazy_neighbour(struct va_range *r)
{
	struct vm_area *area = r ? container_of(r, struct vm_area, range) : NULL;

	return area && area->lazy ? area : NULL;
}

/* @area becomes lazy, one with those next to it: up to two descriptors are left over. */
static void join(struct vm_area *area, struct vm_area *left_over[2]) __must_hold(vmap_lock)
{
	struct vm_area *below = lazy_neighbour(va_range_prev(&area->range));
	struct vm_area *above = lazy_neighbour(va_range_next(&area->range));

	if (below && below->range.grip_end == area->range.start) {
		va_range_absorb(&space, &below->range, &area->range);
		left_over[0] = area;
		area = below;
	} else {
		list_add_tail(&area->link, &lazy);
		area->lazy = true;
	}
	if (above && above->range.start == area->range.grip_end) {
		list_del(&above->link);
		va_range_absorb(&space, &area->range, &above->range);
		left_over[1] = above;
	}
	if (left_over[0] || left_over[1])
		area->caller = NULL;
	area->size = area->range.end - area->range.start;
}

/* What @area maps; its own pages to @pages.  How many those are. */
static unsigned long unmap(const struct vm_area *area, struct list_head *pages)
{
	bool own = area->flags & VM_ALLOC;
	unsigned long nr = pgtable_unmap_pages(area->range.start, area->size, own ? pages : NULL);

	return own ? nr : 0;
}

/* Is a flush due? */
static bool make_lazy(struct vm_area *area)
{
	struct vm_area *left_over[2] = { NULL, NULL };
	unsigned long flags, nr;
	LIST_HEAD(pages);
	bool too_much;

	nr = unmap(area, &pages);
	flags = spin_lock_irqsave(&vmap_lock);
	counts.nr_lazy_areas++;
	counts.nr_lazy_pages += nr;
	counts.lazy_bytes += area->range.grip_end - area->range.start;
	list_splice_tail_init(&pages, &lazy_pages);
	join(area, left_over);
	too_much = counts.nr_lazy_pages > nr_lazy_max || counts.lazy_bytes > lazy_bytes_max;
	spin_unlock_irqrestore(&vmap_lock, flags);
	kfree(left_over[0]);
	kfree(left_over[1]);
	return too_much;
}

/* Unmap and flush @area alone, and release what it has. */
static void retire_now(struct vm_area *area)
{
	LIST_HEAD(pages);

	unmap(area, &pages);
	tlb_flush_range(area->range.start, area->range.end);
	free_pages_list(&pages);
	release(area, 0);
}

/* Is a flush due? */
static bool retire(struct vm_area *area)
{
	if (likely(!flush_at_once))
		return make_lazy(area);
	retire_now(area);
	return false;
}

/* One that was freed where nothing could be done; NULL: no more. */
static struct vm_area *next_unfinished(void)
{
	unsigned long flags = spin_lock_irqsave(&vmap_lock);
	struct vm_area *area = NULL;

	if (!list_empty(&unfinished)) {
		area = list_first_entry(&unfinished, struct vm_area, link);
		list_del(&area->link);
	}
	spin_unlock_irqrestore(&vmap_lock, flags);
	return area;
}

static __noinline void finish_all(void)
{
	struct vm_area *area;
	bool flush = false;

	while ((area = next_unfinished()) != NULL)
		flush |= retire(area);
	if (flush)
		flush_lazy();
}

/* Without the lock: what an interrupt leaves behind just now, the next call finds. */
static void finish(void)
{
	if (unlikely(READ_ONCE(unfinished.next) != &unfinished))
		finish_all();
}

QAPI void vm_area_retire(struct vm_area *area)
{
	finish();
	if (retire(area))
		flush_lazy();
}

QAPI void vm_unmap_aliases(void)
{
	might_sleep();
	finish();
	flush_lazy();
}

QAPI void vfree(const void *va)
{
	struct vm_area *area;
	unsigned long flags;

	if (!va)
		return;
	area = vm_area_take(va, VM_ALLOC, "vfree");
	alloc_trace_area_free(va, __builtin_return_address(0));
	if (env_can_sleep()) {
		vm_area_retire(area);
		return;
	}
	flags = spin_lock_irqsave(&vmap_lock);
	list_add_tail(&area->link, &unfinished);
	spin_unlock_irqrestore(&vmap_lock, flags);
}

/* ---- vmalloc ---------------------------------------------------------------------------- */

static __cold void report_failure(size_t size, gfp_t gfp, const char *what)
{
	struct vm_counts c;

	if (gfp & __GFP_NOWARN)
		return;
	vm_count(&c);
	pr_warn("%s: vmalloc of %zu bytes failed: %s; %lu areas have %lu KiB, largest hole "
		"%lu KiB\n",
		env_current()->name, size, what, c.nr_areas, c.used_bytes >> 10, c.largest >> 10);
	env_dump_stack();
}

/* Get up to @nr pages, all or none; freed areas have pages, too. */
static bool get_chunk(gfp_t gfp, unsigned long nr, struct page **pages)
{
	unsigned long taken = alloc_pages_fill(gfp, nr, pages);

	if (likely(taken == nr))
		return true;
	vm_unmap_aliases();
	taken += alloc_pages_fill(gfp, nr - taken, pages + taken);
	if (taken == nr)
		return true;
	free_pages_bulk_array(taken, pages);
	return false;
}

/* Fill an area with pages; how many bytes of it are mapped in the end. */
static size_t fill(struct vm_area *area, gfp_t gfp, uint32_t prot)
{
	struct page *pages[CHUNK_PAGES];
	size_t done = 0;

	while (done < area->size) {
		unsigned long nr = min((unsigned long)CHUNK_PAGES,
				       (unsigned long)(area->size - done) >> PAGE_SHIFT);

		if (!get_chunk(gfp, nr, pages))
			break;
		page_owner_of_area(nr, pages);
		alloc_trace_behind(ALLOC_TRACE_OF_AREA, nr, pages);
		if (pgtable_map_pages(area->range.start + done, pages, nr, prot)) {
			free_pages_bulk_array(nr, pages);
			break;
		}
		done += nr << PAGE_SHIFT;
	}
	return done;
}

static struct vm_area *alloc_area(size_t size, gfp_t gfp, uint32_t prot, const void *caller)
{
	/* What can be written is zeroed where it is mapped: by the caller, and in one piece. */
	const gfp_t for_pages = (prot & PROT_WRITE ? gfp & ~__GFP_ZERO : gfp) | __GFP_NOWARN;
	struct vm_area *area = vm_area_get(ALIGN_UP(size, PAGE_SIZE), VM_ALLOC, caller);

	if (!area) {
		report_failure(size, gfp, "no addresses, or no memory to note them");
		return NULL;
	}
	if (fill(area, for_pages, prot) < area->size) {
		vm_area_take(area_va(area), VM_ALLOC, "vmalloc");
		retire_now(area);
		report_failure(size, gfp, "no pages");
		return NULL;
	}
	return area;
}

static void *alloc_at(size_t size, gfp_t gfp, uint32_t prot, const void *caller)
{
	struct vm_area *area;

	might_sleep();
	BUG_ON(!(gfp & __GFP_WAIT));
	finish();
	if (!size || size > mm_layout.vmalloc_end - mm_layout.vmalloc_start) {
		report_failure(size, gfp,
			       size ? "more than there are addresses" : "nothing asked for");
		return NULL;
	}
	area = alloc_area(size, gfp, prot, caller);
	alloc_trace_area(area ? area_va(area) : NULL, size, gfp, caller);
	if (!area)
		return NULL;
	if ((gfp & __GFP_ZERO) && (prot & PROT_WRITE))
		memset(area_va(area), 0, area->size);
	return area_va(area);
}

QAPI void *vmalloc(size_t size)
{
	return alloc_at(size, GFP_KERNEL | __GFP_HIGHMEM, PROT_KERNEL, __builtin_return_address(0));
}

QAPI void *vzalloc(size_t size)
{
	return alloc_at(size, GFP_KERNEL | __GFP_HIGHMEM | __GFP_ZERO, PROT_KERNEL,
			__builtin_return_address(0));
}

QAPI void *vmalloc_32(size_t size)
{
	return alloc_at(size, GFP_KERNEL | __GFP_DMA32, PROT_KERNEL, __builtin_return_address(0));
}

QAPI void *__vmalloc(size_t size, gfp_t gfp, uint32_t prot)
{
	return alloc_at(size, gfp, prot, __builtin_return_address(0));
}

QAPI void *kvmalloc(size_t size, gfp_t gfp)
{
	void *p = NULL;

	if (size <= KMALLOC_MAX_SIZE)
		p = kmalloc(size, size > PAGE_SIZE ? gfp | __GFP_NORETRY | __GFP_NOWARN : gfp);
	if (p || size <= PAGE_SIZE)
		return p;
	return alloc_at(size, gfp | __GFP_HIGHMEM, PROT_KERNEL, __builtin_return_address(0));
}

QAPI void kvfree(const void *p)
{
	if (is_vmalloc_addr(p))
		vfree(p);
	else
		kfree(p);
}

/* ---- vmap ------------------------------------------------------------------------------- */

static void *map_pages(struct page **pages, unsigned int nr, uint32_t prot, const void *caller)
{
	struct vm_area *area;

	might_sleep();
	finish();
	if (!nr || nr > (mm_layout.vmalloc_end - mm_layout.vmalloc_start) >> PAGE_SHIFT)
		return NULL;
	area = vm_area_get((size_t)nr << PAGE_SHIFT, VM_MAP, caller);
	if (!area)
		return NULL;
	if (pgtable_map_pages(area->range.start, pages, nr, prot)) {
		vm_area_put(area);
		return NULL;
	}
	return area_va(area);
}

QAPI void *vmap(struct page **pages, unsigned int nr, unsigned long flags, uint32_t prot)
{
	BUG_ON(flags & ~(unsigned long)VM_MAP);
	return map_pages(pages, nr, prot, __builtin_return_address(0));
}

QAPI void vunmap(const void *va)
{
	might_sleep();
	if (!va)
		return;
	finish();
	retire_now(vm_area_take(va, VM_MAP, "vunmap"));
}

QAPI void *vm_map_ram(struct page **pages, unsigned int nr, int node, uint32_t prot)
{
	(void)node;
	return map_pages(pages, nr, prot, __builtin_return_address(0));
}

QAPI void vm_unmap_ram(const void *va, unsigned int nr)
{
	struct vm_area *area;

	might_sleep();
	area = vm_area_take(va, VM_MAP, "vm_unmap_ram");
	if (area->size != (size_t)nr << PAGE_SHIFT)
		bad_area(va, "vm_unmap_ram", "which has another number of pages");
	vm_area_retire(area);
}

/* ---- what is there ---------------------------------------------------------------------- */

QAPI struct page *vmalloc_to_page(const void *va)
{
	pfn_t pfn = is_vmalloc_addr(va) ? pgtable_pfn((uintptr_t)va) : PFN_NONE;

	return pfn_valid(pfn) ? pfn_to_page(pfn) : NULL;
}

QAPI pfn_t vmalloc_to_pfn(const void *va)
{
	pfn_t pfn = is_vmalloc_addr(va) ? pgtable_pfn((uintptr_t)va) : PFN_NONE;

	return pfn == PFN_NONE ? 0 : pfn;
}

QAPI void vm_count(struct vm_counts *c)
{
	unsigned long flags = spin_lock_irqsave(&vmap_lock);

	*c = counts;
	c->largest = va_space_largest_hole(&space, PAGE_SIZE);
	spin_unlock_irqrestore(&vmap_lock, flags);
}

QAPI void vm_state_get(struct vm_state *s)
{
	*s = (struct vm_state){ &vmap_lock, &space, &lazy, &lazy_pages, &counts };
}

/* ---- the beginning ---------------------------------------------------------------------- */

/* Pages of all areas that were freed and not released. */
static unsigned long nr_waiting(void)
{
	unsigned long flags = spin_lock_irqsave(&vmap_lock);
	unsigned long nr = counts.nr_lazy_pages;
	const struct vm_area *area;

	list_for_each_entry(area, &unfinished, link)
		nr += area->nr_pages;
	spin_unlock_irqrestore(&vmap_lock, flags);
	return nr;
}

static QAPI unsigned long shrink_lazy(struct shrinker *s, unsigned long nr, gfp_t gfp)
{
	unsigned long nr_before = nr_waiting();

	(void)s;
	(void)nr;
	(void)gfp;
	vm_unmap_aliases();
	return nr_before;
}

__init QAPI void vmalloc_init(void)
{
	static struct shrinker shrinker = { .name = "vmalloc", .shrink = shrink_lazy };
	static struct drain_hook hook = { .drain = vm_unmap_aliases };

	struct zone *z;

	for_each_zone(z)
		nr_lazy_max += z->nr_managed / LAZY_SHARE;
	nr_lazy_max = max(nr_lazy_max, LAZY_LEAST);
	lazy_bytes_max = (mm_layout.vmalloc_end - mm_layout.vmalloc_start) / LAZY_SPAN;
	va_space_init(&space, mm_layout.vmalloc_start, mm_layout.vmalloc_end);
	shrinker_register(&shrinker);
	drain_register(&hook);
	whatis_register(&vmalloc_whatis);
}
