//go:build race

package alicloud

const underRace = true
