/*
 * monitor.c - the prompt: reads lines, finds the command, runs it.
 *
 * THEORY.  A command is a row of a table that the linker collects (section monitor_cmds), so a
 * subsystem's commands stand in a file that knows the subsystem, and this one knows none of them.
 * A line is cut into words at blanks; there is no quoting, because no argument needs it.
 *
 * The table's order is the linker's; everything shown is sorted by asking for the n-th smallest
 * name, which needs no memory and is quadratic in some thirty commands.
 *
 * STATE.  The editor with its history.
 *
 * CONTEXT.  One thread that may sleep: commands allocate, and wait for their input.
 *
 * NOT HERE.  Editing: line_editor.c.  The commands: cmd_*.c.
 */
#include <quarry/asm/layout.h>
#include <quarry/errno.h>
#include <quarry/mm.h>
#include <quarry/monitor.h>
#include <quarry/string.h>

#define PROMPT "quarry> "

/* The linker's: the commands, in no order. */
extern const struct monitor_command monitor_cmds_start[], monitor_cmds_end[];

/* Commands whose names come before @name. */
static unsigned int nr_smaller(const char *name)
{
	unsigned int nr = 0;

	for (const struct monitor_command *c = monitor_cmds_start; c < monitor_cmds_end; c++)
		nr += strcmp(c->name, name) < 0;
	return nr;
}

QAPI const struct monitor_command *monitor_command_nth(unsigned int n)
{
	for (const struct monitor_command *c = monitor_cmds_start; c < monitor_cmds_end; c++) {
		if (nr_smaller(c->name) == n)
			return c;
	}
	return NULL;
}

QAPI const struct monitor_command *monitor_find(const char *name)
{
	for (const struct monitor_command *c = monitor_cmds_start; c < monitor_cmds_end; c++) {
		if (strcmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Cut @line into words; their number, or -E2BIG. */
static int split(char *line, char **argv)
{
	unsigned int nr = 0;

	for (;;) {
		while (is_blank(*line))
			*line++ = '\0';
		if (!*line)
			break;
		if (nr == MONITOR_ARGS_MAX)
			return -E2BIG;
		argv[nr++] = line;
		while (*line && !is_blank(*line))
			line++;
	}
	argv[nr] = NULL;
	return (int)nr;
}

static int run(struct out *o, const struct monitor_command *c, int argc, char **argv)
{
	int err = c->fn(o, argc, argv);

	if (err == -EINVAL)
		out_printf(o, "usage: %s%s%s\n", c->name, c->args[0] ? " " : "", c->args);
	else if (err)
		out_printf(o, "error: %d\n", err);
	return err;
}

QAPI int monitor_execute(struct out *o, char *line)
{
	char *argv[MONITOR_ARGS_MAX + 1];
	int argc = split(line, argv);
	const struct monitor_command *c;

	if (argc < 0) {
		out_printf(o, "more than %u words\n", MONITOR_ARGS_MAX);
		return argc;
	}
	if (!argc)
		return 0;
	c = monitor_find(argv[0]);
	if (!c) {
		out_printf(o, "unknown command: %s (help lists them all)\n", argv[0]);
		return -ENOENT;
	}
	return run(o, c, argc, argv);
}

QAPI int monitor_parse_ulong(const char *text, unsigned long *val)
{
	uint64_t v;

	if (parse_u64(text, NULL, &v) || v != (unsigned long)v)
		return -EINVAL;
	*val = (unsigned long)v;
	return 0;
}

/* What follows @prefix in @text, or NULL when @text begins otherwise. */
static const char *after_prefix(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

QAPI int monitor_parse_pfn(const char *text, pfn_t *pfn)
{
	const char *pa_text = after_prefix(text, "pa:");
	const char *pfn_text = after_prefix(text, "pfn:");
	uint64_t v;

	if (parse_u64(pa_text ? pa_text : pfn_text ? pfn_text : text, NULL, &v))
		return -EINVAL;
	if (pa_text) {
		v >>= PAGE_SHIFT;
	} else if (!pfn_text && v >= PAGE_OFFSET) {
		if (v != (uintptr_t)v || !virt_addr_valid((const void *)(uintptr_t)v))
			return -EFAULT;
		v = va_to_pa((const void *)(uintptr_t)v) >> PAGE_SHIFT;
	}
	if (v != (pfn_t)v || !pfn_valid((pfn_t)v))
		return -EFAULT;
	*pfn = (pfn_t)v;
	return 0;
}

/* Tab knows the names of the commands. */
static QAPI const char *command_name(unsigned int n)
{
	const struct monitor_command *c = monitor_command_nth(n);

	return c ? c->name : NULL;
}

static char *read_line(struct line_editor *e, const struct monitor_io *io)
{
	char *line = NULL;
	int byte;

	line_editor_start(e);
	while (!line) {
		byte = io->getc();
		if (byte >= 0)
			line = line_editor_feed(e, (unsigned char)byte);
	}
	return line;
}

/* There is one history, so one editor: a run inside a command (of a test, say) goes on with it. */
static struct line_editor editor;

QAPI void monitor_run(const struct monitor_io *io)
{
	if (!editor.prompt)
		line_editor_init(&editor, io->out, PROMPT, command_name);
	for (;;) {
		editor.out = io->out;
		monitor_execute(io->out, read_line(&editor, io));
	}
}
