# Everything is done by bin/yolk; these are its commands under the names that
# make users expect.  Without make: go build -o bin/yolk ./tools/yolk
#
# ARGS is passed on:  make run ARGS='-m 64 -- ls -l /'

# Any Go from 1.21 on fetches this one by itself.
TOOLCHAIN = go1.27.3

.PHONY: yolk build run debug gdb test test-all screenshots bench doctor clean grade lab

yolk:
	@command -v go >/dev/null || { echo "Go 1.21 or newer is needed: https://go.dev/dl" >&2; exit 1; }
	@[ "$$(cd / && GOTOOLCHAIN=local go env GOVERSION)" = $(TOOLCHAIN) ] || \
		ls -d "$$(cd / && go env GOMODCACHE)/golang.org/toolchain@"*"$(TOOLCHAIN)."* >/dev/null 2>&1 || \
		echo "first use: fetching the Go toolchain $(TOOLCHAIN), about 76 MB (270 MB unpacked), into Go's module cache" >&2
	@GOTOOLCHAIN=$(TOOLCHAIN) GOFLAGS= GOOS= GOARCH= go build -o bin/ ./tools/yolk ./tools/gopls

build run debug gdb test bench doctor clean grade: yolk
	@bin/yolk $@ $(ARGS)

test-all: yolk
	@bin/yolk test -all $(ARGS)

# make lab lists them; make lab NAME=cow cuts the starter tree into ../cow-lab, or DIR.
DIR ?= ../$(NAME)-lab
lab: yolk
	@bin/yolk lab $(if $(NAME),start $(NAME) $(DIR),list)

# The screenshots in the documents, taken anew.
screenshots: yolk
	@YOLK_SHOTS=tools/internal/picture/shots bin/yolk test -all -run '^picture/screenshots$$'
