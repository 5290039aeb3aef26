/*
 * Layer: kernel
 * monitor.h - the command line on the serial port: its line editor, and how commands join it.
 *
 *	bytes --line_editor_feed--> line --monitor_execute--> words --> a command's function
 */
#ifndef QUARRY_MONITOR_H
#define QUARRY_MONITOR_H

#include <quarry/compiler.h>
#include <quarry/out.h>
#include <quarry/types.h>

/* ---- commands --------------------------------------------------------------------------- */

/*
 * A command.  @fn gets its own name as argv[0], as in C; argv[argc] is NULL and the words may be
 * written to.  It returns 0 or -errno; for -EINVAL the monitor prints the usage line.
 */
struct monitor_command {
	const char *name;
	const char *args; /* "<must be there> [may be there]", or "" */
	const char *help; /* one line, no full stop */
	QAPI int (*fn)(struct out *o, int argc, char **argv);
};

/* Aligned by hand, as the section is an array: the compiler may like larger alignments. */
#define MONITOR_TABLE __used __section("monitor_cmds") __aligned(sizeof(void *))

/* Put a command into the linker table; @name is an identifier.  Order does not matter. */
#define MONITOR_COMMAND(name, args, help, fn)                                                 \
	static const struct monitor_command monitor_cmd_##name MONITOR_TABLE = { #name, args, \
										 help, fn }

/* A command without arguments that prints one report: @show takes the sink.  Needs errno.h. */
#define MONITOR_REPORT(name, show, help)                                 \
	static QAPI int cmd_##name(struct out *o, int argc, char **argv) \
	{                                                                \
		(void)argv;                                              \
		if (argc != 1)                                           \
			return -EINVAL;                                  \
		show(o);                                                 \
		return 0;                                                \
	}                                                                \
	MONITOR_COMMAND(name, "", help, cmd_##name)

#define MONITOR_ARGS_MAX 16u /* words of a line, the command's name included */

/**
 * monitor_command_nth - the commands in alphabetical order.
 *
 * Return:  the @n-th from 0 on; NULL when there are no more than @n.
 * Context: any.  Cost: quadratic in the number of commands.
 */
QAPI const struct monitor_command *monitor_command_nth(unsigned int n);

/**
 * monitor_find - look a command up.
 *
 * Return:  the command called @name; NULL when there is none.
 * Context: any.
 */
QAPI const struct monitor_command *monitor_find(const char *name);

/**
 * monitor_execute - run one line: words between blanks, the first one a command's name.
 * @line: cut into words in place.
 *
 * Return:  0, also for an empty line; -ENOENT when there is no such command; -E2BIG for more than
 *          MONITOR_ARGS_MAX words; else what the command returned.  Each failure was printed to @o.
 * Context: what the command asks for: a thread.
 */
QAPI int monitor_execute(struct out *o, char *line);

/**
 * monitor_parse_pfn - a page frame as a user writes it.
 * @text: "0xc0123000" (PAGE_OFFSET or above): a direct-map address; "pa:0x123000": a physical
 *        address; "pfn:291", or any other number: a page frame number.
 *
 * Return:  0; -EINVAL when it is no number; -EFAULT when there is no page of memory there.
 * Context: any.
 */
QAPI int monitor_parse_pfn(const char *text, pfn_t *pfn) __must_check;

/**
 * monitor_parse_ulong - a number that fits an unsigned long: 0x... is hexadecimal.
 *
 * Return:  0; -EINVAL when it is no number or too large.
 * Context: any.
 */
QAPI int monitor_parse_ulong(const char *text, unsigned long *val) __must_check;

/**
 * monitor_parse_gfp - a GFP mask: names of flags and of combinations, joined by '|' or ','.
 *
 * Return:  0; -EINVAL when one of them is no such name.
 * Context: any.
 */
QAPI int monitor_parse_gfp(const char *text, gfp_t *gfp) __must_check;

/* ---- the monitor ------------------------------------------------------------------------ */

/* What the kernel supplies: where bytes come from, and where text goes. */
struct monitor_io {
	QAPI int (*getc)(void); /* waits for a byte; a negative value is ignored */
	struct out *out;
};

/**
 * monitor_run - prompt, read a line, run it; for ever.
 *
 * Ends only by a command that stops the machine.
 * Context: a thread that may sleep, once.
 */
QAPI void monitor_run(const struct monitor_io *io) __noreturn;

/* ---- the line editor -------------------------------------------------------------------- */

#define LINE_EDITOR_MAX     256u /* bytes of a line, the NUL included */
#define LINE_EDITOR_HISTORY 32u  /* lines */

enum line_state { LINE_PLAIN, LINE_ESCAPE, LINE_CSI, LINE_SS3 };

/* Fed a byte at a time; knows no device.  Set up by line_editor_init(); all fields are its own. */
struct line_editor {
	struct out *out; /* may be changed between two lines */
	const char *prompt;
	/* The @n-th word that Tab knows, or NULL beyond the last; may be NULL: no completion. */
	QAPI const char *(*word)(unsigned int n);

	char line[LINE_EDITOR_MAX]; /* NUL-terminated */
	unsigned int len;           /* bytes before the NUL */
	unsigned int cursor;        /* 0..len */
	bool overlong;              /* bytes were refused since the last deletion */
	bool finished;              /* the line was handed out: the next byte begins a new one */

	enum line_state state;
	unsigned int param; /* first number of the CSI sequence */
	bool param_closed;  /* a later byte does not belong to it any more */
	bool after_cr;      /* a \n now is the second half of \r\n */

	char history[LINE_EDITOR_HISTORY][LINE_EDITOR_MAX]; /* a ring */
	unsigned int history_next;                          /* where the next line goes */
	unsigned int nr_history;
	unsigned int browsed;        /* 0: the line being typed; n: the n-th newest of history */
	char draft[LINE_EDITOR_MAX]; /* the line being typed, while another is shown */
};

/**
 * line_editor_init - an editor with an empty history.
 * @prompt: shown by line_editor_start(); a constant.
 * @word:   completion, see above.
 */
QAPI void line_editor_init(struct line_editor *e, struct out *o, const char *prompt,
			   QAPI const char *(*word)(unsigned int n));

/**
 * line_editor_start - begin an empty line: print the prompt.
 */
QAPI void line_editor_start(struct line_editor *e);

/**
 * line_editor_feed - take one byte from the terminal and echo what it changes.
 *
 * \r, \n and \r\n end a line.  Keys: arrows, Home, End, Delete, Backspace, Tab, ^A ^E ^K ^U ^W ^L;
 * ^C abandons the line; ^D deletes, and is ignored at the end of the line.  Any other byte that is
 * no printable ASCII is dropped.  A line of LINE_EDITOR_MAX bytes or more is refused as a whole,
 * with a message, because half a command is another command.
 *
 * Return:  NULL while the line goes on; when it ends, its text without the line end.  The text
 *          may be written to until the next call.
 * Context: any, one user at a time.  Cost: linear in the line; Tab: also in the known words.
 */
QAPI char *line_editor_feed(struct line_editor *e, unsigned char byte);

#endif
