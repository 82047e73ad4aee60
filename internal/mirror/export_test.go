package mirror

// CutLength is for the tests of packet lengths.
var CutLength = cutLength
