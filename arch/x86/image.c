/*
 * image.c - the parts of the kernel image, and the stacks that lie in it.
 *
 * IDEA.  linker.ld marks each part; mm/ asks for the list, reserves each part by name, maps it with
 * its own protection, and frees the parts that only boot needed.  Stacks stand behind guard pages
 * that are unmapped with the rest of the protections, so that an overflow faults at once.
 *
 * STATE.  None but the image itself.
 *
 * CONTEXT.  Any.
 */
#include "x86.h"
#include <quarry/align.h>
#include <quarry/port.h>

extern const char image_boot_start[], image_boot_end[];
extern const char image_text_start[], image_text_end[];
extern const char image_rodata_start[], image_rodata_end[];
extern const char image_init_start[], image_init_end[];
extern const char image_data_start[], image_data_end[];
extern const char image_init_bss_start[], image_init_bss_end[];
extern const char image_bss_start[], image_bss_end[];

__asm__(".pushsection .bss.guarded, \"aw\", @nobits\n"
	".balign 4096\n"
	".globl boot_stack_guard, boot_stack, boot_stack_top, df_stack_guard, df_stack_top\n"
	"boot_stack_guard: .skip 4096\n"
	"boot_stack: .skip 4096 * 4\n"
	"boot_stack_top:\n"
	"df_stack_guard: .skip 4096\n"
	".skip 4096\n"
	"df_stack_top:\n"
	".popsection\n");

QAPI const struct port_image_part *port_image(unsigned int *nr)
{
	static const struct port_image_part parts[] = {
		{ "kernel boot entry", image_boot_start, image_boot_end, PROT_KERNEL, true },
		{ "kernel text", image_text_start, image_text_end, PROT_KERNEL_RX, false },
		{ "kernel rodata", image_rodata_start, image_rodata_end, PROT_KERNEL_RO, false },
		{ "kernel init", image_init_start, image_init_end, PROT_KERNEL, true },
		{ "kernel data", image_data_start, image_data_end, PROT_KERNEL, false },
		{ "boot page tables", image_init_bss_start, image_init_bss_end, PROT_KERNEL, true },
		{ "kernel bss", image_bss_start, image_bss_end, PROT_KERNEL, false },
	};

	*nr = ARRAY_SIZE(parts);
	return parts;
}

QAPI const void *const *port_guard_pages(unsigned int *nr)
{
	static const void *const guards[] = { boot_stack_guard, df_stack_guard };

	*nr = ARRAY_SIZE(guards);
	return guards;
}
