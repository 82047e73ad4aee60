package setup

import (
	_ "embed"
	"fmt"
	"os"

	"github.com/goccy/go-yaml"
)

//go:embed rates.yaml
var ratesFile []byte

// Rates are prices. Mirador asks nobody for them: they come from a file.
type Rates struct {
	Currency     string             `yaml:"currency"`
	Hours        float64            `yaml:"hours_per_month"`
	Session      float64            `yaml:"session_hour"`
	NLB          float64            `yaml:"nlb_hour"`
	NLBUnit      float64            `yaml:"nlb_lcu_hour"`
	GWLB         float64            `yaml:"gwlb_hour"`
	GWLBUnit     float64            `yaml:"gwlb_lcu_hour"`
	Endpoint     float64            `yaml:"endpoint_hour"`
	EndpointGB   float64            `yaml:"endpoint_gb"`
	CrossZoneGB  float64            `yaml:"cross_zone_gb"`
	SourceGB     float64            `yaml:"source_gb"`
	Regions      map[string]regions `yaml:"regions"`
	defaultRates bool
}

// regions has other prices of one region, by key.
type regions map[string]float64

// DefaultRates returns the rates that come with the program, for a region.
func DefaultRates(region string) (*Rates, error) {
	r, err := parseRates(ratesFile, "rates.yaml", region)
	if err != nil {
		return nil, err
	}
	r.defaultRates = true
	return r, nil
}

// DefaultRatesFile returns the text of the rates that come with the program.
func DefaultRatesFile() string { return string(ratesFile) }

// ReadRates reads a rates file, for a region.
func ReadRates(path, region string) (*Rates, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if st.Size() > MaxSpec {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are read", path, st.Size(), MaxSpec)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseRates(b, path, region)
}

func parseRates(b []byte, name, region string) (r *Rates, err error) {
	defer func() {
		if recover() != nil {
			r, err = nil, fmt.Errorf("%s: malformed YAML", name)
		}
	}()
	r = &Rates{}
	if err := yaml.UnmarshalWithOptions(b, r, yaml.DisallowUnknownField()); err != nil {
		return nil, placeError(name, err)
	}
	for k, v := range r.Regions[region] {
		p := map[string]*float64{
			"session_hour": &r.Session, "nlb_hour": &r.NLB, "nlb_lcu_hour": &r.NLBUnit, "gwlb_hour": &r.GWLB, "gwlb_lcu_hour": &r.GWLBUnit,
			"endpoint_hour": &r.Endpoint, "endpoint_gb": &r.EndpointGB, "cross_zone_gb": &r.CrossZoneGB, "source_gb": &r.SourceGB,
		}[k]
		if p == nil {
			return nil, fmt.Errorf("%s: regions.%s: unknown key %q", name, region, k)
		}
		*p = v
	}
	if r.Hours <= 0 {
		return nil, fmt.Errorf("%s: hours_per_month: must be above 0", name)
	}
	for _, v := range []float64{r.Session, r.NLB, r.NLBUnit, r.GWLB, r.GWLBUnit, r.Endpoint, r.EndpointGB, r.CrossZoneGB, r.SourceGB} {
		if v < 0 {
			return nil, fmt.Errorf("%s: a price below 0", name)
		}
	}
	return r, nil
}

// CostLine is one part of what a stack costs.
type CostLine struct {
	What  string  `json:"what"`
	Count float64 `json:"count"`
	Unit  string  `json:"unit"`
	Rate  float64 `json:"rate"`
	Month float64 `json:"month"`
}

// Cost is what a stack costs in a month once it stands.
type Cost struct {
	Currency string     `json:"currency,omitempty"`
	Month    float64    `json:"month"`
	Lines    []CostLine `json:"lines,omitempty"`
	Note     string     `json:"note,omitempty"`
}

func (c *Cost) add(what string, count float64, unit string, rate, times float64) {
	if count == 0 || rate == 0 {
		return
	}
	l := CostLine{What: what, Count: count, Unit: unit, Rate: rate, Month: count * rate * times}
	c.Month += l.Month
	c.Lines = append(c.Lines, l)
}

// estimate returns what d costs in a month; without rates it is empty.
func estimate(d *Desired, r *Rates) Cost {
	if r == nil {
		return Cost{}
	}
	c := Cost{Currency: r.Currency}
	n := float64(len(d.Sessions))
	c.add("traffic mirror sessions", n, "session hour", r.Session, r.Hours)
	gb := n * r.SourceGB
	if b := d.Balancer; b != nil && b.Kind == TargetNLB {
		c.add("network load balancer", 1, "hour", r.NLB, r.Hours)
		c.add("network load balancer units", gb, "GB", r.NLBUnit, 1)
	} else if b != nil {
		c.add("gateway load balancer", 1, "hour", r.GWLB, r.Hours)
		c.add("gateway load balancer units", gb, "GB", r.GWLBUnit, 1)
		c.add("endpoints", float64(len(d.Endpoints)), "hour", r.Endpoint, r.Hours)
		c.add("endpoints", gb, "GB", r.EndpointGB, 1)
	}
	zone := map[string]string{}
	for i := range d.Seats {
		zone[d.Seats[i].TargetKey] = d.Seats[i].AZ
	}
	away := 0
	for i := range d.Sessions {
		if z := zone[d.Sessions[i].Target]; z != "" && z != d.Sessions[i].Source.Interface.AZ {
			away++
		}
	}
	c.add("transfer between zones, both directions", 2*float64(away)*r.SourceGB, "GB", r.CrossZoneGB, 1)
	if r.SourceGB == 0 {
		c.Note = "without traffic: source_gb of the rates is 0"
	}
	if r.defaultRates {
		c.Note = or(c.Note+"; ", "") + "list prices that came with the program, see --rates"
	}
	return c
}
