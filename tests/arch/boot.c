/*
 * boot.c - what boot leaves behind on this machine: who owns which part of memory.
 *
 * THEORY.  Everything that is not to be handed out is reserved under a name; the lists of memblock
 * stay readable for that.  What a PC keeps below 1 MiB is the port's to know.
 */
#include <quarry/align.h>
#include <quarry/kernel.h>
#include <quarry/ktest.h>
#include <quarry/memblock.h>
#include <quarry/mm.h>
#include <quarry/port.h>
#include <quarry/sizes.h>
#include <quarry/string.h>

#define VGA_START 0xA0000ul
#define LOW_END   0x100000ul

static const struct memblock_region *reservation(const char *name)
{
	for (unsigned int i = 0; i < memblock.reserved.nr; i++)
		if (!strcmp(memblock.reserved.region[i].name, name))
			return &memblock.reserved.region[i];
	return NULL;
}

/* Whose the byte at @pa is; NULL: nobody's. */
static const char *owner(phys_addr_t pa)
{
	for (unsigned int i = 0; i < memblock.reserved.nr; i++) {
		const struct memblock_region *r = &memblock.reserved.region[i];

		if (r->start <= pa && pa < r->end)
			return r->name;
	}
	return NULL;
}

KTEST(boot, every_reservation_has_a_name)
{
	EXPECT_GE(t, 5, memblock.reserved.nr);
	for (unsigned int i = 0; i < memblock.reserved.nr; i++) {
		ASSERT_NE(t, NULL, memblock.reserved.region[i].name);
		EXPECT_NE(t, 0, memblock.reserved.region[i].name[0]);
	}
}

KTEST(boot, page_0_and_the_vga_and_rom_areas_are_reserved)
{
	EXPECT_NE(t, NULL, owner(0));
	EXPECT_NE(t, NULL, owner(PAGE_SIZE - 1));
	for (phys_addr_t pa = VGA_START; pa < LOW_END; pa += PAGE_SIZE)
		EXPECT_NE(t, NULL, owner(pa));
}

KTEST(boot, the_frames_between_640_kib_and_1_mib_are_no_ram_and_reserved)
{
	for (pfn_t pfn = VGA_START >> PAGE_SHIFT; pfn < LOW_END >> PAGE_SHIFT; pfn++) {
		EXPECT_NE(t, 0, pfn_to_page(pfn)->flags & PG_reserved);
		EXPECT_EQ(t, 0, atomic_read(&pfn_to_page(pfn)->_count));
	}
	for (unsigned int i = 0; i < memblock.memory.nr; i++) {
		const struct memblock_region *r = &memblock.memory.region[i];

		EXPECT_TRUE(t, r->end <= VGA_START || r->start >= LOW_END);
	}
}

KTEST(boot, the_parts_of_the_image_that_stay_are_reserved_by_their_names)
{
	static const char *const must_be[] = { "kernel text", "kernel rodata", "kernel data",
					       "kernel bss" };
	unsigned int nr;
	const struct port_image_part *part = port_image(&nr);

	for (unsigned int i = 0; i < ARRAY_SIZE(must_be); i++)
		EXPECT_NE(t, NULL, reservation(must_be[i]));
	for (unsigned int i = 0; i < nr; i++) {
		if (part[i].boot_only || part[i].start == part[i].end)
			continue;
		EXPECT_STREQ(t, part[i].name, owner(va_to_pa(part[i].start)));
		EXPECT_STREQ(t, part[i].name, owner(va_to_pa(part[i].end) - 1));
	}
}

static bool is_ram(phys_addr_t pa)
{
	for (unsigned int i = 0; i < memblock.memory.nr; i++)
		if (memblock.memory.region[i].start <= pa && pa < memblock.memory.region[i].end)
			return true;
	return false;
}

/* A hostile map may call the image no RAM at all: then it is nobody's. */
KTEST(boot, the_parts_of_the_image_that_only_boot_needed_are_memory_now)
{
	unsigned int nr;
	const struct port_image_part *part = port_image(&nr);
	unsigned int nr_boot_only = 0;

	for (unsigned int i = 0; i < nr; i++) {
		if (!part[i].boot_only)
			continue;
		nr_boot_only++;
		for (const char *va = part[i].start; va < part[i].end; va += PAGE_SIZE) {
			bool reserved = virt_to_page(va)->flags & PG_reserved;

			EXPECT_EQ(t, !is_ram(va_to_pa(va)), reserved);
		}
	}
	EXPECT_GE(t, 1, nr_boot_only);
}

KTEST(boot, the_parts_of_the_image_lie_in_order_on_page_boundaries)
{
	unsigned int nr;
	const struct port_image_part *part = port_image(&nr);

	for (unsigned int i = 0; i < nr; i++) {
		EXPECT_TRUE(t, IS_ALIGNED((uintptr_t)part[i].start, PAGE_SIZE));
		EXPECT_TRUE(t, IS_ALIGNED((uintptr_t)part[i].end, PAGE_SIZE));
		EXPECT_LE(t, (uintptr_t)part[i].end, (uintptr_t)part[i].start);
		if (i)
			EXPECT_GE(t, (uintptr_t)part[i - 1].end, (uintptr_t)part[i].start);
	}
}

KTEST_NEEDS(boot, each_module_is_reserved_by_its_name, .features = KTEST_MODULE)
{
	for (unsigned int i = 0; i < kernel_bootinfo->nr_modules; i++) {
		const struct boot_module *m = &kernel_bootinfo->modules[i];

		if (!m->size)
			continue;
		EXPECT_NE(t, NULL, owner(m->start));
		EXPECT_NE(t, NULL, owner(m->start + m->size - 1));
		EXPECT_NE(t, NULL, reservation(m->name));
	}
}

KTEST(boot, what_the_loader_left_is_reserved)
{
	for (unsigned int i = 0; i < kernel_bootinfo->nr_keep; i++) {
		const struct boot_keep *k = &kernel_bootinfo->keep[i];

		EXPECT_NE(t, NULL, owner(k->start));
		EXPECT_NE(t, NULL, owner(k->start + k->size - 1));
	}
}

/*
 * The sanitised map is the only source of RAM; what lies above the last struct page was left out,
 * with a line in the log.
 */
KTEST(boot, memblock_has_the_ram_of_the_sanitised_map_and_no_other)
{
	phys_addr_t ram = 0;

	for (unsigned int i = 0; i < kernel_map_nr; i++) {
		const struct mem_region *m = &kernel_map[i];
		bool found = false;

		if (m->type != MEM_RAM || m->start >> PAGE_SHIFT >= max_pfn)
			continue;
		ram += m->size;
		for (unsigned int k = 0; k < memblock.memory.nr; k++) {
			const struct memblock_region *r = &memblock.memory.region[k];

			found |= r->start <= m->start && m->start + m->size <= r->end;
		}
		EXPECT_TRUE(t, found);
	}
	EXPECT_EQ(t, ram >> PAGE_SHIFT, memblock_nr_pages());
	EXPECT_LE(t, PHYS_ADDR_LIMIT >> PAGE_SHIFT, max_pfn);
}

KTEST(boot, the_layout_of_the_address_space_is_in_order)
{
	EXPECT_EQ(t, (uintptr_t)pa_to_va(mm_layout.lowmem_end), mm_layout.high_memory);
	EXPECT_TRUE(t, PAGE_OFFSET < mm_layout.high_memory);
	EXPECT_LE(t, DIRECT_MAP_MAX, mm_layout.lowmem_end);
	EXPECT_GE(t, mm_layout.high_memory + VMALLOC_HOLE, mm_layout.vmalloc_start);
	EXPECT_TRUE(t, mm_layout.vmalloc_start < mm_layout.vmalloc_end);
	EXPECT_LE(t, VMALLOC_END, mm_layout.vmalloc_end);
	EXPECT_LE(t, (phys_addr_t)max_pfn << PAGE_SHIFT, mm_layout.lowmem_end);
}
