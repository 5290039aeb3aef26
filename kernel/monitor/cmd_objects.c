/*
 * cmd_objects.c - objects of slab caches by hand, and what an address is.
 *
 * THEORY.  As `alloc` with pages: `kmalloc` and `objalloc` remember what they handed out, and
 * `kfree` and `objfree` take only what is remembered, each from its own kind.  So nobody's object
 * is freed by a wrong digit; who wants to see what a wrong free does has the crimes of the tests.
 * A GFP mask is passed on as it is: one that objects cannot have ends in the allocator's report.
 *
 * STATE.  A table of objects; a slot is free when its object is NULL.
 *
 * CONTEXT.  The monitor's thread.
 */
#include <quarry/compiler.h>
#include <quarry/errno.h>
#include <quarry/gfp.h>
#include <quarry/monitor.h>
#include <quarry/slab.h>
#include <quarry/whatis.h>

#define NR_HELD 256u

struct held {
	void *obj;            /* NULL: the slot is free */
	struct kmem_cache *c; /* NULL: of kmalloc() */
	gfp_t gfp;
};

static struct held table[NR_HELD];

static struct held *find_held(const void *obj)
{
	for (unsigned int i = 0; i < NR_HELD; i++) {
		if (table[i].obj == obj)
			return &table[i];
	}
	return NULL;
}

static void show_held(struct out *o, const struct held *h)
{
	out_printf(o, "object=0x%08lx size=%zu from=%s gfp=", (unsigned long)(uintptr_t)h->obj,
		   ksize(h->obj), h->c ? kmem_cache_name(h->c) : "kmalloc");
	gfp_show(o, h->gfp);
	out_printf(o, "\n");
}

/* ---- taking ----------------------------------------------------------------------------- */

/* @c NULL: kmalloc() of @size. */
static int take(struct out *o, struct kmem_cache *c, size_t size, gfp_t gfp)
{
	struct held *h = find_held(NULL);

	if (!h)
		return -ENOSPC;
	h->obj = c ? kmem_cache_alloc(c, gfp) : kmalloc(size, gfp);
	h->c = c;
	h->gfp = gfp;
	if (!h->obj)
		return -ENOMEM;
	show_held(o, h);
	return 0;
}

static QAPI int cmd_kmalloc(struct out *o, int argc, char **argv)
{
	gfp_t gfp = GFP_KERNEL;
	unsigned long size;

	if (argc < 2 || argc > 3 || monitor_parse_ulong(argv[1], &size))
		return -EINVAL;
	if (argc == 3 && monitor_parse_gfp(argv[2], &gfp))
		return -EINVAL;
	if (!size) {
		out_printf(o, "no bytes: kmalloc() gives a pointer to nothing\n");
		return 0;
	}
	return take(o, NULL, size, gfp);
}
MONITOR_COMMAND(kmalloc, "<bytes> [GFP_NAME|...]", "allocate bytes, GFP_KERNEL by default",
		cmd_kmalloc);

static QAPI int cmd_objalloc(struct out *o, int argc, char **argv)
{
	gfp_t gfp = GFP_KERNEL;
	struct kmem_cache *c;

	if (argc < 2 || argc > 3 || (argc == 3 && monitor_parse_gfp(argv[2], &gfp)))
		return -EINVAL;
	c = slab_cache_find(argv[1]);
	return c ? take(o, c, 0, gfp) : -ENOENT;
}
MONITOR_COMMAND(objalloc, "<cache> [GFP_NAME|...]", "allocate an object of a cache", cmd_objalloc);

/* ---- giving back ------------------------------------------------------------------------ */

/* What @text names, if the monitor handed it out: from a cache if @of_cache, else by kmalloc(). */
static int parse_held(struct out *o, const char *text, bool of_cache, struct held **h)
{
	unsigned long va;

	if (monitor_parse_ulong(text, &va))
		return -EINVAL;
	*h = va ? find_held((const void *)va) : NULL;
	if (*h && !(*h)->c == !of_cache)
		return 0;
	out_printf(o, "0x%08lx is nothing that %s gave: objs lists what is\n", va,
		   of_cache ? "objalloc" : "kmalloc");
	return -ENOENT;
}

static void give_back(struct out *o, struct held *h)
{
	void *obj = h->obj;

	h->obj = NULL;
	if (h->c)
		kmem_cache_free(h->c, obj);
	else
		kfree(obj);
	out_printf(o, "freed object=0x%08lx\n", (unsigned long)(uintptr_t)obj);
}

static int cmd_give_back(struct out *o, int argc, char **argv, bool of_cache)
{
	struct held *h;
	int err;

	if (argc != 2)
		return -EINVAL;
	err = parse_held(o, argv[1], of_cache, &h);
	if (!err)
		give_back(o, h);
	return err;
}

static QAPI int cmd_kfree(struct out *o, int argc, char **argv)
{
	return cmd_give_back(o, argc, argv, false);
}
MONITOR_COMMAND(kfree, "<0xVA>", "give back what kmalloc gave", cmd_kfree);

static QAPI int cmd_objfree(struct out *o, int argc, char **argv)
{
	return cmd_give_back(o, argc, argv, true);
}
MONITOR_COMMAND(objfree, "<0xVA>", "give back what objalloc gave", cmd_objfree);

static QAPI int cmd_objs(struct out *o, int argc, char **argv)
{
	unsigned int nr = 0;

	(void)argv;
	if (argc != 1)
		return -EINVAL;
	for (unsigned int i = 0; i < NR_HELD; i++) {
		if (table[i].obj) {
			show_held(o, &table[i]);
			nr++;
		}
	}
	out_printf(o, "%u objects, room for %u\n", nr, NR_HELD);
	return 0;
}
MONITOR_COMMAND(objs, "", "list what kmalloc and objalloc gave and nobody took back", cmd_objs);

/* ---- caches and addresses --------------------------------------------------------------- */

static QAPI int cmd_shrink(struct out *o, int argc, char **argv)
{
	struct kmem_cache *c = NULL;

	if (argc > 2)
		return -EINVAL;
	if (argc == 2) {
		c = slab_cache_find(argv[1]);
		if (!c)
			return -ENOENT;
	}
	out_printf(o, "%lu pages freed\n", c ? kmem_cache_shrink(c) : kmem_cache_reap());
	return 0;
}
MONITOR_COMMAND(shrink, "[cache]", "give empty slabs back, of all caches or of one", cmd_shrink);

static QAPI int cmd_whatis(struct out *o, int argc, char **argv)
{
	unsigned long va;

	if (argc != 2 || monitor_parse_ulong(argv[1], &va))
		return -EINVAL;
	whatis_show(o, va);
	return 0;
}
MONITOR_COMMAND(whatis, "<0xVA>", "what an address is: object, page, symbol, stack, ...",
		cmd_whatis);
