package mpm_test

import (
	"fmt"
	"math"
	"testing"
)

func printFrequencies(t *testing.T, c *corpus) {
	var n [256]float64
	add := func(list [][]byte, weight float64) {
		total := float64(bytesOf(list))
		for _, b := range list {
			for _, x := range b {
				n[x|0x20] += weight / total
			}
		}
	}
	add(c.payload, 0.6)
	add(c.uri, 0.15)
	add(c.host, 0.1)
	add(c.query, 0.15)
	for i := range 256 {
		if i%16 == 0 {
			fmt.Println()
		}
		v := 0
		if i&0x20 != 0 {
			v = int(math.Round(-8 * math.Log2(n[i]+1e-5)))
		}
		fmt.Printf("%d, ", v)
	}
	fmt.Println()
	t.Log(len(c.payload), bytesOf(c.payload), len(c.uri), bytesOf(c.uri), len(c.host), len(c.query))
}
