/*
 * firmware.c - the parts of the first MiB that are somebody's, whatever the memory map says.
 *
 * IDEA.  The BIOS keeps its vectors and data in page 0 and an extended area (EBDA) below the VGA
 * window, whose segment it notes in its data area.  Some maps call all of this RAM.  One further
 * page below 1 MiB is kept for the real-mode code that starts other CPUs: a start-up interrupt can
 * only name such a page.
 *
 * STATE.  None.
 *
 * CONTEXT.  Boot.
 *
 * SOURCES.  IBM PC AT technical reference (BIOS data area); Intel SDM vol. 3, section 8.4.4.
 */
#include "x86.h"
#include <quarry/bootinfo.h>
#include <quarry/bug.h>
#include <quarry/port.h>

#define BDA_EBDA_SEGMENT 0x40eu   /* word: real-mode segment of the EBDA */
#define EBDA_LOWEST      0x80000u /* a lower one is not believed */
#define VGA_START        0xa0000u
#define ROM_START        0xc0000u
#define LOW_END          0x100000u
#define TRAMPOLINE       0x8000u

static __init void keep(struct bootinfo *bi, phys_addr_t start, phys_addr_t end, const char *name)
{
	BUG_ON(bi->nr_keep == BOOT_KEEP_MAX);
	bi->keep[bi->nr_keep++] =
		(struct boot_keep){ .start = start, .size = end - start, .name = name };
}

static __init uint32_t ebda_start(void)
{
	const uint16_t *segment = early_ioremap(BDA_EBDA_SEGMENT, sizeof(*segment));
	uint32_t start;

	BUG_ON(!segment);
	start = (uint32_t)*segment << 4;
	early_iounmap((void *)segment, sizeof(*segment));
	return start >= EBDA_LOWEST && start < VGA_START ? start : VGA_START;
}

__init QAPI void port_firmware_ranges(struct bootinfo *bi)
{
	uint32_t ebda = ebda_start();

	keep(bi, 0, PAGE_SIZE, "page 0 (BIOS vectors and data)");
	keep(bi, TRAMPOLINE, TRAMPOLINE + PAGE_SIZE, "AP trampoline");
	if (ebda < VGA_START)
		keep(bi, ebda, VGA_START, "EBDA");
	keep(bi, VGA_START, ROM_START, "VGA window");
	keep(bi, ROM_START, LOW_END, "BIOS ROMs");
}
