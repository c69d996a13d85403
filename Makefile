# Needs make and Python 3.11 or newer, nothing else: no root, no containers, no services.
#   make run     the example on http://127.0.0.1:8000
#   make test    every test            make test ARGS="-k hub -x"    some of them
#   make soak    what must hold for long, with progress; an hour     make soak ARGS="--scale 0.01"    shorter
#                what is named of it: make soak ARGS="nats_gateway postgres_*"
#   make coverage    what of the package the tests reach, all of it but web/: less than 97 % fails
#   make legs    the quick tests with the oldest and the newest dependencies, on every Python at hand
#   make check   format, lint, types   make format                   repairs the first two
#   make npm     the npm package in build/npm: the client and <chat-room>, with their types
#   make docs    the documentation as a site in site/: open site/index.html, no server needed
#   make bench   our server beside others, half an hour      make bench ARGS="fanout --rounds 5"   parts of it
#   make lock    pins what is new in pyproject.toml                  make lock UPGRADE=1    the newest of all
#   make venv    the environment only  make clean                    removes all that these made

VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
LOCKER := .cache/lock-venv
HOST ?= 127.0.0.1
PORT ?= 8000
ARGS ?=

# Tests start hundreds of Python processes. Where byte code is not kept, each of them compiles the package.
unexport PYTHONDONTWRITEBYTECODE

# A removed or upgraded interpreter leaves a link to nothing behind: then the environment is made anew.
$(shell [ -x $(PY) ] || rm -f $(READY))

.PHONY: help run test soak coverage legs check format docs npm bench lock venv clean

help:
	@sed -n 's/^#   //p' Makefile

run: $(READY)
	@HOST=$(HOST) PORT=$(PORT) exec $(PY) -m example_app

# Both halves run even if the first one fails; pytest comes last, so that its summary closes the output. All tests go side by
# side, file by file, five at a time since most of them wait; with ARGS, add `-n 5 --dist loadfile` if you want that. They
# are collected once before, or five processes would compile the same tests at the same time. Pytest's status 1 means that all ran
# and some failed; any other is final.
test: $(READY)
ifdef ARGS
	@$(PY) -m pytest $(ARGS)
else
	@status=0; rm -f .cache/pytest/v/cache/lastfailed; \
	$(PY) -m pytest --collect-only -qq >/dev/null 2>&1 & scripts/test-client || status=1; wait; \
	$(PY) -m pytest -n 5 --dist loadfile || { [ $$? -eq 1 ] && scripts/test-once-more; } || status=1; \
	exit $$status
endif

soak: $(READY)
	@$(PY) -m tests.soak $(ARGS)

coverage: $(READY)
	$(PY) -m coverage erase
	$(PY) -m coverage run -m pytest -o session_timeout=1800 $(or $(ARGS),tests/unit tests/conformance tests/integration)
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage report

legs: $(READY)
	@$(PY) scripts/legs $(ARGS)

check: $(READY)
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy

format: $(READY)
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

# The variable silences Material's advertisement of its successor.
docs: $(READY)
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build

npm: $(READY)
	@$(PY) -m scripts.npm_package build/npm

bench: $(READY)
	@$(PY) -m benchmarks $(ARGS)

venv: $(READY)

$(READY): pyproject.toml requirements.lock scripts/make-venv
	@scripts/make-venv $(VENV)
	@touch $@

# One file for Python 3.11 and newer on Linux and macOS, for plain pip. The system's certificates, as pip has them.
lock: export UV_SYSTEM_CERTS := true
lock: $(READY)
	$(PY) -m venv $(LOCKER)
	$(LOCKER)/bin/python -m pip install --quiet uv
	$(LOCKER)/bin/uv --no-config pip compile --quiet --universal --python-version 3.11 --group dev --group docs \
	  --generate-hashes --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) \
	  --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) .cache .hypothesis artifacts build dist site *.egg-info tests/npm/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
