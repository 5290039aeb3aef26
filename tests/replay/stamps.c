/*
 * stamps.c - contents that tell whose memory it is.
 *
 * THEORY.  Every byte of an object is a function of the object's number and the byte's place, so
 * two objects that overlap, and one that was not moved as a whole, show.  The number is mixed, or
 * neighbours would differ in one bit of each word.
 *
 * A block of pages is written page by page through short mappings: it may have no address.
 *
 * CONTEXT.  A thread.
 *
 * SOURCES.  The multiplier: Knuth, TAOCP 3, sec. 6.4 (2^32 by the golden ratio).
 */
#include <quarry/align.h>
#include <quarry/highmem.h>
#include <quarry/string.h>

#include "replay.h"

#define GOLDEN 0x9E3779B1u

static unsigned char stamp_byte(uint32_t id, size_t i)
{
	uint32_t word = (id + (uint32_t)(i / sizeof(uint32_t))) * GOLDEN;

	return (unsigned char)(word >> 8 * (i % sizeof(uint32_t)));
}

/* Bytes [first, first + size) of an object, at @p, of word alignment, as is @first. */
static void write_part(unsigned char *p, size_t first, size_t size, uint32_t id)
{
	uint32_t *words = (uint32_t *)p;
	uint32_t n = id + (uint32_t)(first / sizeof(uint32_t));
	size_t i, whole = ALIGN_DOWN(size, sizeof(uint32_t));

	for (i = 0; i < whole / sizeof(uint32_t); i++)
		words[i] = n++ * GOLDEN;
	for (i = whole; i < size; i++)
		p[i] = stamp_byte(id, first + i);
}

static size_t verify_part(const unsigned char *p, size_t first, size_t size, uint32_t id)
{
	const uint32_t *words = (const uint32_t *)p;
	uint32_t n = id + (uint32_t)(first / sizeof(uint32_t));
	size_t i, whole = ALIGN_DOWN(size, sizeof(uint32_t));

	for (i = 0; i < whole / sizeof(uint32_t) && words[i] == n * GOLDEN; i++)
		n++;
	for (i *= sizeof(uint32_t); i < size && p[i] == stamp_byte(id, first + i); i++)
		;
	return i;
}

static size_t zeroes_of_part(const unsigned char *p, size_t size)
{
	size_t i = 0;

	while (i < size && !p[i])
		i++;
	return i;
}

QAPI void stamp_write(enum place place, void *p, size_t size, uint32_t id)
{
	if (place == PLACE_MEMORY) {
		write_part(p, 0, size, id);
		return;
	}
	for (size_t first = 0; first < size; first += PAGE_SIZE) {
		void *va = kmap_local_page((struct page *)p + first / PAGE_SIZE);

		write_part(va, first, PAGE_SIZE, id);
		kunmap_local(va);
	}
}

QAPI size_t stamp_verify(enum place place, void *p, size_t size, uint32_t id)
{
	if (place == PLACE_MEMORY)
		return verify_part(p, 0, size, id);
	for (size_t first = 0; first < size; first += PAGE_SIZE) {
		void *va = kmap_local_page((struct page *)p + first / PAGE_SIZE);
		size_t good = verify_part(va, first, PAGE_SIZE, id);

		kunmap_local(va);
		if (good < PAGE_SIZE)
			return first + good;
	}
	return size;
}

QAPI size_t stamp_zeroes(enum place place, void *p, size_t size)
{
	if (place == PLACE_MEMORY)
		return zeroes_of_part(p, size);
	for (size_t first = 0; first < size; first += PAGE_SIZE) {
		void *va = kmap_local_page((struct page *)p + first / PAGE_SIZE);
		size_t good = zeroes_of_part(va, PAGE_SIZE);

		kunmap_local(va);
		if (good < PAGE_SIZE)
			return first + good;
	}
	return size;
}
