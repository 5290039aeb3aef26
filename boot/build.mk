# boot/: from the loader's hands to struct bootinfo.

boot-src := boot/fill.c boot/multiboot1.c boot/multiboot2.c
boot-asm := boot/multiboot.asm
