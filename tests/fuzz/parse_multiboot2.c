/*
 * parse_multiboot2.c - multiboot2 blocks of any layout, read by a second parser too.
 *
 * IDEA.  The input is a block and where it lies.  Its size may be made to be the memory's, which a
 * fuzzer that changes lengths cannot keep right; the end tag may be supplied, too.  All that the
 * parser asks to see must lie within the block; what it makes of it is compared with the model,
 * whose offsets are the specification's.
 *
 * STATE.  The memory, and both structures, static for their size.
 *
 * CONTEXT.  A fuzz target.
 */
#include "boot_model.h"
#include "verdict.h"

#include <quarry/align.h>
#include <quarry/compiler.h>
#include <quarry/errno.h>
#include <quarry/string.h>

#define MEM_SIZE 16384u

static uint8_t mem[MEM_SIZE + 16];
static size_t mem_size;
static struct bootinfo bi;
static struct model model;

/* ---- the second parser -------------------------------------------------------------------- */

/* What tags said that waits for the last of them. */
static struct {
	uint8_t bytes[MODEL_TEXT_MAX];
	struct model_text cmdline;
	bool new_rsdp;
	uint32_t lower, upper;
} pending;

static uint32_t get_32(uint64_t pa)
{
	return (uint32_t)model_get(&model, pa, 4);
}

/* The text of a tag, never cut: it ends with its tag. */
static struct model_text tag_text(uint64_t pa, uint32_t size, uint32_t offset)
{
	struct model_text t = { NULL, 0, false };

	if (size > offset)
		t = model_find_text(&model, pa + offset, size - offset);
	return t;
}

/* A command line may be longer than any text elsewhere. */
static void keep_cmdline(uint64_t pa, uint32_t size)
{
	pending.cmdline = tag_text(pa, size, 8);
	pending.cmdline.cut = false;
	memcpy(pending.bytes, pending.cmdline.bytes, pending.cmdline.len);
	pending.cmdline.bytes = pending.bytes;
}

static int model_map(uint64_t pa, uint32_t size)
{
	uint32_t entry = get_32(pa + 8);

	if (entry < 24 || entry % 8)
		return -EILSEQ;
	for (uint64_t at = pa + 16; at < pa + size; at += entry) {
		if (at + entry > pa + size)
			return -EILSEQ;
		model_region(&model, model_get(&model, at, 8), model_get(&model, at + 8, 8),
			     get_32(at + 16));
	}
	return 0;
}

static void model_rsdp(uint64_t pa, uint32_t size, bool is_new)
{
	static const char signature[] = "RSD PTR ";

	if (size < (is_new ? 44u : 28u) || (pending.new_rsdp && !is_new))
		return;
	for (unsigned int i = 0; i < 8; i++) {
		if (model_get(&model, pa + 8 + i, 1) != (uint8_t)signature[i])
			return;
	}
	model.bi.acpi_rsdp = pa + 8;
	pending.new_rsdp = is_new;
}

/* A tag that has the bytes of its header at least. */
static int model_tag(uint64_t pa, uint32_t type, uint32_t size)
{
	struct model_text t;

	if ((type == 3 || type == 4 || type == 6) && size < 16)
		return -EILSEQ;
	if (type == 1)
		keep_cmdline(pa, size);
	if (type == 2) {
		t = tag_text(pa, size, 8);
		model_loader(&model, &t);
	}
	if (type == 4) {
		pending.lower = get_32(pa + 8);
		pending.upper = get_32(pa + 12);
	}
	if (type == 8 && size >= 30)
		model_screen(&model, pa + 8, size < 38 ? 0 : pa + 32);
	if (type == 14 || type == 15)
		model_rsdp(pa, size, type == 15);
	if (type == 6)
		return model_map(pa, size);
	if (type != 3)
		return 0;
	t = tag_text(pa, size, 16);
	return model_module(&model, get_32(pa + 8), get_32(pa + 12), &t);
}

/* The block is known to be there in full. */
static int model_tags(uint64_t start, uint64_t end)
{
	uint64_t pa = start + 8;

	while (pa + 8 <= end) {
		uint32_t type = get_32(pa), size = get_32(pa + 4);
		int err;

		if (size < 8 || size > end - pa)
			return -EILSEQ;
		if (type == 0)
			return 0;
		err = model_tag(pa, type, size);
		if (err)
			return err;
		pa += (size + 7u) / 8 * 8;
	}
	return -EILSEQ;
}

static int model_parse(uint64_t pa, uint32_t total)
{
	int err;

	pending.cmdline = (struct model_text){ NULL, 0, false };
	pending.new_rsdp = false;
	pending.lower = 0;
	pending.upper = 0;
	if (total < 16 || total > 0x100000 || pa % 8)
		return -EILSEQ;
	model_keep(&model, pa, total, "boot information");
	err = model_tags(pa, pa + total);
	if (err)
		return err;
	model_cmdline(&model, &pending.cmdline);
	return model_finish_memory(&model, true, pending.lower, pending.upper);
}

/* ---- the memory ----------------------------------------------------------------------------- */

/* A reader that knows where the block ends. */
struct watch {
	struct boot_reader reader;
	struct blob blob;
	uint64_t start, end;
};

static QAPI const void *watch_map(struct boot_reader *r, phys_addr_t pa, size_t size)
{
	struct watch *w = container_of(r, struct watch, reader);

	FUZZ_CHECK(pa >= w->start && pa <= w->end && size <= w->end - pa,
		   "%zu bytes at %#llx are asked for, the block is %#llx-%#llx", size,
		   (unsigned long long)pa, (unsigned long long)w->start,
		   (unsigned long long)w->end);
	return w->blob.reader.map(&w->blob.reader, pa, size);
}

/* Bits of the first byte beside the place. */
#define OWN_SIZE 0x10u /* the block says how long the memory is */
#define OWN_END  0x20u /* an end tag stands behind the input */

static uint32_t place(struct watch *w, uint8_t where)
{
	const uint32_t places[] = {
		0x8000, 0, 0x2008, 0x7FF8, 0x80000000 - 0x808, 0x1162F8, 0x8004, 0x8001,
	};
	uint32_t pa = where & 8 ? 0 - (uint32_t)ALIGN_UP(mem_size, 8) : places[where % 8];

	blob_init(&w->blob);
	blob_add(&w->blob, pa, mem, mem_size);
	w->reader.map = watch_map;
	w->start = pa;
	w->end = (uint64_t)pa + max(get32(mem), 8u);
	return pa;
}

static void read_input(const unsigned char *data, unsigned long size)
{
	struct fuzz_bytes b = { data, size, 1 };
	uint8_t where = size ? data[0] : 0;

	memset(mem, 0, sizeof(mem));
	for (mem_size = 0; mem_size < MEM_SIZE && !fuzz_end(&b); mem_size++)
		mem[mem_size] = fuzz_u8(&b);
	if (where & OWN_END) {
		mem_size = ALIGN_UP(mem_size, 8);
		put32(mem + mem_size + 4, 8);
		mem_size += 8;
	}
	mem_size = max(mem_size, (size_t)8);
	if (where & OWN_SIZE)
		put32(mem, (uint32_t)mem_size);
}

static void run(const unsigned char *data, unsigned long size)
{
	struct ktest *t = verdict_start(size);
	struct watch w;
	uint32_t pa, total;
	int err, want;

	read_input(data, size);
	pa = place(&w, size ? data[0] : 0);
	total = get32(mem);
	model_start(&model, &w.blob, "multiboot2");
	err = multiboot2_parse(&bi, &w.reader, pa);
	want = model_parse(pa, total);
	/* What is missing of a block that says it is longer may not matter. */
	if (model.fault)
		FUZZ_HOLDS(total > mem_size && err == -EFAULT);
	else
		model_compare(&model, want, &bi, err);
	expect_sound(t, &w.blob, &bi);
	verdict_end();
}

const struct fuzz_target fuzz_target = {
	.name = "multiboot2",
	.where = FUZZ_IN_PROCESS,
	.header = 1,
	.size_max = 1 + MEM_SIZE,
	.run = run,
};
