/*
 * Layer: base
 * cmdline.h - the kernel command line: words "name" and "name=value" against tables of options.
 */
#ifndef QUARRY_CMDLINE_H
#define QUARRY_CMDLINE_H

#include <quarry/compiler.h>
#include <quarry/types.h>

/* Longest word, its NUL included; a longer one is reported and ignored. */
#define CMDLINE_WORD_MAX 1024u

struct boot_option {
	const char *name;
	/*
	 * Take @value: what stands behind the '=', "" without one; valid during the call only.
	 * 0, or -errno when it makes no sense.  Called once for each time the option is given.
	 */
	QAPI int (*parse)(const char *value);
};

/**
 * cmdline_parse - hand every option on @cmdline to the first table entry of that name.
 * @cmdline:   words between blanks; double quotes keep blanks together and are dropped.
 * @tables:    @nr_tables pointers to arrays of options.
 * @nr:        the length of each of these arrays.
 *
 * Every option is printed as it is set; one that is unknown, or whose value is refused, is named.
 *
 * Return:  words that were not accepted.
 * Context: boot, one call at a time.
 */
QAPI unsigned int cmdline_parse(const char *cmdline, const struct boot_option *const *tables,
				const unsigned int *nr, unsigned int nr_tables);

#endif
