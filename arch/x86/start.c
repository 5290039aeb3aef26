/*
 * start.c - the port's part of the boot order.
 *
 * IDEA.  Two steps, so that the console and fault reports exist before anything can go wrong, and
 * interrupts come only when there is something to interrupt.
 *
 * CONTEXT.  Boot, once.
 */
#include "x86.h"
#include <quarry/panic.h>
#include <quarry/port.h>

static QAPI void stop(int code)
{
	port_stop(code);
}

static const struct panic_ops panic_ops = { .dump_stack = backtrace_here, .stop = stop };

__init QAPI void port_early_init(void)
{
	gdt_init();
	idt_init();
	restart_init();
	serial_console_init();
	panic_register(&panic_ops);
	cpu_init();
}

__init QAPI void port_late_init(void)
{
	pic_init();
	serial_input_init();
}
