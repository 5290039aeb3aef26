/*
 * host_fuzz.c - the half of a fuzzing program that is compiled against libc: libFuzzer's entries,
 * children, and the reduction of what they die of.
 *
 * usage: PROGRAM [libFuzzer's arguments]
 *        PROGRAM reduce FILE [OUT]    reduce a failing input, print its steps, write it to OUT
 *        PROGRAM seed NUMBER [SIZE]   run one random input, the same for the same number; if it
 *                                     fails, write it to fuzz-NAME-seed-NUMBER and reduce it
 *
 * IDEA.  An input that needs a machine runs in a child: booted there, and gone with it, so that an
 * input fails by itself or not at all.  The child's coverage counters are copied back through
 * shared memory, which is all that libFuzzer needs to see.  A child that does not end with status
 * 0 is a failure; its words, kept in a file without a name, are printed then and never otherwise.
 *
 * REDUCTION.  A failure is known by the line that names it, with the numbers taken out.  Runs of
 * records are left out, halving the runs, then single bytes made zero, as long as the failure stays
 * the same.  A last run writes down what the remaining records do.
 *
 * STATE.  shared, the counters; log_fd, what a child said; trace_fd, the steps.
 *
 * CONTEXT.  The process; functions called from a child say so.
 */
#define _GNU_SOURCE
#include "../../arch/hosted/host_ops.h"
#include "fuzz_target.h"
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_SECONDS 20u    /* of an input: longer is a hang */
#define LOG_TAIL      6000ul /* bytes of a failing child's words that are shown */
#define NAME_MAX_LEN  200u   /* of the line that names a failure */
#define SEED_SIZE     2048ul /* bytes of a random input, unless told */
#define BACKTRACE_MAX 10u    /* frames of which the function is shown */
#define STATUS_DEATH  77     /* a sanitizer's */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);
void __sanitizer_set_death_callback(void (*fn)(void));
void __sanitizer_symbolize_pc(void *pc, const char *fmt, char *out, size_t size);

/* The coverage counters, as the linker bounds them. */
extern uint8_t __start___sancov_cntrs[], __stop___sancov_cntrs[];

struct failure {
	int status;
	char name[NAME_MAX_LEN];
};

int fuzz_tracing;
static uint8_t *shared;
static int log_fd = -1, trace_fd = -1;
static int in_child;
static int said; /* there is something in the log */

/*
 * In a child the faults that sanitizers would report are how the window works.  Kernel memory is no
 * leak, and the window's shadow is nobody's to poison.
 */
const char *__asan_default_options(void)
{
	return "handle_segv=0:handle_sigbus=0:allow_user_segv_handler=1:detect_leaks=0";
}

/* ---- what a failure is called ------------------------------------------------------------ */

static void rewind_file(int fd)
{
	if (ftruncate(fd, 0) || lseek(fd, 0, SEEK_SET))
		abort();
}

static char *read_file(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = malloc((size_t)size + 1);

	if (!text || pread(fd, text, (size_t)size, 0) != size)
		abort();
	text[size] = '\0';
	return text;
}

static int names_failure(const char *line)
{
	static const char *const marks[] = { "panic: ", "BUG: ", "ERROR: ", "runtime error: " };

	for (unsigned int i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (strstr(line, marks[i]))
			return 1;
	return 0;
}

/* The line, each number in it as a '#': addresses and counts do not make two failures differ. */
static void keep_words(char *name, const char *line)
{
	size_t n = 0;

	while (*line && *line != '\n' && n < NAME_MAX_LEN - 1) {
		name[n++] = isdigit((unsigned char)*line) ? '#' : *line;
		if (!isdigit((unsigned char)*line++))
			continue;
		while (isxdigit((unsigned char)*line) || *line == 'x')
			line++;
	}
	name[n] = '\0';
}

static struct failure describe(int status)
{
	struct failure f = { .status = status };
	char *text = read_file(log_fd), *rest = text, *line;

	while ((line = strsep(&rest, "\n")))
		if (names_failure(line)) {
			keep_words(f.name, line);
			break;
		}
	free(text);
	return f;
}

static int same_failure(const struct failure *f, int status)
{
	struct failure g = describe(status);

	return g.status == f->status && !strcmp(g.name, f->name);
}

/* A line; with the name of the function, if it is one of a backtrace of ours. */
static void show_line(const char *line)
{
	unsigned long pc;
	unsigned int nr;
	char name[NAME_MAX_LEN] = "";

	if (sscanf(line, "  #%u %lx", &nr, &pc) == 2 && nr < BACKTRACE_MAX)
		__sanitizer_symbolize_pc((void *)pc, "%f %S", name, sizeof(name));
	fprintf(stderr, "| %s %s\n", line, name);
}

static void show_log(int status)
{
	char *text = read_file(log_fd), *line;
	size_t len = strlen(text);
	char *rest = len > LOG_TAIL ? text + len - LOG_TAIL : text;

	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		fprintf(stderr, "fuzz: no end after %u s\n", CHILD_SECONDS);
	fprintf(stderr, "fuzz: the end of what it said:\n");
	while ((line = strsep(&rest, "\n")))
		show_line(line);
	free(text);
}

/* ---- what the kernel's half calls -------------------------------------------------------- */

static void write_all(int fd, const char *text, unsigned long n)
{
	while (n) {
		ssize_t done = write(fd, text, n);

		if (done < 0 && errno != EINTR)
			abort();
		if (done > 0) {
			text += done;
			n -= (unsigned long)done;
		}
	}
}

void host_write(const char *text, unsigned long n)
{
	said = 1;
	write_all(log_fd, text, n);
}

int host_getc(void)
{
	return EOF;
}

/* A test that is made of the steps leaves nothing behind. */
static void write_end_down(void)
{
	if (fuzz_tracing && fuzz_target.end)
		fuzz_target.end();
}

static void save_counters(void)
{
	memcpy(shared, __start___sancov_cntrs,
	       (size_t)(__stop___sancov_cntrs - __start___sancov_cntrs));
}

void host_exit(int status)
{
	if (!in_child) {
		show_log(status);
		abort();
	}
	if (status)
		write_end_down();
	save_counters();
	_exit(status);
}

void fuzz_trace_line(const char *line)
{
	if (!fuzz_tracing)
		return;
	write_all(trace_fd, line, strlen(line));
	write_all(trace_fd, "\n", 1);
}

void host_fill(void *to, int byte, unsigned long size)
{
	memset(to, byte, size);
}

int host_holds(const void *at, int byte, unsigned long size)
{
	const unsigned char *p = at;

	return !size || (p[0] == (unsigned char)byte && !memcmp(p, p + 1, size - 1));
}

/* ---- children ---------------------------------------------------------------------------- */

static void child_died(void)
{
	write_end_down();
	save_counters();
	_exit(STATUS_DEATH);
}

static void run_as_child(const uint8_t *data, size_t size)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGALRM, SIGTERM };

	in_child = 1;
	for (unsigned int i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
		signal(deadly[i], SIG_DFL);
	__sanitizer_set_death_callback(child_died);
	if (dup2(log_fd, STDOUT_FILENO) < 0 || dup2(log_fd, STDERR_FILENO) < 0)
		_exit(2);
	alarm(CHILD_SECONDS);
	fuzz_enter(data, size);
	host_exit(0);
}

/* The wait status of a child that ran the input: 0, or what it died of. */
static int run_child(const uint8_t *data, size_t size)
{
	int status;
	pid_t pid;

	rewind_file(log_fd);
	pid = fork();
	if (pid < 0)
		abort();
	if (!pid)
		run_as_child(data, size);
	while (waitpid(pid, &status, 0) != pid)
		if (errno != EINTR)
			abort();
	return status;
}

static void take_counters(void)
{
	memcpy(__start___sancov_cntrs, shared,
	       (size_t)(__stop___sancov_cntrs - __start___sancov_cntrs));
}

/* ---- reduction --------------------------------------------------------------------------- */

struct input {
	uint8_t *bytes;
	size_t size;
};

static int still_fails(const struct input *in, const struct failure *f)
{
	int status = run_child(in->bytes, in->size);

	return status && same_failure(f, status);
}

/* Leave out @nr records from record @first on, if it fails without them too. */
static int drop_records(struct input *in, const struct failure *f, size_t first, size_t nr)
{
	size_t unit = fuzz_target.record ? fuzz_target.record : 1;
	size_t start = fuzz_target.header + first * unit;
	size_t end = start + nr * unit < in->size ? start + nr * unit : in->size;
	struct input less = { malloc(in->size), in->size - (end - start) };
	int fails;

	if (!less.bytes)
		abort();
	memcpy(less.bytes, in->bytes, start);
	memcpy(less.bytes + start, in->bytes + end, in->size - end);
	fails = still_fails(&less, f);
	if (fails) {
		memcpy(in->bytes, less.bytes, less.size);
		in->size = less.size;
	}
	free(less.bytes);
	return fails;
}

static size_t nr_records(const struct input *in)
{
	size_t unit = fuzz_target.record ? fuzz_target.record : 1;

	return in->size > fuzz_target.header ? (in->size - fuzz_target.header + unit - 1) / unit :
					       0;
}

/* From the end, where the records after the failing one are. */
static int drop_runs(struct input *in, const struct failure *f, size_t run)
{
	int changed = 0;

	for (size_t end = nr_records(in); end > 0;) {
		size_t first = end > run ? end - run : 0;

		changed |= drop_records(in, f, first, end - first);
		end = first;
	}
	return changed;
}

static int zero_bytes(struct input *in, const struct failure *f)
{
	int changed = 0;

	for (size_t i = 0; i < in->size; i++) {
		uint8_t was = in->bytes[i];

		in->bytes[i] = 0;
		if (was && still_fails(in, f))
			changed = 1;
		else
			in->bytes[i] = was;
	}
	return changed;
}

static void reduce(struct input *in, const struct failure *f)
{
	int changed = 1;

	while (changed) {
		size_t run = nr_records(in);

		changed = 0;
		for (; run > 1; run = (run + 1) / 2)
			changed |= drop_runs(in, f, run);
		changed |= drop_runs(in, f, 1);
		changed |= zero_bytes(in, f);
	}
}

#define BYTES_A_LINE 16u

/* Of a target that has no steps: the input itself. */
static void print_bytes(const struct input *in)
{
	printf("static const unsigned char input[%zu] = {", in->size);
	for (size_t i = 0; i < in->size; i++)
		printf("%s0x%02x,", i % BYTES_A_LINE ? " " : "\n\t", in->bytes[i]);
	printf("\n};\n");
}

/* As a test that can be pasted into tests/. */
static void print_steps(const struct input *in, const struct failure *f)
{
	char *text;
	int status;

	rewind_file(trace_fd);
	fuzz_tracing = 1;
	status = run_child(in->bytes, in->size);
	fuzz_tracing = 0;
	text = read_file(trace_fd);
	/* The test that the target began ends where the run did. */
	printf("/* %zu records; ends in: %s */\n%s%s", nr_records(in), f->name, text,
	       strstr(text, "KTEST(") ? "}\n" : "");
	if (!*text)
		print_bytes(in);
	free(text);
	fflush(stdout);
	show_log(status);
}

static void write_input(const char *path, const struct input *in)
{
	FILE *out = fopen(path, "wb");

	if (!out || fwrite(in->bytes, 1, in->size, out) != in->size || fclose(out)) {
		perror(path);
		exit(2);
	}
}

/* Run, and reduce if it fails; the exit status: did it fail? */
static int examine(struct input *in, const char *out)
{
	struct failure f;
	int status = run_child(in->bytes, in->size);

	if (!status) {
		printf("fuzz-%s: passes\n", fuzz_target.name);
		return 0;
	}
	f = describe(status);
	fprintf(stderr, "fuzz-%s: %zu records fail: %s; reducing\n", fuzz_target.name,
		nr_records(in), f.name);
	reduce(in, &f);
	print_steps(in, &f);
	if (out)
		write_input(out, in);
	return 1;
}

static int reduce_file(const char *path, const char *out)
{
	struct input in = { malloc(fuzz_target.size_max), 0 };
	FILE *file = fopen(path, "rb");

	if (!file || !in.bytes) {
		perror(path);
		return 2;
	}
	in.size = fread(in.bytes, 1, fuzz_target.size_max, file);
	fclose(file);
	return examine(&in, out);
}

static int run_seed(const char *seed, const char *size)
{
	size_t wanted = size ? strtoul(size, NULL, 0) : SEED_SIZE;
	uint64_t state = strtoull(seed, NULL, 0);
	struct input in = { malloc(fuzz_target.size_max), 0 };
	char path[64];

	if (!in.bytes)
		abort();
	in.size = wanted < fuzz_target.size_max ? wanted : fuzz_target.size_max;
	for (size_t i = 0; i < in.size; i++) {
		state = state * 6364136223846793005ull + 1442695040888963407ull;
		in.bytes[i] = (uint8_t)(state >> 56);
	}
	snprintf(path, sizeof(path), "fuzz-%s-seed-%s", fuzz_target.name, seed);
	return examine(&in, path);
}

/* ---- libFuzzer's entries ----------------------------------------------------------------- */

/* Say to libFuzzer what the target says; inputs of operations need not begin small. */
static void add_arguments(int *argc, char ***argv)
{
	static char max_len[32];
	char **all = calloc((size_t)*argc + 3, sizeof(char *));

	if (!all)
		abort();
	memcpy(all, *argv, (size_t)*argc * sizeof(char *));
	snprintf(max_len, sizeof(max_len), "-max_len=%lu", fuzz_target.size_max);
	all[(*argc)++] = max_len;
	if (fuzz_target.record)
		all[(*argc)++] = (char *)"-len_control=0";
	*argv = all;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	size_t size = (size_t)(__stop___sancov_cntrs - __start___sancov_cntrs);
	char **arg = *argv;

	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	log_fd = memfd_create("fuzz-log", MFD_CLOEXEC);
	trace_fd = memfd_create("fuzz-trace", MFD_CLOEXEC);
	if (shared == MAP_FAILED || log_fd < 0 || trace_fd < 0)
		abort();
	fuzz_setup();
	if (*argc > 2 && !strcmp(arg[1], "reduce"))
		exit(reduce_file(arg[2], *argc > 3 ? arg[3] : NULL));
	if (*argc > 2 && !strcmp(arg[1], "seed"))
		exit(run_seed(arg[2], *argc > 3 ? arg[3] : NULL));
	add_arguments(argc, argv);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int status;

	if (size > fuzz_target.size_max)
		size = fuzz_target.size_max;
	if (fuzz_target.where == FUZZ_IN_PROCESS) {
		if (said)
			rewind_file(log_fd);
		said = 0;
		fuzz_enter(data, size);
		return 0;
	}
	status = run_child(data, size);
	if (status) {
		show_log(status);
		abort();
	}
	take_counters();
	return 0;
}
