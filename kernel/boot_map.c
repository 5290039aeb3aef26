/*
 * boot_map.c - from what the firmware said to the map that memory management starts with.
 *
 * IDEA.
 *	firmware's map (or e820=MODULE) --mem=, memmap= in their order--> sanitised
 *	--> what is not trusted, not addressable, or costs too many struct pages is left out
 *
 * Each step is a pure function of arch/x86/e820.c; here they are put in order, and their findings
 * are printed: a wrong map must be visible in the boot log.
 *
 * STATE.  kernel_map, written once.
 *
 * CONTEXT.  Boot.
 */
#include <quarry/align.h>
#include <quarry/bug.h>
#include <quarry/e820.h>
#include <quarry/errno.h>
#include <quarry/kernel.h>
#include <quarry/mm.h>
#include <quarry/port.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#include "boot.h"

#define LIST_CAP BOOT_MAP_MAX
#define MAP_CAP  (2 * LIST_CAP + 3) /* always enough: e820_sanitize() */

struct mem_region kernel_map[MAP_CAP];
unsigned int kernel_map_nr;

static __initbss struct mem_region list_regions[LIST_CAP];

static __init void print_map(const char *whose, const struct mem_region *map, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		pr_info("%s: [mem 0x%016llx-0x%016llx] %s\n", whose, map[i].start,
			map[i].start + map[i].size - 1, e820_type_name(map[i].type));
}

static __init const struct boot_module *find_module(const struct bootinfo *bi, const char *name)
{
	for (unsigned int i = 0; i < bi->nr_modules; i++) {
		if (!strcmp(bi->modules[i].name, name))
			return &bi->modules[i];
	}
	return NULL;
}

/* Replace the list by the text in the module that e820= names; what fails leaves the list alone. */
static __init void read_map_module(const struct bootinfo *bi, struct e820_list *l)
{
	const char *name = kernel_options.map_module;
	const struct boot_module *m = find_module(bi, name);
	unsigned int line;
	void *text;
	int err;

	if (!m)
		panic("e820=%s: no boot module has that name", name);
	text = early_ioremap(m->start, (size_t)m->size);
	if (!text)
		panic("e820=%s: a map of %llu bytes cannot be read", name, m->size);
	err = e820_parse_text(l, text, (size_t)m->size, &line);
	early_iounmap(text, (size_t)m->size);
	if (err)
		panic("e820=%s: line %u is wrong (%d)", name, line, err);
	pr_info("e820: map replaced by module %s, %u entries\n", name, l->nr);
}

/* mem= and memmap=, in the order of the command line. */
static __init void apply_edits(struct e820_list *l)
{
	char *edit = kernel_options.map_edits;

	while (*edit) {
		char *end = strchr(edit, ' ');
		int err;

		*end = '\0';
		err = *edit == '=' ? e820_apply_mem(l, edit + 1) : e820_apply_memmap(l, edit + 1);
		if (err)
			pr_warn("e820: '%s' makes no sense (%d), ignored from there on\n", edit + 1,
				err);
		edit = end + 1;
	}
}

static __init void print_report(const struct e820_report *r)
{
	if (r->nr_empty || r->nr_wrapped || r->nr_unknown || r->nr_partial || r->conflict)
		pr_info("e820: %u empty, %u wrapping, %u of unknown type, %u not page-aligned, "
			"%llu KiB in conflict\n",
			r->nr_empty, r->nr_wrapped, r->nr_unknown, r->nr_partial,
			r->conflict >> 10);
	if (r->nr_dropped)
		pr_warn("e820: %u runs without room, %llu KiB of RAM lost\n", r->nr_dropped,
			r->dropped_ram >> 10);
}

static __init void limit_trusted(struct e820_list *map, const struct bootinfo *bi)
{
	phys_addr_t cut;

	if (!bi->nr_map_dropped)
		return;
	cut = e820_limit_ram(map, bi->map_trusted_end);
	pr_warn("e820: %u entries of the firmware's did not fit; %llu KiB of RAM not trusted\n",
		bi->nr_map_dropped, cut >> 10);
}

static __init void limit_addressable(struct e820_list *map)
{
	phys_addr_t cut = e820_limit_ram(map, PHYS_ADDR_LIMIT);

	if (cut)
		pr_warn("e820: %llu MiB of RAM above 4 GiB left out: no PAE\n", cut >> 20);
}

static __init void limit_struct_pages(struct e820_list *map)
{
	struct e820_struct_pages r;
	phys_addr_t ram = 0;

	for (unsigned int i = 0; i < map->nr; i++)
		ram += map->region[i].type == MEM_RAM ? map->region[i].size : 0;
	e820_limit_struct_pages(map, mm_lowmem_max(ram), sizeof(struct page), &r);
	if (r.left_out)
		pr_warn("e820: struct pages up to 0x%llx would take %llu KiB of %llu KiB lowmem: "
			"%llu KiB of RAM left out from 0x%llx on\n",
			r.ram_end_uncut, r.needed_uncut >> 10, r.lowmem >> 10, r.left_out >> 10,
			r.ram_end);
}

__init QAPI void boot_map_make(const struct bootinfo *bi)
{
	struct e820_list list = { list_regions, bi->nr_map, LIST_CAP };
	struct e820_list map = { kernel_map, 0, MAP_CAP };
	struct e820_report report;

	memcpy(list_regions, bi->map, bi->nr_map * sizeof(*bi->map));
	print_map("BIOS-e820", bi->map, bi->nr_map);
	if (*kernel_options.map_module)
		read_map_module(bi, &list);
	apply_edits(&list);
	map.nr = e820_sanitize(list.region, list.nr, map.region, map.cap, &report);
	print_report(&report);
	limit_trusted(&map, bi);
	limit_addressable(&map);
	limit_struct_pages(&map);
	kernel_map_nr = map.nr;
	print_map("e820", kernel_map, kernel_map_nr);
}
