package alisim

import "slices"

// find returns the first element that matches, or nil.
func find[T any](all []*T, match func(*T) bool) *T {
	if i := slices.IndexFunc(all, match); i >= 0 {
		return all[i]
	}
	return nil
}

// collect strings together what each element holds.
func collect[T, U any](all []T, held func(T) []U) []U {
	var out []U
	for _, x := range all {
		out = append(out, held(x)...)
	}
	return out
}

func mapped[T, U any](all []T, shape func(T) U) []U {
	out := make([]U, 0, len(all))
	for _, x := range all {
		out = append(out, shape(x))
	}
	return out
}

// nonNil makes an absent list an empty one, which JSON tells apart.
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
