//go:build !race

package alicloud

// underRace tells tests that only count, in one goroutine after the other, to count less.
const underRace = false
