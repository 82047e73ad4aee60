package config

import "reflect"

// Diff returns the paths of the keys whose values differ between a and b, in the
// order of the reference page.
func Diff(a, b *File) []string {
	var out []string
	va, vb := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	for _, k := range Keys() {
		if !reflect.DeepEqual(valueAt(va, k.Path).Interface(), valueAt(vb, k.Path).Interface()) {
			out = append(out, k.Path)
		}
	}
	return out
}
