/*
 * alloc_trace.c - every allocation and free, written down as it happens.
 *
 * IDEA.  Slow paths call here; while a recording runs, per-CPU lists and magazines are out of use,
 * so that every call goes that way.  The fast paths know nothing of it.
 *
 * A record says what was asked and what came of it, in 20 bytes.  Whose pages are whose is not
 * known when they are taken: the slab or area says so afterwards, in a record of its own.  Making a
 * trace file of it, with numbers for addresses, is left to the host (tools/trace_log.py).
 *
 * What kmalloc() was asked for is not known behind its fast path: the size is that of the class.
 * The caller is the one outside of the library for pages, otherwise the one that the call names.
 *
 * FULL.  The ring stops when it is full, and counts what it drops.  Overwriting would lose births
 * of what is freed later, and a trace without them replays as something else.
 *
 * STATE.  The ring, nr records of it, nr_dropped; armed.
 *
 * INVARIANTS.  A1: records stand in an order in which they could have happened: an address is
 * given before it is taken again.  A2: nothing is written while it is off.
 *
 * LOCKING.  trace_lock, irq-safe, a leaf, guards the ring and its counts.  Starting and stopping
 * are for one thread at a time.
 *
 * CONTEXT.  Any; starting and stopping: a thread that may sleep.
 */
#include <quarry/alloc_trace.h>

#include <quarry/align.h>
#include <quarry/env.h>
#include <quarry/kmalloc.h>
#include <quarry/port.h>
#include <quarry/spinlock.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

#include "../internal.h"
#include "alloc_trace.h"
#include "watch.h"

#define LINE_RECORDS 4u /* of a dump */
#define ADLER_MOD    65521u

static_assert(sizeof(struct alloc_trace_record) == 20, "a dump has its bytes");

bool alloc_trace_armed;

static spinlock_t trace_lock = SPINLOCK_INIT;
/* Guarded by trace_lock while it is on. */
static struct alloc_trace_record *ring;
static unsigned long nr_records, nr_max, nr_dropped;

/* ---- recording ---------------------------------------------------------------------------- */

static uint32_t word(const void *p)
{
	return (uint32_t)(uintptr_t)p;
}

static void note(struct alloc_trace_record record)
{
	unsigned long flags;

	record.context = in_interrupt() ? ALLOC_TRACE_HARD_IRQ : 0;
	flags = spin_lock_irqsave(&trace_lock);
	if (!alloc_trace_armed)
		;
	else if (nr_records < nr_max)
		ring[nr_records++] = record;
	else
		nr_dropped++;
	spin_unlock_irqrestore(&trace_lock, flags);
}

static bool is_kmalloc_cache(const struct kmem_cache *c)
{
	return c->object_size <= KMALLOC_CACHE_MAX &&
	       kmalloc_caches[c->flags & SLAB_CACHE_DMA ? 1 : 0][kmalloc_index(c->object_size)] ==
		       c;
}

QAPI void alloc_trace_object_slow(const struct kmem_cache *c, const void *obj, gfp_t gfp,
				  const void *caller)
{
	note((struct alloc_trace_record){ .op = is_kmalloc_cache(c) ? ALLOC_TRACE_KMALLOC :
								      ALLOC_TRACE_CACHE_ALLOC,
					  .gfp = gfp,
					  .size = c->object_size,
					  .caller = word(caller),
					  .result = word(obj) });
}

QAPI void alloc_trace_object_free_slow(const void *obj, const void *caller)
{
	const struct kmem_cache *c = virt_to_page(obj)->slab_cache;

	note((struct alloc_trace_record){ .op = is_kmalloc_cache(c) ? ALLOC_TRACE_KFREE :
								      ALLOC_TRACE_CACHE_FREE,
					  .size = c->object_size,
					  .caller = word(caller),
					  .result = word(obj) });
}

/* Out of the library, if the port can tell. */
static uint32_t outer_caller(void)
{
	const void *caller = NULL;

	return port_callers(&caller, 1) ? word(caller) : 0;
}

QAPI void alloc_trace_pages_slow(const struct page *page, unsigned int order, gfp_t gfp)
{
	note((struct alloc_trace_record){ .op = ALLOC_TRACE_PAGE_ALLOC,
					  .order = (uint8_t)order,
					  .gfp = gfp,
					  .size = (uint32_t)(PAGE_SIZE << order),
					  .caller = outer_caller(),
					  .result = page ? (uint32_t)page_to_pfn(page) : 0 });
}

QAPI void alloc_trace_pages_free_slow(const struct page *page)
{
	unsigned int order = block_order(page);

	note((struct alloc_trace_record){ .op = ALLOC_TRACE_PAGE_FREE,
					  .order = (uint8_t)order,
					  .size = (uint32_t)(PAGE_SIZE << order),
					  .caller = outer_caller(),
					  .result = (uint32_t)page_to_pfn(page) });
}

QAPI void alloc_trace_large_slow(const void *p, size_t size, gfp_t gfp)
{
	struct page *page = p ? virt_to_page(p) : NULL;

	if (page)
		alloc_trace_behind_slow(ALLOC_TRACE_OF_SLAB, 1, &page);
	note((struct alloc_trace_record){ .op = ALLOC_TRACE_KMALLOC,
					  .gfp = gfp,
					  .size = (uint32_t)size,
					  .caller = outer_caller(),
					  .result = word(p) });
}

QAPI void alloc_trace_large_free_slow(const void *p)
{
	note((struct alloc_trace_record){
		.op = ALLOC_TRACE_KFREE, .caller = outer_caller(), .result = word(p) });
}

QAPI void alloc_trace_area_slow(const void *va, size_t size, gfp_t gfp, const void *caller)
{
	note((struct alloc_trace_record){ .op = ALLOC_TRACE_VMALLOC,
					  .gfp = gfp,
					  .size = (uint32_t)size,
					  .caller = word(caller),
					  .result = word(va) });
}

QAPI void alloc_trace_area_free_slow(const void *va, const void *caller)
{
	note((struct alloc_trace_record){
		.op = ALLOC_TRACE_VFREE, .caller = word(caller), .result = word(va) });
}

QAPI void alloc_trace_behind_slow(enum alloc_trace_behind what, unsigned long nr,
				  struct page *const *pages)
{
	for (unsigned long i = 0; i < nr; i++)
		note((struct alloc_trace_record){ .op = ALLOC_TRACE_BACKING_PAGES,
						  .order = (uint8_t)what,
						  .result = (uint32_t)page_to_pfn(pages[i]) });
}

QAPI void alloc_trace_own_slow(const void *obj)
{
	note((struct alloc_trace_record){ .op = ALLOC_TRACE_BACKING_OBJECT, .result = word(obj) });
}

QAPI void alloc_trace_split_slow(const struct page *page, unsigned int order)
{
	note((struct alloc_trace_record){ .op = ALLOC_TRACE_SPLIT,
					  .order = (uint8_t)order,
					  .result = (uint32_t)page_to_pfn(page) });
}

/* ---- starting and stopping ------------------------------------------------------------------ */

static void set_armed(bool on)
{
	unsigned long flags = spin_lock_irqsave(&trace_lock);

	WRITE_ONCE(alloc_trace_armed, on);
	spin_unlock_irqrestore(&trace_lock, flags);
	pcp_enable(!pages_watched());
	slab_magazines_enable(!objects_watched());
}

QAPI int alloc_trace_start(size_t size)
{
	might_sleep();
	if (size < ALLOC_TRACE_SIZE_MIN || size > ALLOC_TRACE_SIZE_MAX)
		return -EINVAL;
	if (alloc_trace_armed)
		return -EBUSY;
	alloc_trace_free();
	ring = vmalloc(size);
	if (!ring)
		return -ENOMEM;
	nr_records = nr_dropped = 0;
	nr_max = size / sizeof(*ring);
	set_armed(true);
	return 0;
}

QAPI void alloc_trace_stop(void)
{
	might_sleep();
	if (alloc_trace_armed)
		set_armed(false);
}

QAPI void alloc_trace_free(void)
{
	alloc_trace_stop();
	vfree(ring);
	ring = NULL;
	nr_records = nr_max = nr_dropped = 0;
}

/* ---- reading -------------------------------------------------------------------------------- */

QAPI void alloc_trace_get_status(struct alloc_trace_status *status)
{
	unsigned long flags = spin_lock_irqsave(&trace_lock);

	*status = (struct alloc_trace_status){ .on = alloc_trace_armed,
					       .nr_records = nr_records,
					       .nr_max = nr_max,
					       .nr_dropped = nr_dropped };
	spin_unlock_irqrestore(&trace_lock, flags);
}

QAPI const struct alloc_trace_record *alloc_trace_get(unsigned long n)
{
	return n < nr_records ? &ring[n] : NULL;
}

struct adler {
	uint32_t a, b;
};

static void adler_add(struct adler *sum, const unsigned char *bytes, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		sum->a = (sum->a + bytes[i]) % ADLER_MOD;
		sum->b = (sum->b + sum->a) % ADLER_MOD;
	}
}

static void dump_line(struct out *o, struct adler *sum, unsigned long first, unsigned long nr)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = (const unsigned char *)&ring[first];
	char hex[2 * LINE_RECORDS * sizeof(*ring) + 1];
	size_t nr_bytes = nr * sizeof(*ring);

	for (size_t i = 0; i < nr_bytes; i++) {
		hex[2 * i] = digits[bytes[i] >> 4];
		hex[2 * i + 1] = digits[bytes[i] & 0xf];
	}
	hex[2 * nr_bytes] = '\0';
	adler_add(sum, bytes, nr_bytes);
	out_printf(o, "alloc_trace %lu %s %04x%04x\n", first, hex, sum->b, sum->a);
}

QAPI int alloc_trace_dump(struct out *o)
{
	struct adler sum = { .a = 1 };

	if (alloc_trace_armed)
		return -EBUSY;
	if (!ring)
		return -ENOENT;
	out_printf(o, "alloc_trace begin version=1 records=%lu dropped=%lu\n", nr_records,
		   nr_dropped);
	for (unsigned long i = 0; i < nr_records; i += LINE_RECORDS)
		dump_line(o, &sum, i, min(nr_records - i, (unsigned long)LINE_RECORDS));
	out_printf(o, "alloc_trace end records=%lu sum=%04x%04x\n", nr_records, sum.b, sum.a);
	return 0;
}
