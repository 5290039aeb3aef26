/*
 * parse_multiboot1.c - multiboot1 blocks of any layout, read by a second parser too.
 *
 * IDEA.  The input is a little memory and where it lies: in one piece or two, at the bottom, at the
 * top, at no boundary.  A fuzzer does not find addresses, so pointers may count from the memory's
 * start: they are made addresses before the parser sees them.  What the parser looks at is the
 * blob's business (tests/boot/blob.c), what it makes of it is compared with the model, whose
 * offsets are the specification's.
 *
 * STATE.  The memory, and both structures, static for their size.
 *
 * CONTEXT.  A fuzz target.
 */
#include "boot_model.h"
#include "verdict.h"

#include <quarry/align.h>
#include <quarry/errno.h>
#include <quarry/string.h>

#define MEM_SIZE 12288u

/* Bits of the input's third byte: what counts from the memory's start. */
#define RELATIVE_CMDLINE 1u
#define RELATIVE_MODULES 2u
#define RELATIVE_MAP     4u
#define RELATIVE_LOADER  8u
#define RELATIVE_TEXTS   16u /* of modules */

static uint8_t mem[MEM_SIZE];
static size_t mem_size;
static uint32_t mem_pa;
static struct bootinfo bi;
static struct model model;

/* ---- the second parser -------------------------------------------------------------------- */

static uint64_t info_size(uint32_t flags)
{
	return flags & 0x1000 ? 116 :
	       flags & 0x200  ? 68 :
	       flags & 0x40   ? 52 :
	       flags & 8      ? 28 :
	       flags & 4      ? 20 :
				12;
}

static struct model_text kept_text(uint32_t pa, const char *name)
{
	struct model_text t = { NULL, 0, false };

	if (!pa)
		return t;
	t = model_find_text(&model, pa, MODEL_TEXT_MAX);
	if (!model.fault)
		model_keep(&model, pa, t.len + 1, name);
	return t;
}

static int model_modules(uint32_t nr, uint64_t list)
{
	uint32_t nr_read = min(nr, BOOT_MODULES_KEPT);
	int err = 0;

	model.bi.nr_modules_dropped = nr - nr_read;
	model_keep(&model, list, nr_read * 16, "module list");
	for (uint32_t i = 0; i < nr_read && !err; i++) {
		uint32_t start = (uint32_t)model_get(&model, list + i * 16, 4);
		uint32_t end = (uint32_t)model_get(&model, list + i * 16 + 4, 4);
		uint32_t name = (uint32_t)model_get(&model, list + i * 16 + 8, 4);
		struct model_text t;

		model_get(&model, list + i * 16 + 12, 4);
		if (model.fault)
			return -EFAULT;
		t = kept_text(name, "module command line");
		err = model.fault ? -EFAULT : model_module(&model, start, end, &t);
	}
	return err;
}

static int model_map(uint32_t length, uint64_t at)
{
	uint64_t end = at + length;

	if (length > 0x100000)
		return -EILSEQ;
	model_keep(&model, at, length, "boot memory map");
	while (at < end) {
		uint64_t size, start, bytes, type;

		if (end - at < 24)
			return -EILSEQ;
		size = model_get(&model, at, 4);
		start = model_get(&model, at + 4, 8);
		bytes = model_get(&model, at + 12, 8);
		type = model_get(&model, at + 20, 4);
		if (model.fault)
			return -EFAULT;
		if (size < 20 || at + 4 + size > end)
			return -EILSEQ;
		model_region(&model, start, bytes, (uint32_t)type);
		at += 4 + size;
	}
	return 0;
}

static int model_texts(uint32_t flags, uint64_t pa)
{
	struct model_text t;

	if (flags & 0x200) {
		t = kept_text((uint32_t)model_get(&model, pa + 64, 4), "boot loader name");
		if (model.fault)
			return -EFAULT;
		model_loader(&model, &t);
	}
	if (flags & 4) {
		t = kept_text((uint32_t)model_get(&model, pa + 16, 4), "command line");
		if (model.fault)
			return -EFAULT;
		model_cmdline(&model, &t);
	}
	return 0;
}

static int model_parse(uint64_t pa)
{
	uint32_t flags = (uint32_t)model_get(&model, pa, 4);
	uint64_t size = info_size(flags);
	int err;

	if (model.fault)
		return -EFAULT;
	model_keep(&model, pa, size, "boot information");
	for (uint64_t i = 0; i < size; i++)
		model_get(&model, pa + i, 1);
	if (model.fault)
		return -EFAULT;
	if (flags & 0x1000)
		model_screen(&model, pa + 88, pa + 110);
	err = model_texts(flags, pa);
	if (!err && flags & 8)
		err = model_modules((uint32_t)model_get(&model, pa + 20, 4),
				    model_get(&model, pa + 24, 4));
	if (!err && flags & 0x40)
		err = model_map((uint32_t)model_get(&model, pa + 44, 4),
				model_get(&model, pa + 48, 4));
	return err ? err :
		     model_finish_memory(&model, flags & 1, (uint32_t)model_get(&model, pa + 4, 4),
					 (uint32_t)model_get(&model, pa + 8, 4));
}

/* ---- the memory ----------------------------------------------------------------------------- */

/* What stands at @at counts from the memory's start: make it an address; 0 stays. */
static void make_address(size_t at)
{
	if (at + 4 <= mem_size && get32(mem + at))
		put32(mem + at, mem_pa + get32(mem + at) % (uint32_t)mem_size);
}

static void make_addresses(size_t info, unsigned int relative)
{
	size_t list;

	if (relative & RELATIVE_CMDLINE)
		make_address(info + 16);
	if (relative & RELATIVE_MODULES)
		make_address(info + 24);
	if (relative & RELATIVE_MAP)
		make_address(info + 48);
	if (relative & RELATIVE_LOADER)
		make_address(info + 64);
	if (!(relative & RELATIVE_TEXTS) || info + 28 > mem_size)
		return;
	list = (size_t)(get32(mem + info + 24) - mem_pa);
	for (unsigned int i = 0; i < BOOT_MODULES_KEPT && list < mem_size; i++, list += 16)
		make_address(list + 8);
}

/* Where memory lies: bits 0-2 of the first byte; bit 3: half of it one page further on. */
static void place(struct blob *b, uint8_t where)
{
	const uint32_t places[] = {
		0x8000, 0, 1, 0x7FFF, 0 - (uint32_t)mem_size, 0x7FFFF800, 0x9500, 0x116000,
	};
	size_t half = where & 8 ? mem_size / 2 : mem_size;

	mem_pa = places[where % 8];
	blob_init(b);
	blob_add(b, mem_pa, mem, half);
	if (half != mem_size && where % 8 != 4)
		blob_add(b, mem_pa + half + 0x1000, mem + half, mem_size - half);
}

/* First byte: where; second: what is relative; then the block's offset in the memory. */
static void run(const unsigned char *data, unsigned long size)
{
	struct fuzz_bytes b = { data, size, 0 };
	uint8_t where = fuzz_u8(&b), relative = fuzz_u8(&b);
	size_t info = fuzz_u16(&b);
	struct ktest *t = verdict_start(size);
	struct blob blob;
	int err;

	for (mem_size = 0; mem_size < sizeof(mem) && !fuzz_end(&b); mem_size++)
		mem[mem_size] = fuzz_u8(&b);
	place(&blob, where);
	if (mem_size)
		make_addresses(info, relative);
	model_start(&model, &blob, "multiboot1");
	err = multiboot1_parse(&bi, &blob.reader, mem_pa + info);
	model_compare(&model, model_parse(mem_pa + info), &bi, err);
	expect_sound(t, &blob, &bi);
	verdict_end();
}

const struct fuzz_target fuzz_target = {
	.name = "multiboot1",
	.where = FUZZ_IN_PROCESS,
	.header = 4,
	.size_max = 4 + MEM_SIZE,
	.run = run,
};
