/*
 * devices.c - device memory that the port needs: mapped here, because a port maps nothing itself.
 *
 * IDEA.  The port finds a device and says where its memory is; the fixmap has a page for each; the
 * port gets the pointer.  What is not there is not mapped, and the log says so.
 *
 * A screen in text mode is used as such: its page is mapped before there is an allocator.  A loader
 * that set up graphics says so, and is believed; whatever else it says, the registers of the screen
 * are asked.  Where there are pixels instead they are mapped as any device memory is, which takes
 * an allocator and a thread that may sleep, so they show the log from then on; what was logged
 * before stands above it.  A terminal need not fill the screen: what is below it is cleared, a
 * piece at a time, because a large screen has more bytes than there are addresses to spare.
 *
 * STATE.  None.
 *
 * CONTEXT.  Boot, once.
 */
#include <quarry/align.h>
#include <quarry/asm/framebuffer.h>
#include <quarry/asm/lapic.h>
#include <quarry/asm/vga.h>
#include <quarry/bootinfo.h>
#include <quarry/fixmap.h>
#include <quarry/kernel.h>
#include <quarry/port.h>
#include <quarry/printk.h>
#include <quarry/sizes.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

#include "boot.h"

#define CLEARED_AT_ONCE (64 * KiB)

QAPI const char *screen_refusal(const struct bootinfo *bi, phys_addr_t *pa)
{
	if (bi->screen == BOOT_SCREEN_GRAPHICS)
		return "the loader set up graphics";
	return vga_find(pa) ? NULL : "no VGA in text mode";
}

static __init void leave_serial_line(void)
{
	if (kernel_options.console != CONSOLE_VGA)
		return;
	pr_info("console: nothing more on the serial line\n");
	serial_console_stop();
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
	leave_serial_line();
}

/* ---- a screen of pixels ------------------------------------------------------------------- */

static bool touches_ram(phys_addr_t start, phys_addr_t size)
{
	for (unsigned int i = 0; i < kernel_map_nr; i++) {
		const struct mem_region *r = &kernel_map[i];

		if (r->type == MEM_RAM && start < r->start + r->size && r->start < start + size)
			return true;
	}
	return false;
}

QAPI const char *pixels_refusal(const struct bootinfo *bi)
{
	const struct boot_framebuffer *fb = &bi->framebuffer;
	const char *why_not = framebuffer_refusal(fb);

	if (!why_not && touches_ram(fb->pa, (phys_addr_t)fb->pitch * fb->height))
		why_not = "RAM lies there";
	return why_not;
}

QAPI void pixels_clear_rest(const struct boot_framebuffer *fb)
{
	phys_addr_t end = fb->pa + (phys_addr_t)fb->pitch * fb->height;
	struct framebuffer_plan plan;
	phys_addr_t pa;
	size_t size;

	framebuffer_plan(fb, &plan);
	for (pa = fb->pa + plan.map_size; pa < end; pa += size) {
		void *pixels;

		size = (size_t)min(end - pa, (phys_addr_t)CLEARED_AT_ONCE);
		pixels = ioremap_wc(pa, size);
		if (!pixels)
			return;
		memset(pixels, 0, size);
		iounmap(pixels);
	}
}

/* Map what is drawn on, and find room for its characters.  Return: a reason, or NULL. */
static __init const char *start_pixels(const struct boot_framebuffer *fb)
{
	struct framebuffer_plan plan;
	void *pixels, *cells;

	framebuffer_plan(fb, &plan);
	pixels = ioremap_wc(fb->pa, plan.map_size);
	if (!pixels)
		return "no addresses for it";
	cells = vzalloc(plan.cells_size);
	if (!cells) {
		iounmap(pixels);
		return "no memory for its text";
	}
	pr_info("console: %ux%u characters on %ux%u pixels of %u bits at 0x%llx\n", plan.cols,
		plan.rows, fb->width, fb->height, fb->bpp, fb->pa);
	pixels_clear_rest(fb);
	framebuffer_console_init(fb, pixels, cells);
	return NULL;
}

__init QAPI void devices_map_pixels(const struct bootinfo *bi)
{
	const char *why_not;

	if (kernel_options.console == CONSOLE_SERIAL || bi->screen != BOOT_SCREEN_GRAPHICS)
		return;
	why_not = pixels_refusal(bi);
	if (!why_not)
		why_not = start_pixels(&bi->framebuffer);
	if (why_not)
		pr_info("console: no framebuffer: %s\n", why_not);
	else
		leave_serial_line();
}

/* ---- registers ---------------------------------------------------------------------------- */

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
