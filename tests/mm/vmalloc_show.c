/*
 * vmalloc_show.c - vmallocinfo, what whatis says of areas, meminfo's line.
 *
 * STATE.  Two buffers.
 */
#include "helpers.h"

#include <quarry/out.h>
#include <quarry/string.h>
#include <quarry/vmalloc.h>
#include <quarry/whatis.h>

static char text[32768], start[64];

static const char *vmallocinfo(struct ktest *t)
{
	struct out_buf b;

	out_buf_init(&b, text, sizeof(text));
	vmallocinfo_show(&b.out);
	EXPECT_EQ(t, 0, b.dropped);
	return text;
}

static const char *whatis(uintptr_t va)
{
	struct out_buf b;

	out_buf_init(&b, text, sizeof(text));
	whatis_show(&b.out, va);
	return text;
}

/* Has a line that begins as an area's of @size bytes at @va, guard included, all of @words? */
static bool has_line(const void *va, unsigned long size, const char *words)
{
	const char *line, *end, *found;

	snprintf(start, sizeof(start), "0x%08lx-0x%08lx %7lu ", (unsigned long)(uintptr_t)va,
		 (unsigned long)(uintptr_t)va + size, size);
	line = strstr(text, start);
	if (!line)
		return false;
	end = strchr(line, '\n');
	found = strstr(line, words);
	return found && end && found < end;
}

KTEST(vmalloc_show, vmallocinfo_has_a_line_for_each_area)
{
	struct page *page = alloc_page(GFP_KERNEL);
	void *p = vmalloc(3 * PAGE_SIZE), *m, *d;

	ASSERT_TRUE(t, p && page);
	m = vmap(&page, 1, VM_MAP, PROT_KERNEL);
	d = ioremap(0xFEE00000ull, PAGE_SIZE);
	ASSERT_TRUE(t, m && d);
	vmallocinfo(t);
	EXPECT_TRUE(t, has_line(p, 4 * PAGE_SIZE, "vmallocinfo_has_a_line_for_each_area+0x"));
	EXPECT_TRUE(t, has_line(p, 4 * PAGE_SIZE, " pages=3 vmalloc\n"));
	EXPECT_TRUE(t, has_line(m, 2 * PAGE_SIZE, " vmap\n"));
	EXPECT_TRUE(t, has_line(d, 2 * PAGE_SIZE, " phys=0xfee00000 ioremap\n"));
	iounmap(d);
	vunmap(m);
	vfree(p);
	__free_page(page);
}

KTEST(vmalloc_show, a_freed_area_is_unpurged_until_the_flush)
{
	void *p = vmalloc(PAGE_SIZE);

	ASSERT_NE(t, NULL, p);
	vfree(p);
	vmallocinfo(t);
	EXPECT_EQ(t, !option_given("vmalloc_debug=1"),
		  has_line(p, 2 * PAGE_SIZE, " unpurged vm_area\n"));
	vm_unmap_aliases();
	vmallocinfo(t);
	EXPECT_FALSE(t, has_line(p, 2 * PAGE_SIZE, ""));
}

KTEST(vmalloc_show, whatis_knows_areas_and_their_pages)
{
	char *p = vmalloc(3 * PAGE_SIZE);

	ASSERT_NE(t, NULL, p);
	snprintf(start, sizeof(start), "area kind=vmalloc start=0x%08lx size=12288 offset=4099 ",
		 (unsigned long)(uintptr_t)p);
	EXPECT_NE(t, NULL, strstr(whatis((uintptr_t)p + PAGE_SIZE + 3), start));
	EXPECT_NE(t, NULL, strstr(text, " part=inside state=living by="));
	EXPECT_NE(t, NULL, strstr(text, "whatis_knows_areas_and_their_pages+0x"));
	EXPECT_NE(t, NULL, strstr(text, "\npage "));
	EXPECT_NE(t, NULL, strstr(whatis((uintptr_t)p + 3 * PAGE_SIZE), " part=guard "));
	EXPECT_EQ(t, NULL, strstr(text, "\npage "));
	vfree(p);
	vm_unmap_aliases();
	EXPECT_EQ(t, NULL, strstr(whatis((uintptr_t)p), "area "));
}

KTEST(vmalloc_show, meminfo_counts_the_pages_of_areas)
{
	struct vm_counts c;
	struct out_buf b;
	void *p = vmalloc(5 * PAGE_SIZE);

	ASSERT_NE(t, NULL, p);
	vm_count(&c);
	out_buf_init(&b, text, sizeof(text));
	meminfo_show(&b.out);
	snprintf(start, sizeof(start), "\n%-16s%8lu kB\n", "VmallocUsed:", c.nr_pages * 4);
	EXPECT_NE(t, NULL, strstr(text, start));
	vfree(p);
}
