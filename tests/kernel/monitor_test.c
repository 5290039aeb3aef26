/*
 * monitor_test.c - the command line, and the commands that need no report.
 *
 * THEORY.  Commands are run as a user would, by monitor_execute(), with a buffer for their output.
 * What they allocate they give back, and the free pages are counted before and after.
 *
 * CONTEXT.  Thread.
 */
#include <quarry/compiler.h>
#include <quarry/errno.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mm.h>
#include <quarry/monitor.h>
#include <quarry/printk.h>
#include <quarry/string.h>

/* ---- the command line ------------------------------------------------------------------- */

static char text[8192]; /* what commands print */

static struct out_buf buf;

/* Start text afresh. */
static struct out *to_text(void)
{
	out_buf_init(&buf, text, sizeof(text));
	return &buf.out;
}

/* A copy of @line that may be cut. */
static char *typed_line(const char *line)
{
	static char words[LINE_EDITOR_MAX];

	strlcpy(words, line, sizeof(words));
	return words;
}

static int run(const char *line)
{
	return monitor_execute(to_text(), typed_line(line));
}

/* The number behind @name in what was printed; ~0 when it is not there. */
static unsigned long printed(const char *name)
{
	const char *at = strstr(text, name), *end;
	uint64_t val;

	if (!at || parse_u64(at + strlen(name), &end, &val))
		return ~0ul;
	return (unsigned long)val;
}

KTEST(monitor, commands_are_in_order_and_each_explains_itself)
{
	const struct monitor_command *c, *before = NULL;
	unsigned int nr = 0;

	for (; (c = monitor_command_nth(nr)); nr++) {
		EXPECT_TRUE(t, !before || strcmp(before->name, c->name) < 0);
		EXPECT_TRUE(t, c->name[0] && c->help[0] && c->args && c->fn);
		EXPECT_EQ(t, c, monitor_find(c->name));
		before = c;
	}
	EXPECT_GE(t, 10, nr);
	EXPECT_EQ(t, NULL, monitor_find("no-such-command"));
	EXPECT_EQ(t, NULL, monitor_find(""));
}

KTEST(monitor, help_names_every_command)
{
	const struct monitor_command *c;
	char line[64];

	EXPECT_EQ(t, 0, run("help"));
	for (unsigned int n = 0; (c = monitor_command_nth(n)); n++) {
		scnprintf(line, sizeof(line), "\n  %s ", c->name);
		EXPECT_TRUE(t, strstr(text, n ? line : line + 1) != NULL);
	}
}

KTEST(monitor, help_of_one_command_is_its_line)
{
	EXPECT_EQ(t, 0, run("help poweroff"));
	EXPECT_STREQ(t, "  poweroff                        end it all, cleanly\n", text);
	EXPECT_EQ(t, -ENOENT, run("help nothing"));
	EXPECT_EQ(t, -EINVAL, run("help a b"));
}

KTEST(monitor, words_are_cut_at_blanks_and_tabs)
{
	EXPECT_EQ(t, 0, run("  \thelp\t\t help  "));
	EXPECT_STREQ(t, "  help [command]                  list the commands, or explain one\n",
		     text);
}

KTEST(monitor, an_empty_line_does_nothing)
{
	EXPECT_EQ(t, 0, run(""));
	EXPECT_EQ(t, 0, run(" \t "));
	EXPECT_STREQ(t, "", text);
}

KTEST(monitor, an_unknown_command_is_named)
{
	EXPECT_ERR(t, -ENOENT, monitor_execute(to_text(), typed_line("frobnicate 1")));
	EXPECT_STREQ(t, "unknown command: frobnicate (help lists them all)\n", text);
}

KTEST(monitor, more_words_than_there_is_room_for_are_refused)
{
	static const char too_many[] = "help 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17";

	EXPECT_EQ(t, -EINVAL, run("help 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"));
	EXPECT_ERR(t, -E2BIG, monitor_execute(to_text(), typed_line(too_many)));
	EXPECT_STREQ(t, "more than 16 words\n", text);
}

KTEST(monitor, a_wrong_argument_shows_the_usage_and_other_errors_their_number)
{
	EXPECT_EQ(t, -EINVAL, run("alloc"));
	EXPECT_STREQ(t, "usage: alloc <order> [GFP_NAME|...]\n", text);
	EXPECT_EQ(t, -ENOENT, run("help nothing"));
	EXPECT_STREQ(t, "error: -2\n", text);
	EXPECT_EQ(t, -EINVAL, run("quiesce now"));
	EXPECT_STREQ(t, "usage: quiesce\n", text);
}

KTEST(monitor, a_page_can_be_named_in_four_ways)
{
	char address[32];
	pfn_t pfn = 0;

	EXPECT_EQ(t, 0, monitor_parse_pfn("291", &pfn));
	EXPECT_EQ(t, 291, pfn);
	EXPECT_EQ(t, 0, monitor_parse_pfn("pfn:0x124", &pfn));
	EXPECT_EQ(t, 292, pfn);
	EXPECT_EQ(t, 0, monitor_parse_pfn("pa:0x125fff", &pfn));
	EXPECT_EQ(t, 293, pfn);
	scnprintf(address, sizeof(address), "%#lx", (unsigned long)PAGE_OFFSET + 0x126010);
	EXPECT_EQ(t, 0, monitor_parse_pfn(address, &pfn));
	EXPECT_EQ(t, 294, pfn);
}

KTEST(monitor, what_names_no_page_is_refused)
{
	static const char *const bad[] = { "", "x", "0x", "pfn:", "pa:", "pfn:pa:1", "12 ", "-1" };
	static const char *const nowhere[] = { "0xbfffffff",     "0xfffff000",
					       "0x1c0000000",    "pa:0x100000000000",
					       "pfn:0xc0000000", "pfn:0x100000001" };
	pfn_t pfn = 7;
	char end[32];

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_ERR(t, -EINVAL, monitor_parse_pfn(bad[i], &pfn));
	for (unsigned int i = 0; i < ARRAY_SIZE(nowhere); i++)
		EXPECT_ERR(t, -EFAULT, monitor_parse_pfn(nowhere[i], &pfn));
	scnprintf(end, sizeof(end), "pfn:%lu", max_pfn);
	EXPECT_EQ(t, -EFAULT, monitor_parse_pfn(end, &pfn));
	EXPECT_EQ(t, 7, pfn);
	scnprintf(end, sizeof(end), "pfn:%lu", max_pfn - 1);
	EXPECT_EQ(t, 0, monitor_parse_pfn(end, &pfn));
}

KTEST(monitor, a_number_must_be_all_of_its_word_and_fit)
{
	unsigned long val = 7;
	char large[32];

	EXPECT_EQ(t, 0, monitor_parse_ulong("0xffffffff", &val));
	EXPECT_EQ(t, 0xffffffff, val);
	EXPECT_ERR(t, -EINVAL, monitor_parse_ulong("12x", &val));
	EXPECT_EQ(t, -EINVAL, monitor_parse_ulong("", &val));
	scnprintf(large, sizeof(large), "%#lx0", ~0ul);
	EXPECT_EQ(t, -EINVAL, monitor_parse_ulong(large, &val));
	EXPECT_EQ(t, 0xffffffff, val);
}

/* ---- commands --------------------------------------------------------------------------- */

KTEST(monitor, alloc_and_free_by_hand_take_and_give_back_pages)
{
	unsigned long before, pfn;
	char line[64];

	mm_quiesce();
	before = nr_free_pages();
	ASSERT_EQ(t, 0, run("alloc 5 GFP_KERNEL"));
	pfn = printed("pfn=");
	EXPECT_EQ(t, 5, printed("order="));
	EXPECT_EQ(t, (unsigned long)pa_to_va((phys_addr_t)pfn << PAGE_SHIFT), printed("va="));
	EXPECT_EQ(t, before - 32, nr_free_pages());
	EXPECT_EQ(t, 1, page_count(pfn_to_page(pfn)));

	EXPECT_EQ(t, 0, run("allocs"));
	scnprintf(line, sizeof(line), "pfn=0x%05lx va=", pfn);
	EXPECT_TRUE(t, strstr(text, line) != NULL);
	scnprintf(line, sizeof(line), "free pfn:%lu", pfn);
	EXPECT_EQ(t, 0, run(line));
	EXPECT_EQ(t, pfn, printed("freed pfn="));
	EXPECT_EQ(t, 0, page_count(pfn_to_page(pfn)));
	EXPECT_EQ(t, -ENOENT, run(line));
	mm_quiesce();
	EXPECT_EQ(t, before, nr_free_pages());
}

KTEST(monitor, free_takes_an_address_and_an_order)
{
	unsigned long va, before;
	char line[64];

	mm_quiesce();
	before = nr_free_pages();
	ASSERT_EQ(t, 0, run("alloc 2"));
	va = printed("va=");
	scnprintf(line, sizeof(line), "free 0x%lx 2", va);
	EXPECT_EQ(t, 0, run(line));
	scnprintf(line, sizeof(line), "free 0x%lx", va);
	EXPECT_EQ(t, -ENOENT, run(line));
	mm_quiesce();
	EXPECT_EQ(t, before, nr_free_pages());
}

KTEST(monitor, alloc_understands_flags_and_presets)
{
	static const struct {
		const char *line, *gfp;
	} cases[] = {
		{ "alloc 0 GFP_ATOMIC", "__GFP_HIGH" },
		{ "alloc 0 GFP_KERNEL|__GFP_ZERO", "__GFP_WAIT|__GFP_IO|__GFP_FS|__GFP_ZERO" },
		{ "alloc 0 GFP_NOWAIT,__GFP_COMP,__GFP_NOWARN", "__GFP_NOWARN|__GFP_COMP" },
		{ "alloc 0 GFP_DMA", "__GFP_DMA" },
	};
	char want[128], line[64];

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		ASSERT_EQ(t, 0, run(cases[i].line));
		scnprintf(want, sizeof(want), " gfp=%s\n", cases[i].gfp);
		EXPECT_TRUE(t, strstr(text, want) != NULL);
		scnprintf(line, sizeof(line), "free %lu", printed("pfn="));
		EXPECT_EQ(t, 0, run(line));
	}
}

KTEST(monitor, alloc_and_free_refuse_what_makes_no_sense)
{
	static const char *const bad[] = { "alloc x",
					   "alloc 11",
					   "alloc 0 GFP_NONSENSE",
					   "alloc 0 GFP_KERNEL|",
					   "alloc 0 GFP_KERNEL 1",
					   "alloc 0 ,",
					   "free",
					   "free x",
					   "free 300 11",
					   "free 300 x",
					   "allocs 1" };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(t, -EINVAL, run(bad[i]));
	EXPECT_EQ(t, -EFAULT, run("free 0x12345678"));
}

KTEST(monitor, a_full_table_of_allocations_refuses_more)
{
	static pfn_t pfns[256];
	unsigned int nr = 0;
	unsigned long before;
	char line[64];
	int err;

	mm_quiesce();
	before = nr_free_pages();
	while (!(err = run("alloc 0")) && nr < ARRAY_SIZE(pfns))
		pfns[nr++] = printed("pfn=");
	EXPECT_EQ(t, -ENOSPC, err);
	while (nr--) {
		scnprintf(line, sizeof(line), "free %lu", pfns[nr]);
		EXPECT_EQ(t, 0, run(line));
	}
	mm_quiesce();
	EXPECT_EQ(t, before, nr_free_pages());
}

KTEST(monitor, quiesce_says_what_came_back)
{
	struct page *page = alloc_page(GFP_KERNEL);

	ASSERT_TRUE(t, page);
	__free_page(page);
	EXPECT_EQ(t, 0, run("quiesce"));
	EXPECT_EQ(t, nr_free_pages(), printed("before, "));
	EXPECT_LE(t, nr_free_pages(), printed("free pages: "));
}

KTEST(monitor, e820_and_bootinfo_and_dmesg_tell_of_the_boot)
{
	EXPECT_EQ(t, 0, run("e820"));
	EXPECT_TRUE(t, strstr(text, "firmware's map, ") != NULL);
	EXPECT_TRUE(t, strstr(text, "sanitised map, ") != NULL);
	EXPECT_TRUE(t, strstr(text, " KiB  RAM\n") != NULL);
	EXPECT_EQ(t, 0, run("bootinfo"));
	EXPECT_TRUE(t, strstr(text, "protocol: multiboot") != NULL);
	EXPECT_EQ(t, 0, run("dmesg"));
	EXPECT_TRUE(t, text[0]);
}

/* A sink that keeps nothing of the list, which grows with each test, but counts one line. */
struct line_counter {
	struct out out;
	const char *line;
	unsigned int nr;
};

static QAPI void count_line(struct out *o, const char *piece, size_t len)
{
	struct line_counter *c = container_of(o, struct line_counter, out);
	size_t line_len = strlen(c->line);

	c->nr += len == line_len && !memcmp(piece, c->line, len);
}

KTEST(monitor, test_list_names_this_test_once)
{
	struct line_counter c = {
		.out.write = count_line,
		.line = "# test monitor.test_list_names_this_test_once needs=\n",
	};

	EXPECT_EQ(t, 0, (monitor_execute)(&c.out, typed_line("test list")));
	EXPECT_EQ(t, 1, c.nr);
}

/* ---- the loop --------------------------------------------------------------------------- */

/* Leaves monitor_run(), which never returns: the input's end jumps out of it. */
static void *way_out[5];
static const char *typed;

static __noinline QAPI int typed_getc(void)
{
	if (!*typed)
		__builtin_longjmp(way_out, 1);
	return *typed == '~' ? typed++, -1 : (unsigned char)*typed++;
}

static __noinline void run_monitor(struct out *o, const char *bytes)
{
	struct monitor_io io = { typed_getc, o };

	typed = bytes;
	monitor_run(&io);
}

KTEST(monitor, the_loop_prompts_and_runs_line_after_line)
{
	struct out *o = to_text();

	if (!__builtin_setjmp(way_out))
		run_monitor(o, "he~lp help\r\n\rnonsense\r");
	EXPECT_STREQ(t,
		     "quarry> help help\n"
		     "  help [command]                  list the commands, or explain one\n"
		     "quarry> \n"
		     "quarry> nonsense\n"
		     "unknown command: nonsense (help lists them all)\n"
		     "quarry> ",
		     text);
}
