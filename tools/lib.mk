# build/libquarry.a: lib/ and mm/ against a port's <quarry/asm/*>.  PORT=dir names another port.

# Everything that makes one library differ from another is in its folder's name.
port-tag := $(if $(PORT),-$(subst /,_,$(patsubst %/,%,$(PORT))))
LIB_OUT := $(BUILD)/lib$(port-tag)$(if $(config-tag),-$(config-tag))-$(notdir $(CC))
LIB := $(LIB_OUT)/libquarry.a
LIB_PORT_INCLUDE := $(if $(PORT),-I$(firstword $(wildcard $(PORT)/include) $(PORT)),$(PORT_INCLUDE))
lib-obj := $(addprefix $(LIB_OUT)/,$(patsubst %.c,%.o,$(lib-src) $(mm-src)))

# The library for our own port, with every option, has a short name as well.
.PHONY: lib
lib: $(LIB)
	$(if $(PORT)$(config-tag),,$(Q)cmp -s $(LIB) $(BUILD)/libquarry.a || cp $(LIB) $(BUILD)/libquarry.a)

$(LIB): $(lib-obj)
	@$(if $(V),,echo "  AR      $@")
	$(Q)rm -f $@
	$(Q)$(AR) rcsD $@ $(lib-obj)

$(LIB_OUT)/%.o: %.c tools/kernel.mk tools/lib.mk
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC      $<")
	$(Q)$(CC) $(TARGET_FLAGS) $(WARNINGS) $(CONFIG_FLAGS) -Iinclude $(LIB_PORT_INCLUDE) -MMD -MP -c $< -o $@

-include $(lib-obj:.o=.d)
