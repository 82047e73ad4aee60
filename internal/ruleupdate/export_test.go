package ruleupdate

// StopAt makes the switch call f between its steps; its error is the crash.
func (o *Options) StopAt(f func(step string) error) { o.stop = f }

// The limits that tests go to.
const (
	RatioFrom   = ratioFrom
	AsidePrefix = asidePrefix
)

// Lock takes the lock of a state folder as an update does.
func Lock(name string) (func(), error) { return lock(name) }
