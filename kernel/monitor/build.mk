# A command whose subject is configured out is not there.
monitor-src := $(addprefix kernel/monitor/,monitor.c line_editor.c cmd_system.c cmd_alloc.c)
monitor-src += $(if $(filter SHOW=0,$(CONFIG)),,kernel/monitor/cmd_reports.c)
monitor-src += $(if $(filter CHECK=0,$(CONFIG)),,kernel/monitor/cmd_check.c)
