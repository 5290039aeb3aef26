/*
 * init.c - starting mm/: the order of its parts, the layout, the watermarks.
 *
 * IDEA.  Initialization order is data: each step of mm_steps says what it needs and what it gives,
 * and a step in the wrong place stops the boot.
 *
 * Watermarks follow from one number, min_free_kbytes, which grows with the square root of lowmem:
 * what must be free for emergencies grows slower than memory.  Each lowmem zone gets its share of
 * it; HIGHMEM only a little, as nothing of the kernel's lives there.  low and high lie a quarter of
 * min above each other.  lowmem_reserve keeps a part of each zone, proportional to the size of the
 * zones above it, from requests that could have used those.
 *
 * STATE.  mm_layout, written once; min_free_kbytes; the options of the command line.
 *
 * CONTEXT.  Boot; mm_set_min_free() and mm_release() in a thread.
 *
 * SOURCES.  The meaning of min_free_kbytes and lowmem_reserve_ratio: Linux,
 * Documentation/admin-guide/sysctl/vm.rst.
 */
#include <quarry/align.h>
#include <quarry/bootinfo.h>
#include <quarry/bug.h>
#include <quarry/cmdline.h>
#include <quarry/div64.h>
#include <quarry/errno.h>
#include <quarry/mm.h>
#include <quarry/port.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#include "debug/fault_inject.h"
#include "debug/page_owner.h"
#include "debug/page_poison.h"
#include "debug/slab_debug.h"
#include "dma.h"
#include "internal.h"
#include "kmap.h"
#include "slab.h"
#include "vmalloc.h"

#define MIN_FREE_FACTOR     16ul  /* min_free_kbytes = sqrt(lowmem KiB * this) */
#define MIN_FREE_LOWEST     128ul /* KiB */
#define MIN_FREE_HIGHEST    65536ul
#define HIGHMEM_MIN_SHARE   1024ul /* of its pages */
#define HIGHMEM_MIN_LOWEST  32ul
#define HIGHMEM_MIN_HIGHEST 128ul
#define LOWMEM_LEAST        (8 * MiB) /* what highmem= must leave */

/* A zone keeps 1/ratio of the pages of the zones above from requests that could use those. */
static const unsigned int reserve_ratio[NR_ZONES] = { 256, 32, 1 };

struct mm_layout mm_layout;

static unsigned long min_free_kbytes;

/* ---- options ---------------------------------------------------------------------------- */

static unsigned long opt_vmalloc = VMALLOC_DEFAULT;
static unsigned long opt_highmem;
static unsigned long opt_min_free;

static __init int parse_bytes(const char *value, unsigned long *bytes)
{
	const char *end;
	uint64_t size;
	int err = parse_size(value, &end, &size);

	if (err)
		return err;
	if (*end || size != (unsigned long)size)
		return -EINVAL;
	*bytes = ALIGN_DOWN((unsigned long)size, PAGE_SIZE);
	return 0;
}

static __init QAPI int set_vmalloc(const char *value)
{
	unsigned long bytes;
	int err = parse_bytes(value, &bytes);

	if (err)
		return err;
	if (bytes < VMALLOC_MIN || bytes > VMALLOC_END - PAGE_OFFSET - VMALLOC_HOLE - LOWMEM_LEAST)
		return -EINVAL;
	opt_vmalloc = bytes;
	return 0;
}

static __init QAPI int set_highmem(const char *value)
{
	return parse_bytes(value, &opt_highmem);
}

static __init QAPI int set_min_free(const char *value)
{
	const char *end;
	uint64_t kbytes;
	int err = parse_u64(value, &end, &kbytes);

	if (err)
		return err;
	if (*end || kbytes > MIN_FREE_HIGHEST)
		return -EINVAL;
	opt_min_free = (unsigned long)kbytes;
	return 0;
}

static __init int set_mode(const char *value, unsigned int bit)
{
	if (strcmp(value, "0") && strcmp(value, "1"))
		return -EINVAL;
	page_poison_set(bit, *value == '1');
	return 0;
}

static __init QAPI int set_kmap_debug(const char *value)
{
	if (strcmp(value, "0") && strcmp(value, "1"))
		return -EINVAL;
	kmap_set_debug(*value == '1');
	return 0;
}

static __init QAPI int set_page_poison(const char *value)
{
	return set_mode(value, PAGE_POISON_CHECK);
}

static __init QAPI int set_init_on_alloc(const char *value)
{
	return set_mode(value, PAGE_POISON_INIT_A);
}

static __init QAPI int set_init_on_free(const char *value)
{
	return set_mode(value, PAGE_POISON_INIT_F);
}

const struct boot_option mm_boot_options[] = {
	{ "vmalloc", set_vmalloc },
	{ "highmem", set_highmem },
	{ "min_free_kbytes", set_min_free },
	{ "page_poison", set_page_poison },
	{ "init_on_alloc", set_init_on_alloc },
	{ "init_on_free", set_init_on_free },
	{ "page_owner", page_owner_parse },
	{ "slab_debug", slab_debug_parse },
	{ "vmalloc_debug", vmalloc_debug_parse },
	{ "kmap_debug", set_kmap_debug },
	{ "fail_page_alloc", fault_page_parse },
	{ "failslab", fault_object_parse },
	{ "fault", fault_option_parse },
};
const unsigned int nr_mm_boot_options = ARRAY_SIZE(mm_boot_options);

/* ---- memory ----------------------------------------------------------------------------- */

/* What mm_init() was given, for the steps. */
static __initdata const struct bootinfo *boot;
static __initdata const struct mem_region *map;
static __initdata unsigned int nr_map;

static __init void reserve_image(void)
{
	unsigned int nr;
	const struct port_image_part *parts = port_image(&nr);

	for (unsigned int i = 0; i < nr; i++)
		memblock_reserve(va_to_pa(parts[i].start),
				 (phys_addr_t)(parts[i].end - parts[i].start), parts[i].name);
}

static __init void reserve_boot_data(void)
{
	for (unsigned int i = 0; i < boot->nr_keep; i++)
		memblock_reserve(boot->keep[i].start, boot->keep[i].size, boot->keep[i].name);
	for (unsigned int i = 0; i < boot->nr_modules; i++)
		memblock_reserve(boot->modules[i].start, boot->modules[i].size,
				 boot->modules[i].name);
}

/* The largest run of RAM that can be allocated from before the direct map grows. */
static __init void add_largest_early_ram(void)
{
	const struct mem_region *largest = NULL;

	for (unsigned int i = 0; i < nr_map; i++) {
		if (map[i].type == MEM_RAM && map[i].start < BOOT_WINDOW &&
		    (!largest || map[i].size > largest->size))
			largest = &map[i];
	}
	if (largest)
		memblock_add(largest->start, largest->size);
}

static __init void note_ram_end(void)
{
	if (!memblock.memory.nr)
		panic("the memory map has no RAM");
	max_pfn = (pfn_t)(memblock.memory.region[memblock.memory.nr - 1].end >> PAGE_SHIFT);
}

static __init QAPI void memory_step(void)
{
	memblock.limit = BOOT_WINDOW;
	reserve_image();
	reserve_boot_data();
	add_largest_early_ram(); /* the list may have to grow while the rest is added */
	for (unsigned int i = 0; i < nr_map; i++) {
		if (map[i].type == MEM_RAM)
			memblock_add(map[i].start, map[i].size);
	}
	note_ram_end();
}

/* The image must lie in the direct map, whatever the memory map says about its place. */
static __init void check_image(phys_addr_t lowmem_end)
{
	unsigned int nr;
	const struct port_image_part *parts = port_image(&nr);

	if (nr && va_to_pa(parts[nr - 1].end) > lowmem_end)
		panic("mm: RAM in lowmem ends at 0x%llx, the kernel image at 0x%llx", lowmem_end,
		      va_to_pa(parts[nr - 1].end));
}

/* Where the @bytes highest bytes of RAM begin, but for the least that lowmem can do with. */
static __init phys_addr_t lowmem_end_for(phys_addr_t bytes)
{
	for (unsigned int i = memblock.memory.nr; i-- > 0;) {
		const struct memblock_region *r = &memblock.memory.region[i];

		if (r->end - r->start >= bytes)
			return max(r->end - bytes, (phys_addr_t)LOWMEM_LEAST);
		bytes -= r->end - r->start;
	}
	return LOWMEM_LEAST;
}

/* Where lowmem must end to leave room for what vmalloc= asks for. */
static __init phys_addr_t direct_map_max(void)
{
	phys_addr_t end = VMALLOC_END - opt_vmalloc - VMALLOC_HOLE - PAGE_OFFSET;

	return min(end, (phys_addr_t)DIRECT_MAP_MAX);
}

__init QAPI unsigned long mm_lowmem_max(phys_addr_t ram)
{
	phys_addr_t left = ram > opt_highmem ? ram - opt_highmem : 0;
	phys_addr_t max_end = direct_map_max();

	if (opt_highmem)
		max_end = min(max_end, max(left, (phys_addr_t)LOWMEM_LEAST));
	return (unsigned long)max_end;
}

static __init phys_addr_t lowmem_end_of(pfn_t ram_end)
{
	phys_addr_t end = min((phys_addr_t)ram_end << PAGE_SHIFT, direct_map_max());

	return opt_highmem ? min(end, lowmem_end_for(opt_highmem)) : end;
}

/* Is there one free run in lowmem for the struct pages of [0, end), and for the page tables? */
static __init bool struct_pages_fit(pfn_t end)
{
	struct memblock with_lowmem = memblock;
	phys_addr_t tables;

	with_lowmem.limit = lowmem_end_of(end);
	tables = (with_lowmem.limit >> pt_shift(PT_LEVELS - 1)) * PAGE_SIZE + BOOT_WINDOW / KiB;
	return memblock_find_in(&with_lowmem, memmap_size(end) + tables, PAGE_SIZE, 0,
				MEMBLOCK_ANYWHERE) != 0;
}

/*
 * The map was cut to what lowmem can describe, but modules and the image lie in lowmem too: leave
 * out RAM from the top until the struct pages fit between them.
 */
static __init void cut_to_fit(void)
{
	pfn_t fits = 0, too_much = max_pfn;
	unsigned long nr_before = memblock_nr_pages();

	if (struct_pages_fit(max_pfn))
		return;
	while (too_much - fits > PAGEBLOCK_NR_PAGES) {
		pfn_t middle = fits + (too_much - fits) / 2;

		if (struct_pages_fit(middle))
			fits = middle;
		else
			too_much = middle;
	}
	memblock_remove((phys_addr_t)fits << PAGE_SHIFT, MEMBLOCK_ANYWHERE);
	note_ram_end();
	pr_warn("mm: struct pages find no room between reservations: %lu KiB of RAM left out from "
		"0x%llx on\n",
		(nr_before - memblock_nr_pages()) * (PAGE_SIZE / KiB),
		(phys_addr_t)fits << PAGE_SHIFT);
}

static __init QAPI void layout_step(void)
{
	phys_addr_t end;

	cut_to_fit();
	end = lowmem_end_of(max_pfn);
	check_image(end);
	mm_layout.lowmem_end = end;
	mm_layout.lowmem_end_pfn = (pfn_t)(end >> PAGE_SHIFT);
	mm_layout.high_memory = (uintptr_t)pa_to_va(end);
	mm_layout.vmalloc_start = mm_layout.high_memory + VMALLOC_HOLE;
	mm_layout.vmalloc_end = VMALLOC_END;
}

/* ---- watermarks ------------------------------------------------------------------------- */

static unsigned long lowmem_managed(void)
{
	return zones[ZONE_DMA].nr_managed + zones[ZONE_NORMAL].nr_managed;
}

static void set_watermarks(void)
{
	unsigned long min_pages = min_free_kbytes / (PAGE_SIZE / KiB);
	struct zone *z;

	for_each_zone(z) {
		unsigned long share = (unsigned long)div_u64((uint64_t)min_pages * z->nr_managed,
							     (uint32_t)lowmem_managed());

		if (z->type == ZONE_HIGHMEM)
			share = clamp(z->nr_managed / HIGHMEM_MIN_SHARE, HIGHMEM_MIN_LOWEST,
				      HIGHMEM_MIN_HIGHEST);
		if (!z->nr_managed)
			share = 0;
		z->watermark[WMARK_MIN] = share;
		z->watermark[WMARK_LOW] = share + share / 4;
		z->watermark[WMARK_HIGH] = share + share / 2;
	}
}

static void set_reserves(void)
{
	for (unsigned int zone = 0; zone < NR_ZONES; zone++) {
		unsigned long above = 0;

		for (unsigned int highest = 0; highest < NR_ZONES; highest++) {
			if (highest > zone)
				above += zones[highest].nr_managed;
			zones[zone].lowmem_reserve[highest] = above / reserve_ratio[zone];
		}
	}
}

QAPI unsigned long mm_min_free_kbytes(void)
{
	return min_free_kbytes;
}

QAPI int mm_set_min_free(unsigned long kbytes)
{
	unsigned long lowmem_kb = lowmem_managed() * (PAGE_SIZE / KiB);

	if (kbytes > lowmem_kb / 4)
		return -EINVAL;
	if (!kbytes)
		kbytes = clamp(int_sqrt(lowmem_kb * MIN_FREE_FACTOR), MIN_FREE_LOWEST,
			       MIN_FREE_HIGHEST);
	min_free_kbytes = kbytes;
	set_watermarks();
	return 0;
}

/* ---- zones ------------------------------------------------------------------------------ */

/* Whole pages of RAM in [start, end). */
static __init unsigned long nr_ram(pfn_t start, pfn_t end)
{
	unsigned long nr = 0;

	for (unsigned int i = 0; i < memblock.memory.nr; i++) {
		const struct memblock_region *r = &memblock.memory.region[i];
		pfn_t first = max(start, (pfn_t)(r->start >> PAGE_SHIFT));
		pfn_t last = min(end, (pfn_t)(r->end >> PAGE_SHIFT));

		nr += last > first ? last - first : 0;
	}
	return nr;
}

static __init QAPI void zones_step(void)
{
	static const char *const names[NR_ZONES] = { "DMA", "Normal", "HighMem" };
	pfn_t lowmem_end = (pfn_t)(mm_layout.lowmem_end >> PAGE_SHIFT);
	pfn_t dma_end = min((pfn_t)(ZONE_DMA_LIMIT >> PAGE_SHIFT), lowmem_end);
	pfn_t start[NR_ZONES + 1] = { 0, dma_end, lowmem_end, max_pfn };

	memmap_alloc();
	for (unsigned int zone = 0; zone < NR_ZONES; zone++) {
		zone_init(&zones[zone], (enum zone_type)zone, names[zone], start[zone],
			  start[zone + 1]);
		zones[zone].nr_present = nr_ram(start[zone], start[zone + 1]);
	}
	page_owner_init();
	memblock.closed = true;
	memmap_init();
}

/* Everything that follows from how many pages each zone has. */
static void derive_limits(void)
{
	set_watermarks();
	set_reserves();
	zonelist_init();
	pcp_init();
}

static __init QAPI void allocator_step(void)
{
	if (!lowmem_managed())
		panic("no page of lowmem is free after boot");
	if (opt_min_free && mm_set_min_free(opt_min_free))
		pr_warn("mm: min_free_kbytes=%lu is more than a quarter of lowmem, ignored\n",
			opt_min_free);
	if (!min_free_kbytes)
		WARN_ON_ONCE(mm_set_min_free(0));
	derive_limits();
	page_poison_start();
	page_owner_start();
	fault_start();
}

static __init QAPI void slab_step(void)
{
	kmem_cache_init();
	kmalloc_init();
}

/* ---- the order -------------------------------------------------------------------------- */

/* What a step may rely on, and what the next steps may rely on after it. */
enum init_cap {
	CAP_BOOT_ALLOC = 1u << 0, /* memblock_alloc(), within the boot window */
	CAP_LAYOUT = 1u << 1,     /* mm_layout */
	CAP_DIRECT_MAP = 1u << 2, /* pa_to_va() for all lowmem */
	CAP_ZONES = 1u << 3,      /* struct pages and buddies; memblock is closed */
	CAP_PAGES = 1u << 4,      /* alloc_pages() */
	CAP_SLAB = 1u << 5,       /* kmem_cache_create(), kmalloc() */
	CAP_KMAP = 1u << 6,       /* kmap() */
	CAP_VMALLOC = 1u << 7,    /* vmalloc(), vmap(), ioremap() */
	CAP_DMA = 1u << 8,        /* dma_alloc_coherent(), dma_map_single(), dma_pool_create() */
};

struct init_step {
	const char *name;
	QAPI void (*run)(void);
	uint32_t needs, gives; /* enum init_cap */
};

static const struct init_step mm_steps[] = {
	{ "memory", memory_step, 0, CAP_BOOT_ALLOC },
	{ "layout", layout_step, CAP_BOOT_ALLOC, CAP_LAYOUT },
	{ "paging", paging_init, CAP_BOOT_ALLOC | CAP_LAYOUT, CAP_DIRECT_MAP },
	{ "kmap", kmap_init, CAP_BOOT_ALLOC | CAP_DIRECT_MAP, CAP_KMAP },
	{ "zones", zones_step, CAP_BOOT_ALLOC | CAP_DIRECT_MAP, CAP_ZONES },
	{ "allocator", allocator_step, CAP_ZONES, CAP_PAGES },
	{ "slab", slab_step, CAP_PAGES, CAP_SLAB },
	{ "vmalloc", vmalloc_init, CAP_LAYOUT | CAP_DIRECT_MAP | CAP_SLAB, CAP_VMALLOC },
	{ "dma", dma_init, CAP_SLAB, CAP_DMA },
};

__init QAPI void mm_init(const struct bootinfo *bi, const struct mem_region *sane_map,
			 unsigned int nr)
{
	uint32_t have = 0;

	boot = bi;
	map = sane_map;
	nr_map = nr;
	for (unsigned int i = 0; i < ARRAY_SIZE(mm_steps); i++) {
		const struct init_step *s = &mm_steps[i];

		if (s->needs & ~have)
			panic("mm_init: %s runs too early, lacks %#x", s->name, s->needs & ~have);
		s->run();
		have |= s->gives;
	}
	fault_mm_stands();
}

/* ---- giving boot memory back ------------------------------------------------------------ */

/*
 * The whole pages of RAM in a reservation.  What shares a page with something else stays reserved,
 * and so does what is no RAM.
 */
static unsigned long release(phys_addr_t start, phys_addr_t end)
{
	unsigned long nr_freed = 0;

	start = ALIGN_UP(start, PAGE_SIZE);
	end = ALIGN_DOWN(end, PAGE_SIZE);
	for (unsigned int i = 0; i < memblock.memory.nr; i++) {
		phys_addr_t from = max(start, memblock.memory.region[i].start);
		phys_addr_t to = min(end, memblock.memory.region[i].end);

		if (from >= to)
			continue;
		memblock_free(from, to - from);
		nr_freed += memmap_release((pfn_t)(from >> PAGE_SHIFT), (pfn_t)(to >> PAGE_SHIFT));
	}
	return nr_freed;
}

QAPI void mm_free_init(void)
{
	unsigned int nr;
	const struct port_image_part *parts = port_image(&nr);
	unsigned long nr_freed = 0;

	for (unsigned int i = 0; i < nr; i++) {
		if (parts[i].boot_only)
			nr_freed += release(va_to_pa(parts[i].start), va_to_pa(parts[i].end));
	}
	derive_limits();
	pr_info("mm: freed %lu pages that only boot needed\n", nr_freed);
}

/* What the kernel itself stands on has a name too, and stays. */
static bool is_kernels_own(const char *name)
{
	static const char *const own[] = { NAME_PAGE_TABLES, NAME_STRUCT_PAGES, NAME_PAGEBLOCKS,
					   NAME_MEMBLOCK, NAME_PAGE_OWNERS };
	unsigned int nr;
	const struct port_image_part *parts = port_image(&nr);

	for (unsigned int i = 0; i < nr; i++) {
		if (!strcmp(name, parts[i].name))
			return true;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(own); i++) {
		if (!strcmp(name, own[i]))
			return true;
	}
	return false;
}

QAPI unsigned long mm_release(const char *name)
{
	unsigned long nr_freed = 0;

	if (is_kernels_own(name))
		return 0;
	/* A release changes the list: begin again after each. */
	for (unsigned int i = 0; i < memblock.reserved.nr;) {
		struct memblock_region r = memblock.reserved.region[i];
		unsigned long nr = strcmp(r.name, name) ? 0 : release(r.start, r.end);

		nr_freed += nr;
		i = nr ? 0 : i + 1;
	}
	if (nr_freed)
		derive_limits();
	return nr_freed;
}

/* ---- accounting ------------------------------------------------------------------------- */

QAPI void mm_account(struct mm_account *a)
{
	struct zone *z;

	*a = (struct mm_account){ 0 };
	a->nr_ram = memblock_nr_pages();
	a->nr_reserved = memblock_nr_reserved_pages();
	a->nr_mem_map = DIV_ROUND_UP(ALIGN_UP(max_pfn, PAGEBLOCK_NR_PAGES) * sizeof(struct page),
				     PAGE_SIZE);
	a->nr_pgtable = pgtable_nr_pages();
	a->nr_free = nr_free_pages();
	a->nr_pcp = pcp_nr_pages();
	for_each_zone(z)
		a->nr_managed += z->nr_managed;
}
