# sealane. `make` alone lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help

GOLANGCI_LINT := v2.15.0
GOTESTSUM     := v1.13.0
BIN           := bin
PACKAGES      := ./...
TIMEOUT       := 20m

# Programs that run on any distribution, and no larger than they must be: with grpc's tracing
# comes html/template, and with that the linker keeps every method of every type.
# The agent idles on every host, and speaks HTTP/2 to etcd only, by grpc's own.
TAGS       := grpcnotrace
TAGS_AGENT := $(TAGS),nethttpomithttp2
GO_BUILD   := CGO_ENABLED=0 go build -trimpath -o $(BIN)/

# go test as it prints itself, then each skipped test by name with its reason, and the count.
GO_TEST := go run gotest.tools/gotestsum@$(GOTESTSUM) --format standard-quiet --

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

build: ## build the four commands into bin/
	@mkdir -p $(BIN)
	$(GO_BUILD) -tags $(TAGS) ./cmd/sealane ./cmd/sealane-controller ./cmd/sealane-lab
	$(GO_BUILD) -tags $(TAGS_AGENT) ./cmd/sealane-agent

demo: deps build ## a whole cluster on this machine; CHECK=1 ends by itself
	$(BIN)/sealane-lab demo $(if $(CHECK),--check)

test: deps sizes ## everything, from unit to end to end
	$(GO_TEST) -race -shuffle=on -timeout $(TIMEOUT) $(PACKAGES)

sizes: ## calls and times of a thousand hosts, which the race detector would take minutes for
	go test -run 'TestCallFormulas|TestTimeToAvailable' ./cloud/alicloud/

unit: ## what needs neither root nor Docker, in a minute or two
	$(GO_TEST) -short -race -shuffle=on $(PACKAGES)

race: ## the unit tests five times over, to shake out races
	go test -short -race -shuffle=on -count=5 $(PACKAGES)

e2e: deps ## the scenarios on real Docker engines
	go test -race -shuffle=off -count=1 -v -timeout $(TIMEOUT) ./deploy/lab/e2e/

e2e-engines: deps ## the matrix of Docker engines that Debian has (minutes; makes their roots once)
	@command -v mmdebstrap >/dev/null || { apt-get update -qq && apt-get install -y -qq mmdebstrap >/dev/null; }
	@deploy/lab/engines/roots.sh
	go test -tags $(TAGS) -count=1 -v -timeout 60m ./deploy/lab/engines/ -engines all

lint: ## the closed list of linters, import rules included, and the rules of the house
	go test ./deploy/house/
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT) run $(PACKAGES)

fmt: ## format
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT) fmt

fuzz: ## each fuzz target for FUZZTIME (30s)
	@deploy/fuzz.sh $(or $(FUZZTIME),30s)

bench: ## the benchmarks: counts and ratios
	go test -run '^$$' -bench . -benchmem $(PACKAGES)

idle: build ## what an idle agent costs in memory and CPU, over SECONDS (300)
	@deploy/idle.sh $(BIN) $(or $(SECONDS),300)

check: lint unit ## what to run before a commit

deps: ## install what demo and test need (Debian and Ubuntu, as root)
	@deploy/deps.sh

clean: ## remove what was built, and a lab that was left behind
	-@[ ! -x $(BIN)/sealane-lab ] || $(BIN)/sealane-lab down
	rm -rf $(BIN) dist

.PHONY: help build demo test sizes unit race e2e lint fmt fuzz bench idle e2e-engines check deps clean
