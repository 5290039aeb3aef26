/*
 * parse_e820.c - lists, texts and boot options become maps, as an oracle says.
 *
 * IDEA.  The input is a list in a short form, in which entries easily meet each other, and a text:
 * a map to be read, or directives of memmap=, both of which a second parser reads as well.  What
 * the list says is then sanitised and cut, and compared page by page with tests/boot's oracle.
 * The oracle asks about the pages around each entry; the totals that it does not know are summed up
 * here, over the stretches between those pages: along a stretch nothing changes.
 *
 * STATE.  Lists, kept static for their size.
 *
 * INVARIANTS.  A list that was refused is left as the model says; a map passes e820_check().
 *
 * CONTEXT.  A fuzz target.
 */
#include "../boot/e820_oracle.h"
#include "fuzz.h"
#include "numbers.h"
#include "verdict.h"

#include <quarry/align.h>
#include <quarry/errno.h>
#include <quarry/sizes.h>
#include <quarry/string.h>

#define LIST_MAX  48u
#define ROOM      4u /* entries that directives may add */
#define OUT_MAX   (2 * (LIST_MAX + ROOM) + 3)
#define EDGES_MAX (4 * (LIST_MAX + ROOM) + 8)
#define TEXT_MAX  1024u

static struct mem_region regions[LIST_MAX + ROOM], before[LIST_MAX + ROOM], out[OUT_MAX],
	scratch[OUT_MAX];
static struct e820_list list, model;

/* ---- a list from bytes -------------------------------------------------------------------- */

/* Where things turn; entries of one input lie around few of them. */
static const uint64_t centres[] = { 0x4000,  0xA0000, 0x100000,
				    4 * GiB, 0x10000, 0xFFFFFFFFFFFF8000ull };

/*
 * First byte: bits 0-2 the centre, or anywhere; 3: whole pages; 4: the size is negative.  Second
 * byte: the type; 0xFF: any.
 */
static struct mem_region take_region(struct fuzz_bytes *b)
{
	uint8_t shape = fuzz_u8(b), type = fuzz_u8(b);
	unsigned int centre = shape & 7;
	struct mem_region r;

	if (centre < ARRAY_SIZE(centres)) {
		r.start = centres[centre] + fuzz_u16(b) - 0x8000;
		r.size = fuzz_u16(b);
	} else {
		r.start = fuzz_u64(b);
		r.size = fuzz_u64(b);
	}
	if (shape & 8) {
		r.start &= ~0xFFFull;
		r.size &= ~0xFFFull;
	}
	if (shape & 16)
		r.size = 0 - r.size;
	r.type = type == 0xFF ? fuzz_u32(b) : type % 8;
	return r;
}

/* ---- text, a second time -------------------------------------------------------------------- */

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static char *skip(char *s)
{
	while (blank(*s))
		s++;
	return s;
}

/* "0x..." at *@s, stepped over. */
static bool hex_at(char **s, phys_addr_t *value)
{
	struct model_number n = model_number(*s, false);

	if (n.err || memcmp(*s, "0x", 2))
		return false;
	*s += n.len;
	*value = n.value;
	return true;
}

static bool type_by_name(const char *s, uint32_t *type)
{
	static const char *const names[] = {
		"1usable",    "2reserved", "2soft reserved", "2device reserved",
		"3ACPI data", "4ACPI NVS", "5unusable",      "7persistent",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		size_t len = strlen(names[i] + 1);
		const char *rest = s + len;

		if (strlen(s) < len || memcmp(s, names[i] + 1, len) || (*rest && !blank(*rest)))
			continue;
		while (blank(*rest))
			rest++;
		*type = (uint32_t)(names[i][0] - '0');
		return !*rest || *rest == '(';
	}
	return false;
}

static bool type_at(char *s, uint32_t *type)
{
	struct model_number n;

	if (type_by_name(s, type))
		return true;
	if (!memcmp(s, "type", 4) && (!s[4] || blank(s[4])))
		s = skip(s + 4);
	n = model_number(s, false);
	if (n.err || *skip(s + n.len) || n.value >> 32)
		return false;
	*type = (uint32_t)n.value;
	return true;
}

/* From the first number of "[mem 0xFIRST-0xLAST] TYPE" on. */
static bool log_line(char *s, struct mem_region *r)
{
	phys_addr_t last;

	if (!hex_at(&s, &r->start) || *s++ != '-' || !hex_at(&s, &last) || *s++ != ']')
		return false;
	if (last < r->start && r->start - last > 1)
		return false;
	r->size = last - r->start;
	if (r->size != UINT64_MAX || last < r->start) /* else one more than fits */
		r->size++;
	return type_at(skip(s), &r->type);
}

static bool plain_line(char *s, struct mem_region *r)
{
	if (!hex_at(&s, &r->start) || skip(s) == s)
		return false;
	s = skip(s);
	return hex_at(&s, &r->size) && skip(s) != s && type_at(skip(s), &r->type);
}

enum line_kind { LINE_EMPTY, LINE_ENTRY, LINE_WRONG };

/* @r: the entry, if @line of @len bytes has one. */
static enum line_kind model_line(const char *line, size_t len, struct mem_region *r)
{
	char copy[160 + 8] = ""; /* ends in NULs: no comparison of a word runs over */
	char *log;

	if (len >= 160)
		return LINE_WRONG;
	for (size_t i = 0; i < len; i++) {
		if (!line[i])
			return LINE_WRONG;
	}
	for (size_t i = 0; i < len && line[i] != '#'; i++)
		copy[i] = line[i];
	if (!*skip(copy))
		return LINE_EMPTY;
	log = strstr(copy, "[mem ");
	return (log ? log_line(log + 5, r) : plain_line(skip(copy), r)) ? LINE_ENTRY : LINE_WRONG;
}

static int model_text(const char *text, size_t len, unsigned int *line)
{
	size_t start = 0;

	*line = 0;
	model.nr = 0;
	while (start < len) {
		size_t end = start;
		struct mem_region r;
		enum line_kind kind;

		while (end < len && text[end] != '\n')
			end++;
		(*line)++;
		kind = model_line(text + start, end - start, &r);
		if (kind == LINE_WRONG || (kind == LINE_ENTRY && model.nr == model.cap)) {
			model.nr = 0;
			return kind == LINE_WRONG ? -EILSEQ : -ENOSPC;
		}
		if (kind == LINE_ENTRY)
			model.region[model.nr++] = r;
		start = end + 1;
	}
	return 0;
}

static bool same_lists(void)
{
	if (list.nr != model.nr)
		return false;
	for (unsigned int i = 0; i < list.nr; i++) {
		const struct mem_region *a = &list.region[i], *b = &model.region[i];

		if (a->start != b->start || a->size != b->size || a->type != b->type)
			return false;
	}
	return true;
}

static void check_text(const char *text, size_t len)
{
	unsigned int line, want_line;
	int want = model_text(text, len, &want_line);

	FUZZ_EQ(want, e820_parse_text(&list, text, len, &line));
	FUZZ_EQ(want_line, line);
	FUZZ_HOLDS(same_lists());
}

/* ---- directives, a second time -------------------------------------------------------------- */

/* RAM bytes at and above the page of @limit go, entry by entry. */
static void model_limit(uint64_t limit)
{
	unsigned int nr = 0;

	limit -= limit % ORACLE_PAGE;
	for (unsigned int i = 0; i < model.nr; i++) {
		struct mem_region r = model.region[i];

		if (r.type == MEM_RAM && r.start >= limit)
			r.size = 0;
		else if (r.type == MEM_RAM && limit - r.start < r.size)
			r.size = limit - r.start;
		if (r.size)
			model.region[nr++] = r;
	}
	model.nr = nr;
}

static int model_range(const char *text, uint64_t size)
{
	static const char signs[] = "@$#"; /* RAM, reserved, ACPI: 1, 2, 3 */
	const char *sign = *text ? strchr(signs, *text) : NULL;
	struct model_number start;

	if (!sign)
		return -EINVAL;
	start = model_number(text + 1, true);
	if (start.err)
		return start.err;
	if (text[1 + start.len])
		return -EINVAL;
	if (model.nr < model.cap) {
		model.region[model.nr++] =
			(struct mem_region){ start.value, size, (uint32_t)(sign - signs) + 1 };
		return 0;
	}
	if (*sign != '@')
		model_limit(start.value);
	return -ENOSPC;
}

/* One directive, alone. */
static int model_directive(const char *text)
{
	struct model_number size = model_number(text, true);

	if (!strcmp(text, "exactmap")) {
		model.nr = 0;
		return 0;
	}
	if (size.err || !size.value)
		return size.err ? size.err : -EINVAL;
	if (text[size.len])
		return model_range(text + size.len, size.value);
	model_limit(size.value);
	return 0;
}

static int model_memmap(const char *text)
{
	char one[TEXT_MAX + 1];
	int err = 0;

	for (; !err; text++) {
		size_t len = 0;

		while (text[len] && text[len] != ',')
			len++;
		memcpy(one, text, len);
		one[len] = '\0';
		err = model_directive(one);
		text += len;
		if (!*text)
			break;
	}
	return err;
}

static int model_mem(const char *text)
{
	struct model_number n = model_number(text, true);

	if (n.err)
		return n.err;
	if (text[n.len] || !n.value)
		return -EINVAL;
	model_limit(n.value);
	return 0;
}

static void check_option(const char *text, bool is_mem)
{
	int want = is_mem ? model_mem(text) : model_memmap(text);

	FUZZ_EQ(want, is_mem ? e820_apply_mem(&list, text) : e820_apply_memmap(&list, text));
	FUZZ_HOLDS(same_lists());
}

/* ---- maps ----------------------------------------------------------------------------------- */

static uint64_t edges[EDGES_MAX]; /* page numbers, sorted: where anything may change */
static unsigned int nr_edges;

static void add_edge(uint64_t page)
{
	unsigned int i = nr_edges;

	if (page >= ORACLE_PAGES)
		return;
	for (; i && edges[i - 1] > page; i--)
		edges[i] = edges[i - 1];
	edges[i] = page;
	nr_edges++;
}

/* Along the pages between two of these, each entry covers all bytes or none. */
static void find_edges(void)
{
	nr_edges = 0;
	add_edge(0);
	add_edge(0xA0);
	add_edge(0x100);
	for (unsigned int i = 0; i < list.nr; i++) {
		uint64_t last = list.region[i].start + list.region[i].size - 1;

		if (last < list.region[i].start)
			last = UINT64_MAX;
		add_edge(list.region[i].start / ORACLE_PAGE);
		add_edge(list.region[i].start / ORACLE_PAGE + 1);
		add_edge(last / ORACLE_PAGE);
		add_edge(last / ORACLE_PAGE + 1);
	}
}

/* Is there a RAM entry that has all bytes of @page? */
static bool one_fills(uint64_t page)
{
	for (unsigned int i = 0; i < list.nr; i++) {
		const struct mem_region *r = &list.region[i];
		uint64_t from = page * ORACLE_PAGE - r->start;

		if (r->type == MEM_RAM && page * ORACLE_PAGE >= r->start && r->size > from &&
		    r->size - from >= ORACLE_PAGE)
			return true;
	}
	return false;
}

/* The report, out of definitions. */
static void check_report(const struct e820_report *rep)
{
	struct e820_report want = { 0 };

	find_edges();
	for (unsigned int i = 0; i < nr_edges; i++) {
		uint64_t next = i + 1 < nr_edges ? edges[i + 1] : ORACLE_PAGES;
		uint32_t type = oracle_page_type(list.region, list.nr, edges[i]);
		uint64_t size = (next - edges[i]) * ORACLE_PAGE;

		if (type == MEM_RAM)
			want.ram += size;
		else if (one_fills(edges[i]))
			want.conflict += size;
	}
	for (unsigned int i = 0; i < list.nr; i++) {
		const struct mem_region *r = &list.region[i];

		want.nr_empty += !r->size;
		want.nr_wrapped += r->size > 0 && r->start > UINT64_MAX - (r->size - 1);
		want.nr_unknown += r->size && (r->type < MEM_RAM || r->type > MEM_BAD);
		want.nr_partial += r->size && (r->start % ORACLE_PAGE || r->size % ORACLE_PAGE);
	}
	FUZZ_EQ(want.ram, rep->ram);
	FUZZ_EQ(want.conflict, rep->conflict);
	FUZZ_EQ(want.nr_empty, rep->nr_empty);
	FUZZ_EQ(want.nr_wrapped, rep->nr_wrapped);
	FUZZ_EQ(want.nr_unknown, rep->nr_unknown);
	FUZZ_EQ(want.nr_partial, rep->nr_partial);
}

static void check_map(struct ktest *t, uint64_t seed, bool with_limits)
{
	struct e820_report rep;
	unsigned int nr = expect_sanitized(t, list.region, list.nr, out, OUT_MAX);

	FUZZ_EQ(nr, e820_sanitize(list.region, list.nr, out, OUT_MAX, &rep));
	check_report(&rep);
	if (!with_limits)
		return;
	list = (struct e820_list){ out, nr, OUT_MAX };
	e820_limit_ram(&list, 64 * GiB >> seed % 8); /* else there are more cuts than time */
	expect_struct_pages_fit(t, out, list.nr, scratch, (unsigned long)(16 + seed % 880) * MiB,
				1 + (unsigned int)(seed >> 16) % 100);
}

/*
 * First byte: how many entries; second: what the text is (bits 0-1), how many entries more there is
 * room for, and whether the limits are tried (bit 7); then three of a seed.
 */
static void run(const unsigned char *data, unsigned long size)
{
	struct fuzz_bytes b = { data, size, 0 };
	unsigned int nr = fuzz_u8(&b) % (LIST_MAX + 1), kind = fuzz_u8(&b);
	uint64_t seed = fuzz_u16(&b) | (uint64_t)fuzz_u8(&b) << 16;
	char text[TEXT_MAX + 1];
	struct ktest *t = verdict_start(seed);
	size_t len;

	list = (struct e820_list){ regions, nr, nr + kind / 4 % (ROOM + 1) };
	model = (struct e820_list){ before, nr, list.cap };
	for (unsigned int i = 0; i < nr; i++) {
		regions[i] = take_region(&b);
		before[i] = regions[i];
	}
	len = fuzz_text(&b, text, sizeof(text));
	if (kind % 4 == 1)
		check_text(text, len);
	else if (kind % 4 >= 2)
		check_option(text, kind % 4 == 2);
	check_map(t, seed, kind & 0x80);
	verdict_end();
}

const struct fuzz_target fuzz_target = {
	.name = "e820",
	.where = FUZZ_IN_PROCESS,
	.header = 5,
	.size_max = 2048,
	.run = run,
};
