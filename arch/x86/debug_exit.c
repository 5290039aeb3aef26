/*
 * debug_exit.c - ending the machine's run: emulator exit ports, power off, reset.
 *
 * IDEA.  Under an emulator the end must carry a verdict: QEMU's isa-debug-exit turns a byte
 * written to its port into its own exit status, which is never 0, so that a triple fault (status
 * 0) cannot be taken for success.  Without that device a clean end falls through to the ACPI
 * power-off port of the PIIX4 and ICH9 chipsets and to Bochs' port; on any other machine the CPU
 * halts.
 *
 * STATE.  None.
 *
 * CONTEXT.  Any, also before paging: position-independent.
 *
 * SOURCES.  QEMU docs/specs; Bochs user manual, section on the unmapped device; IBM PC AT technical
 * reference (8042 reset line).
 */
#include "io.h"
#include "x86.h"
#include <quarry/port.h>

#define DEBUG_EXIT_PORT  0xf4
#define ACPI_PM1_CONTROL 0x604  /* SeaBIOS puts it there on both chipsets */
#define ACPI_S5_SLEEP    0x2000 /* SLP_EN, SLP_TYP 0 */
#define BOCHS_POWER_PORT 0x8900
#define KBD_CMD          0x64
#define KBD_PULSE_RESET  0xfe

static __noreturn void halt(void)
{
	for (;;)
		__asm__ volatile("cli\n\thlt");
}

static void bochs_shutdown(void)
{
	outb(BOCHS_POWER_PORT, 'S');
	outb(BOCHS_POWER_PORT, 'h');
	outb(BOCHS_POWER_PORT, 'u');
	outb(BOCHS_POWER_PORT, 't');
	outb(BOCHS_POWER_PORT, 'd');
	outb(BOCHS_POWER_PORT, 'o');
	outb(BOCHS_POWER_PORT, 'w');
	outb(BOCHS_POWER_PORT, 'n');
}

/* A panic stays on the screen of a real machine; only an emulator that asked for it exits. */
QAPI void port_stop(int code)
{
	outl(DEBUG_EXIT_PORT, (uint32_t)code);
	bochs_shutdown();
	if (code != EXIT_CODE_PANIC)
		outw(ACPI_PM1_CONTROL, ACPI_S5_SLEEP);
	halt();
}

QAPI void port_reboot(void)
{
	outb(KBD_CMD, KBD_PULSE_RESET);
	halt();
}
