config-on = $(if $(filter $(1)=0,$(CONFIG)),,$(2))

mm-src := $(addprefix mm/,init.c memblock.c memmap.c page_alloc.c pcp.c zonelist.c reclaim.c \
	pgtable.c paging.c page_ref.c page_bulk.c page_window.c fixmap.c highmem.c kmap_report.c \
	report.c describe.c \
	slab.c slab_cpu.c slab_cache.c slab_report.c kmalloc.c mempool.c whatis.c \
	va_range.c vmalloc.c vmalloc_report.c ioremap.c \
	dma.c dma_map.c dma_pool.c dma_report.c)
mm-src += $(call config-on,SHOW,mm/show.c mm/slab_show.c mm/vmalloc_show.c mm/kmap_show.c mm/dma_show.c)
mm-src += $(call config-on,CHECK,mm/check.c mm/slab_check.c mm/vmalloc_check.c mm/kmap_check.c mm/dma_check.c)
mm-src += $(call config-on,PAGE_POISON,mm/debug/page_poison.c)
mm-src += $(call config-on,PAGE_OWNER,mm/debug/page_owner.c mm/debug/leaks.c)
mm-src += $(call config-on,FAULT_INJECT,mm/debug/fault_inject.c)
mm-src += $(call config-on,SLAB_DEBUG,mm/debug/slab_debug.c)
mm-src += $(call config-on,ALLOC_TRACE,mm/debug/alloc_trace.c)
