package ec2api

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"mirador/internal/mirror"
)

// eventsActions are those of EventBridge: rules of the default bus whose targets are
// queues.
func eventsActions() []action {
	const none = "ResourceNotFoundException"
	return []action{
		write("PutRule", (*call).putRule, "InvalidEventPatternException", none),
		read("DescribeRule", (*call).describeRule, none),
		read("ListRules", (*call).listRules, none),
		write("DeleteRule", (*call).dropRule, none),
		write("EnableRule", func(c *call) *Error { return c.switchRule("ENABLED") }, none),
		write("DisableRule", func(c *call) *Error { return c.switchRule("DISABLED") }, none),
		write("PutTargets", (*call).putTargets, none, "LimitExceededException"),
		write("RemoveTargets", (*call).removeTargets, none),
		read("ListTargetsByRule", (*call).listTargets, none),
		read("ListRuleNamesByTarget", (*call).listRulesOfTarget),
		free("PutEvents", (*call).putEvents),
		read("TestEventPattern", (*call).testPattern, "InvalidEventPatternException"),
		read("ListEventBuses", (*call).listBuses),
		read("DescribeEventBus", (*call).describeBus, none),
		read("ListTagsForResource", (*call).listRuleTags, none),
		write("TagResource", (*call).tagRule, none),
		write("UntagResource", (*call).untagRule, none),
	}
}

// EventRule is a rule of the default event bus; its ID is its ARN.
type EventRule struct {
	Resource
	Name        string        `json:"name"`
	Description string        `json:"description,omitempty"`
	Pattern     string        `json:"pattern,omitempty"`
	Schedule    string        `json:"schedule,omitempty"`
	State       string        `json:"state"` // ENABLED, DISABLED, ...
	Role        string        `json:"role,omitempty"`
	Targets     []EventTarget `json:"targets,omitempty"`
}

// EventTarget is where a rule sends events.
type EventTarget struct {
	ID        string `json:"id"`
	ARN       string `json:"arn"` // of a queue
	Input     string `json:"input,omitempty"`
	InputPath string `json:"inputPath,omitempty"`
}

var ruleName = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

// bus checks the name or ARN of an event bus.
func (c *call) bus(name string) *Error {
	if name == "" || name == "default" || strings.HasSuffix(name, ":event-bus/default") {
		return nil
	}
	return errorf("ResourceNotFoundException", "Event bus %s does not exist.", clip(name))
}

func (c *call) ruleARN(name string) string {
	return c.s.arn("events", c.s.meta.AccountID, "rule/"+name)
}

func (c *call) rule(name string) (*EventRule, *Error) {
	if err := c.bus(c.in.str("EventBusName")); err != nil {
		return nil, err
	}
	if r := c.s.rules.get(c.ruleARN(name)); r != nil {
		return r, nil
	}
	return nil, errorf("ResourceNotFoundException", "Rule %s does not exist on EventBus default.", clip(name))
}

func badPattern(err error) *Error {
	return errorf("InvalidEventPatternException", "Event pattern is not valid. Reason: %s", err)
}

func (c *call) putRule() *Error {
	in := c.in
	if err := c.bus(in.str("EventBusName")); err != nil {
		return err
	}
	name := in.str("Name")
	if !ruleName.MatchString(name) {
		return errorf("ValidationException", "1 validation error detected: Value '%s' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+", clip(name))
	}
	if in.str("EventPattern") == "" && in.str("ScheduleExpression") == "" {
		return errorf("ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.")
	}
	if p := in.str("EventPattern"); p != "" {
		if _, err := parsePattern(p); err != nil {
			return badPattern(err)
		}
	}
	r := &EventRule{
		Name: name, Description: in.str("Description"), Pattern: in.str("EventPattern"), Schedule: in.str("ScheduleExpression"), State: in.or("State", "ENABLED"), Role: in.str("RoleArn"),
	}
	if old := c.s.rules.get(c.ruleARN(name)); old != nil {
		r.Resource, r.Targets = old.Resource, old.Targets
	} else {
		tags, err := parseTags(in.list("Tags"))
		if err != nil {
			return err
		}
		r.Resource = c.s.res(c.ruleARN(name), c.now, tags)
	}
	c.s.rules.put(r)
	c.result = object{{"RuleArn", r.ID}}
	return nil
}

// fields are a rule as answers have it.
func (r *EventRule) fields() object {
	out := object{{"Name", r.Name}, {"Arn", r.ID}, {"State", r.State}, {"EventBusName", "default"}}
	for _, f := range []field{{"Description", r.Description}, {"EventPattern", r.Pattern}, {"ScheduleExpression", r.Schedule}, {"RoleArn", r.Role}} {
		if f.value != "" {
			out = append(out, f)
		}
	}
	return out
}

func (c *call) describeRule() *Error {
	r, err := c.rule(c.in.str("Name"))
	if err != nil {
		return err
	}
	c.result = append(r.fields(), field{"CreatedBy", r.OwnerID})
	return nil
}

// pageOf answers with a part of a list, as EventBridge and others page; limit is the
// parameter that bounds it.
func pageOf[T any](c *call, name, limit string, list []T, show func(T) any) *Error {
	from := 0
	if tok := c.in.str("NextToken"); tok != "" {
		at, ok := c.openToken(tok)
		if !ok || at > uint64(len(list)) {
			return errorf(map[bool]string{true: "ValidationException", false: "InvalidNextToken"}[c.q.service == serviceEvents], "The NextToken is not valid.")
		}
		from = int(at)
	}
	list = list[from:]
	out := object{}
	if most := max(1, c.in.num(limit, 100)); len(list) > most {
		list = list[:most]
		out = object{{"NextToken", c.sealToken(uint64(from + most))}}
	}
	shown := []any{}
	for _, v := range list {
		shown = append(shown, show(v))
	}
	c.result = append(object{{name, shown}}, out...)
	return nil
}

func (c *call) listRules() *Error {
	if err := c.bus(c.in.str("EventBusName")); err != nil {
		return err
	}
	var list []*EventRule
	for _, r := range c.s.rules.all() {
		if strings.HasPrefix(r.Name, c.in.str("NamePrefix")) {
			list = append(list, r)
		}
	}
	return pageOf(c, "Rules", "Limit", list, func(r *EventRule) any { return r.fields() })
}

// dropRule is DeleteRule of EventBridge: one that is not there is no error.
func (c *call) dropRule() *Error {
	if err := c.bus(c.in.str("EventBusName")); err != nil {
		return err
	}
	r := c.s.rules.get(c.ruleARN(c.in.str("Name")))
	if r == nil {
		return nil
	}
	if len(r.Targets) > 0 {
		return errorf("ValidationException", "Rule can't be deleted since it has targets.")
	}
	c.s.rules.del(r.ID)
	return nil
}

func (c *call) switchRule(state string) *Error {
	old, err := c.rule(c.in.str("Name"))
	if err != nil {
		return err
	}
	r := *old
	r.State = state
	c.s.rules.put(&r)
	return nil
}

func (c *call) putTargets() *Error {
	old, err := c.rule(c.in.str("Rule"))
	if err != nil {
		return err
	}
	r := *old
	r.Targets = slices.Clone(old.Targets)
	bad := []any{}
	for _, n := range c.in.list("Targets") {
		t := EventTarget{ID: n.str("Id"), ARN: n.str("Arn"), Input: n.str("Input"), InputPath: n.str("InputPath")}
		refuse := func(code, text string) {
			bad = append(bad, object{{"TargetId", t.ID}, {"ErrorCode", code}, {"ErrorMessage", text}})
		}
		switch {
		case n.has("InputTransformer"):
			refuse("ValidationException", "Input transformers are not supported by this endpoint")
			continue
		case !strings.HasPrefix(t.ARN, "arn:aws:sqs:"):
			return errorf("ValidationException", "Provided Arn is not in correct format, or it is of no queue: this endpoint has queues only.")
		case t.Input != "" && !json.Valid([]byte(t.Input)):
			return errorf("ValidationException", "JSON syntax error in input for target %s", clip(t.ID))
		case t.Input != "" && t.InputPath != "":
			return errorf("ValidationException", "Only one of Input, InputPath, or InputTransformer must be provided for target %s.", clip(t.ID))
		case t.InputPath != "" && !strings.HasPrefix(t.InputPath, "$"):
			return errorf("ValidationException", "Invalid InputPath for target %s.", clip(t.ID))
		}
		if i := slices.IndexFunc(r.Targets, func(o EventTarget) bool { return o.ID == t.ID }); i >= 0 {
			r.Targets[i] = t
		} else {
			r.Targets = append(r.Targets, t)
		}
	}
	if len(r.Targets) > maxRuleTargets {
		return errorf("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
	}
	c.s.rules.put(&r)
	return c.settled(bad)
}

// settled answers how many of several things could not be done, and which.
func (c *call) settled(bad []any) *Error {
	c.result = object{{"FailedEntryCount", len(bad)}, {"FailedEntries", bad}}
	return nil
}

func (c *call) removeTargets() *Error {
	old, err := c.rule(c.in.str("Rule"))
	if err != nil {
		return err
	}
	r := *old
	r.Targets = slices.Clone(old.Targets)
	bad := []any{}
	for _, id := range c.in.strs("Ids") {
		n := len(r.Targets)
		r.Targets = slices.DeleteFunc(r.Targets, func(t EventTarget) bool { return t.ID == id })
		if len(r.Targets) == n {
			bad = append(bad, object{{"TargetId", id}, {"ErrorCode", "ResourceNotFoundException"}, {"ErrorMessage", "Target " + clip(id) + " does not exist."}})
		}
	}
	c.s.rules.put(&r)
	return c.settled(bad)
}

func (c *call) listTargets() *Error {
	r, err := c.rule(c.in.str("Rule"))
	if err != nil {
		return err
	}
	return pageOf(c, "Targets", "Limit", r.Targets, func(t EventTarget) any {
		out := object{{"Id", t.ID}, {"Arn", t.ARN}}
		for _, f := range []field{{"Input", t.Input}, {"InputPath", t.InputPath}} {
			if f.value != "" {
				out = append(out, f)
			}
		}
		return out
	})
}

func (c *call) listRulesOfTarget() *Error {
	var names []string
	for _, r := range c.s.rules.all() {
		if slices.ContainsFunc(r.Targets, func(t EventTarget) bool { return t.ARN == c.in.str("TargetArn") }) {
			names = append(names, r.Name)
		}
	}
	return pageOf(c, "RuleNames", "Limit", names, func(n string) any { return n })
}

func (c *call) testPattern() *Error {
	p, err := parsePattern(c.in.str("EventPattern"))
	if err != nil {
		return badPattern(err)
	}
	e, err := decodeAny([]byte(c.in.str("Event")))
	if err != nil {
		return errorf("ValidationException", "Parameter Event is not valid.")
	}
	c.result = object{{"Result", p.match(e)}}
	return nil
}

func (c *call) busFields() object {
	return object{{"Name", "default"}, {"Arn", c.s.arn("events", c.s.meta.AccountID, "event-bus/default")}}
}

func (c *call) listBuses() *Error {
	list := []any{}
	if strings.HasPrefix("default", c.in.str("NamePrefix")) {
		list = append(list, c.busFields())
	}
	c.result = object{{"EventBuses", list}}
	return nil
}

func (c *call) describeBus() *Error {
	if err := c.bus(c.in.str("Name")); err != nil {
		return err
	}
	c.result = c.busFields()
	return nil
}

func (c *call) ruleByARN() (*EventRule, *Error) {
	if r := c.s.rules.get(c.in.str("ResourceARN")); r != nil {
		return r, nil
	}
	return nil, errorf("ResourceNotFoundException", "Rule %s does not exist on EventBus default.", clip(c.in.str("ResourceARN")))
}

func (c *call) listRuleTags() *Error {
	r, err := c.ruleByARN()
	if err != nil {
		return err
	}
	tags := []any{}
	for _, t := range r.Tags {
		tags = append(tags, object{{"Key", t.Key}, {"Value", t.Value}})
	}
	c.result = object{{"Tags", tags}}
	return nil
}

func (c *call) tagRule() *Error {
	r, err := c.ruleByARN()
	if err != nil {
		return err
	}
	var tags []mirror.Tag
	if tags, err = parseTags(c.in.list("Tags")); err == nil {
		tags, err = mergeTags(r.Tags, tags)
	}
	if err != nil {
		return err
	}
	c.s.rules.setTags(r.ID, tags)
	return nil
}

func (c *call) untagRule() *Error {
	r, err := c.ruleByARN()
	if err != nil {
		return err
	}
	c.s.rules.setTags(r.ID, untag(r.Tags, c.in.strs("TagKeys")))
	return nil
}

// event is an event on its way to the rules.
type event struct {
	account      string
	source, kind string
	resources    []string
	detail       any
	at           time.Time
}

// emit lets an event happen when the action has succeeded.
func (c *call) emit(e event) {
	e.at, e.account = c.now, c.s.meta.AccountID
	c.events = append(c.events, e)
}

// envelope is what all events look like. AWS: EventBridge, "AWS service event metadata".
type envelope struct {
	Version   string   `json:"version"`
	ID        string   `json:"id"`
	Kind      string   `json:"detail-type"`
	Source    string   `json:"source"`
	Account   string   `json:"account"`
	Time      string   `json:"time"`
	Region    string   `json:"region"`
	Resources []string `json:"resources"`
	Detail    any      `json:"detail"`
}

// stateChanged emits the events of an instance that goes through states.
func (c *call) stateChanged(id string, states ...InstanceState) {
	for _, s := range states {
		c.emit(event{
			source: "aws.ec2", kind: "EC2 Instance State-change Notification", resources: []string{c.s.arn("ec2", c.s.meta.AccountID, "instance/"+id)},
			detail: struct {
				ID    string        `json:"instance-id"`
				State InstanceState `json:"state"`
			}{id, s},
		})
	}
}

// listening tells whether any rule of an account could take an event.
func (v *Server) listening(account string) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.account(account).s.rules.count() > 0
}

// publish gives an event to the queues of the rules that match it, and returns its id.
func (v *Server) publish(e event) string {
	id := v.requestID()
	v.mu.RLock()
	defer v.mu.RUnlock()
	if e.resources == nil {
		e.resources = []string{}
	}
	text, err := json.Marshal(envelope{
		Version: "0", ID: id, Kind: e.kind, Source: e.source, Account: e.account, Time: e.at.UTC().Format(time.RFC3339), Region: v.s.meta.Region, Resources: e.resources, Detail: e.detail,
	})
	if err != nil {
		return id
	}
	tree, err := decodeAny(text)
	if err != nil {
		return id
	}
	for _, r := range v.account(e.account).s.rules.all() {
		if r.State == "DISABLED" || r.Pattern == "" {
			continue
		}
		if p := v.patterns.get(r.Pattern); p == nil || !p.match(tree) {
			continue
		}
		for _, t := range r.Targets {
			q := v.anyQueue(t.ARN)
			if q == nil {
				continue
			}
			now := v.o.Now()
			m := &message{id: v.requestID(), body: t.body(text, tree), sender: "AIDAEVENTBRIDGEEVENTS", sent: now, visible: now.Add(q.seconds("DelaySeconds"))}
			if !v.broker.put(q.key(), m, now, q.seconds("MessageRetentionPeriod")) {
				v.log.Warn("event dropped: the queue is full", "queue", q.Name, "rule", r.Name, "dropped", v.broker.lost())
			}
		}
	}
	return id
}

// body is what a target gets of an event.
func (t *EventTarget) body(text []byte, tree any) string {
	if t.Input != "" {
		return t.Input
	}
	path := strings.TrimPrefix(strings.TrimPrefix(t.InputPath, "$"), ".")
	if path == "" {
		return string(text)
	}
	for part := range strings.SplitSeq(path, ".") {
		m, _ := tree.(map[string]any)
		tree = m[part]
	}
	b, err := json.Marshal(tree)
	if err != nil {
		return "null"
	}
	return string(b)
}

func (c *call) putEvents() *Error {
	entries := c.in.list("Entries")
	if len(entries) > maxEvents {
		return errorf("ValidationException", "1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length less than or equal to %d", maxEvents)
	}
	out, failed := []any{}, 0
	for _, n := range entries {
		refuse := func(code, text string) {
			failed++
			out = append(out, object{{"ErrorCode", code}, {"ErrorMessage", text}})
		}
		detail, err := decodeAny([]byte(n.str("Detail")))
		_, isObject := detail.(map[string]any)
		switch {
		case n.str("Source") == "":
			refuse("InvalidArgument", "Parameter Source is not valid. Reason: Source is a required argument.")
		case strings.HasPrefix(n.str("Source"), "aws."):
			refuse("NotAuthorizedForSourceException", "Not authorized for the source.")
		case n.str("DetailType") == "":
			refuse("InvalidArgument", "Parameter DetailType is not valid. Reason: DetailType is a required argument.")
		case err != nil || !isObject:
			refuse("MalformedDetail", "Detail is malformed.")
		case c.bus(n.str("EventBusName")) != nil:
			refuse("InvalidArgument", "The event bus does not exist.")
		default:
			e := event{account: c.who.account, source: n.str("Source"), kind: n.str("DetailType"), resources: n.strs("Resources"), detail: detail, at: c.now}
			if t, err := parseTime(n.str("Time")); err == nil {
				e.at = t
			}
			out = append(out, object{{"EventId", c.v.publish(e)}})
		}
	}
	c.result = object{{"FailedEntryCount", failed}, {"Entries", out}}
	return nil
}
