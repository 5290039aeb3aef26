/*
 * fill.c - reading what a boot loader left, and writing it down in struct bootinfo.
 *
 * THEORY.  Everything a loader says is a claim.  Addresses may lead nowhere, lengths may be
 * anything, texts may never end.  So no pointer into the loader's memory exists outside this
 * file: the parsers ask for copies of fixed size (boot_read) or for texts (boot_find_text and
 * the setters), and each byte read lies in a window that the reader granted for it.
 *
 * A text of unknown length is read through windows that end at a multiple of BOOT_READER_MAX,
 * which is a multiple of the page size: no window reaches into a page that does not hold part
 * of the text, so a text at the end of memory is read like any other.  BOOT_ADDR_END is such a
 * multiple, too.
 *
 * INVARIANTS
 *   F1  a window is used only until the next call of the reader;
 *   F2  a window is at most BOOT_READER_MAX bytes and lies below BOOT_ADDR_END;
 *   F3  every array of struct bootinfo has room for what its count says; the surplus is counted;
 *   F4  every text in struct bootinfo ends with a NUL and holds printable ASCII only: it goes to
 *       consoles, and a stray escape sequence there is as good as a forged log line.
 *
 * CONTEXT.  Boot, once; no allocation, no locks, no output: the caller prints what it gets.
 *
 * NOT HERE.  The protocols: multiboot1.c, multiboot2.c.  What a map means: arch/x86/e820.c.
 */
#include "fill.h"

#include <quarry/align.h>
#include <quarry/errno.h>
#include <quarry/sizes.h>
#include <quarry/string.h>

#define CURSOR_END (-1)

/* Reads a text byte by byte, through one window after the other. */
struct boot_cursor {
	struct boot_reader *r;
	phys_addr_t pa; /* of the next byte */
	size_t left;    /* bytes that may still be read */
	const uint8_t *window;
	size_t window_left;
	bool fault;
};

QAPI void boot_start(struct bootinfo *bi, const char *protocol)
{
	memset(bi, 0, sizeof(*bi));
	bi->protocol = protocol;
	bi->map_trusted_end = MAP_TRUSTED_ALL;
}

static bool range_is_addressable(phys_addr_t pa, size_t size)
{
	return pa < BOOT_ADDR_END && size <= BOOT_ADDR_END - pa;
}

QAPI int boot_read(struct boot_reader *r, phys_addr_t pa, void *dst, size_t size)
{
	const void *from;

	if (!range_is_addressable(pa, size))
		return -EFAULT;
	from = r->map(r, pa, size);
	if (!from)
		return -EFAULT;
	memcpy(dst, from, size);
	return 0;
}

static void cursor_start(struct boot_cursor *c, struct boot_reader *r, phys_addr_t pa, size_t left)
{
	*c = (struct boot_cursor){ .r = r, .pa = pa, .left = left };
}

static bool cursor_open_window(struct boot_cursor *c)
{
	size_t to_boundary = BOOT_READER_MAX - (size_t)(c->pa & (BOOT_READER_MAX - 1));

	if (c->pa >= BOOT_ADDR_END)
		return false;
	c->window_left = min(c->left, to_boundary);
	c->window = c->r->map(c->r, c->pa, c->window_left);
	return c->window;
}

/* The next byte, or CURSOR_END at the end and at the first byte that cannot be read. */
static int cursor_next(struct boot_cursor *c)
{
	if (!c->left)
		return CURSOR_END;
	if (!c->window_left && !cursor_open_window(c)) {
		c->fault = true;
		c->left = 0;
		return CURSOR_END;
	}
	c->left--;
	c->window_left--;
	c->pa++;
	return *c->window++;
}

QAPI int boot_find_text(struct boot_reader *r, struct boot_text *t, phys_addr_t pa, size_t room)
{
	struct boot_cursor c;
	int byte;

	*t = (struct boot_text){ .pa = pa };
	cursor_start(&c, r, pa, room);
	while ((byte = cursor_next(&c)) > 0)
		t->len++;
	t->cut = byte == CURSOR_END;
	return c.fault ? -EFAULT : 0;
}

static bool is_blank(int byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static char printable(int byte)
{
	if (is_blank(byte))
		return ' ';
	return byte > ' ' && byte <= '~' ? (char)byte : '?';
}

/* Copy what fits of @t, from its byte @skip on.  Return: 0; -E2BIG when some did not; -EFAULT. */
static int copy_text(struct boot_reader *r, const struct boot_text *t, size_t skip, char *dst,
		     size_t size)
{
	struct boot_cursor c;
	size_t len = 0;
	int byte;

	cursor_start(&c, r, t->pa + skip, t->len - skip);
	while (len < size - 1 && (byte = cursor_next(&c)) != CURSOR_END)
		dst[len++] = printable(byte);
	dst[len] = '\0';
	if (c.fault)
		return -EFAULT;
	return c.left ? -E2BIG : 0;
}

QAPI int boot_set_loader(struct bootinfo *bi, struct boot_reader *r, const struct boot_text *t)
{
	int err = copy_text(r, t, 0, bi->loader, sizeof(bi->loader));

	return err == -E2BIG ? 0 : err;
}

/* What the first word of a text looks like. */
struct first_word {
	size_t len;
	size_t blanks; /* after it */
	bool has_equals;
	bool has_slash;
	bool ends_in_elf;
};

static int scan_first_word(struct boot_reader *r, const struct boot_text *t, struct first_word *w)
{
	const uint32_t elf = '.' << 24 | 'e' << 16 | 'l' << 8 | 'f';
	struct boot_cursor c;
	uint32_t last4 = 0;
	int byte;

	*w = (struct first_word){ 0 };
	cursor_start(&c, r, t->pa, t->len);
	while ((byte = cursor_next(&c)) != CURSOR_END && !is_blank(byte)) {
		w->len++;
		w->has_equals |= byte == '=';
		w->has_slash |= byte == '/';
		last4 = last4 << 8 | (uint32_t)byte;
	}
	w->ends_in_elf = last4 == elf;
	for (; byte != CURSOR_END && is_blank(byte); byte = cursor_next(&c))
		w->blanks++;
	return c.fault ? -EFAULT : 0;
}

/*
 * Is the first word the kernel's file name?  QEMU always passes it, GRUB 2 and v86 never do,
 * others (GRUB Legacy) do as they please.  So with QEMU, whatever it looks like; with the others
 * if it is a path or an ELF file's name and gives nothing a value: no boot option is like that,
 * because an option that takes a path has a '=' before it.
 */
static bool is_file_name(const struct bootinfo *bi, const struct first_word *w)
{
	if (!strcmp(bi->loader, "qemu"))
		return true;
	return !w->has_equals && (w->has_slash || w->ends_in_elf);
}

/*
 * Half an option would be another option ("mem=1" for "mem=128M"): a cut loses whole words.
 * Blanks between double quotes do not end one.
 */
static void drop_last_word(char *text)
{
	bool quoted = false;
	size_t end = 0;

	for (size_t i = 0; text[i]; i++) {
		quoted ^= text[i] == '"';
		if (text[i] == ' ' && !quoted)
			end = i;
	}
	text[end] = '\0';
}

QAPI int boot_set_cmdline(struct bootinfo *bi, struct boot_reader *r, const struct boot_text *t)
{
	struct first_word w;
	size_t skip;
	int err;

	err = scan_first_word(r, t, &w);
	if (err)
		return err;
	skip = is_file_name(bi, &w) ? w.len + w.blanks : 0;
	err = copy_text(r, t, skip, bi->cmdline, sizeof(bi->cmdline));
	if (err == -EFAULT)
		return err;
	bi->cmdline_cut = err == -E2BIG || t->cut;
	if (bi->cmdline_cut)
		drop_last_word(bi->cmdline);
	return 0;
}

/* Where the last component of the first word's path starts, and how long it is. */
static int find_base_name(struct boot_reader *r, const struct boot_text *t, struct boot_text *name)
{
	struct boot_cursor c;
	int byte;

	*name = (struct boot_text){ .pa = t->pa };
	cursor_start(&c, r, t->pa, t->len);
	while ((byte = cursor_next(&c)) != CURSOR_END && !is_blank(byte)) {
		name->len++;
		if (byte == '/')
			*name = (struct boot_text){ .pa = c.pa };
	}
	return c.fault ? -EFAULT : 0;
}

QAPI int boot_add_module(struct bootinfo *bi, struct boot_reader *r, uint32_t start, uint32_t end,
			 const struct boot_text *t)
{
	struct boot_module *m = &bi->modules[bi->nr_modules];
	struct boot_text name;
	int err;

	if (end < start)
		return -EILSEQ;
	if (bi->nr_modules == BOOT_MODULES_MAX) {
		bi->nr_modules_dropped++;
		boot_add_keep(bi, start, end - start, "module without a name");
		return 0;
	}
	err = find_base_name(r, t, &name);
	if (err)
		return err;
	m->start = start;
	m->size = end - start;
	err = copy_text(r, &name, 0, m->name, sizeof(m->name));
	if (err == -EFAULT)
		return err;
	bi->nr_modules++;
	return 0;
}

/* A dropped RAM entry is RAM lost.  A dropped entry of any other type might have forbidden RAM. */
static void drop_region(struct bootinfo *bi, const struct mem_region *region)
{
	bi->nr_map_dropped++;
	if (region->size && region->type != MEM_RAM)
		bi->map_trusted_end = min(bi->map_trusted_end, region->start);
}

QAPI void boot_add_region(struct bootinfo *bi, const struct mem_region *region)
{
	if (bi->nr_map == BOOT_MAP_MAX)
		drop_region(bi, region);
	else
		bi->map[bi->nr_map++] = *region;
}

QAPI void boot_add_basic_memory(struct bootinfo *bi, uint32_t lower_kib, uint32_t upper_kib)
{
	const struct mem_region lower = { 0, (phys_addr_t)lower_kib * KiB, MEM_RAM };
	const struct mem_region upper = { MiB, (phys_addr_t)upper_kib * KiB, MEM_RAM };

	if (lower.size)
		boot_add_region(bi, &lower);
	if (upper.size)
		boot_add_region(bi, &upper);
}

QAPI void boot_set_screen(struct bootinfo *bi, uint8_t type)
{
	bi->screen = type == BOOT_FRAMEBUFFER_TEXT ? BOOT_SCREEN_TEXT : BOOT_SCREEN_GRAPHICS;
}

QAPI void boot_add_keep(struct bootinfo *bi, phys_addr_t start, phys_addr_t size, const char *name)
{
	if (size && bi->nr_keep < BOOT_KEEP_MAX)
		bi->keep[bi->nr_keep++] = (struct boot_keep){ start, size, name };
}
