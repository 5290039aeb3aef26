/*
 * describe.c - single things in words: a page, a GFP mask, an address.
 *
 * IDEA.  Reports of misuse and of failure need names for what they report, in every build; the
 * tables of the whole state (show.c) may be left out.
 *
 * STATE.  None.
 *
 * CONTEXT.  Any, a fault report included.
 */
#include <quarry/align.h>
#include <quarry/gfp.h>
#include <quarry/mm.h>
#include <quarry/out.h>
#include <quarry/string.h>

#include "internal.h"

/* ---- one page --------------------------------------------------------------------------- */

struct bit_name {
	unsigned int bit;
	const char *name;
};

/* The names of the bits set in @bits, joined by '|'; @none when there are none. */
static void show_bits(struct out *o, unsigned int bits, const struct bit_name *names,
		      unsigned int nr, const char *none)
{
	const char *between = "";

	for (unsigned int i = 0; i < nr; i++) {
		if (!(bits & names[i].bit))
			continue;
		out_printf(o, "%s%s", between, names[i].name);
		between = "|";
		bits &= ~names[i].bit;
	}
	if (bits)
		out_printf(o, "%s0x%x", between, bits);
	else if (!*between)
		out_printf(o, "%s", none);
}

static const struct bit_name page_flags[] = {
	{ PG_reserved, "reserved" }, { PG_buddy, "buddy" },     { PG_slab, "slab" },
	{ PG_head, "head" },         { PG_pgtable, "pgtable" }, { PG_private, "private" },
	{ PG_kmalloc, "kmalloc" },
};

static const char *const mobility_names[NR_MOBILITIES] = {
	[MOB_UNMOVABLE] = "unmovable",
	[MOB_RECLAIMABLE] = "reclaimable",
	[MOB_MOVABLE] = "movable",
};

/* Is @page a free block's head, or one that somebody has? */
static bool heads_block(const struct page *page)
{
	unsigned long flags = READ_ONCE(page->flags);

	if (flags & PG_reserved)
		return false;
	return (flags & PG_buddy) || atomic_read(&page->_count) > 0;
}

/*
 * The head of the block that @page lies in.  Blocks are aligned, so it is at one of MAX_ORDER
 * places; the order that it carries must reach to @page.  NULL: in no block, as the pages in the
 * per-CPU lists, which have no references and are in no free list.
 */
static const struct page *block_head(const struct page *page)
{
	pfn_t pfn = page_to_pfn(page);

	if (heads_block(page))
		return page;
	for (unsigned int order = 1; order < MAX_ORDER; order++) {
		const struct page *head = pfn_to_page(ALIGN_DOWN(pfn, 1ul << order));

		if (head != page && heads_block(head) && block_order(head) >= order)
			return head;
	}
	return NULL;
}

static const char *page_state(const struct page *page, const struct page *head)
{
	if (READ_ONCE(page->flags) & PG_reserved)
		return "reserved";
	if (!head)
		return "per-cpu";
	return READ_ONCE(head->flags) & PG_buddy ? "free" : "used";
}

/* Order and mobility are its block's: a tail's own are stale. */
static void show_block(struct out *o, const struct page *page, const struct page *head)
{
	unsigned int mob = block_mobility(head);

	out_printf(o, " order=%u mobility=%s", block_order(head),
		   mob < NR_MOBILITIES ? mobility_names[mob] : "none");
	if (head != page)
		out_printf(o, " head=0x%05lx", page_to_pfn(head));
}

QAPI void page_show(struct out *o, const struct page *page)
{
	unsigned long flags = READ_ONCE(page->flags);
	const struct page *head = flags & PG_reserved ? NULL : block_head(page);
	const void *va = READ_ONCE(page->virtual);

	out_printf(o, "pfn=0x%05lx pa=0x%08llx va=", page_to_pfn(page),
		   (unsigned long long)page_to_phys(page));
	if (va)
		out_printf(o, "0x%08lx", (unsigned long)va);
	else
		out_printf(o, "none");
	out_printf(o, " zone=%s state=%s flags=", page_zone(page)->name, page_state(page, head));
	show_bits(o, flags & PG_MASK, page_flags, ARRAY_SIZE(page_flags), "none");
	out_printf(o, " count=%d", atomic_read(&page->_count));
	if (head)
		show_block(o, page, head);
	out_printf(o, " private=0x%lx lru=0x%08lx,0x%08lx\n", READ_ONCE(page->private),
		   (unsigned long)READ_ONCE(page->lru.next),
		   (unsigned long)READ_ONCE(page->lru.prev));
}

/* ---- GFP masks -------------------------------------------------------------------------- */

#define GFP_NAME(flag)      \
	{                   \
		flag, #flag \
	}

static const struct bit_name gfp_names[] = {
	GFP_NAME(__GFP_DMA),        GFP_NAME(__GFP_HIGHMEM),     GFP_NAME(__GFP_DMA32),
	GFP_NAME(__GFP_MOVABLE),    GFP_NAME(__GFP_RECLAIMABLE), GFP_NAME(__GFP_WAIT),
	GFP_NAME(__GFP_HIGH),       GFP_NAME(__GFP_IO),          GFP_NAME(__GFP_FS),
	GFP_NAME(__GFP_COLD),       GFP_NAME(__GFP_NOWARN),      GFP_NAME(__GFP_REPEAT),
	GFP_NAME(__GFP_NOFAIL),     GFP_NAME(__GFP_NORETRY),     GFP_NAME(__GFP_MEMALLOC),
	GFP_NAME(__GFP_NOMEMALLOC), GFP_NAME(__GFP_COMP),        GFP_NAME(__GFP_ZERO),
	GFP_NAME(__GFP_THISNODE),
};

static_assert(ARRAY_SIZE(gfp_names) == __GFP_BITS, "every flag has a name");

QAPI void gfp_show(struct out *o, gfp_t gfp)
{
	show_bits(o, gfp, gfp_names, ARRAY_SIZE(gfp_names), "0");
}

/* ---- the address space ------------------------------------------------------------------ */

struct va_range {
	uintptr_t end; /* inclusive: the last range ends with the address space */
	const char *name;
};

#define NR_VA_RANGES 9u

/* The kernel's address space from 0 up; an empty range ends where it starts. */
static void va_ranges(struct va_range *r)
{
	const struct va_range all[NR_VA_RANGES] = {
		{ PAGE_OFFSET - 1, "unmapped (user)" },
		{ mm_layout.high_memory - 1, "direct map" },
		{ mm_layout.vmalloc_start - 1, "vmalloc hole" },
		{ mm_layout.vmalloc_end - 1, "vmalloc" },
		{ PKMAP_START - 1, "vmalloc guard" },
		{ PKMAP_START + PKMAP_NR_PAGES * PAGE_SIZE - 1, "pkmap" },
		{ FIXMAP_START - 1, "fixmap guard" },
		{ FIXMAP_TOP - 1, "fixmap" },
		{ UINTPTR_MAX, "top page (error pointers)" },
	};

	memcpy(r, all, sizeof(all));
}

QAPI const char *va_region(uintptr_t va)
{
	struct va_range r[NR_VA_RANGES];
	unsigned int i = 0;

	va_ranges(r);
	while (va > r[i].end)
		i++;
	return r[i].name;
}

QAPI void va_map_show(struct out *o)
{
	struct va_range r[NR_VA_RANGES];
	uintptr_t start = 0;

	va_ranges(r);
	for (unsigned int i = 0; i < NR_VA_RANGES; i++) {
		if (r[i].end + 1 != start)
			out_printf(o, "range 0x%08lx-0x%08lx kib=%lu %s\n", (unsigned long)start,
				   (unsigned long)r[i].end,
				   (unsigned long)((r[i].end - start) >> 10) + 1, r[i].name);
		start = r[i].end + 1;
	}
}
