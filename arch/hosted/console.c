/*
 * console.c - the console on the standard streams, and the end of the run.
 *
 * IDEA.  A text may lie anywhere, also in a page of the window that was never touched, of which the
 * host's write() would know nothing: it is copied to the stack first.
 *
 * STATE.  stopped: nothing more is to be printed.
 *
 * CONTEXT.  Any; console_getc(): a thread.
 */
#include "host_ops.h"
#include "hosted.h"
#include <quarry/align.h>
#include <quarry/bug.h>
#include <quarry/env.h>
#include <quarry/port.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#define CHUNK 256u

#define STATUS_OK   0
#define STATUS_FAIL 1

static bool stopped;

static QAPI void console_write(struct console *c, const char *s, size_t n)
{
	char chunk[CHUNK];

	(void)c;
	while (n && !stopped) {
		size_t len = min(n, sizeof(chunk));

		memcpy(chunk, s, len);
		host_write(chunk, len);
		s += len;
		n -= len;
	}
}

void console_init(void)
{
	static struct console console = { .write = console_write };

	console_register(&console);
}

QAPI void serial_console_stop(void)
{
	stopped = true;
}

/* The end of the input is the end of the run: there is nobody left who could type. */
QAPI int console_getc(void)
{
	int byte;

	BUG_ON(!env_can_sleep());
	byte = host_getc();
	if (byte < 0)
		port_stop(EXIT_CODE_OK);
	return byte;
}

QAPI void port_stop(int code)
{
	host_exit(code == EXIT_CODE_OK ? STATUS_OK : code == EXIT_CODE_FAIL ? STATUS_FAIL : code);
}

/* The process is the machine: after a reset there is none. */
QAPI void port_reboot(void)
{
	host_exit(STATUS_OK);
}
