package detect

import (
	"path/filepath"
	"strconv"
	"strings"

	"mirador/internal/rule"
)

// dataset and datarep. Suricata 8 rules/datasets.
func datasetKeywords() []keyword {
	return []keyword{
		{name: "dataset", arg: argNeed, setup: setDataset, doc: "is the buffer in a set, or put it there"},
		{name: "datarep", arg: argNeed, setup: setDatarep, doc: "reputation of the buffer in a list"},
	}
}

// DatasetConfig is a set defined in the configuration (datasets.NAME).
type DatasetConfig struct {
	Name     string
	Type     string
	Load     string // path, "" none
	Save     string
	State    string
	Memcap   uint64 // bytes; 0: DefaultDatasetBytes
	HashSize uint64
}

type setCmd uint8

const (
	cmdIsSet setCmd = iota
	cmdIsNotSet
	cmdSet
	cmdUnset
)

// datasetOp looks the buffer up in a set.
type datasetOp struct {
	cmd  setCmd
	set  *dataset
	key  string // context key of JSON sets
	subs bool   // match subdomain: a member that begins with a dot stands for all names below it
}

func (o *datasetOp) test(w *Worker, b *window) verdict {
	var hit bool
	switch o.cmd {
	case cmdIsSet, cmdIsNotSet:
		val, ok := o.set.get(b.data)
		if o.subs {
			for i := 1; !ok && i < len(b.data); i++ {
				if b.data[i] == '.' {
					val, ok = o.set.get(b.data[i:])
				}
			}
		}
		hit = ok == (o.cmd == cmdIsSet)
		if ok && hit && val.json != nil && o.key != "" {
			w.addContext(o.key, val.json)
		}
	case cmdSet:
		hit = o.set.add(b.data, &w.s.full)
	case cmdUnset:
		hit = o.set.remove(b.data)
	}
	if hit {
		return chainYes
	}
	return chainNo
}

// datarepOp compares the reputation of the buffer.
type datarepOp struct {
	set *dataset
	u   rule.Uint
}

func (o *datarepOp) test(_ *Worker, b *window) verdict {
	if val, ok := o.set.get(b.data); ok && o.u.Match(uint64(val.rep)) {
		return chainYes
	}
	return chainNo
}

func parseSetCmd(s string) (setCmd, bool) {
	switch s {
	case "isset":
		return cmdIsSet, true
	case "isnotset":
		return cmdIsNotSet, true
	case "set":
		return cmdSet, true
	case "unset":
		return cmdUnset, true
	}
	return 0, false
}

// setOptions reads the parts behind the name that dataset and datarep share.
func (b *builder) setOptions(items []rule.Item, name string) (*setSpec, string, error) {
	sp := &setSpec{name: name}
	key := ""
	for _, it := range items {
		word, arg := words(it.Text)
		switch word {
		case "type":
			t, ok := parseSetType(arg)
			if !ok {
				return nil, "", refuse(it.Off, "use string, md5, sha256, ipv4, ip or ipv6", "unknown type %s", quote(arg))
			}
			sp.kind = t
		case "load":
			sp.load = b.c.ruleFile(b.r.File, arg)
		case "save", "state":
			path, err := b.c.dataFile(arg)
			if err != nil {
				return nil, "", err
			}
			sp.save = path
			if word == "state" {
				sp.state = true
			}
		case "memcap", "hashsize":
			u, err := rule.ParseUint(arg, 64, nil)
			if err != nil {
				return nil, "", refuse(it.Off, "", "%s: %v", word, err)
			}
			if word == "memcap" {
				sp.memcap = u.A
			}
		case "format":
			switch arg {
			case "csv":
			case "json":
				sp.format = formatJSON
			case "ndjson", "jsonline":
				sp.format = formatLines
			default:
				return nil, "", refuse(it.Off, "use csv, json or ndjson", "unknown format %s", quote(arg))
			}
		case "context_key", "enrichment_key":
			key = arg
		case "value_key":
			sp.valueKey = arg
		case "array_key":
			sp.arrayKey = arg
		case "remove_key":
			sp.removeKey = true
		case "match":
			if arg != "subdomain" {
				return nil, "", refuse(it.Off, "", "unknown match %s", quote(arg))
			}
			sp.subdomain = true
		case "key":
			return nil, "", refuse(it.Off, "", "unknown part %s", quote(it.Text))
		default:
			return nil, "", refuse(it.Off, "", "unknown part %s", quote(it.Text))
		}
	}
	switch {
	case sp.state && sp.load != "":
		return nil, "", refuse(0, "", "load and state do not go together")
	case sp.format != formatCSV && (sp.valueKey == "" || key == ""):
		return nil, "", refuse(0, "", "a set in JSON needs value_key and context_key")
	case sp.format == formatCSV && (sp.valueKey != "" || sp.arrayKey != "" || key != ""):
		return nil, "", refuse(0, "", "value_key, array_key and context_key need format json or ndjson")
	case sp.format != formatCSV && sp.save != "":
		return nil, "", refuse(0, "", "a set in JSON can only be loaded")
	}
	return sp, key, nil
}

func setDataset(b *builder, o *rule.Option) error {
	items := rule.SplitList(o.Value)
	if len(items) < 2 || items[1].Text == "" {
		return refuse(0, "", "needs a command and a name")
	}
	cmd, ok := parseSetCmd(items[0].Text)
	if !ok {
		return refuse(0, "use isset, isnotset, set or unset", "unknown command %s", quote(items[0].Text))
	}
	if b.cur == 0 {
		return refuse(0, "name a sticky buffer first", "there is no buffer to look up")
	}
	sp, key, err := b.setOptions(items[2:], items[1].Text)
	if err != nil {
		return err
	}
	if sp.format != formatCSV && (cmd == cmdSet || cmd == cmdUnset) {
		return refuse(0, "", "a set in JSON can only be asked")
	}
	set, err := b.c.shared.dataset(sp)
	if err != nil {
		return err
	}
	if sp.subdomain && (cmd == cmdSet || cmd == cmdUnset || set.kind != setString) {
		return refuse(0, "", "match subdomain is for asking sets of strings")
	}
	b.add(op{kind: opCustom, ext: &datasetOp{cmd, set, key, sp.subdomain}})
	return nil
}

func setDatarep(b *builder, o *rule.Option) error {
	items := rule.SplitList(o.Value)
	if len(items) < 3 {
		return refuse(0, "", "needs a name, an operator and a value")
	}
	if b.cur == 0 {
		return refuse(0, "name a sticky buffer first", "there is no buffer to look up")
	}
	var u rule.Uint
	switch items[1].Text {
	case "<":
		u.Op = rule.UintLt
	case ">":
		u.Op = rule.UintGt
	case "=", "==":
		u.Op = rule.UintEq
	case "<=":
		u.Op = rule.UintLe
	case ">=":
		u.Op = rule.UintGe
	default:
		return refuse(items[1].Off, "", "unknown operator %s", quote(items[1].Text))
	}
	n, err := strconv.ParseUint(items[2].Text, 10, 16)
	if err != nil {
		return refuse(items[2].Off, "", "%s is not a number up to 65535", quote(items[2].Text))
	}
	u.A = n
	sp, _, err := b.setOptions(items[3:], items[0].Text)
	if err != nil {
		return err
	}
	sp.rep = true
	set, err := b.c.shared.dataset(sp)
	if err != nil {
		return err
	}
	b.add(op{kind: opCustom, ext: &datarepOp{set, u}})
	return nil
}

// dataFile resolves the name of a file that rules may write.
func (c *compiler) dataFile(name string) (string, error) {
	if c.opt.NoDatasetWrite {
		return "", refuse(0, "set datasets.rules.allow-write", "rules may not write datasets")
	}
	outside := filepath.IsAbs(name)
	for _, p := range strings.Split(filepath.ToSlash(name), "/") {
		outside = outside || p == ".."
	}
	if outside && !c.opt.AllowAbsolute {
		return "", refuse(0, "set datasets.rules.allow-absolute-filenames", "%s lies outside of the data directory", quote(name))
	}
	if filepath.IsAbs(name) || c.opt.DataDir == "" {
		return name, nil
	}
	return filepath.Join(c.opt.DataDir, name), nil
}

// configDatasets defines the sets of the configuration.
func (c *compiler) configDatasets() {
	for _, d := range c.opt.Datasets {
		t, ok := parseSetType(d.Type)
		sp := &setSpec{name: d.Name, kind: t, load: d.Load, save: d.Save, memcap: d.Memcap}
		if d.State != "" {
			sp.save, sp.state = d.State, true
		}
		if !ok {
			c.refuse(rule.Problem{Kind: rule.KindOption, What: "dataset " + quote(d.Name) + ": unknown type " + quote(d.Type)})
			continue
		}
		if _, err := c.shared.dataset(sp); err != nil {
			c.refuse(rule.Problem{Kind: rule.KindOption, What: "dataset " + quote(d.Name) + ": " + err.Error()})
		}
	}
}
