PYTHON ?= python3.11
PY := .venv/bin/python
PLAIN := .venv/.plain
READY := .venv/.ready

.DEFAULT_GOAL := help
# The tests start hundreds of processes: each source is compiled once for all of them.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help setup run test check format bench size heap frozen powercut faults soak years fuzz forge chaos pages sites pictures coverage mutants compliance claims clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with everything that run, test and check need

$(PLAIN): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(PY) || $(PYTHON) -m venv .venv
	$(PY) -m pip install --quiet --disable-pip-version-check -c requirements.lock -e .
	@touch $@

$(READY): $(PLAIN)
	$(PY) -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[test]'
	for port in rp2 esp32; do \
		$(PY) -m pip install --quiet --disable-pip-version-check --upgrade --no-deps \
			--target .venv/typings/$$port -c requirements.lock \
			micropython-$$port-stubs micropython-stdlib-stubs || exit 1; done
	@touch $@

run: $(PLAIN) ## a simulated site, a gateway on MicroPython, broker, collector, live page
	@$(PY) -m host_tools demo

test: $(READY) ## all tests, on CPython and on MicroPython
	$(PY) -m pytest -n 4 --dist worksteal --junitxml=build/tests.xml
	$(PY) -m tests.on_micropython
	@$(PY) -m tests.on_32_bits

check: $(READY) ## style, types of host code, types of device code against the boards' stubs
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy host_tools tests/host tests/emulated tests/bench tests/*.py
	$(PY) -m tests.stub_check

format: $(READY) ## rewrite the sources in the project's style
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: $(READY) ## print every figure the project claims
	$(PY) -m tests.bench

size: $(READY) ## .mpy size of each device file and heap of a running gateway, against the table
	$(PY) -m tests.size

heap: $(READY) ## the heap by room, and after N=10000 readings of Modbus and TIC under TLS
	@$(PY) -m tests.heap $(N)

frozen: $(READY) ## an image of 32 bits with the firmware frozen in, TREE=upstream's sources: its heap, its updates
	@$(PY) -m tests.frozen $(or $(TREE),$(error TREE= is wanted: the folder of MicroPython's sources)) $(N)
	$(PY) -m pytest tests/emulated/test_frozen_image.py

powercut: $(READY) ## power cuts in the journal, N=1000000 for a release; goes on where it was
	@$(PY) -m tests.powercut $(N)

faults: $(READY) ## faults seeded into the sources: power cuts and field simulator must find each
	@$(PY) -m tests.seeded_faults

soak: $(READY) ## appends and trims in one life of the journal, N=10000000: its heap stays whole
	@$(PY) -m tests.soak $(N)

years: $(READY) ## gateway-years of field life, N=1000 for a release; goes on where it was
	@$(PY) -m tests.years $(N)

fuzz: $(READY) ## damaged bytes for every driver, SECONDS=3600 or BYTES=10000000, SEED=1; keeps what fails
	@$(PY) -m tests.fuzz $(if $(SEED),--seed $(SEED)) \
		--seconds $(or $(SECONDS),$(if $(BYTES),300,60)) --bytes $(or $(BYTES),0)
	@$(PY) -m tests.fuzz_network $(if $(SEED),--seed $(SEED)) --seconds $(or $(SECONDS),60)

forge: $(READY) ## forged firmware offers, pieces and commands, N=1000000 for a release: none accepted
	@$(PY) -m tests.forge $(or $(N),100000)

chaos: $(READY) ## the way upstream while brokers, collector, database, network and power fail, N=1000 rounds
	@$(PY) -m tests.chaos --rounds $(or $(N),200)

pages: $(READY) ## a year of ten-minute readings of N gateways (100): its pages in a browser, its upkeep
	@$(PY) -m tests.year_pages $(or $(N),100)

sites: $(READY) ## every example site on the emulated board, SECONDS=600 each; nothing lost
	ECLOR_SITES=$(or $(SECONDS),40) $(PY) -m pytest tests/emulated/test_demo.py

pictures: $(READY) ## the README's pictures anew: the terminal and both pages, by the tests that drive them
	@$(PY) -m tests.pictures

hour: $(READY) ## the demonstration under chaos, SECONDS=3600: nothing lost, nothing grows; draws it
	@$(PY) -m tests.hour $(or $(SECONDS),3600)

coverage: $(READY) ## branches of the device's code that the tests take, by module; fails below the bars
	@$(PY) -m tests.branches

mutants: $(READY) ## small changes of the sources, N=150 a GROUP (codec journal bus uplink boot update): each is seen
	@$(PY) -m tests.mutants $(or $(N),150) $(GROUP)

compliance: $(READY) ## what holds of the standards, from the tests' own results; bill of materials
	@$(PY) -m tests.compliance

claims: $(READY) ## the README's table of what holds, from what the long proofs printed last
	@$(PY) -m tests.claims

clean: ## remove what make and run have made
	rm -rf .venv .run build
