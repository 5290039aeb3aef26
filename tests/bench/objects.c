/*
 * objects.c - rows of the benchmark: kmalloc(), caches, pools.
 */
#include <quarry/gfp.h>
#include <quarry/mempool.h>
#include <quarry/sizes.h>
#include <quarry/slab.h>

#include "rows.h"

#define SLOW         301u /* brackets of a row that does much at once */
#define VERY_SLOW    101u
#define CREATIONS    51u /* of whole caches */
#define NR_LIVE      4000u
#define NR_REPLACED  20000u
#define POOL_RESERVE 16u
#define NR_BULK      64u

/* ---- kmalloc of a constant size ---------------------------------------------------------- */

#define KMALLOC_PAIR(name, size, gfp) \
	BENCH_PAIR(name, BENCH_MANY, NULL, 0, obj = kmalloc((size), gfp), kfree(obj))

KMALLOC_PAIR("kmalloc(8)", 8, GFP_KERNEL);
KMALLOC_PAIR("kmalloc(16)", 16, GFP_KERNEL);
KMALLOC_PAIR("kmalloc(32)", 32, GFP_KERNEL);
KMALLOC_PAIR("kmalloc(64)", 64, GFP_KERNEL);
KMALLOC_PAIR("kmalloc(96)", 96, GFP_KERNEL);
KMALLOC_PAIR("kmalloc(128)", 128, GFP_KERNEL);
KMALLOC_PAIR("kmalloc(192)", 192, GFP_KERNEL);
KMALLOC_PAIR("kmalloc(256)", 256, GFP_KERNEL);
KMALLOC_PAIR("kmalloc(512)", 512, GFP_KERNEL);
KMALLOC_PAIR("kmalloc(1024)", 1024, GFP_KERNEL);
KMALLOC_PAIR("kmalloc(2048)", 2048, GFP_KERNEL);
KMALLOC_PAIR("kmalloc(4096)", 4096, GFP_KERNEL);
KMALLOC_PAIR("kmalloc(8192)", 8192, GFP_KERNEL);
KMALLOC_PAIR("kmalloc(16384)", 16384, GFP_KERNEL);
KMALLOC_PAIR("kmalloc(65536)", 65536, GFP_KERNEL);
KMALLOC_PAIR("kmalloc(131072)", 131072, GFP_KERNEL);
#if CONFIG_KMALLOC_MAX_SIZE >= 1048576
KMALLOC_PAIR("kmalloc(1048576)", 1048576, GFP_KERNEL);
#endif
#if CONFIG_KMALLOC_MAX_SIZE >= 4194304
KMALLOC_PAIR("kmalloc(4194304)", 4194304, GFP_KERNEL);
#endif
KMALLOC_PAIR("kmalloc(64,ATOMIC)", 64, GFP_ATOMIC);

#define KZALLOC_PAIR(name, size) \
	BENCH_PAIR(name, BENCH_MANY, NULL, 0, obj = kzalloc((size), GFP_KERNEL), kfree(obj))

KZALLOC_PAIR("kzalloc(64)", 64);
KZALLOC_PAIR("kzalloc(256)", 256);
KZALLOC_PAIR("kzalloc(4096)", 4096);
BENCH_PAIR("kcalloc(16,4)", BENCH_MANY, NULL, 0, obj = kcalloc(16, 4, GFP_KERNEL), kfree(obj));

/* ---- of a size that the compiler does not know ------------------------------------------- */

#define KMALLOC_VAR_PAIR(name, size) \
	BENCH_PAIR(name, BENCH_MANY, NULL, size, obj = kmalloc(bench_arg, GFP_KERNEL), kfree(obj))

KMALLOC_VAR_PAIR("kmalloc(var 8)", 8);
KMALLOC_VAR_PAIR("kmalloc(var 64)", 64);
KMALLOC_VAR_PAIR("kmalloc(var 100)", 100);
KMALLOC_VAR_PAIR("kmalloc(var 256)", 256);
KMALLOC_VAR_PAIR("kmalloc(var 1000)", 1000);
KMALLOC_VAR_PAIR("kmalloc(var 4096)", 4096);
KMALLOC_VAR_PAIR("kmalloc(var 8192)", 8192);

/* ---- what is done with kmalloc()ed memory ------------------------------------------------ */

static void *memory;

static QAPI bool memory_up(unsigned long size)
{
	memory = kmalloc(size, GFP_KERNEL);
	return memory != NULL;
}

static QAPI void memory_down(void)
{
	kfree(memory);
}

static const struct bench_stage memory_stage = { memory_up, memory_down };

BENCH_ONE("krealloc(same bucket 64->60)", BENCH_MANY, &memory_stage, 64,
	  memory = krealloc(memory, 60, GFP_KERNEL));
BENCH_ONE("ksize(slab object)", BENCH_MANY, &memory_stage, 100, BENCH_USE(ksize(memory)));
BENCH_ONE("ksize(64K large)", BENCH_MANY, &memory_stage, 64 * KiB, BENCH_USE(ksize(memory)));
BENCH_ONE("kfree(NULL)", BENCH_MANY, NULL, 0, kfree(NULL));

/* ---- many, then their frees -------------------------------------------------------------- */

#define KMALLOC_EACH(name, nr, order, size) \
	BENCH_EACH(name, nr, order, NULL, 0, obj = kmalloc((size), GFP_KERNEL), kfree(obj))

KMALLOC_EACH("kmalloc(64) 10000 LIFO", 10000, BENCH_LIFO, 64);
KMALLOC_EACH("kmalloc(64) 10000 FIFO", 10000, BENCH_FIFO, 64);
KMALLOC_EACH("kmalloc(64) 10000 shuffled", 10000, BENCH_SHUFFLED, 64);
KMALLOC_EACH("kmalloc(64) 1000 shuffled", 1000, BENCH_SHUFFLED, 64);
KMALLOC_EACH("kmalloc(1024) 10000 shuffled", 10000, BENCH_SHUFFLED, 1024);
KMALLOC_EACH("kmalloc(4096) 5000 shuffled", 5000, BENCH_SHUFFLED, 4096);

/* ---- replacing one of many of mixed sizes ------------------------------------------------ */

#define MIXED_LEAST 8u
#define MIXED_SPAN  2041u /* sizes up to 2048 */

static void *live[NR_LIVE];
static unsigned int replaced;
static size_t replacement_size;

static QAPI void mixed_down(void)
{
	for (unsigned int i = 0; i < NR_LIVE; i++)
		kfree(live[i]);
}

static QAPI bool mixed_up(unsigned long arg)
{
	bool all = true;

	(void)arg;
	for (unsigned int i = 0; i < NR_LIVE; i++) {
		live[i] = kmalloc(MIXED_LEAST + bench_random_below(MIXED_SPAN), GFP_KERNEL);
		all = all && live[i];
	}
	if (!all)
		mixed_down();
	return all;
}

static QAPI void mixed_prepare(void)
{
	replaced = bench_random_below(NR_LIVE);
	replacement_size = MIXED_LEAST + bench_random_below(MIXED_SPAN);
}

static QAPI void mixed_replace(void)
{
	BENCH_STAMP(0);
	kfree(live[replaced]);
	live[replaced] = kmalloc(replacement_size, GFP_KERNEL);
	BENCH_STAMP(1);
}

static const struct bench_stage mixed_stage = { mixed_up, mixed_down };

BENCH_ROW(mixed) = { .name = "kmalloc mixed 8..2048 replace (kfree+kmalloc)",
		     .kind = BENCH_KIND_ROUNDS,
		     .nr = NR_REPLACED,
		     .stage = &mixed_stage,
		     .bracket = mixed_replace,
		     .prepare = mixed_prepare };

/* ---- caches ------------------------------------------------------------------------------ */

static struct kmem_cache *cache;
static void *bulk[NR_BULK];

static QAPI bool cache_up(unsigned long size)
{
	cache = kmem_cache_create("bench", size, 0, SLAB_HWCACHE_ALIGN, NULL, NULL);
	return cache != NULL;
}

static QAPI void construct(void *obj, struct kmem_cache *c, unsigned long flags)
{
	(void)c;
	(void)flags;
	*(uint32_t *)obj = 0x1234;
}

static QAPI bool constructed_up(unsigned long size)
{
	cache = kmem_cache_create("bench", size, 0, SLAB_HWCACHE_ALIGN, construct, NULL);
	return cache != NULL;
}

static QAPI void cache_down(void)
{
	kmem_cache_destroy(cache);
}

static const struct bench_stage cache_stage = { cache_up, cache_down };
static const struct bench_stage constructed_stage = { constructed_up, cache_down };

#define CACHE_PAIR(name, stage, size)                                                        \
	BENCH_PAIR(name, BENCH_MANY, stage, size, obj = kmem_cache_alloc(cache, GFP_KERNEL), \
		   kmem_cache_free(cache, obj))
#define CACHE_EACH(name, stage, size, order)                                                   \
	BENCH_EACH(name, 10000, order, stage, size, obj = kmem_cache_alloc(cache, GFP_KERNEL), \
		   kmem_cache_free(cache, obj))
#define CACHE_ZALLOC_PAIR(name, size)                    \
	BENCH_PAIR(name, BENCH_MANY, &cache_stage, size, \
		   obj = kmem_cache_zalloc(cache, GFP_KERNEL), kmem_cache_free(cache, obj))
#define CACHE_BULK_PAIR(name, size)                                                    \
	BENCH_PAIR(name, SLOW, &cache_stage, size,                                     \
		   BENCH_USE(kmem_cache_alloc_bulk(cache, GFP_KERNEL, NR_BULK, bulk)), \
		   kmem_cache_free_bulk(cache, NR_BULK, bulk))

CACHE_PAIR("kmem_cache(32)", &cache_stage, 32);
CACHE_EACH("kmem_cache(32) 10000 LIFO", &cache_stage, 32, BENCH_LIFO);
CACHE_EACH("kmem_cache(32) 10000 FIFO", &cache_stage, 32, BENCH_FIFO);
CACHE_EACH("kmem_cache(32) 10000 shuffled", &cache_stage, 32, BENCH_SHUFFLED);
CACHE_BULK_PAIR("kmem_cache bulk64 (32)", 32);
CACHE_ZALLOC_PAIR("kmem_cache zalloc(32)", 32);

CACHE_PAIR("kmem_cache(128)", &cache_stage, 128);
CACHE_EACH("kmem_cache(128) 10000 LIFO", &cache_stage, 128, BENCH_LIFO);
CACHE_EACH("kmem_cache(128) 10000 FIFO", &cache_stage, 128, BENCH_FIFO);
CACHE_EACH("kmem_cache(128) 10000 shuffled", &cache_stage, 128, BENCH_SHUFFLED);
CACHE_BULK_PAIR("kmem_cache bulk64 (128)", 128);
CACHE_ZALLOC_PAIR("kmem_cache zalloc(128)", 128);

CACHE_PAIR("kmem_cache(256)", &cache_stage, 256);
CACHE_EACH("kmem_cache(256) 10000 LIFO", &cache_stage, 256, BENCH_LIFO);
CACHE_EACH("kmem_cache(256) 10000 FIFO", &cache_stage, 256, BENCH_FIFO);
CACHE_EACH("kmem_cache(256) 10000 shuffled", &cache_stage, 256, BENCH_SHUFFLED);
CACHE_BULK_PAIR("kmem_cache bulk64 (256)", 256);
CACHE_ZALLOC_PAIR("kmem_cache zalloc(256)", 256);

CACHE_PAIR("kmem_cache(1024)", &cache_stage, 1024);
CACHE_EACH("kmem_cache(1024) 10000 LIFO", &cache_stage, 1024, BENCH_LIFO);
CACHE_EACH("kmem_cache(1024) 10000 FIFO", &cache_stage, 1024, BENCH_FIFO);
CACHE_EACH("kmem_cache(1024) 10000 shuffled", &cache_stage, 1024, BENCH_SHUFFLED);
CACHE_BULK_PAIR("kmem_cache bulk64 (1024)", 1024);
CACHE_ZALLOC_PAIR("kmem_cache zalloc(1024)", 1024);

CACHE_PAIR("kmem_cache(2048)", &cache_stage, 2048);
CACHE_EACH("kmem_cache(2048) 10000 LIFO", &cache_stage, 2048, BENCH_LIFO);
CACHE_EACH("kmem_cache(2048) 10000 FIFO", &cache_stage, 2048, BENCH_FIFO);
CACHE_EACH("kmem_cache(2048) 10000 shuffled", &cache_stage, 2048, BENCH_SHUFFLED);
CACHE_BULK_PAIR("kmem_cache bulk64 (2048)", 2048);
CACHE_ZALLOC_PAIR("kmem_cache zalloc(2048)", 2048);

CACHE_PAIR("kmem_cache ctor(128)", &constructed_stage, 128);
CACHE_EACH("kmem_cache ctor(128) 10000 LIFO", &constructed_stage, 128, BENCH_LIFO);
CACHE_EACH("kmem_cache ctor(128) 10000 FIFO", &constructed_stage, 128, BENCH_FIFO);
CACHE_EACH("kmem_cache ctor(128) 10000 shuffled", &constructed_stage, 128, BENCH_SHUFFLED);

BENCH_PAIR("kmem_cache_create/destroy", CREATIONS, NULL, 0,
	   cache = kmem_cache_create("bench", 200, 0, 0, NULL, NULL), kmem_cache_destroy(cache));
BENCH_PAIR("kmem_cache_create+alloc1 / free1+destroy", CREATIONS, NULL, 0,
	   (cache = kmem_cache_create("bench", 200, 0, 0, NULL, NULL),
	    obj = kmem_cache_alloc(cache, GFP_KERNEL)),
	   (kmem_cache_free(cache, obj), kmem_cache_destroy(cache)));

/* ---- pools ------------------------------------------------------------------------------- */

static mempool_t *pool;

static QAPI bool kmalloc_pool_up(unsigned long size)
{
	cache = NULL;
	pool = mempool_create_kmalloc_pool(POOL_RESERVE, size);
	return pool != NULL;
}

static QAPI bool slab_pool_up(unsigned long size)
{
	if (!cache_up(size))
		return false;
	pool = mempool_create_slab_pool(POOL_RESERVE, cache);
	if (!pool)
		kmem_cache_destroy(cache);
	return pool != NULL;
}

static QAPI void pool_down(void)
{
	mempool_destroy(pool);
	kmem_cache_destroy(cache);
}

static const struct bench_stage kmalloc_pool_stage = { kmalloc_pool_up, pool_down };
static const struct bench_stage slab_pool_stage = { slab_pool_up, pool_down };

BENCH_PAIR("mempool kmalloc(64)", BENCH_MANY, &kmalloc_pool_stage, 64,
	   obj = mempool_alloc(pool, GFP_KERNEL), mempool_free(obj, pool));
BENCH_PAIR("mempool slab(128)", BENCH_MANY, &slab_pool_stage, 128,
	   obj = mempool_alloc(pool, GFP_KERNEL), mempool_free(obj, pool));
BENCH_PAIR("mempool_create(16x64)/destroy", VERY_SLOW, NULL, 0,
	   pool = mempool_create_kmalloc_pool(16, 64), mempool_destroy(pool));
