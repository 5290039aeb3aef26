/*
 * slab_report.c - what an address inside a slab is, and what is said of one that was misused.
 *
 * IDEA.  One reporter for all crimes: it names the cache, the slab, the object and the offset in
 * it, says whether somebody has the object and, where the cache remembers, who took it and who gave
 * it back, and dumps the bytes around it.  It takes no lock: it runs on the way to a panic, under
 * whatever lock the crime was found.
 *
 * CONTEXT.  Any.
 */
#include <quarry/align.h>
#include <quarry/bug.h>
#include <quarry/env.h>
#include <quarry/ksyms.h>
#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/pgtable.h>
#include <quarry/printk.h>

#include "debug/slab_debug.h"
#include "slab.h"

#define DUMP_LINE_BYTES  16u
#define DUMP_BYTES_AFTER 64u /* at most, from the object's start on */
#define OBJ_AT_NONE      (~0u)

/* ---- what is there ---------------------------------------------------------------------- */

/* A place in a slab. */
struct place {
	const struct kmem_cache *c;
	const struct slab *s;
	unsigned int
		index; /* of the object that @addr lies in or behind; OBJ_AT_NONE: before all */
	unsigned int offset; /* of @addr from that object's start */
};

/* False when @addr is in no slab. */
static bool find_place(const void *addr, struct place *p)
{
	const struct page *page = lowmem_page(addr);
	unsigned int distance;

	if (!page || !(page->flags & PG_slab))
		return false;
	p->c = page->slab_cache;
	p->s = page_slab(page);
	distance = (unsigned int)((const char *)addr - p->s->objs);
	p->index = distance / p->c->stride;
	p->offset = distance % p->c->stride;
	if ((const char *)addr < p->s->objs || p->index >= p->s->layout->nr_objs)
		p->index = OBJ_AT_NONE;
	return true;
}

static bool holds(void *const *slots, unsigned int nr, const void *obj)
{
	for (unsigned int i = 0; i < min(nr, PERCPU_STACK_SLOTS); i++) {
		if (slots[i] == obj)
			return true;
	}
	return false;
}

static bool in_magazine(const struct kmem_cache *c, const void *obj)
{
	if (holds(c->shared, c->nr_shared, obj))
		return true;
	for (unsigned int cpu = 0; cpu < env_nr_cpus(); cpu++) {
		const struct percpu_stack *s = per_cpu_ptr(c->magazine, cpu);

		if (holds(s->slot, s->nr, obj))
			return true;
	}
	return false;
}

/* Taken: somebody has it.  Cached: it waits in a magazine.  Free: it is on its slab's list. */
static const char *object_state(const struct place *p, const void *obj)
{
	if (slab_next_free(p->c, p->s, p->index) != SLAB_TAKEN)
		return "free";
	return in_magazine(p->c, obj) ? "cached" : "taken";
}

static void show_user(struct out *o, const char *what, const struct slab_user *u)
{
	unsigned long offset = 0, size = 0;
	const char *name = u->caller ? ksym_lookup((uintptr_t)u->caller, &offset, &size) : NULL;

	if (!u->caller)
		return;
	out_printf(o, "%s by=0x%08lx %s+0x%lx/0x%lx time=%llu\n", what, (unsigned long)u->caller,
		   name ? name : "?", offset, size, (unsigned long long)u->when);
}

QAPI void slab_object_show(struct out *o, const void *addr)
{
	struct place p;
	const struct slab_track *t;
	const void *obj;

	if (!find_place(addr, &p))
		return;
	out_printf(o, "slab cache=%s slab=0x%08lx objects=0x%08lx taken=%u of=%u", p.c->name,
		   (unsigned long)p.s, (unsigned long)p.s->objs, p.s->nr_taken,
		   p.s->layout->nr_objs);
	if (p.index == OBJ_AT_NONE) {
		out_printf(o, " address=0x%08lx in no object\n", (unsigned long)addr);
		return;
	}
	obj = slab_object(p.c, p.s, p.index);
	out_printf(o, "\nobject start=0x%08lx index=%u offset=%u size=%u state=%s\n",
		   (unsigned long)obj, p.index, p.offset, p.c->object_size, object_state(&p, obj));
	t = slab_debug_track(p.c, obj);
	if (t) {
		show_user(o, "allocated", &t->alloc);
		show_user(o, "freed", &t->free);
	}
}

/* ---- crimes ----------------------------------------------------------------------------- */

static void dump_line(const unsigned char *p)
{
	printk("%08lx:", (unsigned long)p);
	for (unsigned int i = 0; i < DUMP_LINE_BYTES; i++)
		printk(" %02x", p[i]);
	printk("  ");
	for (unsigned int i = 0; i < DUMP_LINE_BYTES; i++)
		printk("%c", p[i] >= ' ' && p[i] <= '~' ? p[i] : '.');
	printk("\n");
}

/* Lowmem has holes: a page may have been taken out of the map. */
static bool is_mapped(const void *va)
{
	struct pt_walk w;

	pgtable_walk((uintptr_t)va, &w);
	return w.present;
}

/* The bytes around an object, as far as they are lowmem. */
static void dump_around(const char *start, unsigned int nr)
{
	const char *from =
		(const char *)ALIGN_DOWN((uintptr_t)start, DUMP_LINE_BYTES) - DUMP_LINE_BYTES;

	for (unsigned int i = 0; i <= nr + DUMP_LINE_BYTES; i += DUMP_LINE_BYTES) {
		if (lowmem_page(from + i) && is_mapped(from + i))
			dump_line((const unsigned char *)from + i);
	}
}

static void dump_object(const void *addr)
{
	struct place p;

	if (find_place(addr, &p) && p.index != OBJ_AT_NONE)
		dump_around(slab_object(p.c, p.s, p.index), min(p.c->stride, DUMP_BYTES_AFTER));
	else if (lowmem_page(addr))
		dump_around(addr, DUMP_LINE_BYTES);
}

static void describe_crime(const char *name, const void *obj, const char *what)
{
	const struct page *page = lowmem_page(obj);

	pr_emerg("BUG: %s: object %p %s\n", name, obj, what);
	if (page && (page->flags & PG_slab))
		slab_object_show(&out_console, obj);
	else if (page)
		page_show(&out_console, page);
	else
		pr_emerg("%p lies in %s\n", obj, va_region((uintptr_t)obj));
}

__cold QAPI void slab_bad_object(const struct kmem_cache *c, const void *obj, const char *what)
{
	const char *name = c ? c->name : "kfree";

	describe_crime(name, obj, what);
	dump_object(obj);
	panic("%s: object %p %s", name, obj, what);
}

__cold QAPI void slab_bad_byte(const struct kmem_cache *c, const void *obj, const char *what,
			       const unsigned char *at, unsigned char expected)
{
	long offset = (long)(at - (const unsigned char *)obj);

	describe_crime(c->name, obj, what);
	pr_emerg("first wrong byte: offset %ld is %02x, not %02x\n", offset, *at, expected);
	dump_around((const char *)at, DUMP_LINE_BYTES);
	dump_object(obj);
	panic("%s: object %p %s, first at offset %ld", c->name, obj, what, offset);
}
