/*
 * efi_tables.c - what only firmware knows: where ACPI's tables and the pixels are.
 *
 * IDEA.  The root pointer is copied into the information block, the newer kind if there are both
 * and its checksums are right.
 * The framebuffer is described as the firmware's current mode has it: that of the first screen
 * with linear pixels.  A machine with several outputs also has one that stands for all of them,
 * which has none.
 *
 * STATE.  None.
 *
 * CONTEXT.  Boot services.
 *
 * SOURCES.  UEFI Specification 2.10, sections 4.6 (configuration table) and 12.9 (graphics output);
 * Multiboot2 Specification 2.0, sections 3.6.12 and 3.6.15.
 */
#include "efi_app.h"

#include <quarry/string.h>

#define BITS_A_PIXEL  32u
#define BYTES_A_PIXEL (BITS_A_PIXEL / 8)
#define BITS_A_COLOUR 8u

#define SPACE_END 0x100000000ull

static const void *find_table(EFI_GUID guid)
{
	for (UINTN i = 0; i < app.system->NumberOfTableEntries; i++) {
		const EFI_CONFIGURATION_TABLE *t = &app.system->ConfigurationTable[i];

		if (!memcmp(&t->VendorGuid, &guid, sizeof(guid)))
			return t->VendorTable;
	}
	return NULL;
}

static void add_acpi(struct mb2_writer *info)
{
	const void *acpi_2 = find_table((EFI_GUID)ACPI_20_TABLE_GUID);
	const void *acpi_1 = find_table((EFI_GUID)ACPI_TABLE_GUID);

	if (acpi_2 && mb2_add_rsdp(info, acpi_2, true))
		return;
	if (acpi_1 && mb2_add_rsdp(info, acpi_1, false))
		return;
	say("the firmware names no good ACPI root pointer");
}

/* Where a colour's bits lie in a pixel: they are neighbours. */
static void set_field(uint32_t mask, uint8_t *pos, uint8_t *size)
{
	*pos = *size = 0;
	if (!mask)
		return;
	*pos = (uint8_t)__builtin_ctz(mask);
	*size = (uint8_t)(BITS_A_PIXEL - (unsigned int)__builtin_clz(mask) - *pos);
}

/* The highest bit in use says how large a pixel is. */
static unsigned int pixel_bits(const EFI_PIXEL_BITMASK *m)
{
	uint32_t all = m->RedMask | m->GreenMask | m->BlueMask | m->ReservedMask;

	return all ? BITS_A_PIXEL - (unsigned int)__builtin_clz(all) : 0;
}

/* Fill in the colours; false for a format without addressable pixels of 32 bits. */
static bool set_colours(struct boot_colours *c, const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *m)
{
	bool is_rgb = m->PixelFormat == PixelRedGreenBlueReserved8BitPerColor;

	c->red_size = c->green_size = c->blue_size = BITS_A_COLOUR;
	c->green_pos = BITS_A_COLOUR;
	switch (m->PixelFormat) {
	case PixelRedGreenBlueReserved8BitPerColor:
	case PixelBlueGreenRedReserved8BitPerColor:
		c->red_pos = is_rgb ? 0 : 2 * BITS_A_COLOUR;
		c->blue_pos = is_rgb ? 2 * BITS_A_COLOUR : 0;
		return true;
	case PixelBitMask:
		if (pixel_bits(&m->PixelInformation) <= BITS_A_PIXEL - BITS_A_COLOUR)
			return false;
		set_field(m->PixelInformation.RedMask, &c->red_pos, &c->red_size);
		set_field(m->PixelInformation.GreenMask, &c->green_pos, &c->green_size);
		set_field(m->PixelInformation.BlueMask, &c->blue_pos, &c->blue_size);
		return true;
	default:
		return false;
	}
}

/* Describe the screen of @gop; false when it has no linear pixels. */
static bool describe_screen(const EFI_GRAPHICS_OUTPUT_PROTOCOL *gop, struct mb2_tag_framebuffer *fb)
{
	const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode;

	if (!gop->Mode || !gop->Mode->Info || !gop->Mode->FrameBufferBase)
		return false;
	mode = gop->Mode->Info;
	*fb = (struct mb2_tag_framebuffer){ .pa = gop->Mode->FrameBufferBase,
					    .pitch = mode->PixelsPerScanLine * BYTES_A_PIXEL,
					    .width = mode->HorizontalResolution,
					    .height = mode->VerticalResolution,
					    .bpp = BITS_A_PIXEL,
					    .type = BOOT_FRAMEBUFFER_RGB };
	return set_colours(&fb->colours, mode);
}

static bool find_screen(struct mb2_tag_framebuffer *fb)
{
	EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
	bool found = false;
	EFI_HANDLE *handles;
	UINTN nr;

	if (EFI_ERROR(app.boot->LocateHandleBuffer(ByProtocol, &guid, NULL, &nr, &handles)))
		return false;
	for (UINTN i = 0; i < nr && !found; i++) {
		EFI_GRAPHICS_OUTPUT_PROTOCOL *gop;

		found = !EFI_ERROR(app.boot->HandleProtocol(handles[i], &guid, (void **)&gop)) &&
			describe_screen(gop, fb);
	}
	app.boot->FreePool(handles);
	return found;
}

/* Without one, or with one that the kernel does not reach, this screen is the last to show why. */
static void add_framebuffer(struct mb2_writer *info)
{
	struct mb2_tag_framebuffer fb;

	if (!find_screen(&fb)) {
		say("no framebuffer: the kernel's log goes to the serial port alone");
		return;
	}
	if (fb.pa + (uint64_t)fb.pitch * fb.height > SPACE_END)
		say("framebuffer at 0x%llx, above 4 GiB: the kernel's log goes to the serial port "
		    "alone",
		    (unsigned long long)fb.pa);
	mb2_add_framebuffer(info, &fb);
}

void add_firmware_tables(struct mb2_writer *info)
{
	add_acpi(info);
	add_framebuffer(info);
}
