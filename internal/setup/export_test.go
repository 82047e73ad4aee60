package setup

// ReadTable shows the reads of policies to tests.
func ReadTable() map[string][]Action { return readTable() }
