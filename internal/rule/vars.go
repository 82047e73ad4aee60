package rule

import "slices"

// Vars are the variables of rule headers: vars.address-groups and vars.port-groups
// of suricata.yaml. Names are without '$'; a value is an expression and may use
// other variables.
type Vars struct {
	Addresses map[string]string
	Ports     map[string]string
}

// DefaultVars returns the variables of the suricata.yaml that comes with Suricata 8.
func DefaultVars() Vars {
	v := Vars{
		Addresses: map[string]string{
			"HOME_NET":     "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]",
			"EXTERNAL_NET": "!$HOME_NET",
			"DC_SERVERS":   "$HOME_NET",
			"AIM_SERVERS":  "$EXTERNAL_NET",
		},
		Ports: map[string]string{
			"HTTP_PORTS":      "80",
			"SHELLCODE_PORTS": "!80",
			"ORACLE_PORTS":    "1521",
			"SSH_PORTS":       "22",
			"DNP3_PORTS":      "20000",
			"MODBUS_PORTS":    "502",
			"FILE_DATA_PORTS": "[$HTTP_PORTS,110,143]",
			"FTP_PORTS":       "21",
			"GENEVE_PORTS":    "6081",
			"VXLAN_PORTS":     "4789",
			"TEREDO_PORTS":    "3544",
			"SIP_PORTS":       "[5060, 5061]",
		},
	}
	for _, name := range [...]string{"HTTP_SERVERS", "SMTP_SERVERS", "SQL_SERVERS", "DNS_SERVERS", "TELNET_SERVERS",
		"DNP3_SERVER", "DNP3_CLIENT", "MODBUS_CLIENT", "MODBUS_SERVER", "ENIP_CLIENT", "ENIP_SERVER"} {
		v.Addresses[name] = "$HOME_NET"
	}
	return v
}

// Header is the compiled form of a rule's addresses and ports. The sets are shared
// between rules: equal sets of one Resolver are the same pointer.
type Header struct {
	Src, Dst         *AddrSet
	SrcPort, DstPort *PortSet
}

// Resolver turns the expressions of rule headers into sets and keeps one copy of
// each. Make one for each set of variables. It is not safe for concurrent use; the
// sets it returns are immutable.
type Resolver struct {
	vars      Vars
	addrText  map[string]*AddrSet // by expression
	portText  map[string]*PortSet
	addrBytes map[string]*AddrSet // by content
	portBytes map[string]*PortSet
}

// NewResolver returns a Resolver for v. It keeps v.
func NewResolver(v Vars) *Resolver {
	return &Resolver{v, map[string]*AddrSet{}, map[string]*PortSet{}, map[string]*AddrSet{}, map[string]*PortSet{}}
}

// Sets returns how many different address and port sets there are.
func (rs *Resolver) Sets() (addrs, ports int) { return len(rs.addrBytes), len(rs.portBytes) }

// Header resolves the four expressions of r. Each that cannot be resolved gives a
// Problem; the Header is only good when there is none.
func (rs *Resolver) Header(r *Rule) (Header, []Problem) {
	var h Header
	var problems []Problem
	addr := func(t Term) *AddrSet {
		s, err := rs.Addr(t.Text)
		if err != nil {
			problems = append(problems, r.termProblem(t, KindAddress, err))
		}
		return s
	}
	port := func(t Term) *PortSet {
		s, err := rs.Port(t.Text)
		if err != nil {
			problems = append(problems, r.termProblem(t, KindPort, err))
		}
		return s
	}
	h.Src, h.SrcPort = addr(r.Src), port(r.SrcPort)
	h.Dst, h.DstPort = addr(r.Dst), port(r.DstPort)
	return h, problems
}

func (r *Rule) termProblem(t Term, kind Kind, err error) Problem {
	pr := r.Problem(int(t.Off), kind, err.Error(), "")
	if f, ok := err.(*fault); ok {
		line, col := r.Position(int(t.Off) + f.off)
		pr.Line, pr.Column, pr.Hint = line, col, f.hint
	}
	return pr
}

// Addr resolves an address expression.
func (rs *Resolver) Addr(text string) (*AddrSet, error) {
	if s, ok := rs.addrText[text]; ok {
		return s, nil
	}
	ex := expander{vars: rs.vars.Addresses, kind: "address"}
	if f := ex.text(text); f != nil {
		return nil, f
	}
	s, f := buildAddrSet(ex.pos, ex.neg)
	if f != nil {
		return nil, f
	}
	key := s.key()
	if old, ok := rs.addrBytes[key]; ok {
		s = old
	} else {
		rs.addrBytes[key] = s
	}
	rs.addrText[text] = s
	return s, nil
}

// Port resolves a port expression.
func (rs *Resolver) Port(text string) (*PortSet, error) {
	if s, ok := rs.portText[text]; ok {
		return s, nil
	}
	ex := expander{vars: rs.vars.Ports, kind: "port"}
	if f := ex.text(text); f != nil {
		return nil, f
	}
	s, f := buildPortSet(ex.pos, ex.neg)
	if f != nil {
		return nil, f
	}
	key := s.key()
	if old, ok := rs.portBytes[key]; ok {
		s = old
	} else {
		rs.portBytes[key] = s
	}
	rs.portText[text] = s
	return s, nil
}

// leaf is an item or any, after variables and lists are gone.
type leaf struct {
	text string // "" is any
	off  int
}

// expander flattens an expression into what is meant and what is not. Negation
// counts through lists and variables, and a negated item is taken away from the
// whole expression, not only from the list it stands in. That is how Suricata does it.
type expander struct {
	vars     map[string]string
	kind     string
	pos, neg []leaf
	steps    int
	open     []string // variables being expanded
}

func (ex *expander) text(text string) *fault {
	e, err := ParseExpr(text)
	if err != nil {
		return err.(*fault)
	}
	return ex.add(&e, false, -1)
}

// add flattens e. at is the offset to blame, -1 when that is e's own.
func (ex *expander) add(e *Expr, negated bool, at int) *fault {
	off := at
	if off < 0 {
		off = e.Off
	}
	if ex.steps++; ex.steps > MaxExpandSteps {
		return faultf(off, KindLimit, "%s expression grows beyond %d steps", ex.kind, MaxExpandSteps)
	}
	negated = negated != e.Negated
	switch e.Kind {
	case ExprList:
		for i := range e.List {
			if f := ex.add(&e.List[i], negated, at); f != nil {
				return f
			}
		}
		return nil
	case ExprVar:
		return ex.variable(e.Text, negated, off)
	}
	l := leaf{e.Text, off}
	to := &ex.pos
	if negated {
		to = &ex.neg
		if e.Kind == ExprAny {
			return &fault{off, KindAddress, "!any leaves nothing", "a negated variable must not stand for any"}
		}
	}
	if len(*to) == MaxListItems {
		return faultf(off, KindLimit, "%s list has more than %d members", ex.kind, MaxListItems)
	}
	*to = append(*to, l)
	return nil
}

func (ex *expander) variable(name string, negated bool, off int) *fault {
	value, ok := ex.vars[name]
	if !ok {
		return &fault{off, KindAddress, ex.kind + " variable " + quoteShort("$"+name) + " is not defined", "define it in vars." + ex.kind + "-groups"}
	}
	if slices.Contains(ex.open, name) || len(ex.open) == MaxDepth {
		return faultf(off, KindAddress, "%s variable %s refers to itself", ex.kind, quoteShort("$"+name))
	}
	e, err := ParseExpr(value)
	if err != nil {
		return faultf(off, KindAddress, "%s variable %s: %v", ex.kind, quoteShort("$"+name), err)
	}
	ex.open = append(ex.open, name)
	f := ex.add(&e, negated, off)
	ex.open = ex.open[:len(ex.open)-1]
	return f
}
