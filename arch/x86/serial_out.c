/*
 * serial_out.c - characters out of COM1, polled: the one output that works from the first moment.
 *
 * IDEA.  A 16550 needs eight register writes to be set up and one status bit to be watched.  No
 * interrupt, no memory, no paging: so faults before paging can be reported, and a panic can print
 * in any state.
 *
 * STATE.  The device's own.
 *
 * INVARIANTS.  S1: the wait for the transmitter is bounded, so that a machine without the chip
 * (reads give 0xff) or with a stuck one goes on.
 *
 * CONTEXT.  Any, at the linked or at the physical address: compiled position-independent.
 *
 * NOT HERE.  Input and the console: serial.c.
 *
 * SOURCES.  National Semiconductor PC16550D data sheet, section 8.
 */
#include "io.h"
#include "x86.h"

#define COM1             0x3f8
#define REG_DATA         (COM1 + 0)
#define REG_INT_ENABLE   (COM1 + 1)
#define REG_FIFO_CTRL    (COM1 + 2)
#define REG_LINE_CTRL    (COM1 + 3)
#define REG_MODEM_CTRL   (COM1 + 4)
#define REG_LINE_STATUS  (COM1 + 5)
#define REG_DIVISOR_LOW  (COM1 + 0)
#define REG_DIVISOR_HIGH (COM1 + 1)

#define LINE_8N1           0x03
#define LINE_DIVISOR       0x80
#define FIFO_ON_AND_CLEAR  0x07
#define MODEM_DTR_RTS_OUT2 0x0b /* OUT2 lets the interrupt through */
#define STATUS_CAN_SEND    0x20
#define DIVISOR_115200     1
#define SEND_SPINS         100000u

void serial_out_init(void)
{
	outb(REG_INT_ENABLE, 0);
	outb(REG_LINE_CTRL, LINE_DIVISOR);
	outb(REG_DIVISOR_LOW, DIVISOR_115200);
	outb(REG_DIVISOR_HIGH, 0);
	outb(REG_LINE_CTRL, LINE_8N1);
	outb(REG_FIFO_CTRL, FIFO_ON_AND_CLEAR);
	outb(REG_MODEM_CTRL, MODEM_DTR_RTS_OUT2);
}

static void send(char c)
{
	for (unsigned int i = 0; i < SEND_SPINS; i++) {
		if (inb(REG_LINE_STATUS) & STATUS_CAN_SEND)
			break;
	}
	outb(REG_DATA, (uint8_t)c);
}

void serial_out_write(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n')
			send('\r');
		send(text[i]);
	}
}
