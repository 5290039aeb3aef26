/*
 * pci.c - PCI configuration space through two I/O ports: mechanism #1.
 *
 * THEORY.  One port takes an address, the other is a window on the four bytes there; a narrower
 * access of the window reaches a part of them.  Both steps belong together, so there is a lock.
 *
 * STATE.  The address port.
 *
 * LOCKING.  pci_lock, irq-safe, a leaf, from the address to the data.
 *
 * CONTEXT.  Any.
 *
 * SOURCES.  PCI Local Bus Specification 3.0, section 3.2.2.3.2.
 */
#include <quarry/asm/pci.h>

#include <quarry/bug.h>
#include <quarry/spinlock.h>

#include "io.h"

#define PORT_ADDRESS   0xcf8
#define PORT_DATA      0xcfc
#define ADDRESS_ENABLE 0x80000000u
#define REG_MAX        0xffu

static spinlock_t pci_lock = SPINLOCK_INIT;

/* Point the window at a register of @size bytes; where in the window it is. */
static uint16_t point(uint32_t address, unsigned int reg, unsigned int size)
{
	BUG_ON(reg > REG_MAX || reg % size || address >= PCI_ADDRESS(PCI_BUSES, 0, 0));
	outl(PORT_ADDRESS, ADDRESS_ENABLE | address << 8 | (reg & ~3u));
	return (uint16_t)(PORT_DATA + (reg & 3));
}

QAPI uint8_t pci_read8(uint32_t address, unsigned int reg)
{
	unsigned long flags = spin_lock_irqsave(&pci_lock);
	uint8_t value = inb(point(address, reg, sizeof(value)));

	spin_unlock_irqrestore(&pci_lock, flags);
	return value;
}

QAPI uint16_t pci_read16(uint32_t address, unsigned int reg)
{
	unsigned long flags = spin_lock_irqsave(&pci_lock);
	uint16_t value = inw(point(address, reg, sizeof(value)));

	spin_unlock_irqrestore(&pci_lock, flags);
	return value;
}

QAPI uint32_t pci_read32(uint32_t address, unsigned int reg)
{
	unsigned long flags = spin_lock_irqsave(&pci_lock);
	uint32_t value = inl(point(address, reg, sizeof(value)));

	spin_unlock_irqrestore(&pci_lock, flags);
	return value;
}

QAPI void pci_write8(uint32_t address, unsigned int reg, uint8_t value)
{
	unsigned long flags = spin_lock_irqsave(&pci_lock);

	outb(point(address, reg, sizeof(value)), value);
	spin_unlock_irqrestore(&pci_lock, flags);
}

QAPI void pci_write16(uint32_t address, unsigned int reg, uint16_t value)
{
	unsigned long flags = spin_lock_irqsave(&pci_lock);

	outw(point(address, reg, sizeof(value)), value);
	spin_unlock_irqrestore(&pci_lock, flags);
}

QAPI void pci_write32(uint32_t address, unsigned int reg, uint32_t value)
{
	unsigned long flags = spin_lock_irqsave(&pci_lock);

	outl(point(address, reg, sizeof(value)), value);
	spin_unlock_irqrestore(&pci_lock, flags);
}
