# The tests that run inside the kernel.  They register themselves in a linker table, so the order
# of the objects is the order of the tests.

tests-src := $(sort $(wildcard tests/*.c tests/lib/*.c tests/arch/*.c tests/arch/x86/*.c tests/boot/*.c tests/kernel/*.c \
	tests/mm/*.c tests/mm/white/*.c tests/death/*.c tests/bench/*.c tests/replay/*.c))

# What a smaller kernel does not have is not tested there.
tests-using = $(shell grep -lE '$(1)' $(tests-src))
ifneq ($(filter SHOW=0,$(CONFIG)),)
tests-src := $(filter-out %/show.c $(call tests-using,slabinfo_show|slab_cache_show|vmallocinfo_show|dma_show),$(tests-src))
endif
ifneq ($(filter PAGE_OWNER=0,$(CONFIG)),)
tests-src := $(filter-out $(call tests-using,page_owner_check|pageowner_show),$(tests-src))
endif
ifneq ($(filter FAULT_INJECT=0,$(CONFIG)),)
tests-src := $(filter-out tests/faults.c $(call tests-using,fault_nth|fault_show),$(tests-src))
endif
ifneq ($(filter ALLOC_TRACE=0,$(CONFIG)),)
tests-src := $(filter-out tests/mm/alloc_trace.c,$(tests-src))
endif
ifneq ($(filter CHECK=0,$(CONFIG)),)
tests-src := $(filter-out tests/mm/account.c tests/mm/exhaustion.c tests/mm/walk.c \
	$(filter tests/mm/%,$(call tests-using,kmem_cache_check|mempool_check|vmalloc_check|dma_check|zone_check|mm_check_all)),$(tests-src))
endif
tests-src := $(if $(filter-out KMALLOC_MAX_SIZE=131072,$(filter KMALLOC_MAX_SIZE=%,$(CONFIG))),$(tests-src),\
	$(filter-out tests/mm/kmalloc_large.c,$(tests-src)))

# Their calls into mm/ are made again when a point in them was made to fail.
tests-faulty := tests/mm tests/kernel tests/arch
$(foreach d,$(tests-faulty),$(OUT)/$(d)/%.o): CFLAGS_EXTRA := -include tests/faults.h
$(OUT)/tests/mm/white/%.o: CFLAGS_EXTRA := -include tests/mm/white/faults.h

# Who commits a crime is on the backtrace of its report.
$(OUT)/tests/death/%.o $(OUT)/tests/mm/white/deaths.o: CFLAGS_EXTRA := -fno-optimize-sibling-calls
