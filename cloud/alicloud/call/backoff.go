package call

import (
	"math/rand/v2"
	"time"
)

const longestBackOff = 5 * time.Second

// BackOff is the pause after so many tries, from 1, that met something else in flight: ten times
// the shortest pause, doubling, bounded, and between half and all of it, since whoever else
// writes waits as well.
func BackOff(shortest time.Duration, tries int) time.Duration {
	d := min(10*shortest<<min(max(tries-1, 0), 20), longestBackOff)
	return d/2 + rand.N(d/2+1)
}
