/*
 * pci.c - configuration space: every width reads the same bytes, and what is not there is ones.
 */
#include <quarry/asm/pci.h>

#include <quarry/ktest.h>

#define HOST_BRIDGE PCI_ADDRESS(0, 0, 0)
#define NOBODY      PCI_ADDRESS(255, 31, 7)

KTEST(pci, narrow_reads_are_parts_of_a_wide_one)
{
	for (unsigned int reg = 0; reg < 0x40; reg += 4) {
		uint32_t wide = pci_read32(HOST_BRIDGE, reg);

		for (unsigned int i = 0; i < 4; i++)
			EXPECT_EQ(t, wide >> 8 * i & 0xff, pci_read8(HOST_BRIDGE, reg + i));
		EXPECT_EQ(t, wide & 0xffff, pci_read16(HOST_BRIDGE, reg));
		EXPECT_EQ(t, wide >> 16, pci_read16(HOST_BRIDGE, reg + 2));
	}
	EXPECT_NE(t, PCI_NO_VENDOR, pci_read16(HOST_BRIDGE, PCI_VENDOR_ID));
}

KTEST(pci, a_function_that_is_not_there_reads_as_ones)
{
	EXPECT_EQ(t, PCI_NO_VENDOR, pci_read16(NOBODY, PCI_VENDOR_ID));
	EXPECT_EQ(t, 0xff, pci_read8(NOBODY, PCI_DEVICE_ID));
	EXPECT_EQ(t, 0xffffffffu, pci_read32(NOBODY, PCI_COMMAND));
	pci_write32(NOBODY, PCI_BAR0, 0);
	EXPECT_EQ(t, 0xffffffffu, pci_read32(NOBODY, PCI_BAR0));
}

KTEST(pci, a_byte_that_is_written_is_read_and_leaves_its_neighbours_alone)
{
	uint32_t before = pci_read32(HOST_BRIDGE, PCI_INTERRUPT_LINE);
	uint8_t other = (uint8_t)~before;

	pci_write8(HOST_BRIDGE, PCI_INTERRUPT_LINE, other);
	EXPECT_EQ(t, (before & 0xffffff00) | other, pci_read32(HOST_BRIDGE, PCI_INTERRUPT_LINE));
	pci_write16(HOST_BRIDGE, PCI_INTERRUPT_LINE, (uint16_t)before);
	EXPECT_EQ(t, before, pci_read32(HOST_BRIDGE, PCI_INTERRUPT_LINE));
}
