# One way to do each chore. `make check` is what CI runs.
PYTHON ?= python3
VENV := .venv
PEERS := .venv-peers
RUN := $(VENV)/bin/python
DEMO := .demo
DATA ?= data
MODELS ?= models
OUTCOMES ?= outcomes
SEED ?= 0

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format lint types imports protos docs lock train serve bench bench-mlserver accuracy accounting peers drills image-proof sbom audit clean

help: ## show these lines
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/.installed: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "coldstart needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "Python's venv module is missing: on Debian, apt-get install python3-venv"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(VENV)/.installed ## install the locked dependencies, and the project itself, into .venv
	@$(RUN) -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null || [ "$$(uname)" != Linux ] || { echo "libgomp is missing, and LightGBM can't run without it: on Debian, apt-get install libgomp1"; exit 2; }

demo: setup ## sample data, a model, a server and predictions over gRPC; three minutes the first time
	$(RUN) -m benchmarks.demo --folder $(DEMO)

test: setup ## run all tests, on all cores
	$(RUN) -m pytest --numprocesses auto --dist worksteal

check: setup format lint types imports test ## all that CI runs

format: setup
	$(VENV)/bin/ruff format --check .

lint: setup
	$(VENV)/bin/ruff check .

types: setup
	$(VENV)/bin/mypy

imports: setup
	$(VENV)/bin/lint-imports

protos: setup ## renew the generated protobuf code
	$(RUN) -m grpc_tools.protoc -Icoldstart_client/v1=protos/coldstart/v1 --python_out=client --pyi_out=client --grpc_python_out=client protos/coldstart/v1/enjoyment_service.proto

docs: setup ## renew the tables of the documentation that come from the code
	$(RUN) -m benchmarks.documentation

LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -q
EXTRAS := redis otel remote dask

lock: ## renew all lock files (needs uv)
	$(LOCK) pyproject.toml -o requirements.lock
	for extra in $(EXTRAS); do $(LOCK) pyproject.toml --extra $$extra -c requirements.lock -o deploy/extras/$$extra.lock $$(sed -n 's/^\([a-z0-9-]*\)==.*/--no-emit-package \1/p' requirements.lock); done
	$(LOCK) pyproject.toml --group dev -o requirements-dev.lock
	echo pip-audit | $(LOCK) - -o deploy/audit-requirements.txt
	$(LOCK) benchmarks/peers/requirements.in -o benchmarks/peers/requirements.lock
	$(LOCK) benchmarks/privacy/lab/requirements.in -o benchmarks/privacy/lab/requirements.lock

train: setup ## make a model of DATA and publish it under MODELS
	$(RUN) -m training retrain --data $(DATA) --models $(MODELS) --seed $(SEED)

serve: setup ## serve the model under MODELS, and record outcomes under OUTCOMES
	$(RUN) -m service --models $(MODELS) --outcomes $(OUTCOMES)

accuracy: setup ## the never-rater protocol through the served model, on real data where it exists
	$(RUN) -m benchmarks.accuracy

$(PEERS)/.installed: benchmarks/peers/requirements.lock
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/peers/requirements.lock
	@touch $@

$(VENV)-accounting/.installed: benchmarks/privacy/lab/requirements.lock
	$(PYTHON) -m venv $(VENV)-accounting
	$(VENV)-accounting/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

accounting: $(VENV)-accounting/.installed ## install dp-accounting for `python -m benchmarks.privacy budget`, into an environment of its own

peers: setup $(PEERS)/.installed ## other libraries on the same split of real data, where it exists
	$(RUN) -m benchmarks.peers.run

drills: setup ## stop, kill and soak a service of the model under MODELS; about half an hour
	$(RUN) -m benchmarks.drills.stop --models $(MODELS)
	$(RUN) -m benchmarks.drills.kill --models $(MODELS)
	$(RUN) -m benchmarks.drills.soak --models $(MODELS)
	$(RUN) -m benchmarks.drills.outcomes --models $(MODELS)
	$(RUN) -m benchmarks.drills.live_ratings --models $(MODELS)

bench: setup ## calls a second of the model under MODELS beside an echo server and MLServer (needs h2load)
	@command -v h2load >/dev/null || { echo "h2load is missing: on Debian, apt-get install nghttp2-client"; exit 2; }
	OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(RUN) -m benchmarks.speed --models $(MODELS) --out build/speed.json

bench-mlserver: $(VENV)-mlserver/.installed ## install MLServer for the benchmark, into an environment of its own

$(VENV)-mlserver/.installed: benchmarks/speed/mlserver-requirements.txt
	$(PYTHON) -m venv $(VENV)-mlserver
	$(VENV)-mlserver/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

sbom: setup ## what the image is made of, as CycloneDX JSON, into build/sbom.json
	@mkdir -p build
	$(RUN) -W ignore::UserWarning -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible -o build/sbom.json requirements.lock

$(VENV)-audit/.installed: deploy/audit-requirements.txt
	$(PYTHON) -m venv $(VENV)-audit
	$(VENV)-audit/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

audit: $(VENV)-audit/.installed ## known vulnerabilities of the locked dependencies (asks an index that knows of them)
	$(VENV)-audit/bin/pip-audit --strict --disable-pip --require-hashes -r requirements.lock $(EXTRAS:%=-r deploy/extras/%.lock)

image-proof: setup ## the Dockerfile's steps with all extras in a fresh Debian root, without an engine (root; debootstrap, bubblewrap, redis-server)
	$(RUN) deploy/image_proof.py --models $(MODELS) --extras "$(EXTRAS)"

clean: ## remove what these targets made
	rm -rf $(VENV) $(VENV)-accounting $(VENV)-audit $(PEERS) $(DEMO) build
