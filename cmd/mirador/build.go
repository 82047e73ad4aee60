package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"mirador/internal/config"
	"mirador/internal/detect"
	"mirador/internal/eve"
	"mirador/internal/magic"
	"mirador/internal/proto"
	"mirador/internal/rule"
	"mirador/internal/sensor"
	"mirador/internal/stream"
)

// engine is everything that is built from a configuration and rule files: what
// replay and sensor share.
type engine struct {
	flat     *config.Flat
	table    *proto.Table
	shared   *detect.Shared
	detect   *detect.Engine
	report   *detect.Report
	problems []rule.Problem // of files and rules, in order
	outputs  config.Outputs
	settings config.Detect
	magic    *magic.Magic
	magicErr error
}

// engineParams are what the command line adds to the configuration.
type engineParams struct {
	configFile string
	sets       []string
	rules      []string // files, directories or globs
	dataDir    string
	profile    func() int64 // a clock in nanoseconds: count what each rule costs
	traceSID   uint32       // the rule that rules why follows
}

// loadFlat reads the configuration and the command line's settings.
func loadFlat(p *engineParams) (*config.Flat, error) {
	flat := config.Stock()
	if p.configFile != "" {
		var err error
		if flat, err = config.LoadFlat(p.configFile); err != nil {
			return nil, err
		}
	}
	for _, s := range p.sets {
		if err := flat.Set(s); err != nil {
			return nil, fail(exitUsage, "write it as --set key.of.suricata.yaml=value", "--set %s: %w", s, err)
		}
	}
	return flat, nil
}

// buildEngine makes protocol table and detection engine.
func buildEngine(p *engineParams) (*engine, error) {
	flat, err := loadFlat(p)
	if err != nil {
		return nil, err
	}
	rules, problems, err := readRules(p.rules)
	if err != nil {
		return nil, err
	}
	if err := fingerprints(flat, rules); err != nil {
		return nil, err
	}
	e, err := newEngine(flat)
	if err != nil {
		return nil, err
	}
	return e, e.compileRules(p, rules, problems)
}

// fingerprints switches JA3 and HASSH on in the logs when a rule uses them, which
// is what "auto" means for Suricata, unless the configuration says no.
func fingerprints(flat *config.Flat, rules []*rule.Rule) error {
	keys := map[string]string{"ja3": "app-layer.protocols.tls.ja3-fingerprints", "ssh.hassh": "app-layer.protocols.ssh.hassh"}
	for _, r := range rules {
		if r.Disabled {
			continue
		}
		for i := range r.Options {
			for prefix, key := range keys {
				if !strings.HasPrefix(r.Options[i].Name, prefix) {
					continue
				}
				delete(keys, prefix)
				if v, ok := flat.Get(key); ok && v != "auto" {
					continue
				}
				if err := flat.Set(key + "=yes"); err != nil {
					return err
				}
			}
		}
		if len(keys) == 0 {
			return nil
		}
	}
	return nil
}

// newEngine makes the protocol table and reads the outputs; compile makes the rest.
func newEngine(flat *config.Flat) (*engine, error) {
	e := &engine{flat: flat}
	var err error
	if e.table, err = proto.NewTable(protocols(), flat.Protocol); err != nil {
		return nil, err
	}
	if e.outputs, err = flat.Outputs(); err != nil {
		return nil, err
	}
	for i := range e.outputs.EVE {
		e.outputs.EVE[i].Loggers = loggers(flat, i)
	}
	return e, nil
}

// compileRules compiles rules that were read already, problems with them included.
func (e *engine) compileRules(p *engineParams, rules []*rule.Rule, problems []rule.Problem) error {
	e.problems = problems
	o, err := e.detectOptions(p)
	if err != nil {
		return err
	}
	if e.shared == nil {
		e.shared = detect.NewShared(detect.SharedOptions{})
	}
	o.Shared, o.Profile, o.TraceSID = e.shared, p.profile, p.traceSID
	e.detect, e.report = detect.Compile(rules, o)
	e.problems = append(e.problems, e.report.Problems...)
	return nil
}

// detectOptions reads what detection takes from the configuration.
func (e *engine) detectOptions(p *engineParams) (detect.Options, error) {
	d, err := e.flat.Detect()
	if err != nil {
		return detect.Options{}, err
	}
	e.settings = d
	o := detect.Options{Table: e.table, Vars: e.flat.Vars(), StreamEvents: streamEvents(), DataDir: p.dataDir,
		Recursion: d.Recursion, PcreLimit: d.PcreLimit, MaxAlerts: d.MaxAlerts,
		AllowAbsolute: d.AllowAbsolute, NoDatasetWrite: d.NoDatasetWrite, RuleDir: "."}
	if len(p.rules) > 0 {
		o.RuleDir = filepath.Dir(p.rules[0])
	}
	if o.DataDir == "" {
		o.DataDir, _ = e.flat.Get("default-data-dir")
	}
	text, name := smallFile(d.ClassFile, filepath.Join(o.RuleDir, "classification.config"), config.StockClasses)
	var problems []rule.Problem
	o.Classes, problems = rule.ParseClassifications(name, text)
	e.problems = append(e.problems, problems...)
	text, name = smallFile(d.ReferenceFile, filepath.Join(o.RuleDir, "reference.config"), config.StockReferences)
	o.References, problems = rule.ParseReferences(name, text)
	e.problems = append(e.problems, problems...)
	if text, name = smallFile(d.ThresholdFile, filepath.Join(o.RuleDir, "threshold.config"), ""); len(text) > 0 {
		o.Thresholds, problems = rule.ParseThresholds(name, text)
		e.problems = append(e.problems, problems...)
	}
	return o, e.detectExtras(&o, &d)
}

// streamEvents lists the names of the stream's events by number.
func streamEvents() []string {
	names := make([]string, stream.NumEvents)
	for i := range names {
		names[i] = stream.Event(i).String()
	}
	return names
}

// smallFile returns the text of a small file that detection needs: the one the
// configuration names, else the one beside the rules, else the built-in text.
func smallFile(configured, beside, stock string) ([]byte, string) {
	for _, path := range []string{configured, beside} {
		if path == "" {
			continue
		}
		if b, err := os.ReadFile(path); err == nil {
			return b, path
		}
	}
	return []byte(stock), "built-in"
}

// readRules reads rule files; a directory stands for its *.rules.
func readRules(paths []string) ([]*rule.Rule, []rule.Problem, error) {
	var rules []*rule.Rule
	var problems []rule.Problem
	for _, path := range paths {
		files, err := expand(path)
		if err != nil {
			return nil, nil, err
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				return nil, nil, fail(exitFailed, "check the path given with --rules", "read rules: %w", err)
			}
			r, p := rule.Parse(f, b)
			rules, problems = append(rules, r...), append(problems, p...)
		}
	}
	return rules, problems, nil
}

func expand(path string) ([]string, error) {
	st, err := os.Stat(path)
	switch {
	case err == nil && st.IsDir():
		return filepath.Glob(filepath.Join(path, "*.rules"))
	case err == nil:
		return []string{path}, nil
	case errors.Is(err, fs.ErrNotExist):
		if list, _ := filepath.Glob(path); len(list) > 0 {
			return list, nil
		}
	}
	return nil, fail(exitFailed, "check the path given with --rules", "read rules: %w", err)
}

// sensorOptions makes the options of the workers.
func (e *engine) sensorOptions() (*sensor.Options, error) {
	o := &sensor.Options{Table: e.table, Engine: e.detect, Shared: e.shared, Mirror: true, DedupWindow: sensor.DefaultDedupWindow}
	var err error
	if o.Decoder, err = e.flat.Decoder(); err != nil {
		return nil, err
	}
	if o.Flow, err = e.flat.Flow(); err != nil {
		return nil, err
	}
	if o.Stream, err = e.flat.Stream(false); err != nil {
		return nil, err
	}
	if o.Defrag, err = e.flat.Defrag(); err != nil {
		return nil, err
	}
	o.MidstreamExceptions = []eve.Exception{{Target: "stream_midstream", Policy: e.flat.MidstreamPolicy()}}
	o.ErrorExceptions = []eve.Exception{{Target: "app_layer_error", Policy: e.flat.ErrorPolicy()}}
	failed := len(e.report.Problems)
	o.EngineInfo = func() []eve.Engine {
		return []eve.Engine{{RulesLoaded: uint64(e.report.Loaded), RulesFailed: uint64(min(failed, e.report.Refused)), RulesSkipped: uint64(e.report.Skipped)}}
	}
	o.GuessTx = e.settings.GuessTx
	e.addMagic(o)
	return o, nil
}

// addMagic opens libmagic when a rule or an output asks for the type of files.
// Without the library such rules load, and never match; that is said once.
func (e *engine) addMagic(o *sensor.Options) {
	_, _, _, want, _ := e.detect.Needs()
	fs, _ := e.flat.FileStore()
	want = want || fs.Magic
	for i := range e.outputs.EVE {
		want = want || e.outputs.EVE[i].Files.Magic
	}
	if !want {
		return
	}
	if e.magic == nil && e.magicErr == nil {
		e.magic, e.magicErr = magic.Open()
	}
	if e.magicErr != nil {
		fmt.Fprintf(os.Stderr, "warning: file magic is off: %v\n", e.magicErr)
		return
	}
	o.Files.Magic = e.magic.Describe
}

// addOutputs opens the EVE files of the configuration in dir.
func (e *engine) addOutputs(o *sensor.Options, dir string) (closer func() error, err error) {
	var files []*os.File
	open := func(name string) (*os.File, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		f, err := os.Create(name)
		if err == nil {
			files = append(files, f)
		}
		return f, err
	}
	closer = func() error {
		var first error
		for _, f := range files {
			if err := f.Close(); first == nil {
				first = err
			}
		}
		return first
	}
	for _, out := range e.outputs.EVE {
		if out.Filetype != "" && out.Filetype != "regular" {
			continue
		}
		f, err := open(out.Filename)
		if err != nil {
			return closer, fmt.Errorf("open event output: %w", err)
		}
		o.Outputs = append(o.Outputs, sensor.Output{Options: out, Sink: fileSink{f}})
	}
	for _, out := range e.outputs.Fast {
		f, err := open(out.Filename)
		if err != nil {
			return closer, fmt.Errorf("open fast log: %w", err)
		}
		o.Fast, o.FastSink = &eve.Fast{IPv6Compress: out.IPv6Compress}, fileSink{f}
	}
	return closer, nil
}

// fileSink writes lines to a file.
type fileSink struct{ f *os.File }

func (s fileSink) Write(b []byte) error { _, err := s.f.Write(b); return err }
