// Package engines holds the matrix of Docker engine generations: pairs of hosts with real
// engines, before the agents run and after, every cell with what is expected of it. roots.sh
// makes the engines that the machine does not have.
package engines
