#!/bin/bash
# Install the Debian packages that building, running, testing and checking need.
#
#   tools/setup.sh           install what is missing; silent and quick when nothing is
#   tools/setup.sh --check   only name what is missing; exit status 1 if anything is
#
# Installing takes root or sudo.  Nothing is asked; the package index is fetched only when apt
# cannot install from the one it has.
set -eu

packages=(
	# build
	make gcc gcc-multilib binutils nasm gnu-efi
	# boot images
	grub-common grub-pc-bin grub-efi-amd64-bin grub-efi-ia32-bin xorriso mtools
	# run, test, debug
	qemu-system-x86 seabios ovmf ovmf-ia32 gdb
	bochs bochs-term bochsbios vgabios
	python3 python3-pytest python3-psutil python3-pexpect
	# check
	# processes: sanitizers, valgrind, coverage
	libclang-rt-dev llvm valgrind gcovr
	clang clang-format clang-tidy cppcheck
)

if ! command -v dpkg-query >/dev/null; then
	echo "setup: this system has no dpkg; install by hand what these Debian packages hold:" >&2
	echo "setup:   ${packages[*]}" >&2
	exit 1
fi

format='${Package} ${db:Status-Status}\n'
installed=$(dpkg-query -W -f="$format" "${packages[@]}" 2>/dev/null || true)
missing=()
for package in "${packages[@]}"; do
	case $'\n'"$installed"$'\n' in
	*$'\n'"$package installed"$'\n'*) ;;
	*) missing+=("$package") ;;
	esac
done

if [ ${#missing[@]} -eq 0 ]; then
	exit 0
fi
if [ "${1:-}" = --check ]; then
	printf '%s\n' "${missing[@]}"
	exit 1
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "setup: these packages are missing, and there is neither root nor sudo:" >&2
		echo "setup:   ${missing[*]}" >&2
		echo "setup: as root, run: apt-get install ${missing[*]}" >&2
		exit 1
	fi
	as_root=(sudo)
fi

apt_install() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -q --no-install-recommends "${missing[@]}" </dev/null >&2
}

echo "setup: installing ${missing[*]}" >&2
if ! apt_install; then
	echo "setup: fetching the package index, then once more" >&2
	"${as_root[@]}" apt-get update -q </dev/null >&2
	apt_install
fi
