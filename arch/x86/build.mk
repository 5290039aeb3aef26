arch-src := $(addprefix arch/x86/,e820.c early_paging.c early_trap.c start.c cpu.c gdt.c idt.c \
	trap.c restart.c tlb.c early_ioremap.c image.c firmware.c clock.c pic.c lapic.c pci.c vga.c \
	serial_out.c serial.c debug_exit.c backtrace.c)
arch-asm := $(addprefix arch/x86/,trap.asm early_trap.asm probe.asm)
# Runs before paging is on, at another address than it is linked for.
early-src := $(addprefix arch/x86/,early_paging.c early_trap.c serial_out.c debug_exit.c) \
	lib/vsnprintf.c lib/string.c
