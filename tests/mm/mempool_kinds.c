/*
 * mempool_kinds.c - pools of slab objects, of kmalloc() memory and of pages.
 *
 * THEORY.  Their allocators are made to fail by a hoard that holds the whole machine, together with
 * a list of all the objects that the cache still had: then a pool has its reserve and nothing else,
 * to the element.
 *
 * CONTEXT.  A thread.
 */
#include "helpers.h"

#include <quarry/align.h>
#include <quarry/gfp.h>
#include <quarry/ktest.h>
#include <quarry/mempool.h>
#include <quarry/mm.h>
#include <quarry/slab.h>
#include <quarry/string.h>

static void *take(mempool_t *pool)
{
	return mempool_alloc(pool, GFP_NOWAIT);
}

/* Objects that a test has, each with a pointer to the next in its first word. */
static void push(void **list, void *obj)
{
	*(void **)obj = *list;
	*list = obj;
}

static void *pop(void **list)
{
	void *obj = *list;

	*list = obj ? *(void **)obj : NULL;
	return obj;
}

/* With no page in the machine and no object in @c: elements that @pool still has, in @list. */
static unsigned int take_when_dry(mempool_t *pool, struct kmem_cache *c, void **list)
{
	void *objs = NULL, *obj;
	unsigned int nr = 0;
	HOARD(h);

	hoard_machine(&h);
	while ((obj = kmem_cache_alloc(c, GFP_NOWAIT | __GFP_NOWARN)) != NULL)
		push(&objs, obj);
	for (; (obj = take(pool)) != NULL; nr++)
		push(list, obj);
	while ((obj = pop(&objs)) != NULL)
		kmem_cache_free(c, obj);
	hoard_free(&h);
	return nr;
}

static void expect_slab_pool_works(struct ktest *t, unsigned long flags)
{
	struct kmem_cache *c = kmem_cache_create("mempool-test", 200, 0, flags, NULL, NULL);
	mempool_t *pool = mempool_create_slab_pool(7, c);
	void *list = NULL, *obj;

	ASSERT_NE(t, NULL, pool);
	EXPECT_EQ(t, 7, kmem_cache_nr_in_use(c));
	EXPECT_EQ(t, 7, take_when_dry(pool, c, &list));
	EXPECT_EQ(t, 7, kmem_cache_nr_in_use(c));
	while ((obj = pop(&list)) != NULL)
		mempool_free(obj, pool);
	obj = mempool_alloc(pool, GFP_KERNEL);
	EXPECT_EQ(t, 8, kmem_cache_nr_in_use(c));
	memset(obj, 0x5a, kmem_cache_size(c));
	mempool_free(obj, pool);
	EXPECT_EQ(t, 7, kmem_cache_nr_in_use(c));
	EXPECT_EQ(t, 0, mempool_check(pool));
	mempool_destroy(pool);
	EXPECT_EQ(t, 0, kmem_cache_nr_in_use(c));
	EXPECT_EQ(t, 0, kmem_cache_check(c));
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

KTEST(mempool, a_slab_pool_guarantees_its_objects_on_a_machine_without_memory)
{
	expect_slab_pool_works(t, 0);
}

KTEST(mempool, a_slab_pool_guarantees_objects_of_a_debugged_cache)
{
	expect_slab_pool_works(t, SLAB_DEBUG_FLAGS);
}

KTEST(mempool, a_pool_made_of_the_slab_functions_is_a_slab_pool)
{
	struct kmem_cache *c = kmem_cache_create("mempool-test", 40, 0, 0, NULL, NULL);
	mempool_t *pool = mempool_create(2, mempool_alloc_slab, mempool_free_slab, c);
	void *list = NULL, *obj;

	ASSERT_NE(t, NULL, pool);
	EXPECT_EQ(t, 2, take_when_dry(pool, c, &list));
	while ((obj = pop(&list)) != NULL)
		mempool_free(obj, pool);
	mempool_destroy(pool);
	EXPECT_EQ(t, 0, kmem_cache_destroy(c));
}

KTEST(mempool, a_pool_made_of_the_kmalloc_functions_is_a_kmalloc_pool)
{
	mempool_t *pool = mempool_create(1, mempool_kmalloc, mempool_kfree, (void *)90);
	void *element;

	ASSERT_NE(t, NULL, pool);
	element = take(pool);
	EXPECT_EQ(t, 96, ksize(element));
	mempool_free(element, pool);
	mempool_destroy(pool);
}

KTEST(mempool, a_pool_made_of_the_page_functions_is_a_page_pool)
{
	mempool_t *pool = mempool_create(1, mempool_alloc_pages, mempool_free_pages, (void *)3);
	struct page *block;

	ASSERT_NE(t, NULL, pool);
	block = take(pool);
	ASSERT_NE(t, NULL, block);
	EXPECT_EQ(t, 0, page_to_pfn(block) % 8);
	mempool_free(block, pool);
	mempool_destroy(pool);
}

/* Where kmalloc() gives whole pages too, not more of them than a small machine has in a block. */
#define LARGEST (KMALLOC_MAX_SIZE > 256 * KiB ? 256 * KiB : KMALLOC_MAX_SIZE)

KTEST(mempool, a_kmalloc_pool_gives_memory_of_its_size_from_the_class_of_that_size)
{
	static const size_t sizes[] = {
		1, 8, 9, 64, 96, 97, 192, 193, 4 * KiB, 8 * KiB + 1, KMALLOC_CACHE_MAX, LARGEST
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		mempool_t *pool = mempool_create_kmalloc_pool(1, sizes[i]);
		void *like = kmalloc(sizes[i], GFP_KERNEL), *element;
		size_t usable = ksize(like);

		kfree(like);
		ASSERT_NE(t, NULL, pool);
		element = mempool_alloc(pool, GFP_KERNEL);
		ASSERT_NE(t, NULL, element);
		EXPECT_EQ(t, usable, ksize(element));
		memset(element, 0x5a, sizes[i]);
		mempool_free(element, pool);
		EXPECT_EQ(t, 0, mempool_check(pool));
		mempool_destroy(pool);
	}
}

KTEST(mempool, a_kmalloc_pool_guarantees_its_elements_on_a_machine_without_memory)
{
	mempool_t *pool = mempool_create_kmalloc_pool(9, 1000);
	void *list = NULL, *obj;

	ASSERT_NE(t, NULL, pool);
	EXPECT_EQ(t, 9, take_when_dry(pool, slab_cache_find("kmalloc-1024"), &list));
	while ((obj = pop(&list)) != NULL)
		mempool_free(obj, pool);
	EXPECT_EQ(t, 0, mempool_check(pool));
	mempool_destroy(pool);
}

KTEST(mempool, a_kmalloc_pool_of_more_than_kmalloc_gives_is_not_made)
{
	struct capture *console = capture_begin();
	mempool_t *pool = mempool_create_kmalloc_pool(1, KMALLOC_MAX_SIZE + 1);

	capture_end(console);
	EXPECT_EQ(t, NULL, pool);
}

KTEST(mempool, a_page_pool_guarantees_aligned_blocks_of_its_order_on_a_machine_without_memory)
{
	mempool_t *pool = mempool_create_page_pool(4, 2);
	struct page *block[4];
	HOARD(h);

	ASSERT_NE(t, NULL, pool);
	hoard_machine(&h);
	for (unsigned int i = 0; i < 4; i++)
		block[i] = take(pool);
	EXPECT_EQ(t, NULL, take(pool));
	hoard_free(&h);
	for (unsigned int i = 0; i < 4; i++) {
		ASSERT_NE(t, NULL, block[i]);
		EXPECT_EQ(t, 0, page_to_pfn(block[i]) % 4);
		EXPECT_EQ(t, 1, page_count(block[i]));
		block_fill(block[i], 2, i);
	}
	for (unsigned int i = 0; i < 4; i++) {
		EXPECT_TRUE(t, block_holds(block[i], 2, i));
		mempool_free(block[i], pool);
	}
	EXPECT_EQ(t, 0, mempool_check(pool));
	mempool_destroy(pool);
}

KTEST_NEEDS(mempool, a_page_pool_of_each_order_gives_a_block_and_all_memory_back, .ram_mib = 12)
{
	unsigned int largest = largest_order(GFP_KERNEL);

	for (unsigned int order = 0; order <= largest; order++) {
		mempool_t *pool = mempool_create_page_pool(1, order);
		struct page *block;

		ASSERT_NE(t, NULL, pool);
		block = take(pool);
		ASSERT_NE(t, NULL, block);
		EXPECT_EQ(t, 0, page_to_pfn(block) & ((1ul << order) - 1));
		mempool_free(block, pool);
		mempool_destroy(pool);
	}
}

KTEST(mempool, each_flag_that_needs_no_attention_gives_an_element)
{
	static const gfp_t flags[] = { __GFP_HIGH,   __GFP_COLD,     __GFP_NOWARN,
				       __GFP_REPEAT, __GFP_NORETRY,  __GFP_MEMALLOC,
				       __GFP_DMA32,  __GFP_THISNODE, __GFP_NOMEMALLOC };
	mempool_t *pool = mempool_create_kmalloc_pool(1, 32);

	ASSERT_NE(t, NULL, pool);
	for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++) {
		void *element = mempool_alloc(pool, T_GFP(t, GFP_KERNEL | flags[i]));

		EXPECT_NE(t, NULL, element);
		mempool_free(element, pool);
	}
	mempool_destroy(pool);
}
