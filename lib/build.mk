# The base library: sources in no particular order.  string and vsnprintf also run before paging.
lib-src := \
	lib/bitmap.c \
	lib/cmdline.c \
	lib/ksyms.c \
	lib/out.c \
	lib/panic.c \
	lib/printk.c \
	lib/rbtree.c \
	lib/sort.c \
	lib/string.c \
	lib/vsnprintf.c
