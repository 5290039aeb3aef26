/*
 * cmd_alloc.c - pages by hand.
 *
 * THEORY.  `alloc` remembers what it handed out, so that `free` needs no order and nothing is lost
 * from sight.  A GFP mask is typed as its names, joined by '|' or ','; the names of the flags are
 * asked of gfp_show(), so there is no second list of them.
 *
 * `free` with an order is passed on as it is: a double free, a wrong order or a page that nobody
 * allocated ends in the allocator's own report and a panic, which is what one wants to see.
 *
 * STATE.  A table of blocks; a slot is free when its page is NULL.
 *
 * CONTEXT.  The monitor's thread.
 */
#include <quarry/compiler.h>
#include <quarry/errno.h>
#include <quarry/gfp.h>
#include <quarry/mm.h>
#include <quarry/monitor.h>
#include <quarry/string.h>

#define NR_ALLOCS    64u
#define GFP_TEXT_MAX 256u

struct alloc {
	struct page *page; /* NULL: the slot is free */
	unsigned int order;
	gfp_t gfp;
};

static struct alloc allocs[NR_ALLOCS];

static const struct {
	const char *name;
	gfp_t gfp;
} presets[] = {
	{ "GFP_NOWAIT", GFP_NOWAIT },     { "GFP_ATOMIC", GFP_ATOMIC },
	{ "GFP_NOIO", GFP_NOIO },         { "GFP_NOFS", GFP_NOFS },
	{ "GFP_KERNEL", GFP_KERNEL },     { "GFP_USER", GFP_USER },
	{ "GFP_HIGHUSER", GFP_HIGHUSER }, { "GFP_HIGHUSER_MOVABLE", GFP_HIGHUSER_MOVABLE },
	{ "GFP_DMA", GFP_DMA },           { "GFP_DMA32", GFP_DMA32 },
	{ "GFP_THISNODE", GFP_THISNODE },
};

static struct alloc *find_alloc(const struct page *page)
{
	for (unsigned int i = 0; i < NR_ALLOCS; i++) {
		if (allocs[i].page == page)
			return &allocs[i];
	}
	return NULL;
}

static void show_alloc(struct out *o, const struct alloc *a)
{
	out_printf(o, "pfn=0x%05lx va=", page_to_pfn(a->page));
	if (page_address(a->page))
		out_printf(o, "%p", page_address(a->page));
	else
		out_printf(o, "none");
	out_printf(o, " order=%u zone=%s gfp=", a->order, page_zone(a->page)->name);
	gfp_show(o, a->gfp);
	out_printf(o, "\n");
}

/* Is @name, of @len bytes, what gfp_show() calls the single flag @flag? */
static bool is_flag(const char *name, size_t len, gfp_t flag)
{
	struct out_buf b;
	char text[GFP_TEXT_MAX];

	out_buf_init(&b, text, sizeof(text));
	gfp_show(&b.out, flag);
	return b.len == len && memcmp(text, name, len) == 0;
}

static int parse_gfp_name(const char *name, size_t len, gfp_t *gfp)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(presets); i++) {
		if (strlen(presets[i].name) == len && memcmp(presets[i].name, name, len) == 0) {
			*gfp |= presets[i].gfp;
			return 0;
		}
	}
	for (unsigned int bit = 0; bit < __GFP_BITS; bit++) {
		if (is_flag(name, len, 1u << bit)) {
			*gfp |= 1u << bit;
			return 0;
		}
	}
	return -EINVAL;
}

QAPI int monitor_parse_gfp(const char *text, gfp_t *gfp)
{
	size_t len;

	*gfp = 0;
	for (;; text += len + 1) {
		len = 0;
		while (text[len] && text[len] != '|' && text[len] != ',')
			len++;
		if (parse_gfp_name(text, len, gfp))
			return -EINVAL;
		if (!text[len])
			return 0;
	}
}

static QAPI int cmd_alloc(struct out *o, int argc, char **argv)
{
	gfp_t gfp = GFP_KERNEL;
	unsigned long order;
	struct alloc *a;

	if (argc < 2 || argc > 3 || monitor_parse_ulong(argv[1], &order) || order >= MAX_ORDER)
		return -EINVAL;
	if (argc == 3 && monitor_parse_gfp(argv[2], &gfp))
		return -EINVAL;
	a = find_alloc(NULL);
	if (!a)
		return -ENOSPC;
	a->page = alloc_pages(gfp, (unsigned int)order);
	if (!a->page)
		return -ENOMEM;
	a->order = (unsigned int)order;
	a->gfp = gfp;
	show_alloc(o, a);
	return 0;
}
MONITOR_COMMAND(alloc, "<order> [GFP_NAME|...]", "allocate 2^order pages, GFP_KERNEL by default",
		cmd_alloc);

static void free_alloc(struct out *o, struct alloc *a)
{
	struct page *page = a->page;

	a->page = NULL;
	__free_pages(page, a->order);
	out_printf(o, "freed pfn=0x%05lx order=%u\n", page_to_pfn(page), a->order);
}

static QAPI int cmd_free(struct out *o, int argc, char **argv)
{
	struct alloc given = { NULL, 0, 0 }, *a;
	unsigned long order;
	pfn_t pfn;
	int err;

	if (argc < 2 || argc > 3)
		return -EINVAL;
	err = monitor_parse_pfn(argv[1], &pfn);
	if (err)
		return err;
	a = find_alloc(pfn_to_page(pfn));
	if (argc == 2 && !a)
		return -ENOENT;
	if (argc == 3) {
		if (monitor_parse_ulong(argv[2], &order) || order >= MAX_ORDER)
			return -EINVAL;
		if (a)
			a->page = NULL;
		given.page = pfn_to_page(pfn);
		given.order = (unsigned int)order;
		a = &given;
	}
	free_alloc(o, a);
	return 0;
}
MONITOR_COMMAND(free, "<pfn|0xVA|pa:0xPA> [order]", "give back what alloc gave", cmd_free);

static QAPI int cmd_allocs(struct out *o, int argc, char **argv)
{
	unsigned int nr = 0;

	(void)argv;
	if (argc != 1)
		return -EINVAL;
	for (unsigned int i = 0; i < NR_ALLOCS; i++) {
		if (allocs[i].page) {
			show_alloc(o, &allocs[i]);
			nr++;
		}
	}
	out_printf(o, "%u blocks, room for %u\n", nr, NR_ALLOCS);
	return 0;
}
MONITOR_COMMAND(allocs, "", "list what alloc gave and free did not take", cmd_allocs);
