/*
 * config.c - tests of the EFI loader's configuration: what it says, and each mistake by its line.
 */
#include <quarry/errno.h>
#include <quarry/ktest.h>
#include <quarry/printk.h>
#include <quarry/string.h>

#include "../../../boot/efi/config.h"
#include "../../boot/blob.h"

static struct config c;
static char buffer[8192];

/* The text ends where its buffer does, and has no NUL. */
static int parse_bytes(const char *text, size_t len)
{
	char *at = buffer + sizeof(buffer) - len;

	memmove(at, text, len);
	return config_parse(&c, at, len);
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

KTEST(efi_config, all_three_keys_are_read)
{
	ASSERT_EQ(t, 0,
		  parse("# first\n\n kernel = /boot/k.elf \r\n"
			"cmdline=test=* loglevel=7  \n"
			"module=/a/b.map one two\nmodule=/c"));
	EXPECT_STREQ(t, "/boot/k.elf", c.kernel);
	EXPECT_STREQ(t, "test=* loglevel=7", c.cmdline);
	ASSERT_EQ(t, 2, c.nr_modules);
	EXPECT_STREQ(t, "/a/b.map", c.module[0].path);
	EXPECT_STREQ(t, "/a/b.map one two", c.module[0].text);
	EXPECT_STREQ(t, "/c", c.module[1].path);
	EXPECT_STREQ(t, "/c", c.module[1].text);
}

KTEST(efi_config, a_command_line_may_be_empty_or_missing)
{
	EXPECT_EQ(t, 0, parse("kernel=/k\ncmdline=\n"));
	EXPECT_STREQ(t, "", c.cmdline);
	EXPECT_EQ(t, 0, parse("kernel=/k"));
	EXPECT_STREQ(t, "", c.cmdline);
}

KTEST(efi_config, each_mistake_is_named_with_its_line)
{
	static const struct {
		const char *text;
		unsigned int line;
		const char *why;
	} cases[] = {
		{ "", 0, "no kernel=" },
		{ "# kernel=/k\n", 0, "no kernel=" },
		{ "kernel=/k\nkernel=/k\n", 2, "a second kernel=" },
		{ "kernel=k\n", 1, "a path starts with /" },
		{ "kernel=\n", 1, "a path starts with /" },
		{ "kernel=/k\ncmdline=\ncmdline=", 3, "a second cmdline=" },
		{ "kernel=/k\n\nmodule=a\n", 3, "a path starts with /" },
		{ "kernel=/k\nwhat is this\n", 2, "no key=value" },
		{ "kernel=/k\ninitrd=/i\n", 2, "a key that is none of kernel, cmdline, module" },
		{ "kernel=/k\nKernel=/i\n", 2, "a key that is none of kernel, cmdline, module" },
		{ "kernel=/k\n=x\n", 2, "a key that is none of kernel, cmdline, module" },
		{ "\xEF\xBB\xBFkernel=/k\n", 1, "a byte that is not printable ASCII" },
		{ "kernel=/k\033[2J\n", 1, "a byte that is not printable ASCII" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		EXPECT_EQ(t, -EILSEQ, parse(cases[i].text));
		EXPECT_EQ(t, cases[i].line, c.line);
		EXPECT_STREQ(t, cases[i].why, c.why);
	}
}

/* "KEY/aaa...\n" with a value of @len bytes. */
static int parse_long(const char *key, size_t len)
{
	static char text[4096];
	size_t at = (size_t)snprintf(text, sizeof(text), "%s/", key);

	memset(text + at, 'a', len - 1);
	return parse_bytes(text, at + len - 1);
}

KTEST(efi_config, nothing_is_cut)
{
	EXPECT_EQ(t, 0, parse_long("kernel=", CONFIG_PATH_MAX - 1));
	EXPECT_EQ(t, CONFIG_PATH_MAX - 1, strlen(c.kernel));
	EXPECT_EQ(t, -EILSEQ, parse_long("kernel=", CONFIG_PATH_MAX));
	EXPECT_STREQ(t, "the path is too long", c.why);
	EXPECT_EQ(t, 0, parse_long("kernel=/k\ncmdline=", BOOT_CMDLINE_MAX - 1));
	EXPECT_EQ(t, -EILSEQ, parse_long("kernel=/k\ncmdline=", BOOT_CMDLINE_MAX));
	EXPECT_STREQ(t, "the command line is too long", c.why);
	EXPECT_EQ(t, 0, parse_long("kernel=/k\nmodule=/m ", CONFIG_TEXT_MAX - 4));
	EXPECT_EQ(t, -EILSEQ, parse_long("kernel=/k\nmodule=/m ", CONFIG_TEXT_MAX - 3));
	EXPECT_STREQ(t, "the module's arguments are too long", c.why);
}

KTEST(efi_config, one_module_too_many_is_refused)
{
	size_t len = (size_t)snprintf(buffer, sizeof(buffer), "kernel=/k\n");
	static char text[1024];

	memcpy(text, buffer, len);
	for (unsigned int i = 0; i < CONFIG_MODULES_MAX; i++, len += 10)
		memcpy(text + len, "module=/m\n", 10);
	EXPECT_EQ(t, 0, parse_bytes(text, len));
	memcpy(text + len, "module=/m\n", 10);
	EXPECT_EQ(t, -EILSEQ, parse_bytes(text, len + 10));
	EXPECT_STREQ(t, "too many modules", c.why);
}

KTEST(efi_config, no_text_whatever_is_read_beyond_its_end)
{
	static const char good[] = "kernel=/k\ncmdline=a=b c\nmodule=/m x\n# c\n\r\n";

	for (unsigned long step = ktest_steps(t, 100000); step; step--) {
		char text[sizeof(good)];
		size_t len = ktest_random_below(t, sizeof(good));

		memcpy(text, good, sizeof(good));
		mutate(t, (uint8_t *)text, sizeof(good) - 1);
		if (parse_bytes(text, len))
			EXPECT_NE(t, NULL, c.why);
		else
			EXPECT_EQ(t, '/', c.kernel[0]);
	}
}
