# Do the tests find small wrong changes to mm/?  tools/mutants.py, tests/mutants/.

N ?= 200
SEED ?=
ONLY ?=
SHOW ?=
FRESH ?=
JUDGES ?=

.PHONY: mutants
mutants: setup
	@QUARRY_BUILD="$(abspath $(BUILD))" $(PYTHON) tools/mutants.py --number "$(N)" \
		$(if $(SEED),--seed "$(SEED)") --filter '$(FILTER)' --only '$(ONLY)' --show '$(SHOW)' \
		--judges '$(JUDGES)' $(if $(filter-out 0,$(FRESH)),--fresh)
