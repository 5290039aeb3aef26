kernel-src := kernel/main.c kernel/env.c kernel/options.c kernel/region.c kernel/boot_map.c kernel/whatis.c \
	kernel/devices.c
include kernel/monitor/build.mk
