/*
 * host_main.c - the half of the hosted kernel that is a program: its arguments, files and streams.
 *
 * usage: PROGRAM [-f] [-m SIZE] [-c CPUS] [-t] [-i FILE]... [WORD]...
 *
 * -m: RAM, 64M or 2G, or a number of MiB; -c: CPUs, which run one at a time, by seed; -t: at once,
 * as threads of the host; -i: a boot module; the words are the kernel's command line.
 * -f: each line of the input is for a copy of the machine, made (forked) when the kernel first asks
 * for input, and ended when it asks for more; then a line says with which status.
 *
 * The console is the standard streams.  The exit status is 0 when every test passed or the
 * monitor was left, 1 when tests failed, 18 after a panic, 2 when the machine could not be made.
 */
#include "host_ops.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define DEFAULT_MIB 64
#define MIB_MAX     0x10000 /* 64 GiB: physical addresses have 36 bits */
#define MIB_PER_GIB 1024
#define MODULES_MAX 16
#define CMDLINE_MAX 1024
#define CPUS_MAX    32
#define COPY_LIMIT  120 /* seconds for a copy */
#define BY_SIGNAL   128 /* and its number: the status of a copy that a signal ended */

/*
 * The faults that sanitizers would report are how the window works.  The process does not end by
 * returning from main(), so what it still holds is no leak.
 */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
	return "handle_segv=0:handle_sigbus=0:allow_user_segv_handler=1:detect_leaks=0";
}

/* A panic ends threads wherever they are. */
const char *__tsan_default_options(void)
{
	return "handle_segv=0:handle_sigbus=0:allow_user_segv_handler=1:report_thread_leaks=0:"
	       "history_size=4";
}

void host_write(const char *text, unsigned long n)
{
	while (n) {
		ssize_t done = write(STDOUT_FILENO, text, n);

		if (done < 0 && errno != EINTR)
			abort();
		if (done > 0) {
			text += done;
			n -= (unsigned long)done;
		}
	}
}

static int copies; /* -f */

/* Run the rest in a copy of this process: 1 in it; 0 in this one, once it has ended. */
static int run_copy(void)
{
	char text[64];
	int status;
	pid_t pid = fork();

	if (pid < 0)
		abort();
	if (!pid) {
		alarm(COPY_LIMIT);
		host_memory_copy();
		hosted_forked();
		return 1;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	status = WIFEXITED(status) ? WEXITSTATUS(status) : BY_SIGNAL + WTERMSIG(status);
	host_write(text,
		   (unsigned long)snprintf(text, sizeof(text), "\n# copy ended: %d\n", status));
	return 0;
}

/* The next character of the line that this copy is for. */
static int getc_of_copy(void)
{
	static const char *at;
	static char *line;
	static size_t room;

	while (!at && getline(&line, &room, stdin) > 0)
		at = run_copy() ? line : NULL;
	return at && *at ? (unsigned char)*at++ : -1;
}

int host_getc(void)
{
	unsigned char c;
	ssize_t n;

	if (copies)
		return getc_of_copy();

	while ((n = read(STDIN_FILENO, &c, 1)) < 0 && errno == EINTR)
		;
	return n == 1 ? c : -1;
}

/* exit(), not _exit(): coverage is written by then. */
void host_exit(int status)
{
	exit(status);
}

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "hosted: %s: %s\n", what, why);
	exit(2);
}

static void read_module(struct host_module *m, const char *path)
{
	FILE *f = fopen(path, "rb");
	const char *slash = strrchr(path, '/');
	char *data;
	long size = -1;

	if (f && !fseek(f, 0, SEEK_END))
		size = ftell(f);
	if (size < 0 || fseek(f, 0, SEEK_SET))
		fail(path, strerror(errno));
	data = malloc((size_t)size + 1);
	if (!data || fread(data, 1, (size_t)size, f) != (size_t)size)
		fail(path, "cannot be read");
	fclose(f);
	*m = (struct host_module){ slash ? slash + 1 : path, data, (unsigned long)size };
}

static unsigned long parse_mib(const char *text)
{
	char *end;
	unsigned long unit, nr = strtoul(text, &end, 0);

	unit = *end == 'G' ? MIB_PER_GIB : 1;
	if (!nr || nr > MIB_MAX / unit || (*end && strcmp(end, "G") && strcmp(end, "M")))
		fail(text, "is no size of RAM");
	return nr * unit;
}

static unsigned int parse_cpus(const char *text)
{
	char *end;
	unsigned long nr = strtoul(text, &end, 0);

	if (*end || !nr || nr > CPUS_MAX)
		fail(text, "is no number of CPUs");
	return (unsigned int)nr;
}

static struct termios cooked;

static void restore_terminal(void)
{
	tcsetattr(STDIN_FILENO, TCSANOW, &cooked);
}

/* The monitor edits and echoes its line by itself. */
static void open_terminal(void)
{
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &cooked))
		return;
	raw = cooked;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	atexit(restore_terminal);
}

static void add_word(char *cmdline, const char *word)
{
	size_t used = strlen(cmdline), room = CMDLINE_MAX - used;

	if (snprintf(cmdline + used, room, "%s%s", used ? " " : "", word) >= (int)room)
		fail(word, "the command line is too long");
}

int main(int argc, char **argv)
{
	static struct host_module modules[MODULES_MAX];
	static char cmdline[CMDLINE_MAX];
	struct host_boot boot = { .cmdline = cmdline, .nr_cpus = 1, .modules = modules };
	unsigned long mib = DEFAULT_MIB;
	int option;

	while ((option = getopt(argc, argv, "fm:c:ti:")) != -1) {
		if (option == 'f')
			copies = 1;
		else if (option == 'm')
			mib = parse_mib(optarg);
		else if (option == 'c')
			boot.nr_cpus = parse_cpus(optarg);
		else if (option == 't')
			boot.at_once = 1;
		else if (option == 'i' && boot.nr_modules == MODULES_MAX)
			fail(optarg, "is one module too many");
		else if (option == 'i')
			read_module(&modules[boot.nr_modules++], optarg);
		else
			fail(argv[0],
			     "usage: [-f] [-m SIZE] [-c CPUS] [-t] [-i MODULE]... [WORD]...");
	}
	for (; optind < argc; optind++)
		add_word(cmdline, argv[optind]);
	open_terminal();
	boot.ram_size = (unsigned long long)mib << 20;
	hosted_start(&boot);
}
