/*
 * Layer: tests
 * edu.h - QEMU's device for teaching: a DMA engine that moves bytes between memory and a buffer of
 * its own.
 */
#ifndef TESTS_EDU_H
#define TESTS_EDU_H

#include <quarry/dma.h>
#include <quarry/ktest.h>
#include <quarry/types.h>

/* Bytes that one transfer may have: of its buffer of 4 KiB, whose last byte it does not accept. */
#define EDU_TRANSFER_MAX 2048u

/* Does the machine have one?  Looked for once. */
QAPI bool edu_find(void);

struct edu {
	struct device dev; /* its masks are what this one reaches: 24 or 28 bits */
	volatile uint32_t *regs;
};

/* Map its registers and let it read and write memory; false, with @t failed: no answer. */
QAPI bool edu_up(struct ktest *t, struct edu *edu);
QAPI void edu_down(struct edu *edu);

/*
 * Move @nr bytes from memory into its buffer at @offset, or back; both ways it takes 100 ms of
 * QEMU's time.  False, with @t failed: it did not finish.
 */
QAPI bool edu_read_memory(struct ktest *t, struct edu *edu, dma_addr_t from, size_t offset,
			  size_t nr);
QAPI bool edu_write_memory(struct ktest *t, struct edu *edu, dma_addr_t to, size_t offset,
			   size_t nr);

#endif
