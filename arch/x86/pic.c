/*
 * pic.c - the two 8259 interrupt controllers: moved away from the exceptions, all sources masked.
 *
 * IDEA.  The firmware leaves IRQ 0-7 on vectors 8-15, where exceptions are.  Both chips are set up
 * anew for vectors 32-47 with every line masked; a driver unmasks its own.
 *
 * STATE.  The chips' mask registers.
 *
 * CONTEXT.  Boot; pic_ack() in interrupts.
 *
 * SOURCES.  Intel 8259A data sheet.
 */
#include "io.h"
#include "x86.h"

#define PIC1_CMD  0x20
#define PIC1_DATA 0x21
#define PIC2_CMD  0xa0
#define PIC2_DATA 0xa1

#define ICW1_INIT_ICW4   0x11
#define ICW3_CASCADE_IRQ 2
#define ICW4_8086        0x01
#define OCW2_EOI         0x20
#define MASK_ALL         0xff
#define IRQS_PER_PIC     8u

__init void pic_init(void)
{
	outb(PIC1_CMD, ICW1_INIT_ICW4);
	outb(PIC2_CMD, ICW1_INIT_ICW4);
	outb(PIC1_DATA, VEC_IRQ_BASE);
	outb(PIC2_DATA, VEC_IRQ_BASE + IRQS_PER_PIC);
	outb(PIC1_DATA, 1u << ICW3_CASCADE_IRQ);
	outb(PIC2_DATA, ICW3_CASCADE_IRQ);
	outb(PIC1_DATA, ICW4_8086);
	outb(PIC2_DATA, ICW4_8086);
	outb(PIC1_DATA, MASK_ALL);
	outb(PIC2_DATA, MASK_ALL);
}

void pic_unmask(unsigned int irq)
{
	uint16_t port = irq < IRQS_PER_PIC ? PIC1_DATA : PIC2_DATA;

	outb(port, inb(port) & (uint8_t) ~(1u << (irq % IRQS_PER_PIC)));
}

void pic_ack(unsigned int irq)
{
	if (irq >= IRQS_PER_PIC)
		outb(PIC2_CMD, OCW2_EOI);
	outb(PIC1_CMD, OCW2_EOI);
}
