# make run: the application on http://127.0.0.1:8000.  make test: every test.  make demo: with a fake CPA and traffic.
PYTHON ?= python3
BIND ?= 127.0.0.1:8000
BIN := .venv/bin
# Many tests wait for something. The suite on PostgreSQL is the shorter one.
CORES := $(shell getconf _NPROCESSORS_ONLN)
JOBS ?= $(shell echo $$(($(CORES) + 1)))
POSTGRESQL_JOBS ?= $(CORES)

.PHONY: run demo test test-sqlite test-postgresql lint pins messages

run: .venv/installed
	$(BIN)/python manage.py serve --bind $(BIND)

demo: .venv/installed
	$(BIN)/python -m tests.demo --bind $(BIND)

# The suite on SQLite, and beside it what touches the database on a real PostgreSQL that comes from PyPI.
test: .venv/installed-for-tests
	$(MAKE) --jobs=2 test-sqlite test-postgresql

# Each worker and each process that a test starts would compile the sources anew where Python may not keep bytecode.
test-sqlite test-postgresql: export PYTHONDONTWRITEBYTECODE =

test-sqlite: .venv/installed-for-tests
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

test-postgresql: .venv/installed-for-tests
	$(BIN)/python -m tests.on_postgres $(BIN)/python -m pytest -n $(POSTGRESQL_JOBS) --dist worksteal

lint: .venv/installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/python manage.py makemigrations --check --dry-run

.venv/installed: requirements.txt config/locale/zh_Hans/LC_MESSAGES/django.po
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/pybabel --quiet compile -d config/locale -D django
	touch $@

.venv/installed-for-tests: .venv/installed tests/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.txt
	touch $@

# Both lists of exact versions, from the loose ones in pyproject.toml.
pins:
	uv pip compile -q --universal --python-version 3.11 --generate-hashes pyproject.toml -o requirements.txt --custom-compile-command "make pins"
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --group test -c requirements.txt -o tests/requirements.txt --custom-compile-command "make pins"

# New strings into the catalogue (needs gettext).
messages:
	$(BIN)/python manage.py makemessages -l zh_Hans --no-location --no-wrap -i .venv -i data -i tests
