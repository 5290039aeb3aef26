/*
 * loader.c - a boot loader in little: what multiboot1 promises, written into RAM.
 *
 * IDEA.  The kernel boots here as it boots under QEMU's own loader, so that nothing of its boot is
 * passed over: an information block, a command line, a memory map of a PC of that much RAM, and
 * modules behind the image.
 *
 *	0x9000  memory map         0x9500  information block
 *	0xA000  texts: the command line, the modules' names, and their list
 *	image end, page-aligned    modules, each on a page of its own
 *
 * CONTEXT.  Boot, before anything is mapped: all by the bus.
 *
 * SOURCES.  Multiboot Specification 0.6.96, section 3.3.
 */
#include "host_ops.h"
#include "hosted.h"
#include <quarry/align.h>
#include <quarry/bootinfo.h>
#include <quarry/bug.h>
#include <quarry/port.h>
#include <quarry/string.h>

#define MAP_PA   0x9000u
#define INFO_PA  0x9500u
#define TEXTS_PA 0xA000u
#define LOW_END  0x9fc00u
#define VGA_PA   0xa0000u
#define ROM_PA   0xf0000u
#define HIGH_PA  0x100000u
#define HOLE_PA  (3 * GiB) /* devices: RAM goes on at 4 GiB */

#define HAS_CMDLINE 0x04u
#define HAS_MODULES 0x08u
#define HAS_MAP     0x40u
#define HAS_LOADER  0x200u

/* Words of the information block. */
enum info_word {
	INFO_FLAGS = 0,
	INFO_CMDLINE = 4,
	INFO_MODS_COUNT = 5,
	INFO_MODS_ADDR = 6,
	INFO_MMAP_LENGTH = 11,
	INFO_MMAP_ADDR = 12,
	INFO_LOADER = 16,
};

struct map_entry {
	uint32_t size; /* of what follows */
	uint64_t start, length;
	uint32_t type;
} __packed;

struct module_entry {
	uint32_t start, end, name, reserved;
};

struct texts {
	uint32_t next_pa;
};

static uint32_t put_text(struct texts *t, const char *text)
{
	uint32_t pa = t->next_pa;
	size_t len = strlen(text) + 1;

	memcpy(bus + pa, text, len);
	t->next_pa = (uint32_t)ALIGN_UP(pa + len, sizeof(uint64_t));
	BUG_ON(t->next_pa > LOW_END);
	return pa;
}

static void put_range(uint32_t *length, phys_addr_t start, phys_addr_t end, uint32_t type)
{
	struct map_entry e = { sizeof(e) - sizeof(e.size), start, end - start, type };

	if (start >= end)
		return;
	memcpy(bus + MAP_PA + *length, &e, sizeof(e));
	*length += (uint32_t)sizeof(e);
}

static uint32_t put_map(phys_addr_t ram)
{
	uint32_t length = 0;

	put_range(&length, 0, LOW_END, MEM_RAM);
	put_range(&length, LOW_END, VGA_PA, MEM_RESERVED);
	put_range(&length, ROM_PA, HIGH_PA, MEM_RESERVED);
	put_range(&length, HIGH_PA, min(ram, HOLE_PA), MEM_RAM);
	if (ram > HOLE_PA)
		put_range(&length, 4 * GiB, 4 * GiB + (ram - HOLE_PA), MEM_RAM);
	return length;
}

static uint32_t put_modules(struct texts *t, const struct host_boot *boot)
{
	struct module_entry list[BOOT_MODULES_MAX] = { 0 };
	phys_addr_t pa = IMAGE_PAGE_PA(IMAGE_PAGES);
	uint32_t list_pa;

	BUG_ON(boot->nr_modules > BOOT_MODULES_MAX);
	for (unsigned int i = 0; i < boot->nr_modules; i++) {
		const struct host_module *m = &boot->modules[i];

		BUG_ON(m->size > min(boot->ram_size, DIRECT_MAP_MAX) - pa);
		memcpy(bus + pa, m->data, m->size);
		list[i] = (struct module_entry){ (uint32_t)pa, (uint32_t)(pa + m->size),
						 put_text(t, m->name), 0 };
		pa = ALIGN_UP(pa + m->size, PAGE_SIZE);
	}
	list_pa = t->next_pa;
	memcpy(bus + list_pa, list, sizeof(list));
	t->next_pa += (uint32_t)sizeof(list);
	return list_pa;
}

uint32_t loader_load(const struct host_boot *boot)
{
	uint32_t *info = (uint32_t *)(bus + INFO_PA);
	struct texts t = { TEXTS_PA };

	info[INFO_FLAGS] = HAS_CMDLINE | HAS_MODULES | HAS_MAP | HAS_LOADER;
	info[INFO_LOADER] = put_text(&t, "hosted");
	info[INFO_CMDLINE] = put_text(&t, boot->cmdline);
	info[INFO_MODS_COUNT] = boot->nr_modules;
	info[INFO_MODS_ADDR] = put_modules(&t, boot);
	info[INFO_MMAP_ADDR] = MAP_PA;
	info[INFO_MMAP_LENGTH] = put_map(boot->ram_size);
	return INFO_PA;
}
