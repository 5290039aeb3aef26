/*
 * config.c - the EFI loader's configuration: lines of key=value.
 *
 * IDEA.  A mistake must not boot something else than was meant: whatever is not understood is an
 * error with its line number, and so is what does not fit.  Nothing is cut.
 *
 * STATE.  struct config, the caller's.
 *
 * CONTEXT.  Any: no firmware, no allocation.  Also compiled and tested as a process.
 *
 * NOT HERE.  Reading the file: efi_file.c.
 */
#include "config.h"

#include <quarry/errno.h>
#include <quarry/string.h>

/* A piece of the file. */
struct span {
	const char *at;
	size_t len;
};

static int wrong(struct config *c, const char *why)
{
	c->why = why;
	return -EILSEQ;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

static struct span trim(struct span s)
{
	while (s.len && is_blank(s.at[0]))
		s = (struct span){ s.at + 1, s.len - 1 };
	while (s.len && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

static bool is_printable(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] != '\t' && (s.at[i] < ' ' || s.at[i] > '~'))
			return false;
	}
	return true;
}

/* The bytes of @s before the first @byte, or all of them. */
static size_t len_before(struct span s, char byte)
{
	size_t len = 0;

	while (len < s.len && s.at[len] != byte)
		len++;
	return len;
}

static bool copy(char *dst, size_t size, struct span s)
{
	if (s.len >= size)
		return false;
	memcpy(dst, s.at, s.len);
	dst[s.len] = '\0';
	return true;
}

static int set_path(struct config *c, char *dst, struct span path)
{
	if (!path.len || path.at[0] != '/')
		return wrong(c, "a path starts with /");
	return copy(dst, CONFIG_PATH_MAX, path) ? 0 : wrong(c, "the path is too long");
}

static int set_kernel(struct config *c, struct span value)
{
	if (*c->kernel)
		return wrong(c, "a second kernel=");
	return set_path(c, c->kernel, value);
}

static int set_cmdline(struct config *c, struct span value)
{
	if (c->has_cmdline)
		return wrong(c, "a second cmdline=");
	c->has_cmdline = true;
	return copy(c->cmdline, sizeof(c->cmdline), value) ?
		       0 :
		       wrong(c, "the command line is too long");
}

static int add_module(struct config *c, struct span value)
{
	struct config_module *m = &c->module[c->nr_modules];
	size_t blank = len_before(value, ' '), tab = len_before(value, '\t');

	if (c->nr_modules == CONFIG_MODULES_MAX)
		return wrong(c, "too many modules");
	if (!copy(m->text, sizeof(m->text), value))
		return wrong(c, "the module's arguments are too long");
	c->nr_modules++;
	return set_path(c, m->path, (struct span){ value.at, blank < tab ? blank : tab });
}

static bool is_key(struct span s, const char *key)
{
	return s.len == strlen(key) && !memcmp(s.at, key, s.len);
}

static int parse_line(struct config *c, struct span line)
{
	struct span key = { line.at, len_before(line, '=') };
	struct span value;

	if (!line.len || line.at[0] == '#')
		return 0;
	if (!is_printable(line))
		return wrong(c, "a byte that is not printable ASCII");
	if (key.len == line.len)
		return wrong(c, "no key=value");
	value = trim((struct span){ line.at + key.len + 1, line.len - key.len - 1 });
	key = trim(key);
	if (is_key(key, "kernel"))
		return set_kernel(c, value);
	if (is_key(key, "cmdline"))
		return set_cmdline(c, value);
	if (is_key(key, "module"))
		return add_module(c, value);
	return wrong(c, "a key that is none of kernel, cmdline, module");
}

QAPI int config_parse(struct config *c, const char *text, size_t len)
{
	struct span rest = { text, len };

	memset(c, 0, sizeof(*c));
	while (rest.len) {
		size_t line_len = len_before(rest, '\n');
		size_t step = line_len < rest.len ? line_len + 1 : line_len;
		int err;

		c->line++;
		err = parse_line(c, trim((struct span){ rest.at, line_len }));
		if (err)
			return err;
		rest = (struct span){ rest.at + step, rest.len - step };
	}
	c->line = 0;
	return *c->kernel ? 0 : wrong(c, "no kernel=");
}
