package main

import (
	"context"
	"io"
	"log"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

// quiet silences the standard logger, which is not ours: the library that lists ipsets tells
// it of every attribute that it does not know.
func quiet() {
	log.SetOutput(io.Discard) //nolint:forbidigo // to silence it is the point
}

// frugal sets the Go runtime up for a program that idles on machines of any size: it has
// less than 1 MiB in use, which Go lets grow to 4 MiB before it looks for garbage; and Go
// keeps memory at hand for each processor (1 MiB for 16, measured), of which one is
// enough here. What the operator sets in the environment holds.
func frugal() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(1)
	}
}

// giveBack returns once what the start needed, when the start is over: left to itself Go
// keeps it for the next peak, which an idle agent does not have.
func giveBack(ctx context.Context, started <-chan struct{}) {
	const over = 20 * time.Second
	select {
	case <-ctx.Done():
		return
	case <-started:
	}
	select {
	case <-ctx.Done():
	case <-time.After(over):
		debug.FreeOSMemory()
	}
}
