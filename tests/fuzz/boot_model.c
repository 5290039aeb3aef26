/*
 * boot_model.c - a boot loader's information, read the slow way.
 *
 * IDEA.  Physical memory is a function from an address to a byte; a text is an array of bytes, all
 * of it copied before anything is decided.
 *
 * STATE.  text, the bytes of the text read last.
 *
 * CONTEXT.  A fuzz target.
 */
#include "boot_model.h"

#include "verdict.h"

#include <quarry/errno.h>
#include <quarry/sizes.h>
#include <quarry/string.h>

#define PAGE     4096u
#define RUBBISH  0xA5 /* as in blob.c: what a page holds beside its segments */
#define ADDR_END 0x100000000ull
#define NO_BYTE  (-1)

static uint8_t text[MODEL_TEXT_MAX];

/* The byte at @pa, or NO_BYTE. */
static int byte_at(const struct blob *b, uint64_t pa)
{
	int byte = NO_BYTE;

	if (pa >= ADDR_END)
		return NO_BYTE;
	for (unsigned int i = 0; i < b->nr_segments; i++) {
		const struct blob_segment *s = &b->segments[i];

		if (s->size && pa / PAGE >= s->pa / PAGE &&
		    pa / PAGE <= (s->pa + s->size - 1) / PAGE && byte < 0)
			byte = RUBBISH;
		if (pa >= s->pa && pa - s->pa < s->size)
			byte = s->bytes[pa - s->pa];
	}
	return byte;
}

void model_start(struct model *m, const struct blob *blob, const char *protocol)
{
	memset(m, 0, sizeof(*m));
	m->blob = blob;
	m->bi.protocol = protocol;
	m->bi.map_trusted_end = UINT64_MAX;
}

uint64_t model_get(struct model *m, uint64_t pa, unsigned int size)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < size; i++) {
		int byte = byte_at(m->blob, pa + i);

		if (byte < 0) {
			m->fault = true;
			return 0;
		}
		value |= (uint64_t)byte << 8 * i;
	}
	return value;
}

struct model_text model_find_text(struct model *m, uint64_t pa, size_t room)
{
	struct model_text t = { text, 0, false };

	for (; t.len < room; t.len++) {
		int byte = byte_at(m->blob, pa + t.len);

		if (byte < 0)
			m->fault = true;
		if (byte <= 0)
			return t;
		text[t.len] = (uint8_t)byte;
	}
	t.cut = true;
	return t;
}

void model_keep(struct model *m, uint64_t start, uint64_t size, const char *name)
{
	struct bootinfo *bi = &m->bi;

	if (size && bi->nr_keep < BOOT_KEEP_MAX)
		bi->keep[bi->nr_keep++] = (struct boot_keep){ start, size, name };
}

static bool blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* As much of the bytes [@from, @end) of @t as fits, made printable; did all of it fit? */
static bool copy(const struct model_text *t, size_t from, size_t end, char *to, size_t size)
{
	size_t i = from;

	for (; i < end && i - from < size - 1; i++) {
		uint8_t c = t->bytes[i];

		*to++ = blank(c) ? ' ' : c < 0x21 || c > 0x7E ? '?' : (char)c;
	}
	*to = '\0';
	return i == end;
}

void model_loader(struct model *m, const struct model_text *t)
{
	copy(t, 0, t->len, m->bi.loader, sizeof(m->bi.loader));
}

static size_t first_word_end(const struct model_text *t)
{
	size_t end = 0;

	while (end < t->len && !blank(t->bytes[end]))
		end++;
	return end;
}

static bool has_byte(const struct model_text *t, size_t end, uint8_t c)
{
	for (size_t i = 0; i < end; i++) {
		if (t->bytes[i] == c)
			return true;
	}
	return false;
}

/* Bytes of the file's name at the start of a command line, blanks behind it included. */
static size_t file_name(const struct model *m, const struct model_text *t)
{
	size_t end = first_word_end(t), rest = end;
	bool elf = end >= 4 && !memcmp(t->bytes + end - 4, ".elf", 4);

	while (rest < t->len && blank(t->bytes[rest]))
		rest++;
	if (!strcmp(m->bi.loader, "qemu"))
		return rest;
	return !has_byte(t, end, '=') && (elf || has_byte(t, end, '/')) ? rest : 0;
}

/* Where the last blank outside quotes is; 0: nowhere. */
static size_t last_break(const char *line)
{
	size_t len = strlen(line);

	for (size_t at = len; at-- > 0;) {
		unsigned int nr_quotes = 0;

		for (size_t i = 0; i < at; i++)
			nr_quotes += line[i] == '"';
		if (line[at] == ' ' && nr_quotes % 2 == 0)
			return at;
	}
	return 0;
}

void model_cmdline(struct model *m, const struct model_text *t)
{
	struct bootinfo *bi = &m->bi;
	bool whole = copy(t, file_name(m, t), t->len, bi->cmdline, sizeof(bi->cmdline));

	bi->cmdline_cut = !whole || t->cut;
	if (bi->cmdline_cut)
		bi->cmdline[last_break(bi->cmdline)] = '\0';
}

int model_module(struct model *m, uint32_t start, uint32_t end, const struct model_text *t)
{
	struct bootinfo *bi = &m->bi;
	struct boot_module *module = &bi->modules[bi->nr_modules];
	size_t name_end = first_word_end(t), name = name_end;

	if (start > end)
		return -EILSEQ;
	if (bi->nr_modules == BOOT_MODULES_MAX) {
		bi->nr_modules_dropped++;
		model_keep(m, start, end - start, "module without a name");
		return 0;
	}
	while (name && t->bytes[name - 1] != '/')
		name--;
	copy(t, name, name_end, module->name, sizeof(module->name));
	module->start = start;
	module->size = end - start;
	bi->nr_modules++;
	return 0;
}

void model_region(struct model *m, uint64_t start, uint64_t size, uint32_t type)
{
	struct bootinfo *bi = &m->bi;

	if (bi->nr_map < BOOT_MAP_MAX) {
		bi->map[bi->nr_map++] = (struct mem_region){ start, size, type };
		return;
	}
	bi->nr_map_dropped++;
	if (size && type != MEM_RAM && start < bi->map_trusted_end)
		bi->map_trusted_end = start;
}

void model_screen(struct model *m, uint64_t pa, uint64_t colours)
{
	struct boot_framebuffer *f = &m->bi.framebuffer;
	uint8_t type = (uint8_t)model_get(m, pa + 21, 1);

	m->bi.screen = type == 2 ? BOOT_SCREEN_TEXT : BOOT_SCREEN_GRAPHICS;
	if (type != 1 || !colours)
		return;
	f->pa = model_get(m, pa, 8);
	f->pitch = (uint32_t)model_get(m, pa + 8, 4);
	f->width = (uint32_t)model_get(m, pa + 12, 4);
	f->height = (uint32_t)model_get(m, pa + 16, 4);
	f->bpp = (uint8_t)model_get(m, pa + 20, 1);
	f->colours.red_pos = (uint8_t)model_get(m, colours, 1);
	f->colours.red_size = (uint8_t)model_get(m, colours + 1, 1);
	f->colours.green_pos = (uint8_t)model_get(m, colours + 2, 1);
	f->colours.green_size = (uint8_t)model_get(m, colours + 3, 1);
	f->colours.blue_pos = (uint8_t)model_get(m, colours + 4, 1);
	f->colours.blue_size = (uint8_t)model_get(m, colours + 5, 1);
}

int model_finish_memory(struct model *m, bool has_basic, uint32_t lower, uint32_t upper)
{
	if (m->bi.nr_map)
		return 0;
	if (has_basic && lower)
		model_region(m, 0, (uint64_t)lower << 10, MEM_RAM);
	if (has_basic && upper)
		model_region(m, MiB, (uint64_t)upper << 10, MEM_RAM);
	return m->bi.nr_map ? 0 : -ENOENT;
}

static void compare_lists(const struct bootinfo *want, const struct bootinfo *got)
{
	FUZZ_EQ(want->nr_map, got->nr_map);
	for (unsigned int i = 0; i < want->nr_map; i++) {
		FUZZ_EQ(want->map[i].start, got->map[i].start);
		FUZZ_EQ(want->map[i].size, got->map[i].size);
		FUZZ_EQ(want->map[i].type, got->map[i].type);
	}
	FUZZ_EQ(want->nr_modules, got->nr_modules);
	for (unsigned int i = 0; i < want->nr_modules; i++) {
		FUZZ_EQ(want->modules[i].start, got->modules[i].start);
		FUZZ_EQ(want->modules[i].size, got->modules[i].size);
		FUZZ_HOLDS(!strcmp(want->modules[i].name, got->modules[i].name));
	}
	FUZZ_EQ(want->nr_keep, got->nr_keep);
	for (unsigned int i = 0; i < want->nr_keep; i++) {
		FUZZ_EQ(want->keep[i].start, got->keep[i].start);
		FUZZ_EQ(want->keep[i].size, got->keep[i].size);
		FUZZ_HOLDS(!strcmp(want->keep[i].name, got->keep[i].name));
	}
}

static void compare_screens(const struct bootinfo *want, const struct bootinfo *got)
{
	const struct boot_framebuffer *a = &want->framebuffer, *b = &got->framebuffer;

	FUZZ_EQ(want->screen, got->screen);
	FUZZ_EQ(a->pa, b->pa);
	FUZZ_EQ(a->pitch, b->pitch);
	FUZZ_EQ(a->width, b->width);
	FUZZ_EQ(a->height, b->height);
	FUZZ_EQ(a->bpp, b->bpp);
	FUZZ_HOLDS(!memcmp(&a->colours, &b->colours, sizeof(a->colours)));
}

void model_compare(const struct model *m, int want, const struct bootinfo *got, int err)
{
	FUZZ_EQ(want, err);
	if (err)
		return;
	FUZZ_HOLDS(!strcmp(m->bi.protocol, got->protocol));
	FUZZ_HOLDS(!strcmp(m->bi.loader, got->loader));
	FUZZ_HOLDS(!strcmp(m->bi.cmdline, got->cmdline));
	FUZZ_EQ(m->bi.cmdline_cut, got->cmdline_cut);
	FUZZ_EQ(m->bi.nr_map_dropped, got->nr_map_dropped);
	FUZZ_EQ(m->bi.map_trusted_end, got->map_trusted_end);
	FUZZ_EQ(m->bi.nr_modules_dropped, got->nr_modules_dropped);
	FUZZ_EQ(m->bi.acpi_rsdp, got->acpi_rsdp);
	compare_lists(&m->bi, got);
	compare_screens(&m->bi, got);
}
