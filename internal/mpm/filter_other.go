//go:build !amd64

package mpm

const batch = 1

type engine uint8

const engineGo engine = 0

func bestEngine() engine { return engineGo }

type vector struct{}

const vectorSize = 0

func newVector([]uint8, uint8, uint32, uint32) vector { return vector{} }

func (v *vector) candidates(data []byte, i int, out *[batch]uint32) (n, next int) { return 0, i }
