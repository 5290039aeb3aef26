/*
 * Layer: tests
 * machine.h - targets that need a booted machine; which one is the first part of their input.
 */
#ifndef TESTS_FUZZ_MACHINE_H
#define TESTS_FUZZ_MACHINE_H

#include "fuzz.h"

/*
 * The header of an input, for all of these targets: the machine that it boots.  All zeroes: 6 MiB
 * of RAM without holes, no option.
 */
#define MACHINE_HOLES 4u

struct machine_header {
	uint8_t ram_mib;   /* beyond 6: its low 3 bits; 5, if bit 6 is set */
	uint8_t ram_pages; /* beyond that */
	uint8_t options;   /* bits of masks: machine_env.c */
	uint8_t highmem;   /* MiB that are HIGHMEM: its low 4 bits; 0: none */
	uint8_t vmalloc;   /* MiB of addresses beyond 16: its low 4 bits; 0: all there are */
	uint8_t nr_holes;  /* modulo MACHINE_HOLES + 1 */
	struct {
		uint16_t pfn; /* from 4 MiB on */
		uint8_t nr;   /* pages - 1 */
		uint8_t type; /* low 2 bits: reserved, ACPI, NVS, bad */
	} __packed hole[MACHINE_HOLES];
} __packed;

#define MACHINE_HEADER sizeof(struct machine_header)

/* An operation of these targets: what it does, and what with; each target reads it as it likes. */
struct machine_op {
	uint8_t what;
	uint8_t slot;
	uint8_t a, b;
	uint16_t c;
	uint16_t d;
} __packed;

#define MACHINE_OPS_MAX  256u
#define MACHINE_SIZE_MAX (MACHINE_HEADER + MACHINE_OPS_MAX * sizeof(struct machine_op))

/* For a target: { .name = ..., MACHINE_TARGET, .run = ... }; run() gets the whole input. */
#define MACHINE_TARGET                                                                         \
	.where = FUZZ_IN_CHILD, .header = MACHINE_HEADER, .record = sizeof(struct machine_op), \
	.size_max = MACHINE_SIZE_MAX

/* The operations of an input; the last one, if it is cut, does not count. */
static inline const struct machine_op *machine_ops(const unsigned char *data, size_t size,
						   size_t *nr)
{
	*nr = size > MACHINE_HEADER ? (size - MACHINE_HEADER) / sizeof(struct machine_op) : 0;
	return (const struct machine_op *)(data + MACHINE_HEADER);
}

#endif
