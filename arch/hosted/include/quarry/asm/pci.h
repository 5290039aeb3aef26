/*
 * Layer: port
 * pci.h - the make-believe machine has no devices: its registers read as ones.
 */
#ifndef QUARRY_ASM_PCI_H
#define QUARRY_ASM_PCI_H

#include <quarry/compiler.h>
#include <quarry/types.h>

#define PCI_SLOTS 32u

#define PCI_ADDRESS(bus, slot, fn) ((uint32_t)(bus) << 8 | (uint32_t)(slot) << 3 | (uint32_t)(fn))

#define PCI_VENDOR_ID 0x00u
#define PCI_DEVICE_ID 0x02u
#define PCI_COMMAND   0x04u
#define PCI_BAR0      0x10u

#define PCI_COMMAND_MEMORY  0x2u
#define PCI_COMMAND_MASTER  0x4u
#define PCI_BAR_MEMORY_MASK 0xfffffff0u

static inline uint16_t pci_read16(uint32_t address, unsigned int reg)
{
	(void)address;
	(void)reg;
	return (uint16_t)~0u;
}

static inline uint32_t pci_read32(uint32_t address, unsigned int reg)
{
	(void)address;
	(void)reg;
	return ~0u;
}

static inline void pci_write16(uint32_t address, unsigned int reg, uint16_t value)
{
	(void)address;
	(void)reg;
	(void)value;
}

#endif
