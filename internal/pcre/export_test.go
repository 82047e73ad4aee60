package pcre

// Eager makes m ask for the help of a DFA and of the memory of failures at once, so
// that short subjects test them.
func (m *Machine) Eager() { m.easy = 0 }
