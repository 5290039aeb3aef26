#!/bin/bash
# Make a BIOS-bootable ISO: GRUB, the kernel, a grub.cfg and boot modules.
#
#   tools/mkiso.sh OUT.iso KERNEL.elf GRUB.CFG [MODULE...]
#
# The kernel becomes /boot/quarry.elf, a module /boot/NAME.  The image holds only the GRUB modules
# named below, which keeps it under 1 MB.  OUT.iso appears whole or not at all.
set -eu

if [ $# -lt 3 ]; then
	sed -n 's/^# \{0,1\}//; 2,7p' "$0" >&2
	exit 2
fi
out=$1 kernel=$2 config=$3
shift 3

tree=$(mktemp -d)
trap 'rm -rf "$tree" "$out.part"' EXIT
mkdir -p "$tree/boot/grub" "$(dirname "$out")"
cp -- "$kernel" "$tree/boot/quarry.elf"
cp -- "$config" "$tree/boot/grub/grub.cfg"
for module in "$@"; do
	cp -- "$module" "$tree/boot/"
done

if ! log=$(grub-mkrescue -d /usr/lib/grub/i386-pc -o "$out.part" "$tree" \
	--install-modules="multiboot2 normal serial terminal iso9660 biosdisk boot echo halt" \
	--fonts="" --locales="" --themes="" 2>&1); then
	echo "$log" >&2
	exit 1
fi
mv -- "$out.part" "$out"
