/*
 * devices.c - device memory that the port needs: mapped here, because a port maps nothing itself.
 *
 * IDEA.  The port finds a device and says where its memory is; the fixmap has a page for each; the
 * port gets the pointer.  What is not there is not mapped, and the log says so.
 *
 * The screen is used only where it shows text.  A loader that set up graphics says so, and is
 * believed; whatever else it says, the registers of the screen are asked.
 *
 * STATE.  None.
 *
 * CONTEXT.  Boot, once.
 */
#include <quarry/asm/lapic.h>
#include <quarry/asm/vga.h>
#include <quarry/bootinfo.h>
#include <quarry/fixmap.h>
#include <quarry/kernel.h>
#include <quarry/port.h>
#include <quarry/printk.h>

#include "boot.h"

QAPI const char *screen_refusal(const struct bootinfo *bi, phys_addr_t *pa)
{
	if (bi->screen == BOOT_SCREEN_GRAPHICS)
		return "the loader set up graphics";
	return vga_find(pa) ? NULL : "no VGA in text mode";
}

/* Stores to the screen may be merged: it is never read, and moving its cursor ends the wait. */
__init QAPI void devices_map_screen(const struct bootinfo *bi)
{
	const char *why_not;
	phys_addr_t pa;

	if (kernel_options.console == CONSOLE_SERIAL)
		return;
	why_not = screen_refusal(bi, &pa);
	if (why_not) {
		pr_info("console: no text screen, %s\n", why_not);
		return;
	}
	__set_fixmap(FIX_VGA_TEXT, pa, PROT_READ | PROT_WRITE | PROT_WRITE_COMBINE);
	pr_info("console: text screen at 0x%llx\n", pa);
	vga_console_init((void *)fix_to_virt(FIX_VGA_TEXT));
	if (kernel_options.console == CONSOLE_VGA) {
		pr_info("console: nothing more on the serial line\n");
		serial_console_stop();
	}
}

__init QAPI void devices_map_lapic(void)
{
	phys_addr_t pa;

	if (!lapic_find(&pa)) {
		pr_info("lapic: none with registers in memory\n");
		return;
	}
	set_fixmap_nocache(FIX_LAPIC, pa);
	lapic_init((void *)fix_to_virt(FIX_LAPIC));
}
