/*
 * cmdline.c - the kernel command line.
 *
 * THEORY.  The line is a sequence of words between blanks.  A double quote switches the meaning of
 * blanks off or on and is not part of the word, so name="a b" has the value `a b`.  A word is
 * split at its first '='; what is before it is looked up in the tables that the caller passes, in
 * their order: no linker magic, no registration, the set of options is visible in one place.
 *
 * STATE.  The current word, in static memory because a boot stack is short.
 *
 * CONTEXT.  Boot, one call at a time.
 */
#include <quarry/cmdline.h>

#include <quarry/errno.h>
#include <quarry/printk.h>
#include <quarry/string.h>

static char word[CMDLINE_WORD_MAX];

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/*
 * Copy the next word of *@line to word[] and step over it.  Its length without quotes; 0 at the
 * end of the line.  A length of CMDLINE_WORD_MAX or more means that word[] holds its beginning.
 */
static size_t next_word(const char **line)
{
	const char *p = *line;
	bool quoted = false;
	size_t len = 0;

	while (is_blank(*p))
		p++;
	for (; *p && (quoted || !is_blank(*p)); p++) {
		if (*p == '"') {
			quoted = !quoted;
			continue;
		}
		if (len < sizeof(word) - 1)
			word[len] = *p;
		len++;
	}
	word[len < sizeof(word) ? len : sizeof(word) - 1] = '\0';
	*line = p;
	return len;
}

/* The option called @name, @len bytes long; NULL when no table has it. */
static const struct boot_option *find_option(const char *name, size_t len,
					     const struct boot_option *const *tables,
					     const unsigned int *nr, unsigned int nr_tables)
{
	for (unsigned int t = 0; t < nr_tables; t++) {
		for (unsigned int i = 0; i < nr[t]; i++) {
			const struct boot_option *opt = &tables[t][i];

			if (!strncmp(opt->name, name, len) && !opt->name[len])
				return opt;
		}
	}
	return NULL;
}

QAPI unsigned int cmdline_parse(const char *cmdline, const struct boot_option *const *tables,
				const unsigned int *nr, unsigned int nr_tables)
{
	unsigned int nr_refused = 0;
	size_t len;

	while ((len = next_word(&cmdline)) != 0 || *cmdline) {
		const char *equals = strchr(word, '=');
		size_t name_len = equals ? (size_t)(equals - word) : strlen(word);
		const struct boot_option *opt;
		int err;

		if (!len)
			continue; /* a pair of quotes around nothing */
		opt = find_option(word, name_len, tables, nr, nr_tables);
		if (!opt) {
			pr_warn("cmdline: unknown option '%.*s' ignored\n", (int)name_len, word);
			nr_refused++;
			continue;
		}
		err = len < sizeof(word) ? opt->parse(equals ? equals + 1 : "") : -E2BIG;
		if (err) {
			pr_warn("cmdline: bad value in '%s' (%d)\n", word, err);
			nr_refused++;
		} else {
			pr_info("cmdline: %s\n", word);
		}
	}
	return nr_refused;
}
