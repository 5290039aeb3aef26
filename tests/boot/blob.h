/*
 * Layer: tests
 * blob.h - a little physical memory with a boot loader's remains in it, for parser tests.
 */
#ifndef QUARRY_TESTS_BLOB_H
#define QUARRY_TESTS_BLOB_H

#include <quarry/bootinfo.h>
#include <quarry/compiler.h>
#include <quarry/ktest.h>
#include <quarry/types.h>

#define BLOB_SEGMENTS_MAX 5u

struct blob_segment {
	phys_addr_t pa;
	const uint8_t *bytes;
	size_t size;
};

/*
 * Memory exists in whole pages: those that hold a byte of a segment.  A reader's window is a copy,
 * and the last one is destroyed when the next is asked for.
 */
struct blob {
	struct boot_reader reader;
	unsigned int nr_windows; /* asked for so far */
	unsigned int fail_at;    /* refuse the window of this number; 0: none */
	struct blob_segment segments[BLOB_SEGMENTS_MAX];
	unsigned int nr_segments;
	size_t last_size;         /* of the window granted last */
	unsigned int nr_breaches; /* windows that no parser may ask for */
};

/* An empty memory.  Segments stay the caller's, and may change between two parses. */
void blob_init(struct blob *b);
void blob_add(struct blob *b, phys_addr_t pa, const void *bytes, size_t size);

/* Of a text without an end: as the parsers have it. */
#define BOOT_TEXT_LOOKED_AT 0x10000u

/* Little-endian numbers at any alignment. */
void put32(uint8_t *at, uint32_t value);
void put64(uint8_t *at, uint64_t value);
uint32_t get32(const uint8_t *at);

/* Whatever was in the blob: no window was out of bounds, and @bi is in order. */
void expect_sound(struct ktest *t, const struct blob *b, const struct bootinfo *bi);

/* The entry @i of @bi's map is this. */
void expect_region(struct ktest *t, const struct bootinfo *bi, unsigned int i, phys_addr_t start,
		   phys_addr_t size, uint32_t type);

/* Exactly one range of the loader's called @name is kept, and it is this. */
void expect_kept(struct ktest *t, const struct bootinfo *bi, const char *name, phys_addr_t start,
		 phys_addr_t size);

/* Is this range among those to be kept, under this name?  Others of the name do not matter. */
bool is_kept(const struct bootinfo *bi, const char *name, phys_addr_t start, phys_addr_t size);

/* A random region: any start and size, a type that is known more often than not. */
struct mem_region random_region(struct ktest *t);

/* Change up to four places of @size bytes: bits, bytes, words that often mean something. */
void mutate(struct ktest *t, uint8_t *bytes, size_t size);

/* Steps of a random walk where time is short: in the kernel. */
#define SHORT_WALK 500ul

/* Longer ones, for processes: random blocks and mutated ones, random lists. */
void multiboot1_walk(struct ktest *t, unsigned long steps);
void multiboot2_walk(struct ktest *t, unsigned long steps);
void e820_walk(struct ktest *t, unsigned long steps);

/* What real loaders left behind: tests/boot/captured.c. */
extern const uint8_t captured_qemu_low[], captured_qemu_high[], captured_v86[], captured_grub[];
extern const size_t captured_qemu_low_size, captured_qemu_high_size, captured_v86_size,
	captured_grub_size;

#define CAPTURED_QEMU_LOW  0x9000u /* the map; the block at + 0x500 */
#define CAPTURED_QEMU_INFO 0x9500u
#define CAPTURED_QEMU_HIGH 0x116000u /* module list and texts */
#define CAPTURED_V86_INFO  0x7C00u
#define CAPTURED_GRUB_INFO 0x1162F8u

#endif
