package proto

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxPorts bounds a list of detection ports; it is looked through for each new flow.
const MaxPorts = 256

// Ports reads a list of ports ("20000", "139, 445", "5900:5909", a list of those)
// from the settings, such as detection-ports.dp. It returns nil when there is none,
// or when it says "any".
func Ports(s Settings, key string) ([]uint16, error) {
	list, ok := s.Strings(key)
	if !ok {
		one, has := s.String(key)
		if !has {
			return nil, nil
		}
		list = []string{one}
	}
	var ports []uint16
	for _, item := range list {
		for _, word := range strings.Split(strings.Trim(item, "[] "), ",") {
			word = strings.TrimSpace(word)
			if word == "" || word == "any" {
				continue
			}
			from, to, ranged := strings.Cut(word, ":")
			if !ranged {
				to = from
			}
			a, err1 := strconv.ParseUint(from, 10, 16)
			z, err2 := strconv.ParseUint(to, 10, 16)
			if err1 != nil || err2 != nil || z < a || int(z-a)+len(ports) >= MaxPorts {
				return nil, fmt.Errorf("%s: %q is not a list of at most %d ports", key, item, MaxPorts)
			}
			for n := a; n <= z; n++ {
				ports = append(ports, uint16(n))
			}
		}
	}
	return ports, nil
}
