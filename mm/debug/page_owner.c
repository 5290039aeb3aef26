/*
 * page_owner.c - who took each page, with which mask, when, and who gave it back last.
 *
 * THEORY.  page_owner=1 keeps a record for every frame.  It is written where a block leaves the
 * allocator and where it comes back, in the record of the block's head only, so that the cost does
 * not depend on the block's size: whoever asks for another page of it looks at the MAX_ORDER places
 * where its head can be, as compound_head() does.
 *
 * A record has return addresses, the innermost first.  Those inside the library are left out
 * (port_callers()): what a user wants to see behind a page of kmalloc() is not cache_grow().
 *
 * Times are clock_cycles(), which tell before from after as a counter of allocations would, but are
 * nobody's to share, do not wrap, and are what slabs note of their objects.  So leaks.c
 * compares all of them with one mark.
 *
 * STATE.  page_owners, from memblock: made before there are managed pages, so that no page was ever
 * taken unseen.
 *
 * INVARIANTS, checked by page_owner_check():
 *   O1  the blocks with taken set are all that is managed and not free, each once.
 *
 * LOCKING.  None: a record is written by whoever owns the page at that moment, before the page is
 * handed out or after it was given back.  Who reads another's may see it half written.
 *
 * CONTEXT.  Any.
 *
 * NOT HERE.  Reports: leaks.c.
 */
#include <quarry/align.h>
#include <quarry/ksyms.h>
#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#include "../internal.h"
#include "page_owner.h"

#define ROOM_SHARE 4u /* the records may take this part of what lowmem has free */

struct page_owner *page_owners;

static bool wanted;

/* ---- boot ------------------------------------------------------------------------------- */

__init QAPI int page_owner_parse(const char *value)
{
	if (strcmp(value, "0") && strcmp(value, "1"))
		return -EINVAL;
	wanted = *value == '1';
	return 0;
}

/* Pages of lowmem that memblock could still give. */
static __init unsigned long nr_lowmem_free(void)
{
	unsigned long nr = 0;
	pfn_t start, end = 0;

	while (memblock_next_free(end, &start, &end)) {
		start = min(start, mm_layout.lowmem_end_pfn);
		nr += min(end, mm_layout.lowmem_end_pfn) - start;
	}
	return nr;
}

__init QAPI void page_owner_init(void)
{
	size_t size = max_pfn * sizeof(struct page_owner);

	if (!wanted)
		return;
	if (DIV_ROUND_UP(size, PAGE_SIZE) <= nr_lowmem_free() / ROOM_SHARE)
		page_owners = memblock_alloc(size, PAGE_SIZE, NAME_PAGE_OWNERS);
	if (page_owners)
		pr_info("mm: page_owner: %zu KiB of records for %lu frames\n", size >> 10, max_pfn);
	else
		pr_warn("mm: page_owner=1 ignored: no room for %zu KiB of records\n", size >> 10);
}

QAPI void page_owner_start(void)
{
	if (page_owners)
		pcp_enable(false);
}

/* ---- a block changes hands -------------------------------------------------------------- */

static struct page_owner *record_of(const struct page *page)
{
	return &page_owners[page_to_pfn(page)];
}

static void note_callers(const void **to, unsigned int room)
{
	unsigned int nr = port_callers(to, room);

	memset(to + nr, 0, (room - nr) * sizeof(*to));
}

QAPI void page_owner_alloc_slow(const struct page *page, unsigned int order, gfp_t gfp)
{
	struct page_owner *r = record_of(page);

	r->when_taken = clock_cycles();
	r->gfp = gfp;
	r->order = (uint8_t)order;
	r->of_area = false;
	note_callers(r->taken_by, OWNER_TAKEN_BY);
	r->taken = true;
}

QAPI void page_owner_free_slow(const struct page *page)
{
	struct page_owner *r = record_of(page);

	r->taken = false;
	r->when_given = clock_cycles();
	note_callers(r->given_by, OWNER_GIVEN_BY);
}

QAPI void page_owner_split_slow(const struct page *page, unsigned int order)
{
	struct page_owner *r = record_of(page);

	r->order = 0;
	for (unsigned long i = 1; i < 1ul << order; i++)
		r[i] = *r;
}

QAPI void page_owner_forget_slow(const struct page *page)
{
	*record_of(page) = (struct page_owner){ 0 };
}

QAPI void page_owner_of_area_slow(unsigned long nr, struct page *const *pages)
{
	for (unsigned long i = 0; i < nr; i++)
		record_of(pages[i])->of_area = true;
}

/* ---- one page in words ------------------------------------------------------------------ */

static uint64_t last_change(const struct page_owner *r)
{
	return max(r->when_taken, r->when_given);
}

/* The record of the block that @page lies in, or lay in last; NULL: it never was in any. */
static const struct page_owner *find_record(const struct page *page)
{
	pfn_t pfn = page_to_pfn(page);
	const struct page_owner *found = NULL;

	for (unsigned int order = 0; order < MAX_ORDER; order++) {
		const struct page_owner *r = &page_owners[ALIGN_DOWN(pfn, 1ul << order)];

		if (!r->when_taken || r->order < order)
			continue;
		if (r->taken)
			return r;
		if (!found || last_change(r) > last_change(found))
			found = r;
	}
	return found;
}

QAPI void owner_caller_show(struct out *o, const void *caller)
{
	unsigned long offset, size;
	/* When the call was the last instruction, the return address is another function's. */
	const char *name = caller ? ksym_lookup((uintptr_t)caller - 1, &offset, &size) : NULL;

	if (name)
		out_printf(o, "%s+0x%lx/0x%lx", name, offset + 1, size);
	else if (caller)
		out_printf(o, "0x%08lx", (unsigned long)(uintptr_t)caller);
	else
		out_printf(o, "unknown");
}

/* Those behind the first. */
static void show_callers(struct out *o, const char *who, const void *const *by, unsigned int nr)
{
	for (unsigned int i = 1; i < nr && by[i]; i++) {
		out_printf(o, "%s from=", who);
		owner_caller_show(o, by[i]);
		out_printf(o, "\n");
	}
}

static void show_record(struct out *o, const struct page_owner *r)
{
	const char *who = r->taken ? "owner" : "last_owner";

	out_printf(o, "%s by=", who);
	owner_caller_show(o, r->taken_by[0]);
	out_printf(o, " time=%llu order=%u gfp=", (unsigned long long)r->when_taken, r->order);
	gfp_show(o, r->gfp);
	out_printf(o, "\n");
	show_callers(o, who, r->taken_by, OWNER_TAKEN_BY);
	if (!r->when_given)
		return;
	out_printf(o, "last_free by=");
	owner_caller_show(o, r->given_by[0]);
	out_printf(o, " time=%llu\n", (unsigned long long)r->when_given);
	show_callers(o, "last_free", r->given_by, OWNER_GIVEN_BY);
}

QAPI void page_owner_show(struct out *o, const struct page *page)
{
	const struct page_owner *r = NULL;

	if (page_owners && page >= mem_map && page < mem_map + max_pfn)
		r = find_record(page);
	if (r)
		show_record(o, r);
}

/* ---- checking --------------------------------------------------------------------------- */

static unsigned long nr_pages_out(void)
{
	struct mm_account a;

	mm_account(&a);
	return a.nr_managed - a.nr_free - a.nr_pcp;
}

QAPI unsigned int page_owner_check(void)
{
	unsigned long nr_out = nr_pages_out(), nr = 0;
	unsigned int nr_bad = 0;

	if (!page_owners)
		return 0;
	for (pfn_t pfn = 0; pfn < max_pfn; pfn++) {
		if (page_owners[pfn].taken)
			nr += 1ul << page_owners[pfn].order;
	}
	if (nr != nr_out && nr_out == nr_pages_out())
		BAD(nr_bad, "page_owner_check: O1 broken: owners have %lu pages, %lu are out\n", nr,
		    nr_out);
	return nr_bad;
}
