/*
 * efi_console.c - the loader's messages: the firmware's console, or COM1.
 *
 * IDEA.  Who boots a machine without a screen reads a serial line.  Most firmware writes its
 * console to both; whether this one does, the device paths in its variable ConOut tell.  If no UART
 * is among them, COM1 is set up here, and lines go to it directly; so they do after boot services
 * have ended.
 *
 * STATE.  has_console, has_serial.
 *
 * CONTEXT.  One CPU; interrupts as the firmware has them.
 */
#include "efi_app.h"

#include "devpath.h"

#include <quarry/printk.h>
#include <quarry/string.h>
#include <stdarg.h>

#define PAUSE_100NS   50000000u /* 5 s */
#define LINE_SIZE     256u
#define COM1          0x3f8u
#define COM1_STATUS   (COM1 + 5)
#define COM1_CAN_SEND 0x20u
#define COM1_INTR     (COM1 + 1)
#define COM1_FIFO     (COM1 + 2)
#define COM1_LINE     (COM1 + 3)
#define COM1_DIVISOR  0x80u /* in COM1_LINE: the first two registers are the divisor */
#define COM1_8N1      0x03u
#define COM1_115200   1u
#define COM1_FIFO_ON  0x01u
#define COM1_TRIES    100000u /* about 0.1 s: a port that is not there must not stop us */

static bool has_console;
static bool has_serial; /* the console writes to a serial line as well */

static bool console_is_serial(void)
{
	EFI_GUID global = EFI_GLOBAL_VARIABLE;
	CHAR16 name[] = { 'C', 'o', 'n', 'O', 'u', 't', 0 };
	EFI_RUNTIME_SERVICES *run = app.system->RuntimeServices;
	bool is_serial = false;
	UINTN size = 0;
	void *paths;

	/* Firmware that lists all its devices takes as much as it likes: ask for the size first. */
	if (run->GetVariable(name, &global, NULL, &size, NULL) != EFI_BUFFER_TOO_SMALL ||
	    EFI_ERROR(app.boot->AllocatePool(EfiLoaderData, size, &paths)))
		return false;
	if (!EFI_ERROR(run->GetVariable(name, &global, NULL, &size, paths)))
		is_serial = devpath_has_uart(paths, size);
	app.boot->FreePool(paths);
	return is_serial;
}

static void port_out(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

/* 115200 baud, 8N1, as the kernel will have it. */
static void serial_init(void)
{
	port_out(COM1_INTR, 0);
	port_out(COM1_LINE, COM1_DIVISOR);
	port_out(COM1, COM1_115200);
	port_out(COM1 + 1, COM1_115200 >> 8);
	port_out(COM1_LINE, COM1_8N1);
	port_out(COM1_FIFO, COM1_FIFO_ON);
}

void console_init(void)
{
	has_console = app.system->ConOut != NULL;
	has_serial = has_console && console_is_serial();
	if (!has_serial)
		serial_init();
}

void console_forget(void)
{
	has_console = false;
	has_serial = false;
}

void console_pause(void)
{
	enum { KEY, TIMER, NR_EVENTS };
	SIMPLE_INPUT_INTERFACE *keys = app.system->ConIn;
	EFI_EVENT event[NR_EVENTS];
	EFI_INPUT_KEY key;
	UINTN which;

	if (!has_console || !keys ||
	    EFI_ERROR(app.boot->CreateEvent(EVT_TIMER, 0, NULL, NULL, &event[TIMER])))
		return;
	say("a key, or five seconds, and the firmware goes on");
	event[KEY] = keys->WaitForKey;
	app.boot->SetTimer(event[TIMER], TimerRelative, PAUSE_100NS);
	if (!EFI_ERROR(app.boot->WaitForEvent(NR_EVENTS, event, &which)) && which == KEY)
		keys->ReadKeyStroke(keys, &key);
	app.boot->CloseEvent(event[TIMER]);
}

static uint8_t port_in(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void serial_send(char byte)
{
	for (unsigned int i = 0; i < COM1_TRIES && !(port_in(COM1_STATUS) & COM1_CAN_SEND); i++)
		;
	port_out(COM1, (uint8_t)byte);
}

static void write_line(const char *line)
{
	CHAR16 wide[LINE_SIZE + 2];
	size_t len = strlen(line);

	for (size_t i = 0; i < len; i++)
		wide[i] = (CHAR16)line[i];
	wide[len++] = '\r';
	wide[len++] = '\n';
	wide[len] = 0;
	if (has_console)
		app.system->ConOut->OutputString(app.system->ConOut, wide);
	for (size_t i = 0; i < len && !has_serial; i++)
		serial_send((char)wide[i]);
}

static void write_message(const char *mark, const char *fmt, va_list args)
{
	char line[LINE_SIZE];
	int len = snprintf(line, sizeof(line), APP_NAME ": %s", mark);

	vsnprintf(line + len, sizeof(line) - (size_t)len, fmt, args);
	write_line(line);
}

void say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	write_message("", fmt, args);
	va_end(args);
}

EFI_STATUS fail(EFI_STATUS status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	write_message("error: ", fmt, args);
	va_end(args);
	return status;
}

const char *status_text(EFI_STATUS status)
{
	static char number[sizeof("status 0x0123456789abcdef")];

	switch (status) {
	case EFI_NOT_FOUND:
		return "not found";
	case EFI_UNSUPPORTED:
		return "not supported";
	case EFI_DEVICE_ERROR:
		return "device error";
	case EFI_VOLUME_CORRUPTED:
		return "volume corrupted";
	case EFI_NO_MEDIA:
	case EFI_MEDIA_CHANGED:
		return "medium removed";
	case EFI_ACCESS_DENIED:
		return "access denied";
	case EFI_OUT_OF_RESOURCES:
		return "out of memory";
	default:
		snprintf(number, sizeof(number), "status 0x%llx", (unsigned long long)status);
		return number;
	}
}
