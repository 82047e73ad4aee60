package mirror

import (
	"fmt"
	"strings"
)

// Support tells whether an instance type can be a mirror source.
type Support uint8

// What is known of a type. A type that is in no list is tried: AWS alone knows.
const (
	SupportUnknown Support = iota
	Supported
	Unsupported
)

// SourceSupport tells whether interfaces of this instance type ("m5.large") can be mirror
// sources, and in words why. It goes by AWS's list of 2025-08-28.
func SourceSupport(instanceType string) (Support, string) {
	family, size, ok := strings.Cut(instanceType, ".")
	switch {
	case !ok || family == "" || size == "":
		return SupportUnknown, fmt.Sprintf("%q is no instance type", instanceType)
	case listed(otherFamilies, family):
		return Unsupported, "family " + family + " is not on AWS's list of mirror sources"
	case !listed(sourceFamilies, family):
		return SupportUnknown, "family " + family + " is newer than the list this program has; AWS may take it"
	case strings.HasPrefix(size, "metal") && !listed(sourceMetalFamilies, family):
		return Unsupported, "of family " + family + " only the sizes that are not bare metal can be mirror sources"
	}
	return Supported, "family " + family + " is on AWS's list of mirror sources"
}

// SourcesPerTarget returns how many sources an interface target on this instance type can
// have: 10, or 100 on the types that AWS lists.
func SourcesPerTarget(instanceType string) int {
	if LargeTarget(instanceType) {
		return DefaultSourcesPerLargeTarget
	}
	return DefaultSourcesPerTarget
}

// LargeTarget tells whether this instance type is one of those that can be the target of
// 100 sources.
func LargeTarget(instanceType string) bool { return listed(largeTargets, instanceType) }

// listed tells whether word is one of the words of list.
func listed(list, word string) bool {
	if word == "" || strings.ContainsAny(word, " \n") {
		return false
	}
	for {
		i := strings.Index(list, word)
		if i < 0 {
			return false
		}
		end := i + len(word)
		if (i == 0 || space(list[i-1])) && (end == len(list) || space(list[end])) {
			return true
		}
		list = list[end:]
	}
}

func space(c byte) bool { return c == ' ' || c == '\n' }
