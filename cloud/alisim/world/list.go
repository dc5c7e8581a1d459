package world

import "slices"

// Find returns the first element that matches, or nil.
func Find[T any](all []*T, match func(*T) bool) *T {
	if i := slices.IndexFunc(all, match); i >= 0 {
		return all[i]
	}
	return nil
}

// Mapped is a list of what a function makes of each element.
func Mapped[T, U any](all []T, shape func(T) U) []U {
	out := make([]U, 0, len(all))
	for _, x := range all {
		out = append(out, shape(x))
	}
	return out
}

// NonNil makes an absent list an empty one, which JSON tells apart.
func NonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
