/*
 * edu.c - a driver of QEMU's device edu, for the tests of DMA.
 *
 * THEORY.  The device is told source, destination, count and a command, and works on its own; it
 * clears the command's lowest bit when it is done.  What lies above its mask it does not reach: the
 * upper bits of an address are lost, as with a real device that has fewer lines, so that a wrong
 * handle shows as wrong bytes.
 *
 * How many lines it has is a property that QEMU's command line sets and no register tells.  So it
 * is asked to read through a line above the fewer: if that gives what lies at the address without
 * it, there is no such line.
 *
 * STATE.  Where the device is; how many lines it has.
 *
 * CONTEXT.  A thread.
 *
 * SOURCES.  docs/specs/edu.txt of QEMU.
 */
#include "edu.h"

#include <quarry/asm/pci.h>
#include <quarry/port.h>
#include <quarry/vmalloc.h>

#define EDU_VENDOR 0x1234u
#define EDU_DEVICE 0x11e8u

#define REGS_BYTES 0x1000u
#define REG_ID     0x00u
#define REG_SOURCE 0x80u
#define REG_TARGET 0x88u
#define REG_COUNT  0x90u
#define REG_CMD    0x98u

#define ID_MASK        0xffffu
#define ID             0x00edu
#define CMD_START      0x1u
#define CMD_TO_MEMORY  0x2u
#define BUFFER         0x40000u
#define CYCLES_MAX     20000000000ull /* several seconds on any machine */
#define NOT_LOOKED_FOR 1u             /* no address of a slot's first function */
#define NOT_FOUND      2u
#define FEW_LINES      24u
#define LINES          28u /* if nothing was said to QEMU */
#define PROBE_WORD     0x5eaf00d5u

static uint32_t address = NOT_LOOKED_FOR;
static unsigned int nr_lines;

QAPI bool edu_find(void)
{
	if (address != NOT_LOOKED_FOR)
		return address != NOT_FOUND;
	address = NOT_FOUND;
	for (unsigned int slot = 0; slot < PCI_SLOTS; slot++) {
		uint32_t a = PCI_ADDRESS(0, slot, 0);

		if (pci_read16(a, PCI_VENDOR_ID) == EDU_VENDOR &&
		    pci_read16(a, PCI_DEVICE_ID) == EDU_DEVICE)
			address = a;
	}
	return address != NOT_FOUND;
}

static uint32_t reg_read(const struct edu *edu, unsigned int reg)
{
	return edu->regs[reg / sizeof(*edu->regs)];
}

static void reg_write(struct edu *edu, unsigned int reg, uint32_t value)
{
	edu->regs[reg / sizeof(*edu->regs)] = value;
}

static bool transfer(struct ktest *t, struct edu *edu, dma_addr_t from, dma_addr_t to, size_t nr,
		     uint32_t cmd)
{
	uint64_t start = clock_cycles();

	EXPECT_LE(t, EDU_TRANSFER_MAX, nr);
	reg_write(edu, REG_SOURCE, (uint32_t)from);
	reg_write(edu, REG_TARGET, (uint32_t)to);
	reg_write(edu, REG_COUNT, (uint32_t)nr);
	reg_write(edu, REG_CMD, cmd | CMD_START);
	while (reg_read(edu, REG_CMD) & CMD_START) {
		if (clock_cycles() - start > CYCLES_MAX) {
			ktest_fail(t, __FILE__, __LINE__, "edu: 0x%llx to 0x%llx does not end",
				   from, to);
			return false;
		}
	}
	return true;
}

QAPI bool edu_read_memory(struct ktest *t, struct edu *edu, dma_addr_t from, size_t offset,
			  size_t nr)
{
	return transfer(t, edu, from, BUFFER + offset, nr, 0);
}

QAPI bool edu_write_memory(struct ktest *t, struct edu *edu, dma_addr_t to, size_t offset,
			   size_t nr)
{
	return transfer(t, edu, BUFFER + offset, to, nr, CMD_TO_MEMORY);
}

/* The word behind the one that edu reads is not what it wrote back, unless both are the same. */
static unsigned int count_lines(struct ktest *t, struct edu *edu)
{
	dma_addr_t handle;
	uint32_t *word;
	bool few;

	edu->dev.coherent_dma_mask = DMA_BIT_MASK(FEW_LINES);
	word = dma_alloc_coherent(&edu->dev, 2 * sizeof(*word), &handle, GFP_KERNEL);
	if (!word)
		return 0;
	word[0] = PROBE_WORD;
	edu_read_memory(t, edu, handle | 1u << FEW_LINES, 0, sizeof(*word));
	edu_write_memory(t, edu, handle + sizeof(*word), 0, sizeof(*word));
	few = READ_ONCE(word[1]) == PROBE_WORD;
	dma_free_coherent(&edu->dev, 2 * sizeof(*word), word, handle);
	return few ? FEW_LINES : LINES;
}

QAPI bool edu_up(struct ktest *t, struct edu *edu)
{
	phys_addr_t bar = pci_read32(address, PCI_BAR0) & PCI_BAR_MEMORY_MASK;

	*edu = (struct edu){ .dev = DEVICE_INIT("edu"), .regs = ioremap(bar, REGS_BYTES) };
	if (!edu->regs) {
		ktest_fail(t, __FILE__, __LINE__, "edu: no registers at 0x%llx", bar);
		return false;
	}
	pci_write16(address, PCI_COMMAND,
		    pci_read16(address, PCI_COMMAND) | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	EXPECT_EQ(t, ID, reg_read(edu, REG_ID) & ID_MASK);
	if (!nr_lines)
		nr_lines = count_lines(t, edu);
	EXPECT_NE(t, 0, nr_lines);
	if (!nr_lines)
		return false;
	EXPECT_EQ(t, 0, dma_set_mask_and_coherent(&edu->dev, DMA_BIT_MASK(nr_lines)));
	return !t->nr_failed;
}

QAPI void edu_down(struct edu *edu)
{
	pci_write16(address, PCI_COMMAND,
		    pci_read16(address, PCI_COMMAND) & (uint16_t)~PCI_COMMAND_MASTER);
	iounmap((const void *)edu->regs);
}
