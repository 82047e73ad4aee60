package main

import (
	"os"
	"path/filepath"

	"mirador/internal/config"
	"mirador/internal/detect"
	"mirador/internal/rule"
)

// detectExtras fills what detection takes from less used parts of the
// configuration: the order of actions, sets of data, reputation, countries.
func (e *engine) detectExtras(o *detect.Options, d *config.Detect) error {
	order, err := actionOrder(e.flat)
	if err != nil {
		return err
	}
	o.ActionOrder = order
	for _, s := range d.Datasets {
		o.Datasets = append(o.Datasets, detect.DatasetConfig{Name: s.Name, Type: s.Type, Load: s.Load, State: s.State,
			Memcap: uint64(max(s.Memcap, 0)), HashSize: uint64(max(s.HashSize, 0))})
	}
	if o.Reputation, err = reputation(d); err != nil {
		return err
	}
	if d.GeoIPFile != "" {
		b, err := os.ReadFile(d.GeoIPFile)
		if err == nil {
			o.Countries, err = detect.ParseCountryDB(b)
		}
		if err != nil {
			return fail(exitUsage, "geoip-database names a MaxMind database of countries", "geoip-database %s: %w", d.GeoIPFile, err)
		}
	}
	return nil
}

// actionOrder reads action-order: none, or all four actions.
func actionOrder(flat *config.Flat) ([]rule.Action, error) {
	names, ok := flat.Root().Strings("action-order")
	if !ok || len(names) == 0 {
		return nil, nil
	}
	known := []rule.Action{rule.ActionPass, rule.ActionDrop, rule.ActionReject, rule.ActionAlert}
	var order []rule.Action
	seen := map[rule.Action]bool{}
	for _, n := range names {
		for _, a := range known {
			if a.String() == n && !seen[a] {
				seen[a] = true
				order = append(order, a)
			}
		}
	}
	if len(order) != len(known) || len(names) != len(known) {
		return nil, fail(exitUsage, "name pass, drop, reject and alert once each", "action-order: %v is not an order of the four actions", names)
	}
	return order, nil
}

// reputation reads categories and lists of addresses; nil when none is configured.
func reputation(d *config.Detect) (*detect.Reputation, error) {
	if d.CategoriesFile == "" {
		return nil, nil
	}
	r := detect.NewReputation()
	read := func(key, name string, to func(name string, f *os.File) error) error {
		f, err := os.Open(name)
		if err == nil {
			err = to(name, f)
			f.Close()
		}
		if err != nil {
			return fail(exitUsage, "", "%s: %w", key, err)
		}
		return nil
	}
	err := read("reputation-categories-file", d.CategoriesFile, func(n string, f *os.File) error { return r.Categories(n, f) })
	if err != nil {
		return nil, err
	}
	for _, name := range d.ReputationFiles {
		if !filepath.IsAbs(name) {
			name = filepath.Join(d.ReputationPath, name)
		}
		if err := read("reputation-files", name, func(n string, f *os.File) error { return r.List(n, f) }); err != nil {
			return nil, err
		}
	}
	return r, nil
}
