/*
 * machine_monitor.c - anything typed at the monitor of a booted machine.
 *
 * IDEA.  What follows the header is typed, byte by byte.  Each line that the editor hands out is
 * run, but for commands that are there to stop the machine, to take time or to commit a crime.  The
 * machine must survive; a command that only shows something leaves all reports as they were, word
 * for word; what a line of no command or of too many words returns, the model knows as well.  In
 * the end all that commands took is given back by commands, and no page may be missing.
 *
 * STATE.  What the last command printed; what was taken.
 *
 * CONTEXT.  A child of the fuzzer, once.
 */
#include "machine.h"

#include <quarry/errno.h>
#include <quarry/highmem.h>
#include <quarry/mempool.h>
#include <quarry/mm.h>
#include <quarry/monitor.h>
#include <quarry/out.h>
#include <quarry/pgtable.h>
#include <quarry/printk.h>
#include <quarry/slab.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>

#define TYPED_MAX 1024u
#define TEXT_MAX  0x40000u
#define NR_TAKEN  128u
#define WORD_MAX  32u

static char text[TEXT_MAX], before[TEXT_MAX], after[TEXT_MAX];

/* ---- what commands do ----------------------------------------------------------------------- */

enum kind { SHOWS, CHANGES, LEFT_OUT };

/* All others only show something. */
static const struct {
	const char *name;
	enum kind kind;
} kinds[] = {
	{ "reboot", LEFT_OUT },  { "poweroff", LEFT_OUT }, { "alloc", CHANGES },
	{ "free", CHANGES },     { "kmalloc", CHANGES },   { "kfree", CHANGES },
	{ "objalloc", CHANGES }, { "objfree", CHANGES },   { "vmalloc", CHANGES },
	{ "vfree", CHANGES },    { "kmap", CHANGES },      { "kunmap", CHANGES },
	{ "shrink", CHANGES },   { "quiesce", CHANGES },   { "leaks", CHANGES },
	{ "fault", CHANGES },    { "record", CHANGES },
};

/* Masks that pages and objects can have; others end in the allocator's report, as they should. */
static const char *const masks[] = { "GFP_NOWAIT", "GFP_ATOMIC", "GFP_NOIO", "GFP_NOFS",
				     "GFP_KERNEL", "GFP_USER",   "GFP_DMA" };

struct words {
	unsigned int nr;
	char word[3][WORD_MAX]; /* the first ones, cut */
};

static struct words split(const char *line)
{
	struct words w = { 0 };
	size_t len = 0;

	for (; *line; line++) {
		bool blank = *line == ' ' || *line == '\t';

		w.nr += len && blank;
		len = blank ? 0 : len + 1;
		if (len && w.nr < 3 && len < WORD_MAX)
			w.word[w.nr][len - 1] = *line;
	}
	w.nr += len != 0;
	return w;
}

static bool is_mask(const char *word)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(masks); i++) {
		if (!strcmp(masks[i], word))
			return true;
	}
	return false;
}

static enum kind kind_of(const struct words *w)
{
	const char *name = w->word[0];
	bool runs = !strcmp(name, "test") || !strcmp(name, "bench");

	if (runs)
		return w->nr == 2 && !strcmp(w->word[1], "list") ? SHOWS : LEFT_OUT;
	if (w->nr > 2 && !strcmp(name, "free"))
		return LEFT_OUT;
	if (w->nr == 3 && strstr("alloc kmalloc objalloc", name) && !is_mask(w->word[2]))
		return LEFT_OUT;
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!strcmp(kinds[i].name, name))
			return kinds[i].kind;
	}
	return SHOWS;
}

/* ---- running one ---------------------------------------------------------------------------- */

static void show_world(char *to)
{
	struct out_buf b;

	out_buf_init(&b, to, TEXT_MAX);
	zoneinfo_show(&b.out);
	pagetypeinfo_show(&b.out);
	slabinfo_show(&b.out);
	vmallocinfo_show(&b.out);
	pkmap_show(&b.out);
	mempools_show(&b.out);
	out_printf(&b.out, "tables %lu\n", pgtable_nr_pages());
}

static void expect_printable(const char *line)
{
	for (const char *c = text; *c; c++)
		FUZZ_CHECK(*c == '\n' || *c == '\t' || (*c >= ' ' && *c <= '~'),
			   "'%s' prints the byte %#x", line, (unsigned char)*c);
}

static int execute(const char *line)
{
	char words[LINE_EDITOR_MAX];
	struct out_buf b;

	out_buf_init(&b, text, sizeof(text));
	strlcpy(words, line, sizeof(words));
	fuzz_step("monitor_execute(o, \"%s\");", line);
	return monitor_execute(&b.out, words);
}

/* Of a line without a command that exists. */
static bool model_refuses(const struct words *w, int *err)
{
	*err = w->nr > MONITOR_ARGS_MAX ? -E2BIG : w->nr ? -ENOENT : 0;
	return w->nr > MONITOR_ARGS_MAX || !w->nr || !monitor_find(w->word[0]);
}

/* ---- what was taken ------------------------------------------------------------------------- */

static struct {
	const char *giver; /* the command that takes it back */
	unsigned long what;
} taken[NR_TAKEN];
static unsigned int nr_taken;

/* If the last command printed @mark and a number, @giver will be given the number. */
static void note_taken(const char *mark, const char *giver)
{
	const char *at = strstr(text, mark), *end;
	uint64_t number;

	if (!at || parse_u64(at + strlen(mark), &end, &number) || nr_taken == NR_TAKEN)
		return;
	taken[nr_taken].giver = giver;
	taken[nr_taken++].what = (unsigned long)number;
}

static void note_what_it_took(const char *name)
{
	if (!strcmp(name, "vmalloc"))
		note_taken("area=", "vfree 0x%lx");
	if (!strcmp(name, "kmalloc"))
		note_taken("object=", "kfree 0x%lx");
	if (!strcmp(name, "objalloc"))
		note_taken("object=", "objfree 0x%lx");
	if (!strcmp(name, "alloc"))
		note_taken("pfn=", "free pfn:0x%lx");
	if (!strcmp(name, "kmap"))
		note_taken("pfn=", "kunmap pfn:0x%lx");
}

static void give_back(void)
{
	char line[LINE_EDITOR_MAX];

	execute("fault off");
	execute("record free");
	/* Some of it was given back on the way: then the command says so. */
	while (nr_taken--) {
		snprintf(line, sizeof(line), taken[nr_taken].giver, taken[nr_taken].what);
		execute(line);
	}
	execute("allocs");
	FUZZ_CHECK(!strncmp(text, "0 blocks", 8), "blocks are left: %s", text);
	execute("objs");
	FUZZ_CHECK(!strncmp(text, "0 objects", 9), "objects are left: %s", text);
	FUZZ_CHECK(!kmap_nr_held(), "%lu mappings are left", kmap_nr_held());
}

/* ---- the input ------------------------------------------------------------------------------ */

static void run_line(const char *line)
{
	struct words w = split(line);
	enum kind kind = kind_of(&w);
	int want, err;

	if (kind == LEFT_OUT)
		return;
	if (kind == SHOWS)
		show_world(before);
	err = execute(line);
	expect_printable(line);
	if (model_refuses(&w, &want))
		FUZZ_CHECK(err == want, "'%s' returns %d, not %d", line, err, want);
	else
		note_what_it_took(w.word[0]);
	if (kind == CHANGES)
		return;
	show_world(after);
	FUZZ_CHECK(!strcmp(before, after), "'%s' changed something", line);
}

static QAPI const char *command_name(unsigned int n)
{
	const struct monitor_command *c = monitor_command_nth(n);

	return c ? c->name : NULL;
}

static QAPI void drop(struct out *o, const char *s, size_t n)
{
	(void)o;
	(void)s;
	(void)n;
}

static void type_all(struct fuzz_bytes *b)
{
	static struct out nowhere = { .write = drop };
	static struct line_editor editor;

	line_editor_init(&editor, &nowhere, "> ", command_name);
	line_editor_start(&editor);
	while (!fuzz_end(b)) {
		const char *line = line_editor_feed(&editor, fuzz_u8(b));

		if (!line)
			continue;
		run_line(line);
		line_editor_start(&editor);
	}
	run_line(editor.line);
}

/* Pages that are free, or tables, which are never given back. */
static unsigned long nr_pages_left(void)
{
	vm_unmap_aliases();
	kmem_cache_reap();
	mm_quiesce();
	return nr_free_pages() + pgtable_nr_pages();
}

static void run(const unsigned char *data, unsigned long size)
{
	struct fuzz_bytes b = { data, size, MACHINE_HEADER };
	unsigned long nr = nr_pages_left();

	type_all(&b);
	give_back();
	FUZZ_CHECK(nr == nr_pages_left(), "%lu pages were free, now %lu are", nr, nr_pages_left());
	FUZZ_CHECK(!mm_check_all(), "something is broken");
}

const struct fuzz_target fuzz_target = {
	.name = "monitor",
	.where = FUZZ_IN_CHILD,
	.header = MACHINE_HEADER,
	.size_max = MACHINE_HEADER + TYPED_MAX,
	.run = run,
};
