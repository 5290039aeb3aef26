/*
 * Layer: base
 * printk.h - formatted text: into buffers, to the log and to the consoles.
 *
 * A console is whatever a port registers; the library knows no device.  No lock is taken: two
 * CPUs may interleave lines, but the text of one write call stays together.
 */
#ifndef QUARRY_PRINTK_H
#define QUARRY_PRINTK_H

#include <quarry/compiler.h>
#include <quarry/out.h>
#include <quarry/types.h>
#include <stdarg.h>

/*
 * A level is two bytes before the message: SOH and a digit.  A message without one is KERN_NOTICE.
 * Consoles see a message when its level is below console_loglevel; KERN_EMERG is always seen.
 */
#define KERN_SOH     "\001"
#define KERN_EMERG   KERN_SOH "0" /* the machine stops */
#define KERN_ALERT   KERN_SOH "1"
#define KERN_CRIT    KERN_SOH "2"
#define KERN_ERR     KERN_SOH "3"
#define KERN_WARNING KERN_SOH "4"
#define KERN_NOTICE  KERN_SOH "5"
#define KERN_INFO    KERN_SOH "6"
#define KERN_DEBUG   KERN_SOH "7"

#define CONSOLE_LOGLEVEL_DEFAULT 7 /* all but KERN_DEBUG */
#define CONSOLE_LOGLEVEL_MAX     8 /* everything */

extern int console_loglevel;

/**
 * printk - format a message to the log and the consoles.
 *
 * Return:  bytes of text, the level not counted.
 * Context: any, interrupts and exceptions included.
 */
int printk(const char *fmt, ...) __printf(1, 2);

#define pr_emerg(...)  printk(KERN_EMERG __VA_ARGS__)
#define pr_err(...)    printk(KERN_ERR __VA_ARGS__)
#define pr_warn(...)   printk(KERN_WARNING __VA_ARGS__)
#define pr_notice(...) printk(KERN_NOTICE __VA_ARGS__)
#define pr_info(...)   printk(KERN_INFO __VA_ARGS__)
#define pr_debug(...)  printk(KERN_DEBUG __VA_ARGS__)

struct console {
	/* Put out @n bytes; never fails, may wait for a device.  Called in any context. */
	QAPI void (*write)(struct console *c, const char *s, size_t n);
	struct console *next; /* printk's own */
};

/**
 * console_register - send all further text to @c too, after what the log holds already.
 * @c: filled in by the caller; stays until console_unregister().
 *
 * Context: one CPU at a time.
 */
QAPI void console_register(struct console *c);

/**
 * console_unregister - send no more text to @c.  One that was never registered is ignored.
 *
 * Context: one CPU at a time, and no other inside printk.
 */
QAPI void console_unregister(struct console *c);

/**
 * console_fresh_line - end the line that stands open on the consoles, if one does.
 *
 * For text that must start a line whatever was printed before: panics, test results.
 */
QAPI void console_fresh_line(void);

/**
 * printk_log_show - write the kept messages of all levels to @o, oldest first.
 *
 * Messages printed meanwhile may be missing or cut.
 */
QAPI void printk_log_show(struct out *o);

/*
 * Formatting.  Conversions: d i u x X o c s p %, flags - + space # 0, width and precision (also
 * *), lengths hh h l ll z t j.  %p is 0x and all digits of a pointer; a NULL string is (null).  A
 * conversion that does not exist is copied as it stands.  No field is wider than 2^20, whatever
 * width or precision say.
 */

/**
 * vsnprintf - format into @buf of @size bytes, NUL-terminated unless @size is 0.
 *
 * Return:  length of the whole text; it was cut when that is @size or more.
 */
QAPI int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap) __printf(3, 0);
int snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

/**
 * scnprintf - snprintf() that returns the bytes stored, the NUL not counted: for appending.
 */
int scnprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);

/* Where vformat() puts its text, piece by piece; embed it in a structure with the state. */
struct format_sink {
	QAPI void (*emit)(struct format_sink *sink, const char *text, size_t n);
};

/**
 * vformat - format piecewise to @sink: text of any length without a buffer for all of it.
 *
 * Return:  length of the whole text.
 */
QAPI int vformat(struct format_sink *sink, const char *fmt, va_list ap) __printf(2, 0);

/**
 * out_vprintf - out_printf() for a caller that has its arguments in a va_list.
 */
QAPI void out_vprintf(struct out *o, const char *fmt, va_list ap) __printf(2, 0);

#endif
