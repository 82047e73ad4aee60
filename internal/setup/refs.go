package setup

import (
	"reflect"
	"slices"
	"strings"
)

// A reference is a text in a Call that stands for something another call makes:
//
//	@KEY              id of the part of the stack with this key
//	@KEY#attachment   its attachment
//	@KEY#name         name of the endpoint service
//	@KEY#address      primary address of the interface
//
// bind returns a copy of c with the references that f knows put in, and the others.
func bind(c Call, f func(ref string) (string, bool)) (Call, []string) {
	v := reflect.New(reflect.TypeOf(c)).Elem()
	v.Set(reflect.ValueOf(c))
	var missing []string
	put := func(s string) string {
		if !strings.HasPrefix(s, "@") {
			return s
		}
		id, ok := f(s[1:])
		if !ok {
			missing = append(missing, s[1:])
			return s
		}
		return id
	}
	for i := range v.NumField() {
		x := v.Field(i)
		if n := v.Type().Field(i).Name; n == "Description" || n == "Name" {
			continue // words of people
		}
		switch x.Kind() {
		case reflect.String:
			x.SetString(put(x.String()))
		case reflect.Slice:
			if x.Type().Elem().Kind() != reflect.String {
				continue
			}
			list := make([]string, x.Len())
			for j := range list {
				list[j] = put(x.Index(j).String())
			}
			if x.Len() > 0 {
				x.Set(reflect.ValueOf(list).Convert(x.Type()))
			}
		}
	}
	return v.Interface().(Call), missing
}

// withToken returns c with the client token when it takes one.
func withToken(c Call, token string) Call {
	v := reflect.New(reflect.TypeOf(c)).Elem()
	v.Set(reflect.ValueOf(c))
	if f := v.FieldByName("Token"); f.IsValid() {
		f.SetString(token)
	}
	return v.Interface().(Call)
}

// hasToken tells whether c takes a client token.
func hasToken(c Call) bool { return reflect.ValueOf(c).FieldByName("Token").IsValid() }

// needs returns the references in the calls of c that no call of c itself gives.
func (c *Change) needs() []string {
	own := map[string]bool{}
	var out []string
	for _, s := range c.Steps {
		_, missing := bind(s.Call, func(string) (string, bool) { return "", false })
		for _, m := range missing {
			base, _, _ := strings.Cut(m, "#")
			if !own[m] && !own[base] && !slices.Contains(out, m) {
				out = append(out, m)
			}
		}
		if s.Result != "" {
			own[s.Result] = true
		}
	}
	return out
}

// eachText calls f with each text and list element of c.
func eachText(c Call, f func(string)) {
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		switch x := v.Field(i); x.Kind() {
		case reflect.String:
			f(x.String())
		case reflect.Slice:
			if x.Type().Elem().Kind() == reflect.String {
				for j := range x.Len() {
					f(x.Index(j).String())
				}
			}
		}
	}
}
