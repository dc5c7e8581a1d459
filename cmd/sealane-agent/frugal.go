package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

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
