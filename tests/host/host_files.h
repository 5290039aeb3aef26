/*
 * host_files.h - files, for our half of a test process.  Plain C types: see host_ops.h.
 */
#ifndef QUARRY_TESTS_HOST_FILES_H
#define QUARRY_TESTS_HOST_FILES_H

/* Paths are relative to the repository: where tests are run from. */

#define HOST_NO_FILE (-1l)

/* The file's contents to @buf: its size; HOST_NO_FILE when it cannot be read or is too large. */
long host_read_file(const char *path, char *buf, unsigned long size);

/* Call @fn for each file "@dir/...@suffix", in the order of their names: how many there are. */
unsigned int host_each_file(const char *dir, const char *suffix,
			    void (*fn)(const char *path, void *arg), void *arg);

#endif
