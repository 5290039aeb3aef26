/*
 * whatis.c - what an address is: objects of slabs, pages, slots of the fixmap, and nothing.
 *
 * THEORY.  Each test makes a thing of one kind, asks what its addresses are, and reads the answer
 * back by the names of its fields.  The first word of each line is a kind.
 *
 * Nothing here depends on the debug options.
 *
 * STATE.  The answer: whatis.h.
 *
 * NOT HERE.  What the kernel adds, symbols and stacks: tests/kernel/whatis.c.
 */
#include "whatis.h"

#include "helpers.h"

#include <quarry/config.h>
#include <quarry/port.h>
#include <quarry/slab.h>

/* Has the answer a line about a thing of this kind? */
static bool has_line(const char *kind)
{
	char start[32];

	snprintf(start, sizeof(start), "\n%s ", kind);
	return strstr(text, start) || strncmp(text, start + 1, strlen(start + 1)) == 0;
}

/* ---- objects ---------------------------------------------------------------------------- */

KTEST(whatis, an_object_is_known_from_its_first_to_its_last_byte)
{
	struct kmem_cache *c = kmem_cache_create("whatis", 100, 0, 0, NULL, NULL);
	static const unsigned int offsets[] = { 0, 1, 50, 99 };
	char *obj;

	ASSERT_NE(t, NULL, c);
	obj = kmem_cache_alloc(c, GFP_KERNEL);
	ASSERT_NE(t, NULL, obj);
	for (unsigned int i = 0; i < ARRAY_SIZE(offsets); i++) {
		whatis(t, (uintptr_t)obj + offsets[i]);
		EXPECT_TRUE(t, begins("slab cache=whatis slab=0x"));
		EXPECT_EQ(t, (uintptr_t)obj, number("\nobject start="));
		EXPECT_EQ(t, offsets[i], number(" offset="));
		EXPECT_EQ(t, 100, number(" size="));
		EXPECT_NE(t, NULL, strstr(text, " state=taken\n"));
		EXPECT_EQ(t, page_to_pfn(virt_to_page(obj + offsets[i])), number("\npage pfn="));
		EXPECT_NE(t, NULL, strstr(text, " flags=slab "));
		EXPECT_NE(t, NULL, strstr(text, " mapped=yes name=direct map\n"));
		EXPECT_FALSE(t, has_line("nothing"));
	}
	kmem_cache_free(c, obj);
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

KTEST(whatis, objects_of_a_slab_are_numbered)
{
	struct kmem_cache *c = kmem_cache_create("whatis", 100, 0, 0, NULL, NULL);
	char *a, *b;
	unsigned long first, index;

	ASSERT_NE(t, NULL, c);
	a = kmem_cache_alloc(c, GFP_KERNEL);
	b = kmem_cache_alloc(c, GFP_KERNEL);
	ASSERT_TRUE(t, a && b);
	whatis(t, (uintptr_t)a);
	first = number(" objects=");
	index = number(" index=");
	whatis(t, (uintptr_t)b);
	EXPECT_EQ(t, first, number(" objects="));
	EXPECT_NE(t, index, number(" index="));
	/* Strides are the same everywhere: a and b tell it, the slab's start confirms it. */
	EXPECT_EQ(t, (long)((uintptr_t)a - first) * (long)number(" index="),
		  (long)((uintptr_t)b - first) * (long)index);
	kmem_cache_free(c, a);
	kmem_cache_free(c, b);
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

KTEST(whatis, the_padding_behind_an_object_is_told_by_its_offset)
{
	struct kmem_cache *c = kmem_cache_create("whatis", 100, 128, 0, NULL, NULL);
	char *obj;

	ASSERT_NE(t, NULL, c);
	obj = kmem_cache_alloc(c, GFP_KERNEL);
	ASSERT_NE(t, NULL, obj);
	whatis(t, (uintptr_t)obj + 120);
	EXPECT_EQ(t, (uintptr_t)obj, number("\nobject start="));
	EXPECT_EQ(t, 120, number(" offset="));
	EXPECT_EQ(t, 100, number(" size="));
	kmem_cache_free(c, obj);
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

KTEST(whatis, an_object_that_was_given_back_is_taken_no_more)
{
	struct kmem_cache *c = kmem_cache_create("whatis", 100, 0, 0, NULL, NULL);
	char *kept, *obj;

	ASSERT_NE(t, NULL, c);
	kept = kmem_cache_alloc(c, GFP_KERNEL);
	obj = kmem_cache_alloc(c, GFP_KERNEL);
	ASSERT_TRUE(t, kept && obj);
	kmem_cache_free(c, obj);
	whatis(t, (uintptr_t)obj);
	EXPECT_TRUE(t, strstr(text, " state=cached\n") || strstr(text, " state=free\n"));
	kmem_cache_shrink(c);
	whatis(t, (uintptr_t)obj);
	EXPECT_NE(t, NULL, strstr(text, " state=free\n"));
	EXPECT_NE(t, NULL, strstr(whatis(t, (uintptr_t)kept), " state=taken\n"));
	kmem_cache_free(c, kept);
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
	EXPECT_FALSE(t, has_line("nothing"));
	whatis(t, (uintptr_t)obj);
	EXPECT_FALSE(t, has_line("object"));
	EXPECT_TRUE(t, has_line("page"));
}

KTEST(whatis, the_management_of_a_slab_is_in_no_object)
{
	/* The least class: its slabs are made when no cache for their management exists. */
	void *obj = kmalloc(8, GFP_KERNEL);

	ASSERT_NE(t, NULL, obj);
	whatis(t, (uintptr_t)obj);
	ASSERT_NE(t, NONE, number(" slab="));
	whatis(t, number(" slab="));
	EXPECT_TRUE(t, begins("slab cache=kmalloc-8 "));
	EXPECT_NE(t, NULL, strstr(text, " in no object\n"));
	EXPECT_FALSE(t, has_line("object"));
	kfree(obj);
}

KTEST(whatis, who_allocated_and_freed_an_object_is_told_where_the_cache_remembers)
{
	struct kmem_cache *c = kmem_cache_create("whatis", 100, 0, SLAB_STORE_USER, NULL, NULL);
	bool remembers = CONFIG_SLAB_DEBUG;
	void *obj, *kept;

	ASSERT_NE(t, NULL, c);
	kept = kmem_cache_alloc(c, GFP_KERNEL);
	obj = kmem_cache_alloc(c, GFP_KERNEL);
	ASSERT_TRUE(t, kept && obj);
	whatis(t, (uintptr_t)obj);
	EXPECT_EQ(t, remembers, has_line("allocated"));
	EXPECT_EQ(t, remembers, strstr(text, " ktest_fn_whatis_who_allocated") != NULL);
	EXPECT_FALSE(t, has_line("freed"));
	kmem_cache_free(c, obj);
	whatis(t, (uintptr_t)obj);
	EXPECT_EQ(t, remembers, has_line("allocated"));
	EXPECT_EQ(t, remembers, has_line("freed"));
	kmem_cache_free(c, kept);
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

/* ---- pages ------------------------------------------------------------------------------ */

KTEST(whatis, an_address_in_a_block_of_pages_leads_to_its_page_and_block)
{
	struct page *page = alloc_pages(GFP_KERNEL, 2);
	uintptr_t va;

	ASSERT_NE(t, NULL, page);
	va = (uintptr_t)page_address(page);
	whatis(t, va + 3 * PAGE_SIZE + 5);
	EXPECT_TRUE(t, begins("page pfn="));
	EXPECT_EQ(t, page_to_pfn(page) + 3, number("page pfn="));
	EXPECT_EQ(t, page_to_pfn(page), number(" head="));
	EXPECT_EQ(t, 2, number(" order="));
	EXPECT_NE(t, NULL, strstr(text, " state=used "));
	EXPECT_FALSE(t, has_line("kmalloc"));
	__free_pages(page, 2);
	mm_quiesce();
	whatis(t, va);
	EXPECT_TRUE(t, begins("page pfn="));
	EXPECT_NE(t, NULL, strstr(text, " state=free "));
}

KTEST(whatis, any_byte_of_a_kmalloc_of_whole_pages_is_known_as_such)
{
	size_t size = KMALLOC_CACHE_MAX + 1;
	bool can = KMALLOC_MAX_SIZE > KMALLOC_CACHE_MAX;
	char *p;

	opaque(size);
	p = kmalloc(size, GFP_KERNEL | __GFP_NOWARN);
	ASSERT_TRUE(t, can || !p);
	if (!p)
		return;
	whatis(t, (uintptr_t)p + 200000);
	EXPECT_TRUE(t, begins("kmalloc start="));
	EXPECT_EQ(t, (uintptr_t)p, number("kmalloc start="));
	EXPECT_EQ(t, 2 * KMALLOC_CACHE_MAX, number(" size="));
	EXPECT_EQ(t, 200000, number(" offset="));
	EXPECT_TRUE(t, has_line("page"));
	kfree(p);
	whatis(t, (uintptr_t)p + 200000);
	EXPECT_FALSE(t, has_line("kmalloc"));
}

/* ---- the rest of the space -------------------------------------------------------------- */

KTEST(whatis, a_slot_of_the_fixmap_is_shown_with_what_it_maps)
{
	struct page *page = alloc_page(GFP_KERNEL);
	void *window;

	ASSERT_NE(t, NULL, page);
	window = early_ioremap(page_to_phys(page) + 16, 32);
	ASSERT_NE(t, NULL, window);
	whatis(t, (uintptr_t)window);
	EXPECT_EQ(t, ((uintptr_t)window - FIXMAP_START) >> PAGE_SHIFT, number("fixmap slot="));
	EXPECT_NE(t, NULL, strstr(text, " use=early_ioremap "));
	EXPECT_EQ(t, page_to_pfn(page), number(" pfn="));
	EXPECT_EQ(t, page_to_pfn(page), number("\npage pfn="));
	EXPECT_NE(t, NULL, strstr(text, " mapped=yes name=fixmap\n"));
	early_iounmap(window, 32);
	whatis(t, (uintptr_t)window);
	EXPECT_NE(t, NULL, strstr(text, " pfn=none\n"));
	EXPECT_FALSE(t, has_line("page"));
	EXPECT_NE(t, NULL, strstr(text, " mapped=no name=fixmap\n"));
	__free_page(page);
}

KTEST(whatis, a_slot_for_a_highmem_page_belongs_to_a_cpu)
{
	whatis(t, FIX_KMAP_LOCAL_START + (KMAP_LOCAL_SLOTS - 1) * PAGE_SIZE + 7);
	EXPECT_TRUE(t, has_line("fixmap"));
	EXPECT_EQ(t, 0, number(" use=kmap_local cpu="));
	EXPECT_EQ(t, KMAP_LOCAL_SLOTS - 1, number(" nr="));
}

KTEST(whatis, where_there_is_nothing_only_the_part_of_the_space_is_named)
{
	const uintptr_t nowhere[] = { 0, PAGE_OFFSET - 1, mm_layout.high_memory,
				      mm_layout.vmalloc_end, UINTPTR_MAX };
	char want[128];

	for (unsigned int i = 0; i < ARRAY_SIZE(nowhere); i++) {
		snprintf(want, sizeof(want),
			 "nothing address=0x%08lx\nregion address=0x%08lx mapped=no name=%s\n",
			 (unsigned long)nowhere[i], (unsigned long)nowhere[i],
			 va_region(nowhere[i]));
		EXPECT_STREQ(t, want, whatis(t, nowhere[i]));
	}
}

/* ---- sources ---------------------------------------------------------------------------- */

static uintptr_t asked; /* the sources below know this address; 0: none */

static QAPI bool first_describes(struct out *o, uintptr_t va)
{
	if (!asked || va != asked)
		return false;
	out_printf(o, "first\n");
	return true;
}

static QAPI bool second_describes(struct out *o, uintptr_t va)
{
	if (!asked || va != asked)
		return false;
	out_printf(o, "second\n");
	return true;
}

KTEST(whatis, those_who_know_addresses_are_asked_the_last_registered_first)
{
	static struct whatis_source first = { .describe = first_describes },
				    second = { .describe = second_describes };
	static bool registered;

	if (!registered) {
		whatis_register(&first);
		whatis_register(&second);
		registered = true;
	}
	asked = 0x1234;
	whatis(t, 0x1234);
	EXPECT_TRUE(t, begins("second\nfirst\nregion "));
	whatis(t, 0x1235);
	EXPECT_TRUE(t, begins("nothing "));
	asked = 0;
	whatis(t, 0x1234);
	EXPECT_TRUE(t, begins("nothing "));
}

KTEST(whatis, kmem_dump_obj_says_the_same_to_the_log)
{
	void *obj = kmalloc(100, GFP_KERNEL);
	struct capture *c;

	ASSERT_NE(t, NULL, obj);
	c = capture_begin();
	kmem_dump_obj(obj);
	capture_end(c);
	EXPECT_STREQ(t, whatis(t, (uintptr_t)obj), c->text);
	kfree(obj);
}
