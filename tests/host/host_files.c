/*
 * host_files.c - reading files and directories, compiled against libc.
 *
 * What cannot be opened is reported by its result: a test that needs the file fails, with its own
 * words.
 */
#include "host_files.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SIZE 512

long host_read_file(const char *path, char *buf, unsigned long size)
{
	FILE *f = fopen(path, "rb");
	size_t nr;
	int more;

	if (!f)
		return HOST_NO_FILE;
	nr = fread(buf, 1, size, f);
	more = fgetc(f) != EOF;
	fclose(f);
	return more ? HOST_NO_FILE : (long)nr;
}

static int ends_in(const char *name, const char *suffix)
{
	size_t len = strlen(name), suffix_len = strlen(suffix);

	return len > suffix_len && !strcmp(name + len - suffix_len, suffix);
}

unsigned int host_each_file(const char *dir, const char *suffix,
			    void (*fn)(const char *path, void *arg), void *arg)
{
	struct dirent **entries;
	unsigned int nr_found = 0;
	char path[PATH_SIZE];
	int nr = scandir(dir, &entries, NULL, alphasort);

	for (int i = 0; i < nr; i++) {
		if (ends_in(entries[i]->d_name, suffix)) {
			snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name);
			fn(path, arg);
			nr_found++;
		}
		free(entries[i]);
	}
	if (nr >= 0)
		free(entries);
	return nr_found;
}
