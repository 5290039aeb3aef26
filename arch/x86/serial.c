/*
 * serial.c - COM1 as a console: output polled, input by interrupt into a ring.
 *
 * IDEA.  Output must work in any state, so it is serial_out.c's polling.  Input must not cost a
 * CPU: the chip interrupts when a byte has arrived, the handler moves bytes into a ring, and the
 * reader halts while the ring is empty.
 *
 * STATE.  ring[head..tail), one producer (the interrupt) and one consumer.
 *
 * INVARIANTS.  C1: tail - head <= RING_SIZE; a byte that finds the ring full is lost.
 *
 * CONTEXT.  console_getc() in a thread with interrupts on.
 *
 * SOURCES.  National Semiconductor PC16550D data sheet, section 8.
 */
#include "io.h"
#include "x86.h"
#include <quarry/asm/context.h>
#include <quarry/bug.h>
#include <quarry/port.h>
#include <quarry/printk.h>

#define COM1_DATA        0x3f8
#define COM1_INT_ENABLE  0x3f9
#define COM1_LINE_STATUS 0x3fd
#define INT_RECEIVED     0x01
#define STATUS_RECEIVED  0x01
#define STATUS_ABSENT    0xff /* what an empty bus reads */

#define RING_SIZE 256u

static uint8_t ring[RING_SIZE];
static unsigned int head, tail;

static QAPI void serial_write(struct console *c, const char *s, size_t n)
{
	(void)c;
	serial_out_write(s, n);
}

static struct console serial_console = { .write = serial_write };

void serial_console_init(void)
{
	console_register(&serial_console);
}

QAPI void serial_console_stop(void)
{
	console_unregister(&serial_console);
}

static QAPI void serial_interrupt(void)
{
	while (inb(COM1_LINE_STATUS) != STATUS_ABSENT && inb(COM1_LINE_STATUS) & STATUS_RECEIVED) {
		uint8_t byte = inb(COM1_DATA);

		if (tail - head < RING_SIZE)
			ring[tail++ % RING_SIZE] = byte;
	}
}

void serial_input_init(void)
{
	irq_set_handler(SERIAL_IRQ, serial_interrupt);
	outb(COM1_INT_ENABLE, INT_RECEIVED);
	pic_unmask(SERIAL_IRQ);
}

QAPI int console_getc(void)
{
	BUG_ON(!env_can_sleep());
	for (;;) {
		unsigned long flags = irq_save();

		if (head != READ_ONCE(tail)) {
			int byte = ring[head++ % RING_SIZE];

			irq_restore(flags);
			return byte;
		}
		/* STI takes effect after the next instruction: no interrupt is lost before HLT. */
		this_cpu_and(context_word, ~CONTEXT_IRQS_OFF);
		__asm__ volatile("sti\n\thlt" ::: "memory");
	}
}
