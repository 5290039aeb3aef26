/*
 * efi_memory.c - whose memory is whose, up to the jump into the kernel.
 *
 * THEORY.  The kernel belongs at a fixed place, from 1 MiB on, and firmware may be using parts of
 * it.  What only boot services use is free once they have ended.  So if they use any, the image is
 * laid out elsewhere and moved when nobody is left to be hurt:
 *
 *	pages_claim()    what is free at the kernel's place is taken, so nothing of ours or of
 *	                 the firmware's comes to lie there; what is held for longer is an error
 *	pages_alloc()    everything else, between 1 MiB and 4 GiB, outside of that place
 *	launch_kernel()  last map, checked once more; boot services end; the copying is done by
 *	                 code in a page of our own, because the loader and its stack may lie at
 *	                 the kernel's place themselves
 *
 * Only what comes from the kernel's file is laid out, and only that is read of it; the zeros
 * behind, as much again in a kernel with large tables, are written last: firmware may leave little
 * room.
 *
 * Memory below 1 MiB is left alone: the kernel, too, knows owners of parts of it.
 *
 * STATE.  The list of what was allocated; the claimed place; the buffer for the map.
 *
 * INVARIANTS
 *   A1  every page allocated is on the list, until app_give_back();
 *   A2  no allocation made after pages_claim() overlaps the claimed range;
 *   A3  between the last memory map and ExitBootServices() nothing is allocated.
 *
 * CONTEXT.  Boot services, one CPU.
 *
 * SOURCES.  UEFI Specification 2.10, sections 7.2 and 7.4.6; Multiboot2 Specification 2.0, 3.5.
 */
#include "efi_app.h"

#include "elf.h"
#include "leave.h"

#include <quarry/align.h>
#include <quarry/errno.h>
#include <quarry/string.h>

#define ROOM_FLOOR   ELF_LOAD_MIN
#define ROOM_CEILING 0xfffff000ull /* the end of what lies below is a 32-bit number, too */

/* Allocations: a dozen, the modules, and the pieces of the kernel's place. */
#define PAGES_MAX 256u

/* The map grows by the entries that allocations make while it is used. */
#define MAP_SLACK 16384u

#define REGIONS_MAX 1024u

struct pages {
	EFI_PHYSICAL_ADDRESS start;
	UINTN nr;
};

static struct pages taken[PAGES_MAX];
static unsigned int nr_taken;

/* Claimed.  Firmware may free some of its pages there: they are no room for anything. */
static uint64_t place_start = ROOM_CEILING, place_end = ROOM_CEILING;

static uint8_t *map_buffer;
static size_t map_room; /* bytes at map_buffer */

static_assert(sizeof(EFI_MEMORY_DESCRIPTOR) == EFI_DESC_SIZE, "as memmap.c reads it");

/* ---- the map ---------------------------------------------------------------------------- */

EFI_STATUS memory_init(void)
{
	UINTN size = 0, key, desc_size;
	UINT32 version;
	EFI_STATUS status;

	app.boot->GetMemoryMap(&size, NULL, &key, &desc_size, &version);
	map_room = size + MAP_SLACK;
	status = app.boot->AllocatePool(EfiLoaderData, map_room, (void **)&map_buffer);
	if (EFI_ERROR(status))
		return fail(status, "no memory for the memory map: %s", status_text(status));
	return EFI_SUCCESS;
}

static EFI_STATUS get_map(struct efi_map *map, UINTN *key)
{
	UINTN size = map_room, desc_size;
	EFI_STATUS status;
	UINT32 version;

	status = app.boot->GetMemoryMap(&size, (EFI_MEMORY_DESCRIPTOR *)map_buffer, key, &desc_size,
					&version);
	if (!EFI_ERROR(status) && desc_size < EFI_DESC_SIZE)
		status = EFI_INCOMPATIBLE_VERSION;
	if (EFI_ERROR(status))
		return fail(status, "the memory map cannot be had: %s", status_text(status));
	*map = (struct efi_map){ map_buffer, size, desc_size, version };
	return EFI_SUCCESS;
}

/* ---- pages ------------------------------------------------------------------------------ */

/* Take @nr pages at @start, which are free. */
static EFI_STATUS take(EFI_MEMORY_TYPE type, EFI_PHYSICAL_ADDRESS start, UINTN nr)
{
	EFI_STATUS status;

	if (nr_taken == PAGES_MAX)
		return EFI_OUT_OF_RESOURCES;
	status = app.boot->AllocatePages(AllocateAddress, type, nr, &start);
	if (!EFI_ERROR(status))
		taken[nr_taken++] = (struct pages){ start, nr };
	return status;
}

void app_give_back(void)
{
	while (nr_taken) {
		const struct pages *last = &taken[--nr_taken];

		app.boot->FreePages(last->start, last->nr);
	}
	if (map_buffer)
		app.boot->FreePool(map_buffer);
	map_buffer = NULL;
}

EFI_STATUS pages_alloc(const char *what, EFI_MEMORY_TYPE type, size_t size, void **at)
{
	size_t room = max(ALIGN_UP(size, PAGE_SIZE), (size_t)PAGE_SIZE);
	struct efi_map map;
	uint64_t start;
	UINTN key;

	if (EFI_ERROR(get_map(&map, &key)))
		return EFI_OUT_OF_RESOURCES;
	if (!efi_map_find_room_beside(&map, room, ROOM_FLOOR, ROOM_CEILING, place_start, place_end,
				      &start) ||
	    EFI_ERROR(take(type, start, room / PAGE_SIZE))) {
		fail(EFI_OUT_OF_RESOURCES, "%s: no room for %llu bytes below 4 GiB", what,
		     (unsigned long long)size);
		return EFI_OUT_OF_RESOURCES;
	}
	*at = (void *)(UINTN)start;
	return EFI_SUCCESS;
}

static EFI_STATUS check_place(const struct efi_map *map, uint32_t start, uint32_t end)
{
	struct efi_run held;

	if (efi_map_is_ram(map, start, end, &held))
		return EFI_SUCCESS;
	return fail(EFI_OUT_OF_RESOURCES,
		    "no room for the kernel at 0x%x-0x%x: 0x%llx-0x%llx is %s", start, end - 1,
		    (unsigned long long)held.start, (unsigned long long)held.end - 1,
		    efi_type_name(held.type));
}

EFI_STATUS pages_claim(uint32_t start, uint32_t end, bool *is_ours)
{
	uint64_t nr_left = (end - start) / PAGE_SIZE;
	struct efi_map map;
	EFI_STATUS status;
	UINTN key;

	place_start = start;
	place_end = end;
	status = get_map(&map, &key);
	if (!EFI_ERROR(status))
		status = check_place(&map, start, end);
	for (unsigned int i = 0; !EFI_ERROR(status) && i < efi_map_nr(&map); i++) {
		uint64_t from, to;
		struct efi_run run;

		efi_map_get(&map, i, &run);
		from = max(run.start, (uint64_t)start);
		to = min(run.end, (uint64_t)end);
		if (run.type != EFI_TYPE_FREE || from >= to)
			continue;
		status = take(EfiLoaderData, from, (UINTN)((to - from) / PAGE_SIZE));
		if (EFI_ERROR(status))
			return fail(status, "0x%llx-0x%llx, a free part of the kernel's place: %s",
				    (unsigned long long)from, (unsigned long long)to - 1,
				    status_text(status));
		nr_left -= (to - from) / PAGE_SIZE;
	}
	*is_ours = !nr_left;
	return status;
}

/* ---- the end of boot services ------------------------------------------------------------- */

struct departure {
	struct leave_ops ops;
	const struct launch *launch;
	struct mb2_writer info;
	UINTN key;
};

static int write_maps(struct mb2_writer *info, const struct efi_map *map)
{
	static struct mem_region regions[REGIONS_MAX];
	int nr = efi_map_regions(map, regions, REGIONS_MAX);

	if (nr < 0)
		return nr;
	mb2_add_mmap(info, regions, (unsigned int)nr);
	mb2_add_efi_mmap(info, map);
	return mb2_finish(info) ? 0 : -ENOSPC;
}

static QAPI int prepare(struct leave_ops *ops)
{
	struct departure *d = container_of(ops, struct departure, ops);
	struct efi_map map;
	int err;

	if (EFI_ERROR(get_map(&map, &d->key)) ||
	    EFI_ERROR(check_place(&map, d->launch->start, d->launch->end)))
		return -EBUSY;
	d->info = d->launch->info;
	err = write_maps(&d->info, &map);
	if (err)
		fail(EFI_BUFFER_TOO_SMALL, "the memory map has too many entries: %u",
		     efi_map_nr(&map));
	return err;
}

static QAPI int leave(struct leave_ops *ops)
{
	struct departure *d = container_of(ops, struct departure, ops);
	EFI_STATUS status = app.boot->ExitBootServices(app.image, d->key);

	console_forget();
	if (status == EFI_INVALID_PARAMETER)
		return -EAGAIN;
	return EFI_ERROR(status) ? -EINVAL : 0;
}

static void fill_page(struct handoff *page, const struct launch *launch)
{
	uint32_t nr_words = (launch->file_end - launch->start) / (uint32_t)sizeof(uint32_t);
	uint32_t nr_zeros = (launch->end - launch->file_end) / (uint32_t)sizeof(uint32_t);

	memcpy(page, handoff_page, (size_t)(handoff_page_end - handoff_page));
	*page = (struct handoff){ .from = (uint32_t)(UINTN)launch->image,
				  .to = launch->start,
				  .nr_words = nr_words,
				  .nr_zeros = nr_zeros,
				  .entry = launch->entry,
				  .info = (uint32_t)(UINTN)launch->info.bytes };
}

EFI_STATUS launch_kernel(const struct launch *launch)
{
	struct departure d = { .ops = { .prepare = prepare, .exit = leave }, .launch = launch };
	unsigned int nr_exits;
	void *page;
	EFI_STATUS status;
	int err;

	status = pages_alloc("handing over", EfiLoaderCode, PAGE_SIZE, &page);
	if (EFI_ERROR(status))
		return status;
	fill_page(page, launch);
	err = leave_boot_services(&d.ops, &nr_exits);
	if (!err)
		handoff(page);
	if (!nr_exits)
		return EFI_OUT_OF_RESOURCES;
	return fail(EFI_DEVICE_ERROR, "boot services do not end, after %u tries", nr_exits);
}
