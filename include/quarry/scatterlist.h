/*
 * Layer: mm
 * scatterlist.h - memory in pieces, for one transfer: an array of them.
 *
 * A piece is physically contiguous; the pieces lie anywhere, HighMem included.
 */
#ifndef QUARRY_SCATTERLIST_H
#define QUARRY_SCATTERLIST_H

#include <quarry/mm.h>
#include <quarry/types.h>

struct scatterlist {
	struct page *page;      /* of the first byte */
	size_t offset;          /* bytes from the start of @page */
	size_t length;          /* bytes */
	dma_addr_t dma_address; /* set by dma_map_sg() */
};

#define for_each_sg(list, sg, nr, i) for ((i) = 0, (sg) = (list); (i) < (nr); (i)++, (sg)++)

/* Say what a piece is: @offset may lie beyond the first page of a block. */
static inline void sg_set_page(struct scatterlist *sg, struct page *page, size_t length,
			       size_t offset)
{
	*sg = (struct scatterlist){ page, offset, length, 0 };
}

/* The same of memory in the direct map; any other address is a BUG. */
static inline void sg_set_buf(struct scatterlist *sg, const void *va, size_t length)
{
	BUG_ON(!virt_addr_valid(va));
	sg_set_page(sg, virt_to_page(va), length, (uintptr_t)va & (PAGE_SIZE - 1));
}

/* What the device is to be given, after dma_map_sg(). */
static inline dma_addr_t sg_dma_address(const struct scatterlist *sg)
{
	return sg->dma_address;
}

static inline size_t sg_dma_len(const struct scatterlist *sg)
{
	return sg->length;
}

#endif
