/*
 * Layer: port
 * pci.h - configuration space of PCI devices: what this port's drivers start from.  mm/ does not
 * use it.
 *
 * A register is named by its offset in bytes, 0..255, a multiple of the size that is read or
 * written.  What is not there reads as all ones, and ignores writes.
 *
 * Context: any.
 */
#ifndef QUARRY_ASM_PCI_H
#define QUARRY_ASM_PCI_H

#include <quarry/compiler.h>
#include <quarry/types.h>

#define PCI_BUSES     256u
#define PCI_SLOTS     32u /* of a bus */
#define PCI_FUNCTIONS 8u  /* of a slot */

/* A function of a device as one number: bus, slot, function. */
#define PCI_ADDRESS(bus, slot, fn) ((uint32_t)(bus) << 8 | (uint32_t)(slot) << 3 | (uint32_t)(fn))

/* Registers that every function has. */
#define PCI_VENDOR_ID      0x00u /* 16 bits */
#define PCI_DEVICE_ID      0x02u /* 16 bits */
#define PCI_COMMAND        0x04u /* 16 bits */
#define PCI_BAR0           0x10u /* 32 bits */
#define PCI_INTERRUPT_LINE 0x3cu /* 8 bits: a note, without effect */

#define PCI_COMMAND_MEMORY 0x2u /* answers at its memory addresses */
#define PCI_COMMAND_MASTER 0x4u /* may read and write memory by itself */

#define PCI_BAR_MEMORY_MASK 0xfffffff0u
#define PCI_NO_VENDOR       0xffffu

/**
 * pci_read8, pci_read16, pci_read32 - read a register of the function at @address.
 */
QAPI uint8_t pci_read8(uint32_t address, unsigned int reg);
QAPI uint16_t pci_read16(uint32_t address, unsigned int reg);
QAPI uint32_t pci_read32(uint32_t address, unsigned int reg);

/**
 * pci_write8, pci_write16, pci_write32 - write a register.
 */
QAPI void pci_write8(uint32_t address, unsigned int reg, uint8_t value);
QAPI void pci_write16(uint32_t address, unsigned int reg, uint16_t value);
QAPI void pci_write32(uint32_t address, unsigned int reg, uint32_t value);

#endif
