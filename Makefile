# The two commands of the README are `make demo` and `make test`. Each sets up what it needs; a second run reuses it.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
JAR    := target/dl4j-bridge.jar
PLATFORMS := linux-x86_64 linux-arm64 macosx-x86_64 macosx-arm64 windows-x86_64

.PHONY: setup demo test test-full docs-test lint docs api-docs lock cuda wheel examples clean

setup: $(VENV)/.ready $(JAR)
	@$(BIN)/python -c 'from dl4j_bridge.java import jars; jars.class_path()' 2>/dev/null || ./mvnw -q -B package -DskipTests
	@$(BIN)/python -m dl4j_bridge fetch

$(VENV)/.ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: $(PYTHON) is %d.%d; dl4j_bridge wants Python 3.11 or later: make PYTHON=python3.12" % sys.version_info[:2])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	touch $@

# Maven fetches DL4J's jars into ~/.m2 on the way.
$(JAR): pom.xml $(shell find java/src/main -name '*.java')
	./mvnw -q -B package -DskipTests
	touch $@

demo: setup
	$(BIN)/python -m dl4j_bridge demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: setup lint
	./mvnw -q -B test
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m 'not slow'

test-full: setup lint
	./mvnw -q -B test
	$(BIN)/python -m pytest -n 2 --dist loadgroup

# Every command in the pages, as in `make test-full`.
docs-test: setup
	$(BIN)/python -m pytest -n 2 --dist loadgroup tests/test_docs.py tests/test_docs_commands.py tests/test_java_page.py \
	  tests/test_python_api.py tests/test_notebook.py tests/model/test_imports.py

# The page of commands and options, from the command line itself.
docs: setup
	$(BIN)/python docs/make_commands.py

# The reference of the Python API, from its docstrings.
api-docs: setup
	$(BIN)/python docs/make_api.py target/api

# The list of jars that Python puts on the class path: what Maven resolves for each platform, with sizes and hashes.
lock: setup
	for p in $(PLATFORMS); do \
	  ./mvnw -q -B dependency:copy-dependencies -DincludeScope=runtime -Djavacpp.platform=$$p \
	    -Dmdep.useRepositoryLayout=true -DoutputDirectory=target/lock/$$p || exit 1; done
	$(BIN)/python java/lock.py target/lock > target/jars.lock.json
	mv target/jars.lock.json dl4j_bridge/java/jars.lock.json

# For --backend cuda, on Linux or Windows with an NVIDIA card: about 1 GB of jars.
cuda: setup
	./mvnw -q -B -Pcuda dependency:build-classpath -DincludeScope=runtime -Dmdep.outputFile=target/cuda.classpath

# One file for every platform: Python, our classes for Java, and the page of findings. DL4J's jars come at first use.
wheel: setup
	cp $(JAR) docs/diagnostics.md dl4j_bridge/
	$(BIN)/python -m build --wheel --outdir dist . ; status=$$?; \
	  rm -rf build dl4j_bridge/dl4j-bridge.jar dl4j_bridge/diagnostics.md; exit $$status

examples: setup
	$(BIN)/python examples/make.py

clean:
	rm -rf target $(VENV)
