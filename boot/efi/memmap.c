/*
 * memmap.c - the EFI memory map: which memory a kernel may use, and what it is told of it.
 *
 * THEORY.  The kernel has one consumer of memory maps, and it knows the numbers of enum mem_type.
 * So the loader translates, once, and the decision is this table:
 *
 *	conventional, boot services code and data	RAM: nobody's, once boot services ended
 *	loader code and data				RAM: this loader's.  What of it the kernel
 *							still reads (information block, modules) is
 *							named in that block, and the kernel keeps
 *							what is named there
 *	runtime services, MMIO, PAL, persistent,
 *	unaccepted, reserved, and types nobody knows	reserved
 *	ACPI reclaim					kept apart: usable once tables were read
 *	ACPI NVS					ACPI NVS: the firmware's, for ever
 *	unusable					unusable
 *
 * RAM, and what becomes RAM once the tables were read, must also be able to be cached write-back,
 * must not be meant for a specific purpose, and must not be wanted at run time, whatever its type
 * says: otherwise it is reserved.
 *
 * Entries come in any order, with gaps, and of a size that later firmware may enlarge.  Where two
 * overlap both are passed on: the kernel's sanitiser lets the stricter one win.
 *
 * INVARIANTS
 *   M1  a range is taken for RAM only if no entry that is not RAM touches it, and entries that are
 *       cover it to the last byte;
 *   M2  room is found in conventional memory only, which is RAM to the kernel as well.
 *
 * CONTEXT.  Any: no state, no output, no firmware.  Also compiled and tested as a process.
 *
 * SOURCES.  UEFI Specification 2.10, section 7.2 (EFI_BOOT_SERVICES.GetMemoryMap), table 7.10
 * (memory types after ExitBootServices).
 */
#include "memmap.h"

#include <quarry/align.h>
#include <quarry/errno.h>
#include <quarry/string.h>

#define PAGE_SIZE_SHIFT 12
#define PAGE            (1ull << PAGE_SIZE_SHIFT)
#define TOP             (UINT64_MAX & ~(PAGE - 1)) /* no end lies beyond */

/* An entry as it lies in memory. */
struct descriptor {
	uint32_t type, padding;
	uint64_t start, virtual_start, nr_pages, attribute;
};

static_assert(sizeof(struct descriptor) == EFI_DESC_SIZE, "fixed by the specification");

QAPI unsigned int efi_map_nr(const struct efi_map *map)
{
	return (unsigned int)(map->size / map->desc_size);
}

QAPI void efi_map_get(const struct efi_map *map, unsigned int i, struct efi_run *run)
{
	struct descriptor d;

	memcpy(&d, map->bytes + i * map->desc_size, sizeof(d));
	run->type = d.type;
	run->attribute = d.attribute;
	run->start = min(ALIGN_DOWN(d.start, PAGE), TOP);
	if (d.nr_pages > (TOP - run->start) >> PAGE_SIZE_SHIFT)
		run->end = TOP;
	else
		run->end = run->start + (d.nr_pages << PAGE_SIZE_SHIFT);
}

static bool is_ordinary(const struct efi_run *run)
{
	return run->attribute & EFI_CAN_WRITE_BACK &&
	       !(run->attribute & (EFI_SPECIFIC_PURPOSE | EFI_NEEDS_RUNTIME));
}

QAPI uint32_t efi_kernel_type(const struct efi_run *run)
{
	switch (run->type) {
	case EFI_TYPE_LOADER_CODE:
	case EFI_TYPE_LOADER_DATA:
	case EFI_TYPE_BOOT_CODE:
	case EFI_TYPE_BOOT_DATA:
	case EFI_TYPE_FREE:
		return is_ordinary(run) ? MEM_RAM : MEM_RESERVED;
	case EFI_TYPE_ACPI_RECLAIM:
		return is_ordinary(run) ? MEM_ACPI_RECLAIM : MEM_RESERVED;
	case EFI_TYPE_ACPI_NVS:
		return MEM_ACPI_NVS;
	case EFI_TYPE_BAD:
		return MEM_BAD;
	default:
		return MEM_RESERVED;
	}
}

QAPI const char *efi_type_name(uint32_t type)
{
	static const char *const name[] = {
		[EFI_TYPE_RESERVED] = "reserved",
		[EFI_TYPE_LOADER_CODE] = "loader code",
		[EFI_TYPE_LOADER_DATA] = "loader data",
		[EFI_TYPE_BOOT_CODE] = "boot services code",
		[EFI_TYPE_BOOT_DATA] = "boot services data",
		[EFI_TYPE_RUNTIME_CODE] = "runtime services code",
		[EFI_TYPE_RUNTIME_DATA] = "runtime services data",
		[EFI_TYPE_FREE] = "free memory of an unusual kind",
		[EFI_TYPE_BAD] = "unusable memory",
		[EFI_TYPE_ACPI_RECLAIM] = "ACPI tables",
		[EFI_TYPE_ACPI_NVS] = "ACPI NVS",
		[EFI_TYPE_MMIO] = "device memory",
		[EFI_TYPE_MMIO_PORTS] = "device ports",
		[EFI_TYPE_PAL_CODE] = "PAL code",
		[EFI_TYPE_PERSISTENT] = "persistent memory",
		[EFI_TYPE_UNACCEPTED] = "unaccepted memory",
	};

	if (type == EFI_TYPE_NONE)
		return "no memory at all";
	return type < ARRAY_SIZE(name) ? name[type] : "memory of an unknown type";
}

/* An entry that touches [@start, @end) and is not RAM. */
static bool find_forbidden(const struct efi_map *map, uint64_t start, uint64_t end,
			   struct efi_run *found)
{
	for (unsigned int i = 0; i < efi_map_nr(map); i++) {
		efi_map_get(map, i, found);
		if (found->start < end && start < found->end && efi_kernel_type(found) != MEM_RAM)
			return true;
	}
	return false;
}

/* Where the RAM that holds byte @at ends, as far as one entry tells; @at if none has it. */
static uint64_t ram_reach(const struct efi_map *map, uint64_t at)
{
	uint64_t reach = at;
	struct efi_run run;

	for (unsigned int i = 0; i < efi_map_nr(map); i++) {
		efi_map_get(map, i, &run);
		if (run.start <= at && at < run.end && efi_kernel_type(&run) == MEM_RAM)
			reach = max(reach, run.end);
	}
	return reach;
}

QAPI bool efi_map_is_ram(const struct efi_map *map, uint64_t start, uint64_t end,
			 struct efi_run *obstacle)
{
	if (find_forbidden(map, start, end, obstacle))
		return false;
	for (uint64_t at = start; at < end;) {
		uint64_t reach = ram_reach(map, at);

		if (reach == at) {
			*obstacle = (struct efi_run){ EFI_TYPE_NONE, at, at + PAGE, 0 };
			return false;
		}
		at = reach;
	}
	return true;
}

QAPI bool efi_map_find_room(const struct efi_map *map, uint64_t size, uint64_t floor,
			    uint64_t ceiling, uint64_t *start)
{
	bool found = false;
	struct efi_run run;

	for (unsigned int i = 0; i < efi_map_nr(map); i++) {
		uint64_t low, high;

		efi_map_get(map, i, &run);
		low = max(run.start, ALIGN_UP(floor, PAGE));
		high = min(run.end, ALIGN_DOWN(ceiling, PAGE));
		if (run.type != EFI_TYPE_FREE || efi_kernel_type(&run) != MEM_RAM || low >= high ||
		    high - low < size || (found && high - size <= *start))
			continue;
		*start = high - size;
		found = true;
	}
	return found;
}

QAPI bool efi_map_find_room_beside(const struct efi_map *map, uint64_t size, uint64_t floor,
				   uint64_t ceiling, uint64_t place_start, uint64_t place_end,
				   uint64_t *start)
{
	return efi_map_find_room(map, size, place_end, ceiling, start) ||
	       efi_map_find_room(map, size, floor, place_start, start);
}

/* Put @r into the @nr sorted regions at @out, behind those that do not start after it. */
static void insert_sorted(struct mem_region *out, unsigned int nr, const struct mem_region *r)
{
	while (nr && out[nr - 1].start > r->start) {
		out[nr] = out[nr - 1];
		nr--;
	}
	out[nr] = *r;
}

static bool continues(const struct mem_region *last, const struct mem_region *r)
{
	return last->type == r->type && last->start + last->size == r->start;
}

static unsigned int merge_neighbours(struct mem_region *out, unsigned int nr)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < nr; i++) {
		if (kept && continues(&out[kept - 1], &out[i]))
			out[kept - 1].size += out[i].size;
		else
			out[kept++] = out[i];
	}
	return kept;
}

QAPI int efi_map_regions(const struct efi_map *map, struct mem_region *out, unsigned int cap)
{
	unsigned int nr = 0;
	struct efi_run run;

	for (unsigned int i = 0; i < efi_map_nr(map); i++) {
		struct mem_region r;

		efi_map_get(map, i, &run);
		if (run.start == run.end)
			continue;
		if (nr == cap)
			return -ENOSPC;
		r = (struct mem_region){ run.start, run.end - run.start, efi_kernel_type(&run) };
		insert_sorted(out, nr++, &r);
	}
	return (int)merge_neighbours(out, nr);
}
