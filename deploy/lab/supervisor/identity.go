package supervisor

import (
	"fmt"
	"os"
	"strings"
)

// ID tells a process from a later one that was given the same number.
type ID struct {
	PID   int    `json:"pid"`
	Start string `json:"start"` // when it started, in clock ticks since boot
}

// This identifies this process.
func This() ID { return idOf(os.Getpid()) }

func idOf(pid int) ID { return ID{pid, StartTime(pid)} }

// IsAlive reports whether the process is still there.
func (p ID) IsAlive() bool { return p.PID > 0 && p.Start != "" && StartTime(p.PID) == p.Start }

// StartTime is field 22 of /proc/PID/stat (proc(5)), empty when there is no such process
// or it has ended and waits to be collected. The command in field 2 may hold spaces and parentheses.
func StartTime(pid int) string {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return fields[19]
}
