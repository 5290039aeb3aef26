/*
 * Layer: tests
 * boot_model.h - what both models of a boot loader's information share.
 *
 * A model reads a struct blob byte by byte, knows offsets from the specifications alone, and fills
 * a struct bootinfo of its own, which is to be the parser's.
 */
#ifndef TESTS_FUZZ_BOOT_MODEL_H
#define TESTS_FUZZ_BOOT_MODEL_H

#include "../boot/blob.h"

#include <quarry/bootinfo.h>
#include <quarry/types.h>

#define MODEL_TEXT_MAX 65536u /* bytes of a text that are looked at */

struct model {
	const struct blob *blob;
	struct bootinfo bi;
	bool fault; /* a byte that is not there was asked for: -EFAULT */
};

/* A text; @bytes, which the next one is written over, holds its first @len. */
struct model_text {
	const uint8_t *bytes;
	size_t len;
	bool cut;
};

void model_start(struct model *m, const struct blob *blob, const char *protocol);

/* @size bytes at @pa as a number; 0 and a fault when one of them is not there. */
uint64_t model_get(struct model *m, uint64_t pa, unsigned int size);

/* The text at @pa that a NUL ends, or @room. */
struct model_text model_find_text(struct model *m, uint64_t pa, size_t room);

/* Each as its namesake of boot/fill.h. */
void model_keep(struct model *m, uint64_t start, uint64_t size, const char *name);
void model_loader(struct model *m, const struct model_text *t);
void model_cmdline(struct model *m, const struct model_text *t);
int model_module(struct model *m, uint32_t start, uint32_t end, const struct model_text *t);
void model_region(struct model *m, uint64_t start, uint64_t size, uint32_t type);
int model_finish_memory(struct model *m, bool has_basic, uint32_t lower, uint32_t upper);

/* The screen that both describe in 22 bytes at @pa; its colours are at @colours, 0: nowhere. */
void model_screen(struct model *m, uint64_t pa, uint64_t colours);

/* @got is the model's, field by field; @err is what the parser returned, @want what is due. */
void model_compare(const struct model *m, int want, const struct bootinfo *got, int err);

#endif
