/*
 * Layer: mm
 * leaks.h - who has memory, and who has had it since a mark: with CONFIG_PAGE_OWNER.
 *
 * Three kinds of things are told apart, and nothing is reported as two of them: pages, which need
 * page_owner=1; areas of addresses, whose pages are not among the pages; and objects of slab caches
 * with SLAB_STORE_USER (slab_debug=U), whose slabs are not among the pages that may have leaked.
 * A kind that this boot does not know is said to be unknown.
 *
 * The report of a kind is a line with the sums, then a line for each caller, the largest first:
 *
 *	pages pages=P nr=N callers=C		N allocations by C callers
 *	page pages=P kib=K nr=N kind=KIND by=FUNCTION+OFFSET/SIZE
 *	page pages=P nr=N more_callers=M	those that are not shown, if any
 *
 * A page's kind is page, kmalloc (of whole pages), pgtable, or slab, with cache=NAME; its caller is
 * the innermost one outside of mm/ and lib/.  An area's kind is vmalloc, vmap or ioremap, and only
 * the first has pages of its own.  Objects have bytes= instead of pages= and kib=.
 */
#ifndef QUARRY_LEAKS_H
#define QUARRY_LEAKS_H

#include <quarry/compiler.h>

struct out;

/* Callers of a kind that a report shows. */
#define LEAKS_SHOWN_MAX 64u

/**
 * pageowner_show - pages and areas that somebody has, by caller.
 *
 * Context: a thread; one report at a time, another one says that it is busy.
 * Cost:    a pass over all frames for each 64 callers; no memory is allocated.
 */
QAPI void pageowner_show(struct out *o);

/**
 * leaks_mark - from now on leaks_show() leaves out what was taken before.
 *
 * Context: thread.
 */
QAPI void leaks_mark(void);

/**
 * leaks_show - pages, areas and objects that were taken since the mark and not given back.
 *
 * Without a mark: since boot.  What was given back and only waits in a cache is put in order first
 * (mm_quiesce()).  Page tables are left out: they are kept for ever, whoever made them necessary.
 * Context: a thread that may sleep; one report at a time, another one says that it is busy.
 * Cost:    as pageowner_show(), and a pass over the caches with SLAB_STORE_USER, each under its
 *          lock.
 */
QAPI void leaks_show(struct out *o);

#endif
