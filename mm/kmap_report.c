/*
 * kmap_report.c - slots in words: who has them all, what is wrong with a call, what is this slot.
 *
 * IDEA.  The fast paths of highmem.c leave for here by a jump and no call: no function here is
 * known to them as one that does not return, which would cost them a stack frame each.
 *
 * STATE.  None.
 *
 * LOCKING.  None: slots are read each on its own, for a reader.
 *
 * CONTEXT.  Any.
 *
 * NOT HERE.  All slots: kmap_show.c.
 */
#include <quarry/bug.h>
#include <quarry/env.h>
#include <quarry/highmem.h>
#include <quarry/ksyms.h>
#include <quarry/out.h>
#include <quarry/panic.h>
#include <quarry/printk.h>

#include "internal.h"
#include "kmap.h"
#include "vmalloc.h"

#define NR_HOLDERS_SHOWN 8u

/* ---- shortage and misuse ---------------------------------------------------------------- */

QAPI const char *kmap_caller_name(const void *caller, unsigned long *offset)
{
	const char *name = ksym_lookup((uintptr_t)caller, offset, NULL);

	if (name)
		return name;
	*offset = (unsigned long)(uintptr_t)caller;
	return "?";
}

/* Is slot @i the first one that its caller holds?  *@nr is how many he has. */
static bool first_of_caller(unsigned long i, unsigned long *nr)
{
	*nr = 0;
	if (!kmap_is_held(&pkmap[i]))
		return false;
	for (unsigned long k = 0; k < PKMAP_NR_PAGES; k++) {
		if (!kmap_is_held(&pkmap[k]) || pkmap[k].caller != pkmap[i].caller)
			continue;
		if (k < i)
			return false;
		++*nr;
	}
	return true;
}

/* Who has all the slots; not under the lock: the numbers are for a reader. */
QAPI __cold void kmap_report_exhaustion(const struct page *page, const void *caller)
{
	unsigned long nr, offset, nr_shown = 0;
	const char *name = kmap_caller_name(caller, &offset);

	pr_err("kmap: no slot for pfn=0x%05lx by=%s+0x%lx: %lu of %lu are held, nobody to "
	       "wait for\n",
	       page_to_pfn(page), name, offset, kmap_nr_held(), PKMAP_NR_PAGES);
	for (unsigned long i = 0; i < PKMAP_NR_PAGES && nr_shown < NR_HOLDERS_SHOWN; i++) {
		if (!first_of_caller(i, &nr))
			continue;
		name = kmap_caller_name(pkmap[i].caller, &offset);
		pr_err("kmap: held by=%s+0x%lx slots=%lu\n", name, offset, nr);
		nr_shown++;
	}
}

QAPI __cold void kunmap_bad(const struct page *page)
{
	panic("kunmap: pfn 0x%05lx is not mapped by kmap()", page_to_pfn(page));
}

QAPI __cold void *kmap_local_full(void)
{
	const struct kmap_local_stack *s = this_cpu_ptr(&kmap_local_stack);
	unsigned long offset;
	const char *name = kmap_caller_name(s->caller[KMAP_LOCAL_SLOTS - 1], &offset);

	panic("kmap_local_page: all %u slots of CPU %u are held, the newest by %s+0x%lx", s->depth,
	      smp_cpu_id(), name, offset);
}

QAPI __cold void kunmap_local_bad(const void *va)
{
	const struct kmap_local_stack *s = this_cpu_ptr(&kmap_local_stack);
	unsigned int depth = s->depth;
	unsigned long offset;
	const char *name;

	if (!depth)
		panic("kunmap_local: %p, but CPU %u has nothing mapped", va, smp_cpu_id());
	name = kmap_caller_name(s->caller[depth - 1], &offset);
	panic("kunmap_local: %p, but the newest of %u is %p by %s+0x%lx", va, depth,
	      (void *)kmap_local_va(smp_cpu_id(), depth - 1), name, offset);
}

/* ---- what is this slot? ----------------------------------------------------------------- */

/* A slot's holder is known while its CPU's stack reaches above it. */
QAPI void kmap_local_describe(struct out *o, unsigned long index)
{
	unsigned int cpu = (unsigned int)(index / KMAP_LOCAL_SLOTS);
	unsigned int nr = (unsigned int)(index % KMAP_LOCAL_SLOTS);
	const struct kmap_local_stack *s = per_cpu_ptr(&kmap_local_stack, cpu);

	out_printf(o, " cpu=%u nr=%u", cpu, nr);
	if (cpu >= env_nr_cpus() || nr >= READ_ONCE(s->depth))
		return;
	out_printf(o, " by=");
	vm_caller_show(o, READ_ONCE(s->caller[nr]));
}

QAPI bool pkmap_describe(struct out *o, uintptr_t va)
{
	const struct kmap_slot *s;
	struct page *page;
	int count;

	if (va - PKMAP_START >= PKMAP_NR_PAGES * PAGE_SIZE) /* below it, too */
		return false;
	s = &pkmap[(va - PKMAP_START) >> PAGE_SHIFT];
	count = atomic_read(&s->count);
	page = READ_ONCE(s->page);
	out_printf(o, "pkmap slot=%lu count=%d", (unsigned long)(s - pkmap), count);
	if (!count || !page) {
		out_printf(o, " pfn=none\n");
		return true;
	}
	out_printf(o, " pfn=0x%05lx by=", page_to_pfn(page));
	vm_caller_show(o, READ_ONCE(s->caller));
	out_printf(o, "\n");
	return true;
}
