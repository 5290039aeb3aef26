# A command whose subject is configured out is not there.
monitor-src := $(addprefix kernel/monitor/,monitor.c line_editor.c cmd_system.c cmd_alloc.c cmd_bench.c \
	cmd_objects.c cmd_vmalloc.c)
monitor-src += $(if $(filter SHOW=0,$(CONFIG)),,kernel/monitor/cmd_reports.c \
	kernel/monitor/cmd_slab.c kernel/monitor/cmd_highmem.c)
monitor-src += $(if $(filter CHECK=0,$(CONFIG)),,kernel/monitor/cmd_check.c)
monitor-src += $(if $(filter PAGE_OWNER=0,$(CONFIG)),,kernel/monitor/cmd_leaks.c)
monitor-src += $(if $(filter FAULT_INJECT=0,$(CONFIG)),,kernel/monitor/cmd_fault.c)
monitor-src += $(if $(filter ALLOC_TRACE=0,$(CONFIG)),,kernel/monitor/cmd_record.c)
