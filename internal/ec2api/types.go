package ec2api

import (
	"slices"
	"strings"
	"sync"
)

// typeData is what is told of an instance type.
type typeData struct {
	name       string
	family     string
	size       string
	vcpus      int
	memory     int // MiB
	arch       string
	hypervisor string // nitro, xen; empty for bare metal
	maker      string
	enis       int // over all network cards
	cards      int
	addrs      int // IPv4 addresses of an interface
	baseline   float64
	peak       float64 // Gbit/s
	disk       bool    // has instance storage
	burst      bool
	current    bool
}

// family is a row of the catalogue: sizes of one family.
type family struct {
	name   string
	perCPU int     // MiB for each vCPU
	maker  string  // Intel, AMD, AWS (Graviton)
	gbit   float64 // baseline for each vCPU at large; small sizes burst
	peak   float64 // of sizes that burst
	enis   string  // column of the table below
	sizes  string
}

// catalogue is a part of what EC2 offers. The numbers of vCPUs, memory, interfaces and
// addresses are public; bandwidths of families not listed one by one in the
// documentation are in proportion to the size. AWS: EC2 instance types, network
// specifications.
func catalogue() []family {
	const (
		gib   = 1024
		std5  = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge metal"
		std6  = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge metal"
		std6a = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge 48xlarge metal"
		std7  = "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"
		c5    = "large xlarge 2xlarge 4xlarge 9xlarge 12xlarge 18xlarge 24xlarge metal"
		arm   = "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge metal"
		arm8  = "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge metal-24xl metal-48xl"
		flex  = "large xlarge 2xlarge 4xlarge 8xlarge"
		xen4  = "large xlarge 2xlarge 4xlarge 10xlarge 16xlarge"
		tiny  = "nano micro small medium large xlarge 2xlarge"
	)
	return []family{
		{"t2", 0, "Intel", 0.03, 1, "t", tiny}, {"t3", 0, "Intel", 0.128, 5, "t", tiny}, {"t3a", 0, "AMD", 0.128, 5, "t", tiny}, {"t4g", 0, "AWS", 0.128, 5, "t", tiny},
		{"m4", 4 * gib, "Intel", 0.225, 0, "x", xen4}, {"c4", 1920, "Intel", 0.25, 0, "c4", "large xlarge 2xlarge 4xlarge 8xlarge"}, {"r4", 7808, "Intel", 0.375, 10, "s", "large xlarge 2xlarge 4xlarge 8xlarge 16xlarge"},
		{"m5", 4 * gib, "Intel", 0.3125, 10, "s", std5}, {"m5a", 4 * gib, "AMD", 0.3125, 10, "s", std7[:len(std7)-9]}, {"m5ad", 4 * gib, "AMD", 0.3125, 10, "s", std7[:len(std7)-9]},
		{"m5d", 4 * gib, "Intel", 0.3125, 10, "s", std5}, {"m5n", 4 * gib, "Intel", 1.05, 25, "s", std5}, {"m5dn", 4 * gib, "Intel", 1.05, 25, "s", std5},
		{"m5zn", 4 * gib, "Intel", 1.5, 25, "s", "large xlarge 2xlarge 3xlarge 6xlarge 12xlarge"},
		{"m6i", 4 * gib, "Intel", 0.390625, 12.5, "s", std6}, {"m6id", 4 * gib, "Intel", 0.390625, 12.5, "s", std6}, {"m6in", 4 * gib, "Intel", 1.5625, 25, "s", std6}, {"m6idn", 4 * gib, "Intel", 1.5625, 25, "s", std6},
		{"m6a", 4 * gib, "AMD", 0.390625, 12.5, "s", std6a}, {"m6g", 4 * gib, "AWS", 0.375, 10, "s", arm}, {"m6gd", 4 * gib, "AWS", 0.375, 10, "s", arm},
		{"m7i", 4 * gib, "Intel", 0.390625, 12.5, "s", std7}, {"m7i-flex", 4 * gib, "Intel", 0.195, 12.5, "s", flex}, {"m7a", 4 * gib, "AMD", 0.390625, 12.5, "s", "medium " + std6a},
		{"m7g", 4 * gib, "AWS", 0.46875, 12.5, "s", arm}, {"m7gd", 4 * gib, "AWS", 0.46875, 12.5, "s", arm}, {"m8g", 4 * gib, "AWS", 0.46875, 12.5, "s", arm8},
		{"c5", 2 * gib, "Intel", 0.3125, 10, "s", c5}, {"c5d", 2 * gib, "Intel", 0.3125, 10, "s", c5}, {"c5n", 2688, "Intel", 1.39, 25, "s", "large xlarge 2xlarge 4xlarge 9xlarge 18xlarge metal"},
		{"c5a", 2 * gib, "AMD", 0.3125, 10, "s", std7[:len(std7)-9]}, {"c5ad", 2 * gib, "AMD", 0.3125, 10, "s", std7[:len(std7)-9]},
		{"c6i", 2 * gib, "Intel", 0.390625, 12.5, "s", std6}, {"c6id", 2 * gib, "Intel", 0.390625, 12.5, "s", std6}, {"c6in", 2 * gib, "Intel", 1.5625, 25, "s", std6}, {"c6a", 2 * gib, "AMD", 0.390625, 12.5, "s", std6a},
		{"c6g", 2 * gib, "AWS", 0.375, 10, "s", arm}, {"c6gd", 2 * gib, "AWS", 0.375, 10, "s", arm}, {"c6gn", 2 * gib, "AWS", 1.5625, 25, "s", "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"},
		{"c7i", 2 * gib, "Intel", 0.390625, 12.5, "s", std7}, {"c7i-flex", 2 * gib, "Intel", 0.195, 12.5, "s", flex}, {"c7a", 2 * gib, "AMD", 0.390625, 12.5, "s", "medium " + std6a},
		{"c7g", 2 * gib, "AWS", 0.46875, 12.5, "s", arm}, {"c7gd", 2 * gib, "AWS", 0.46875, 12.5, "s", arm}, {"c7gn", 2 * gib, "AWS", 3.125, 30, "s", arm}, {"c8g", 2 * gib, "AWS", 0.46875, 12.5, "s", arm8},
		{"r5", 8 * gib, "Intel", 0.3125, 10, "s", std5}, {"r5a", 8 * gib, "AMD", 0.3125, 10, "s", std7[:len(std7)-9]}, {"r5b", 8 * gib, "Intel", 0.3125, 10, "s", std5}, {"r5d", 8 * gib, "Intel", 0.3125, 10, "s", std5},
		{"r5n", 8 * gib, "Intel", 1.05, 25, "s", std5}, {"r5dn", 8 * gib, "Intel", 1.05, 25, "s", std5},
		{"r6i", 8 * gib, "Intel", 0.390625, 12.5, "s", std6}, {"r6id", 8 * gib, "Intel", 0.390625, 12.5, "s", std6}, {"r6in", 8 * gib, "Intel", 1.5625, 25, "s", std6}, {"r6a", 8 * gib, "AMD", 0.390625, 12.5, "s", std6a},
		{"r6g", 8 * gib, "AWS", 0.375, 10, "s", arm}, {"r6gd", 8 * gib, "AWS", 0.375, 10, "s", arm}, {"r7i", 8 * gib, "Intel", 0.390625, 12.5, "s", std7}, {"r7a", 8 * gib, "AMD", 0.390625, 12.5, "s", "medium " + std6a},
		{"r7g", 8 * gib, "AWS", 0.46875, 12.5, "s", arm}, {"r7gd", 8 * gib, "AWS", 0.46875, 12.5, "s", arm}, {"r8g", 8 * gib, "AWS", 0.46875, 12.5, "s", arm8},
		{"x2gd", 16 * gib, "AWS", 0.375, 10, "s", arm}, {"z1d", 8 * gib, "Intel", 0.52, 10, "s", "large xlarge 2xlarge 3xlarge 6xlarge 12xlarge metal"},
		{"i3", 7808, "Intel", 0.375, 10, "s", "large xlarge 2xlarge 4xlarge 8xlarge 16xlarge metal"}, {"i3en", 8 * gib, "Intel", 1.05, 25, "s", "large xlarge 2xlarge 3xlarge 6xlarge 12xlarge 24xlarge metal"},
		{"i4i", 8 * gib, "Intel", 0.390625, 12.5, "s", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge"}, {"i4g", 8 * gib, "AWS", 0.390625, 12.5, "s", "large xlarge 2xlarge 4xlarge 8xlarge 16xlarge"},
		{"i7i", 8 * gib, "Intel", 0.390625, 12.5, "s", std7}, {"i8g", 8 * gib, "AWS", 0.390625, 12.5, "s", "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"},
		{"a1", 2 * gib, "AWS", 0.3125, 10, "s", "medium large xlarge 2xlarge 4xlarge metal"},
		{"g4dn", 4 * gib, "Intel", 1.25, 25, "s", "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge metal"}, {"g5", 4 * gib, "AMD", 0.625, 10, "s", "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"},
	}
}

// sizeCPUs are the vCPUs of sizes outside the t families.
func sizeCPUs(f *family, size string) int {
	n := map[string]int{
		"nano": 2, "micro": 2, "small": 2, "medium": 1, "large": 2, "xlarge": 4, "2xlarge": 8, "3xlarge": 12, "4xlarge": 16, "6xlarge": 24, "8xlarge": 32,
		"9xlarge": 36, "10xlarge": 40, "12xlarge": 48, "16xlarge": 64, "18xlarge": 72, "24xlarge": 96, "32xlarge": 128, "48xlarge": 192, "metal-24xl": 96, "metal-48xl": 192,
	}[size]
	if size == "metal" {
		for s := range strings.FieldsSeq(f.sizes) { // as many as the largest size
			if !strings.HasPrefix(s, "metal") {
				n = max(n, sizeCPUs(f, s))
			}
		}
	}
	if f.perCPU == 0 && size == "medium" {
		n = 2
	}
	return n
}

// sizeENIs gives interfaces, and IPv4 addresses of each.
func sizeENIs(f *family, size string, cpus int) (enis, addrs int) {
	if f.enis == "t" {
		i := slices.Index([]string{"nano", "micro", "small", "medium", "large", "xlarge", "2xlarge"}, size)
		return []int{2, 2, 3, 3, 3, 4, 4}[i], []int{2, 2, 4, 6, 12, 15, 15}[i]
	}
	if f.enis == "x" && size == "large" { // m4.large
		return 2, 10
	}
	switch {
	case cpus <= 1:
		return 2, 4
	case cpus <= 2:
		return 3, 10
	case cpus <= 12:
		return 4, 15
	case cpus <= 48:
		return 8, 30
	case f.enis == "x":
		return 8, 30
	}
	return 15, 50
}

// newType computes a size of a family.
func newType(f *family, size string) *typeData {
	cpus := sizeCPUs(f, size)
	t := &typeData{
		name: f.name + "." + size, family: f.name, size: size, vcpus: cpus, memory: cpus * f.perCPU, arch: "x86_64", hypervisor: "nitro", maker: f.maker,
		cards: 1, current: true, peak: f.peak, baseline: f.gbit * float64(cpus),
	}
	if f.maker == "AWS" {
		t.arch = "arm64"
	}
	switch f.name {
	case "t2", "m4", "c4", "r4", "i3":
		t.hypervisor = "xen"
		t.current = f.name == "t2" || f.name == "i3" || f.name == "m4" || f.name == "c4" || f.name == "r4"
	}
	if strings.HasPrefix(size, "metal") {
		t.hypervisor = ""
	}
	head, _, _ := strings.Cut(f.name, "-")
	t.disk = strings.HasSuffix(head, "d") || strings.HasSuffix(head, "dn") || head[0] == 'i' || head[0] == 'g'
	if f.perCPU == 0 {
		i := slices.Index([]string{"nano", "micro", "small", "medium", "large", "xlarge", "2xlarge"}, size)
		t.memory = 512 << i
		t.vcpus = []int{2, 2, 2, 2, 2, 4, 8}[i]
		if f.name == "t2" && i < 3 {
			t.vcpus = 1
		}
		t.baseline, t.burst = 0.032*float64(int(1)<<i), true
	}
	t.enis, t.addrs = sizeENIs(f, size, cpus)
	t.peak = max(t.peak, t.baseline)
	if f.name == "t2" {
		t.peak = 1
	}
	return t
}

// types is the catalogue by name; it never changes.
var types = sync.OnceValue(func() map[string]*typeData {
	m := map[string]*typeData{}
	for _, f := range catalogue() {
		for size := range strings.FieldsSeq(f.sizes) {
			t := newType(&f, size)
			m[t.name] = t
		}
	}
	return m
})

// typeInfo returns what is known of a type; a type outside the catalogue, which an
// imported topology may have, gets modest limits.
func typeInfo(name string) *typeData {
	if t := types()[name]; t != nil {
		return t
	}
	family, size, _ := strings.Cut(name, ".")
	return &typeData{name: name, family: family, size: size, vcpus: 2, memory: 8192, arch: "x86_64", hypervisor: "nitro", maker: "Intel", enis: 8, cards: 1, addrs: 30, baseline: 1, peak: 10, current: true}
}
