# Quarry.  `make help` lists the verbs.  What is built from which sources is in */build.mk.

CC ?= gcc
ifeq ($(origin CC),default)
CC := gcc
endif
PYTHON := /usr/bin/python3
NASM := nasm
LD := ld
AR := ar
NM := nm

BUILD ?= build
CONFIG ?=
PORT ?=
V ?=

comma := ,
empty :=
space := $(empty) $(empty)

# One directory of objects for each compiler and configuration.
config-tag := $(subst =,,$(subst $(space),-,$(strip $(CONFIG))))
OUT := $(BUILD)/x86-$(notdir $(CC))$(if $(config-tag),-$(config-tag))
KERNEL := $(OUT)/quarry.elf

.DEFAULT_GOAL := all
.PHONY: all
all: $(KERNEL)

include lib/build.mk
include boot/build.mk
include arch/x86/build.mk
include arch/hosted/build.mk
include mm/build.mk
include kernel/build.mk
include tests/build.mk
include tools/kernel.mk
include tools/lib.mk
include boot/efi/build.mk
include tests/host/build.mk
include tools/hosted.mk
include tools/fuzz.mk
include tools/mutants.mk
include tools/build.mk
include tools/check.mk

.PHONY: clean
clean:
	rm -rf $(BUILD)
