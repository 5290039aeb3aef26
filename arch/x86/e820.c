/*
 * e820.c - from what a firmware says about memory to a map that can be relied on.
 *
 * THEORY.  Each entry of a list is a statement about some bytes.  A page's fate depends only on
 * which entries touch it and which cover it, and that changes only at a few page numbers, four an
 * entry:
 *
 *	   page |     |     |     |     |     |
 *	  entry     [=================]
 *	          ^     ^           ^     ^
 *	    touched   full        full   touched	(start rounded both ways, end likewise)
 *
 * So e820_sanitize() sweeps from page 0 upwards: look at the page, decide, and go on at the next
 * such number of any entry; every page in between has the same fate.  What comes out is sorted and
 * disjoint by construction, needs no memory but the result, and costs one pass over the entries
 * for each of at most 4 * nr + 3 stops.
 *
 * Entries are held as [start, last]: the exclusive end of one that reaches 2^64 has no 64-bit
 * value.  Results have an end, because the sweep stops before the last page of the space.
 *
 * The limit for struct pages is a greatest fixed point.  Let limit(end) be the highest address
 * whose struct pages fit into half of the lowmem RAM below end.  An end is good if it is at most
 * limit(end).  limit() never falls as end rises; so if end is not good, no good one lies between
 * limit(end) and end, and the search may jump to limit(end).  Where it stops is the highest one.
 *
 * INVARIANTS, all checked by e820_check(): the map is sorted, disjoint, merged and page-aligned;
 * no entry is empty or reaches 2^64; all types are known; no RAM lies in the legacy hole.
 *
 * CONTEXT.  Any.  No state, no locks, no output.
 *
 * NOT HERE.  Where the list comes from: boot/.  Who owns which reserved range: mm/memblock.c.
 */
#include <quarry/e820.h>

#include <quarry/align.h>
#include <quarry/asm/layout.h>
#include <quarry/errno.h>
#include <quarry/sizes.h>
#include <quarry/string.h>

/* VGA memory, adapter ROMs and the BIOS: some maps leave this out, some call it RAM. */
#define LEGACY_HOLE_START 0xA0000ull
#define LEGACY_HOLE_END   0x100000ull

static const struct mem_region legacy_hole = {
	LEGACY_HOLE_START,
	LEGACY_HOLE_END - LEGACY_HOLE_START,
	MEM_RESERVED,
};

/* The sweep's end, a page number: one page short of 2^64 bytes. */
#define SWEEP_END (UINT64_MAX >> PAGE_SHIFT)

/* ---- types -------------------------------------------------------------------------------- */

static bool type_is_known(uint32_t type)
{
	return type >= MEM_RAM && type <= MEM_BAD;
}

/* Whose word counts where two disagree: the higher. */
static unsigned int strictness(uint32_t type)
{
	switch (type) {
	case MEM_RAM:
		return 1;
	case MEM_ACPI_RECLAIM:
		return 2;
	case MEM_ACPI_NVS:
		return 4;
	case MEM_BAD:
		return 5;
	default:
		return 3; /* reserved, and what nobody knows */
	}
}

QAPI const char *e820_type_name(uint32_t type)
{
	switch (type) {
	case MEM_RAM:
		return "usable";
	case MEM_RESERVED:
		return "reserved";
	case MEM_ACPI_RECLAIM:
		return "ACPI data";
	case MEM_ACPI_NVS:
		return "ACPI NVS";
	case MEM_BAD:
		return "unusable";
	default:
		return "unknown";
	}
}

/* ---- sanitising --------------------------------------------------------------------------- */

/* One entry, not empty: bytes [start, last], and the pages that it touches and fills. */
struct span {
	uint64_t start, last;
	uint64_t touch_start, touch_end;
	uint64_t full_start, full_end;
	uint32_t type; /* of enum mem_type */
};

static bool region_wraps(const struct mem_region *r)
{
	return r->size && r->start + (r->size - 1) < r->start;
}

static bool span_of(const struct mem_region *r, struct span *s)
{
	if (!r->size)
		return false;
	s->start = r->start;
	s->last = region_wraps(r) ? UINT64_MAX : r->start + (r->size - 1);
	s->touch_start = s->start >> PAGE_SHIFT;
	s->touch_end = (s->last >> PAGE_SHIFT) + 1;
	s->full_start = s->touch_start + !IS_ALIGNED(s->start, PAGE_SIZE);
	s->full_end = s->touch_end - !IS_ALIGNED(s->last + 1, PAGE_SIZE);
	s->type = type_is_known(r->type) ? r->type : MEM_RESERVED;
	return true;
}

/* A run of pages of one type; type 0 is a hole. */
struct run {
	uint64_t start, end; /* page numbers */
	uint32_t type;
};

struct sweep {
	const struct mem_region *in;
	unsigned int nr_in;
	struct mem_region *out;
	unsigned int nr_out, cap;
	struct run run; /* grows until something else follows it */
	struct e820_report *rep;
};

/* What all entries together say about a page, and up to where that stays true. */
struct view {
	uint64_t next;      /* page number */
	uint32_t forbidden; /* the strictest type but RAM, or 0 */
	bool ram_touches, ram_fills;
};

/* The entries, and the legacy hole as one more. */
static const struct mem_region *sweep_entry(const struct sweep *sw, unsigned int i)
{
	return i < sw->nr_in ? &sw->in[i] : &legacy_hole;
}

static void view_bound(struct view *v, uint64_t page, uint64_t change)
{
	if (change > page && change < v->next)
		v->next = change;
}

static void view_add(struct view *v, uint64_t page, const struct span *s)
{
	view_bound(v, page, s->touch_start);
	view_bound(v, page, s->full_start);
	view_bound(v, page, s->full_end);
	view_bound(v, page, s->touch_end);
	if (page < s->touch_start || page >= s->touch_end)
		return;
	if (s->type == MEM_RAM) {
		v->ram_touches = true;
		v->ram_fills |= page >= s->full_start && page < s->full_end;
	} else if (!v->forbidden || strictness(s->type) > strictness(v->forbidden)) {
		v->forbidden = s->type;
	}
}

static void view_page(const struct sweep *sw, uint64_t page, struct view *v)
{
	struct span s;

	*v = (struct view){ .next = SWEEP_END };
	for (unsigned int i = 0; i <= sw->nr_in; i++) {
		if (span_of(sweep_entry(sw, i), &s))
			view_add(v, page, &s);
	}
}

/* How far does the RAM entry that reaches farthest from byte @pos on reach?  false: none has it. */
static bool ram_reach(const struct sweep *sw, uint64_t pos, uint64_t *last)
{
	bool found = false;
	struct span s;

	for (unsigned int i = 0; i < sw->nr_in; i++) {
		if (!span_of(&sw->in[i], &s) || s.type != MEM_RAM || s.start > pos || s.last < pos)
			continue;
		*last = found ? max(*last, s.last) : s.last;
		found = true;
	}
	return found;
}

/* Do several RAM entries together cover every byte of a page that none of them fills? */
static bool ram_covers(const struct sweep *sw, uint64_t page)
{
	uint64_t pos = page << PAGE_SHIFT;
	uint64_t page_last = pos | (PAGE_SIZE - 1);
	uint64_t last;

	while (ram_reach(sw, pos, &last)) {
		if (last >= page_last)
			return true;
		pos = last + 1;
	}
	return false;
}

static uint32_t page_type(const struct sweep *sw, uint64_t page, const struct view *v)
{
	if (v->forbidden)
		return v->forbidden;
	if (v->ram_fills || (v->ram_touches && ram_covers(sw, page)))
		return MEM_RAM;
	return 0;
}

/* The run is complete: put it into the result. */
static void sweep_flush(struct sweep *sw)
{
	const struct run *run = &sw->run;
	phys_addr_t size = (run->end - run->start) << PAGE_SHIFT;

	if (!run->type)
		return;
	if (sw->nr_out == sw->cap) {
		sw->rep->nr_dropped++;
		if (run->type == MEM_RAM)
			sw->rep->dropped_ram += size;
		return;
	}
	if (run->type == MEM_RAM)
		sw->rep->ram += size;
	sw->out[sw->nr_out++] = (struct mem_region){ run->start << PAGE_SHIFT, size, run->type };
}

static void sweep_emit(struct sweep *sw, uint64_t start, uint64_t end, uint32_t type)
{
	if (type != sw->run.type) {
		sweep_flush(sw);
		sw->run = (struct run){ .start = start, .type = type };
	}
	sw->run.end = end; /* stretches follow each other without gaps */
}

static void report_entries(const struct mem_region *in, unsigned int nr, struct e820_report *rep)
{
	*rep = (struct e820_report){ 0 };
	for (unsigned int i = 0; i < nr; i++) {
		if (!in[i].size) {
			rep->nr_empty++;
			continue;
		}
		rep->nr_wrapped += region_wraps(&in[i]);
		rep->nr_unknown += !type_is_known(in[i].type);
		rep->nr_partial += !IS_ALIGNED(in[i].start | in[i].size, PAGE_SIZE);
	}
}

QAPI unsigned int e820_sanitize(const struct mem_region *in, unsigned int nr_in,
				struct mem_region *out, unsigned int cap, struct e820_report *rep)
{
	struct sweep sw = { .in = in, .nr_in = nr_in, .out = out, .cap = cap, .rep = rep };
	struct view v;

	report_entries(in, nr_in, rep);
	for (uint64_t page = 0; page < SWEEP_END; page = v.next) {
		view_page(&sw, page, &v);
		if (v.forbidden && v.ram_fills)
			rep->conflict += (v.next - page) << PAGE_SHIFT;
		sweep_emit(&sw, page, v.next, page_type(&sw, page, &v));
	}
	sweep_flush(&sw);
	return sw.nr_out;
}

/* ---- the validator ------------------------------------------------------------------------ */

static unsigned int check_entry(const struct mem_region *r)
{
	phys_addr_t end = r->start + r->size;
	unsigned int nr_bad = 0;

	nr_bad += !r->size;
	nr_bad += end < r->start;
	nr_bad += !IS_ALIGNED(r->start | r->size, PAGE_SIZE);
	nr_bad += !type_is_known(r->type);
	nr_bad += r->type == MEM_RAM && r->start < LEGACY_HOLE_END && end > LEGACY_HOLE_START;
	return nr_bad;
}

QAPI unsigned int e820_check(const struct mem_region *map, unsigned int nr)
{
	unsigned int nr_bad = 0;

	for (unsigned int i = 0; i < nr; i++) {
		phys_addr_t before = i ? map[i - 1].start + map[i - 1].size : 0;

		nr_bad += check_entry(&map[i]);
		nr_bad += map[i].start < before;
		nr_bad += i && map[i].start == before && map[i].type == map[i - 1].type;
	}
	return nr_bad;
}

/* ---- limits ------------------------------------------------------------------------------- */

QAPI phys_addr_t e820_limit_ram(struct e820_list *l, phys_addr_t limit)
{
	phys_addr_t left_out = 0;
	unsigned int nr = 0;

	limit = ALIGN_DOWN(limit, PAGE_SIZE);
	for (unsigned int i = 0; i < l->nr; i++) {
		struct mem_region r = l->region[i];

		if (r.type == MEM_RAM) {
			phys_addr_t room = r.start < limit ? limit - r.start : 0;
			phys_addr_t size = min(r.size, room);

			left_out += r.size - size;
			r.size = size;
		}
		if (r.size)
			l->region[nr++] = r;
	}
	l->nr = nr;
	return left_out;
}

static phys_addr_t ram_end(const struct e820_list *map)
{
	for (unsigned int i = map->nr; i > 0; i--) {
		const struct mem_region *r = &map->region[i - 1];

		if (r->type == MEM_RAM)
			return r->start + r->size;
	}
	return 0;
}

static unsigned long ram_below(const struct e820_list *map, unsigned long end)
{
	unsigned long sum = 0;

	for (unsigned int i = 0; i < map->nr; i++) {
		const struct mem_region *r = &map->region[i];

		if (r->type == MEM_RAM && r->start < end)
			sum += (unsigned long)min(r->size, end - r->start);
	}
	return sum;
}

static phys_addr_t struct_pages_size(phys_addr_t end, unsigned int size)
{
	return ALIGN_UP(end >> PAGE_SHIFT, MEM_MAP_ALIGN) * size;
}

QAPI void e820_limit_struct_pages(struct e820_list *map, unsigned long lowmem_max,
				  unsigned int size, struct e820_struct_pages *rep)
{
	phys_addr_t end = ram_end(map);

	rep->left_out = 0;
	rep->ram_end_uncut = end;
	rep->needed_uncut = struct_pages_size(end, size);
	for (;;) {
		unsigned long room = ram_below(map, lowmem_max) / 2;
		unsigned long nr_steps = room / (MEM_MAP_ALIGN * size);
		phys_addr_t limit = (phys_addr_t)nr_steps * MEM_MAP_ALIGN << PAGE_SHIFT;

		if (end <= limit)
			break;
		rep->left_out += e820_limit_ram(map, limit);
		end = ram_end(map);
	}
	rep->ram_end = end;
	rep->needed = struct_pages_size(end, size);
	rep->lowmem = ram_below(map, lowmem_max);
}

/* ---- boot options ------------------------------------------------------------------------- */

static int list_add(struct e820_list *l, phys_addr_t start, phys_addr_t size, uint32_t type)
{
	if (l->nr == l->cap)
		return -ENOSPC;
	l->region[l->nr++] = (struct mem_region){ start, size, type };
	return 0;
}

QAPI int e820_apply_mem(struct e820_list *l, const char *text)
{
	uint64_t limit;
	int err = parse_size(text, NULL, &limit);

	if (err)
		return err;
	if (!limit)
		return -EINVAL;
	e820_limit_ram(l, limit);
	return 0;
}

static uint32_t directive_type(char sign)
{
	switch (sign) {
	case '@':
		return MEM_RAM;
	case '#':
		return MEM_ACPI_RECLAIM;
	case '$':
		return MEM_RESERVED;
	default:
		return 0;
	}
}

static bool directive_ends(const char *text)
{
	return *text == '\0' || *text == ',';
}

/* "nn@ss" and its like, @size and the sign read already.  *@text moves behind it. */
static int apply_range(struct e820_list *l, const char **text, uint64_t size)
{
	uint32_t type = directive_type(**text);
	uint64_t start;
	int err;

	if (!type)
		return -EINVAL;
	err = parse_size(*text + 1, text, &start);
	if (err)
		return err;
	if (!directive_ends(*text))
		return -EINVAL;
	err = list_add(l, start, size, type);
	if (err && type != MEM_RAM)
		e820_limit_ram(l, start);
	return err;
}

/* One directive.  *@text moves behind it. */
static int apply_directive(struct e820_list *l, const char **text)
{
	static const char exactmap[] = "exactmap";
	const size_t len = sizeof(exactmap) - 1;
	uint64_t size;
	int err;

	if (!strncmp(*text, exactmap, len) && directive_ends(*text + len)) {
		*text += len;
		l->nr = 0;
		return 0;
	}
	err = parse_size(*text, text, &size);
	if (err)
		return err;
	if (!size)
		return -EINVAL;
	if (!directive_ends(*text))
		return apply_range(l, text, size);
	e820_limit_ram(l, size);
	return 0;
}

QAPI int e820_apply_memmap(struct e820_list *l, const char *text)
{
	for (;;) {
		int err = apply_directive(l, &text);

		if (err)
			return err;
		if (*text == '\0')
			return 0;
		text++; /* the comma */
	}
}

/* ---- maps as text ------------------------------------------------------------------------- */

/* Longest line, its NUL included: a kernel log's has about 80. */
#define TEXT_LINE_MAX 160u

static const struct {
	const char *name;
	uint32_t type;
} text_types[] = {
	{ "usable", MEM_RAM },
	{ "reserved", MEM_RESERVED },
	{ "ACPI data", MEM_ACPI_RECLAIM },
	{ "ACPI NVS", MEM_ACPI_NVS },
	{ "unusable", MEM_BAD },
	{ "persistent", 7 },
	{ "soft reserved", MEM_RESERVED },
	{ "device reserved", MEM_RESERVED },
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static const char *skip_blanks(const char *s)
{
	while (is_blank(*s))
		s++;
	return s;
}

/* Behind @word, if @s starts with it and it ends there; otherwise NULL. */
static const char *after_word(const char *s, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(s, word, len) || (s[len] && !is_blank(s[len])))
		return NULL;
	return skip_blanks(s + len);
}

/* The rest of a line is a type and nothing else. */
static int parse_type(const char *s, uint32_t *type)
{
	const char *number = after_word(s, "type");
	uint64_t val;

	for (unsigned int i = 0; i < ARRAY_SIZE(text_types); i++) {
		const char *rest = after_word(s, text_types[i].name);

		/* Kernel logs say "persistent (type 7)": what is in brackets is no news. */
		if (rest && (!*rest || *rest == '(')) {
			*type = text_types[i].type;
			return 0;
		}
	}
	if (parse_u64(number ? number : s, &s, &val) || *skip_blanks(s) || val > UINT32_MAX)
		return -EILSEQ;
	*type = (uint32_t)val;
	return 0;
}

static int parse_hex(const char **s, phys_addr_t *val)
{
	uint64_t number;

	if (strncmp(*s, "0x", 2) || parse_u64(*s, s, &number))
		return -EILSEQ;
	*val = number;
	return 0;
}

/* "[mem 0xFIRST-0xLAST] TYPE", from the first number on. */
static int parse_log_line(const char *s, struct mem_region *r)
{
	phys_addr_t last;

	if (parse_hex(&s, &r->start) || *s != '-')
		return -EILSEQ;
	s++;
	if (parse_hex(&s, &last) || *s != ']')
		return -EILSEQ;
	r->size = last - r->start + 1;
	if (last < r->start && r->size) /* LAST may lie one below FIRST: an empty entry */
		return -EILSEQ;
	if (last > r->start && !r->size) /* all 2^64 bytes: one more than a size can say */
		r->size = UINT64_MAX;
	return parse_type(skip_blanks(s + 1), &r->type);
}

/* "0xSTART 0xSIZE TYPE". */
static int parse_plain_line(const char *s, struct mem_region *r)
{
	if (parse_hex(&s, &r->start) || !is_blank(*s))
		return -EILSEQ;
	s = skip_blanks(s);
	if (parse_hex(&s, &r->size) || !is_blank(*s))
		return -EILSEQ;
	return parse_type(skip_blanks(s), &r->type);
}

static int parse_line(struct e820_list *l, char *line)
{
	static const char log_mark[] = "[mem ";
	struct mem_region r;
	const char *s;
	char *comment;
	int err;

	comment = strchr(line, '#');
	if (comment)
		*comment = '\0';
	s = skip_blanks(line);
	if (!*s)
		return 0;
	s = strstr(line, log_mark);
	err = s ? parse_log_line(s + sizeof(log_mark) - 1, &r) :
		  parse_plain_line(skip_blanks(line), &r);
	return err ? err : list_add(l, r.start, r.size, r.type);
}

static size_t line_length(const char *text, size_t len)
{
	size_t nr = 0;

	while (nr < len && text[nr] != '\n')
		nr++;
	return nr;
}

/* The line is copied: the text has no NUL, and a NUL inside of it must not hide the rest. */
static int parse_raw_line(struct e820_list *l, const char *text, size_t len)
{
	char line[TEXT_LINE_MAX];

	if (len >= sizeof(line))
		return -EILSEQ;
	memcpy(line, text, len);
	line[len] = '\0';
	if (strlen(line) != len)
		return -EILSEQ;
	return parse_line(l, line);
}

QAPI int e820_parse_text(struct e820_list *l, const char *text, size_t len, unsigned int *line)
{
	int err = 0;

	l->nr = 0;
	*line = 0;
	while (len && !err) {
		size_t nr = line_length(text, len);

		(*line)++;
		err = parse_raw_line(l, text, nr);
		if (nr < len)
			nr++; /* the newline */
		text += nr;
		len -= nr;
	}
	if (err)
		l->nr = 0;
	return err;
}
