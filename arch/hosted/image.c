/*
 * image.c - the make-believe kernel image: parts of RAM that mm/ reserves, protects and frees.
 *
 * IDEA.  The program's own text and data lie outside the window, where mm/ has nothing to say.  So
 * that everything that mm/ does for an image is done here too, some pages from 1 MiB on are
 * declared to be one.  Nothing is in them but the port's page tables.
 *
 * STATE.  None.
 *
 * CONTEXT.  Any.
 */
#include "hosted.h"
#include <quarry/port.h>

#define AT(nr) ((const char *)(PAGE_OFFSET + IMAGE_PAGE_PA(nr)))
#define PART(name, from, to, prot)                  \
	{                                           \
		name, AT(from), AT(to), prot, false \
	}
#define FOR_BOOT(name, from, to)                          \
	{                                                 \
		name, AT(from), AT(to), PROT_KERNEL, true \
	}
#define STACK_GUARD        AT(IMAGE_STACKS)
#define SECOND_STACK_GUARD AT(IMAGE_STACKS + 3)

QAPI const struct port_image_part *port_image(unsigned int *nr)
{
	static const struct port_image_part parts[] = {
		FOR_BOOT("kernel boot entry", IMAGE_BOOT, IMAGE_TEXT),
		PART("kernel text", IMAGE_TEXT, IMAGE_RODATA, PROT_KERNEL_RX),
		PART("kernel rodata", IMAGE_RODATA, IMAGE_INIT, PROT_KERNEL_RO),
		FOR_BOOT("kernel init", IMAGE_INIT, IMAGE_DATA),
		PART("kernel data", IMAGE_DATA, IMAGE_TABLES, PROT_KERNEL),
		FOR_BOOT("boot page tables", IMAGE_TABLES, IMAGE_BSS),
		PART("kernel bss", IMAGE_BSS, IMAGE_PAGES, PROT_KERNEL),
	};

	*nr = ARRAY_SIZE(parts);
	return parts;
}

QAPI const void *const *port_guard_pages(unsigned int *nr)
{
	static const void *const guards[] = { STACK_GUARD, SECOND_STACK_GUARD };

	*nr = ARRAY_SIZE(guards);
	return guards;
}
