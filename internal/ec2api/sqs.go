package ec2api

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mirador/internal/mirror"
)

// sqsActions are those of Simple Queue Service: what a set-up that waits for events
// needs. Standard queues only.
func sqsActions() []action {
	const none = "QueueDoesNotExist"
	return []action{
		write("CreateQueue", (*call).createQueue, "QueueNameExists", "InvalidAttributeName", "InvalidAttributeValue", "UnsupportedOperation"),
		read("GetQueueUrl", (*call).queueURLOf, none),
		read("GetQueueAttributes", (*call).queueAttributes, none, "InvalidAttributeName"),
		write("SetQueueAttributes", (*call).setQueueAttributes, none, "InvalidAttributeName", "InvalidAttributeValue"),
		read("ListQueues", (*call).listQueues),
		write("DeleteQueue", (*call).deleteQueue, none),
		free("PurgeQueue", (*call).purgeQueue, none),
		free("SendMessage", (*call).sendMessage, none, "InvalidMessageContents", "OverLimit"),
		free("SendMessageBatch", (*call).sendBatch, none, "EmptyBatchRequest", "TooManyEntriesInBatchRequest", "BatchEntryIdsNotDistinct"),
		free("ReceiveMessage", (*call).receiveMessage, none),
		free("DeleteMessage", (*call).deleteMessage, none, "ReceiptHandleIsInvalid"),
		free("DeleteMessageBatch", (*call).deleteBatch, none, "EmptyBatchRequest", "TooManyEntriesInBatchRequest", "BatchEntryIdsNotDistinct"),
		free("ChangeMessageVisibility", (*call).changeVisibility, none, "ReceiptHandleIsInvalid", "MessageNotInflight"),
		free("ChangeMessageVisibilityBatch", (*call).changeVisibilityBatch, none, "EmptyBatchRequest", "TooManyEntriesInBatchRequest", "BatchEntryIdsNotDistinct"),
		write("TagQueue", (*call).tagQueue, none),
		write("UntagQueue", (*call).untagQueue, none),
		read("ListQueueTags", (*call).listQueueTags, none),
	}
}

// Queue is a queue; its ID is its ARN. Its messages are in memory.
type Queue struct {
	Resource
	Name       string            `json:"name"`
	Attributes map[string]string `json:"attributes,omitempty"` // those that were set
	Modified   time.Time         `json:"modified"`
}

// key names the queue's mailbox: a queue that is made again begins empty.
func (q *Queue) key() string { return q.ID + "#" + strconv.FormatUint(q.Seq, 10) }

var queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// queueRange is an attribute of a queue that is a number.
type queueRange struct {
	name          string
	def, low, top int
}

// queueNumbers are the attributes that are numbers. AWS: SQS SetQueueAttributes.
func queueNumbers() []queueRange {
	return []queueRange{
		{"DelaySeconds", 0, 0, 900}, {"MaximumMessageSize", maxMessage, 1024, maxMessage}, {"MessageRetentionPeriod", 345600, 60, 1209600},
		{"ReceiveMessageWaitTimeSeconds", 0, 0, 20}, {"VisibilityTimeout", 30, 0, 43200}, {"KmsDataKeyReusePeriodSeconds", 300, 60, 86400},
	}
}

func (q *Queue) number(name string) int {
	if v, err := strconv.Atoi(q.Attributes[name]); err == nil {
		return v
	}
	for _, r := range queueNumbers() {
		if r.name == name {
			return r.def
		}
	}
	return 0
}

func (q *Queue) seconds(name string) time.Duration {
	return time.Duration(q.number(name)) * time.Second
}

// checkQueueAttributes reads Attributes.
func (c *call) checkQueueAttributes() (map[string]string, *Error) {
	out := map[string]string{}
	kids := c.in.pairs("Attributes")
	for _, name := range sortedKeys(kids) {
		text := kids[name].text
		bad := errorf("InvalidAttributeValue", "Invalid value for the parameter %s.", clip(name))
		i := slices.IndexFunc(queueNumbers(), func(r queueRange) bool { return r.name == name })
		switch {
		case i >= 0:
			r := queueNumbers()[i]
			if v, err := strconv.Atoi(text); err != nil || v < r.low || v > r.top {
				return nil, bad
			}
		case name == "FifoQueue" || name == "ContentBasedDeduplication" || name == "DeduplicationScope" || name == "FifoThroughputLimit":
			return nil, errorf("UnsupportedOperation", "FIFO queues are not supported by this endpoint")
		case name == "Policy" || name == "RedriveAllowPolicy":
			if text != "" && !json.Valid([]byte(text)) {
				return nil, bad
			}
		case name == "RedrivePolicy":
			if _, _, ok := redrive(text); text != "" && !ok {
				return nil, bad
			}
		case name == "SqsManagedSseEnabled":
			if text != "true" && text != "false" {
				return nil, bad
			}
		case name == "KmsMasterKeyId":
		default:
			return nil, errorf("InvalidAttributeName", "Unknown Attribute %s.", clip(name))
		}
		out[name] = text
	}
	return out, nil
}

// redrive reads a RedrivePolicy.
func redrive(text string) (arn string, after int, ok bool) {
	var p struct {
		Target string          `json:"deadLetterTargetArn"`
		After  json.RawMessage `json:"maxReceiveCount"`
	}
	if json.Unmarshal([]byte(text), &p) != nil {
		return "", 0, false
	}
	after, err := strconv.Atoi(strings.Trim(string(p.After), `"`))
	return p.Target, after, err == nil && after >= 1 && after <= 1000 && p.Target != ""
}

func (c *call) queueURL(q *Queue) string {
	scheme := "http://"
	if c.q.r.TLS != nil {
		scheme = "https://"
	}
	return scheme + c.q.r.Host + "/" + q.OwnerID + "/" + q.Name
}

func queueMissing() *Error {
	return errorf("QueueDoesNotExist", "The specified queue does not exist.")
}

// queue finds the queue that QueueUrl names: by the end of its path, as the endpoint has
// more names than one.
func (c *call) queue() (*Queue, *Error) {
	if c.s == nil {
		c.v.mu.RLock()
		defer c.v.mu.RUnlock()
	}
	url, _, _ := strings.Cut(c.in.str("QueueUrl"), "?")
	f := strings.Split(strings.TrimSuffix(url, "/"), "/")
	account := c.who.account
	if len(f) > 1 && accountForm.MatchString(f[len(f)-2]) {
		account = f[len(f)-2]
	}
	if q := c.v.anyQueue(c.v.s.arn("sqs", account, f[len(f)-1])); q != nil {
		return q, nil
	}
	return nil, queueMissing()
}

// ownQueue is queue for what only the owner may do.
func (c *call) ownQueue() (*Queue, *Error) {
	q, err := c.queue()
	if err == nil && q.OwnerID != c.s.meta.AccountID {
		return nil, &Error{Code: "AccessDenied", Message: "Access to the resource " + clip(c.in.str("QueueUrl")) + " is denied.", Status: 403}
	}
	return q, err
}

// arn makes the ARN of something in the endpoint's region.
func (s *state) arn(service, account, what string) string {
	return "arn:aws:" + service + ":" + s.meta.Region + ":" + account + ":" + what
}

func (c *call) createQueue() *Error {
	name := c.in.str("QueueName")
	if strings.HasSuffix(name, ".fifo") {
		return errorf("UnsupportedOperation", "FIFO queues are not supported by this endpoint")
	}
	if !queueName.MatchString(name) {
		return errorf("InvalidParameterValue", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	attrs, err := c.checkQueueAttributes()
	if err != nil {
		return err
	}
	tags, err := pairTags(c.in.pairs("tags"))
	if err != nil {
		return err
	}
	id := c.s.arn("sqs", c.s.meta.AccountID, name)
	q := c.s.queues.get(id)
	if q == nil {
		q = &Queue{Resource: c.s.res(id, c.now, tags), Name: name, Attributes: attrs, Modified: c.stamp()}
		c.s.queues.put(q)
	} else {
		for k, v := range attrs {
			if have := q.attribute(k); have != v {
				return errorf("QueueNameExists", "A queue already exists with the same name and a different value for attribute %s", k)
			}
		}
	}
	c.result = object{{"QueueUrl", c.queueURL(q)}}
	return nil
}

// attribute is the value of an attribute that can be set, its default if it was not.
func (q *Queue) attribute(name string) string {
	if v, ok := q.Attributes[name]; ok {
		return v
	}
	if slices.ContainsFunc(queueNumbers(), func(r queueRange) bool { return r.name == name }) {
		return strconv.Itoa(q.number(name))
	}
	if name == "SqsManagedSseEnabled" {
		return strconv.FormatBool(q.Attributes["KmsMasterKeyId"] == "")
	}
	return ""
}

func (c *call) queueURLOf() *Error {
	account := c.in.or("QueueOwnerAWSAccountId", c.s.meta.AccountID)
	q := c.v.anyQueue(c.s.arn("sqs", account, c.in.str("QueueName")))
	if q == nil {
		return queueMissing()
	}
	c.result = object{{"QueueUrl", c.queueURL(q)}}
	return nil
}

func (c *call) queueAttributes() *Error {
	q, err := c.queue()
	if err != nil {
		return err
	}
	visible, hidden, delayed := c.v.broker.counts(q.key(), c.now, q.seconds("MessageRetentionPeriod"))
	all := dict{
		{"QueueArn", q.ID}, {"CreatedTimestamp", strconv.FormatInt(q.Created.Unix(), 10)}, {"LastModifiedTimestamp", strconv.FormatInt(q.Modified.Unix(), 10)},
		{"ApproximateNumberOfMessages", strconv.Itoa(visible)}, {"ApproximateNumberOfMessagesNotVisible", strconv.Itoa(hidden)}, {"ApproximateNumberOfMessagesDelayed", strconv.Itoa(delayed)},
	}
	for _, name := range []string{
		"DelaySeconds", "MaximumMessageSize", "MessageRetentionPeriod", "ReceiveMessageWaitTimeSeconds", "VisibilityTimeout", "SqsManagedSseEnabled",
		"Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds",
	} {
		v := q.attribute(name)
		if v != "" && (name != "KmsDataKeyReusePeriodSeconds" || q.Attributes["KmsMasterKeyId"] != "") {
			all = append(all, field{name, v})
		}
	}
	want := c.in.strs("AttributeNames")
	for _, n := range want {
		known := n == "All" || slices.ContainsFunc(all, func(f field) bool { return f.name == n }) ||
			slices.Contains([]string{"Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"}, n)
		if !known {
			return errorf("InvalidAttributeName", "Unknown Attribute %s.", clip(n))
		}
	}
	if !slices.Contains(want, "All") {
		all = slices.DeleteFunc(all, func(f field) bool { return !slices.Contains(want, f.name) })
	}
	c.result = object{}
	if len(all) > 0 {
		c.result = object{{"Attributes", all}}
	}
	return nil
}

func (c *call) setQueueAttributes() *Error {
	q, err := c.ownQueue()
	if err != nil {
		return err
	}
	attrs, err := c.checkQueueAttributes()
	if err != nil {
		return err
	}
	n := *q
	n.Attributes, n.Modified = map[string]string{}, c.stamp()
	for _, m := range []map[string]string{q.Attributes, attrs} {
		for k, v := range m {
			n.Attributes[k] = v
		}
	}
	for k, v := range n.Attributes {
		if v == "" {
			delete(n.Attributes, k)
		}
	}
	c.s.queues.put(&n)
	return nil
}

func (c *call) listQueues() *Error {
	var list []*Queue
	for _, q := range c.s.queues.all() {
		if strings.HasPrefix(q.Name, c.in.str("QueueNamePrefix")) {
			list = append(list, q)
		}
	}
	list, next, err := page(c, list, func(q *Queue) uint64 { return q.Seq })
	if err != nil {
		return err
	}
	urls := []any{}
	for _, q := range list {
		urls = append(urls, c.queueURL(q))
	}
	out := object{}
	if len(urls) > 0 {
		out = append(out, field{"QueueUrls", urls})
	}
	if next != "" {
		out = append(out, field{"NextToken", next})
	}
	c.result = out
	return nil
}

func (c *call) deleteQueue() *Error {
	q, err := c.ownQueue()
	if err != nil {
		return err
	}
	c.s.queues.del(q.ID)
	c.v.broker.purge(q.key())
	return nil
}

func (c *call) purgeQueue() *Error {
	q, err := c.queue()
	if err != nil {
		return err
	}
	c.v.broker.purge(q.key())
	return nil
}

// pairTags gives a map of tags the form they have elsewhere.
func pairTags(kids map[string]*node) ([]mirror.Tag, *Error) {
	var tags []mirror.Tag
	for _, k := range sortedKeys(kids) {
		tags = append(tags, mirror.Tag{Key: k, Value: kids[k].text})
	}
	if len(tags) > maxTags {
		return nil, errorf("InvalidParameterValue", "Too many tags added for queue. Maximum number of tags: %d.", maxTags)
	}
	return tags, nil
}

func (c *call) tagQueue() *Error {
	q, err := c.ownQueue()
	if err != nil {
		return err
	}
	tags, err := pairTags(c.in.pairs("Tags"))
	if err != nil {
		return err
	}
	if tags, err = mergeTags(q.Tags, tags); err != nil {
		return errorf("InvalidParameterValue", "Too many tags added for queue %s.", q.Name)
	}
	c.s.queues.setTags(q.ID, tags)
	return nil
}

// untag drops the tags with the keys that the call names.
func untag(old []mirror.Tag, keys []string) []mirror.Tag {
	return slices.DeleteFunc(slices.Clone(old), func(t mirror.Tag) bool { return slices.Contains(keys, t.Key) })
}

func (c *call) untagQueue() *Error {
	q, err := c.ownQueue()
	if err != nil {
		return err
	}
	c.s.queues.setTags(q.ID, untag(q.Tags, c.in.strs("TagKeys")))
	return nil
}

func (c *call) listQueueTags() *Error {
	q, err := c.queue()
	if err != nil {
		return err
	}
	c.result = object{}
	if len(q.Tags) > 0 {
		tags := dict{}
		for _, t := range q.Tags {
			tags = append(tags, field{t.Key, t.Value})
		}
		c.result = object{{"Tags", tags}}
	}
	return nil
}

// readMessage makes a message of the members of SendMessage.
func (c *call) readMessage(q *Queue, n *node) (*message, *Error) {
	m := &message{id: c.v.requestID(), body: n.str("MessageBody"), attrs: map[string]messageAttr{}, sender: c.who.userID, sent: c.now}
	kids := n.pairs("MessageAttributes")
	if len(kids) > 10 {
		return nil, errorf("InvalidParameterValue", "Number of message attributes [%d] exceeds the allowed maximum [10].", len(kids))
	}
	for _, k := range sortedKeys(kids) {
		a := messageAttr{kind: kids[k].str("DataType"), text: kids[k].str("StringValue")}
		base, _, _ := strings.Cut(a.kind, ".")
		switch base {
		case "String", "Number":
		case "Binary":
			a.binary, a.text = true, kids[k].str("BinaryValue")
		default:
			return nil, errorf("InvalidParameterValue", "The type of message (user) attribute '%s' is invalid. You must use only the following supported type prefixes: Binary, Number, String.", clip(k))
		}
		if a.text == "" {
			return nil, errorf("InvalidParameterValue", "The message (user) attribute '%s' must contain a non-empty value of type '%s'.", clip(k), base)
		}
		m.attrs[k] = a
	}
	switch delay := n.num("DelaySeconds", q.number("DelaySeconds")); {
	case m.body == "":
		return nil, errorf("MissingParameter", "The request must contain the parameter MessageBody.")
	case m.size() > q.number("MaximumMessageSize"):
		return nil, errorf("InvalidParameterValue", "One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", q.number("MaximumMessageSize"))
	case delay < 0 || delay > 900:
		return nil, errorf("InvalidParameterValue", "Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", delay)
	default:
		m.visible = c.now.Add(time.Duration(delay) * time.Second)
	}
	return m, nil
}

// send puts a message into a queue and says what the answer has of it.
func (c *call) send(q *Queue, n *node) (object, *Error) {
	m, err := c.readMessage(q, n)
	if err != nil {
		return nil, err
	}
	if !c.v.broker.put(q.key(), m, c.now, q.seconds("MessageRetentionPeriod")) {
		return nil, errorf("OverLimit", "The endpoint keeps at most %d messages and %d bytes in a queue", maxQueueMessages, maxQueueBytes)
	}
	out := object{{"MessageId", m.id}, {"MD5OfMessageBody", bodySum(m.body)}}
	if sum := attrSum(m.attrs); sum != "" {
		out = append(out, field{"MD5OfMessageAttributes", sum})
	}
	return out, nil
}

func (c *call) sendMessage() *Error {
	q, err := c.queue()
	if err != nil {
		return err
	}
	out, err := c.send(q, c.in)
	c.result = out
	return err
}

// batch does one thing for each of Entries and answers with what became of each.
func (c *call) batch(one func(q *Queue, n *node) (object, *Error)) *Error {
	q, err := c.queue()
	if err != nil {
		return err
	}
	entries := c.in.list("Entries")
	switch {
	case len(entries) == 0:
		return errorf("EmptyBatchRequest", "There should be at least one %sRequestEntry in the request.", c.act.name)
	case len(entries) > 10:
		return errorf("TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent %d.", len(entries))
	}
	seen := map[string]bool{}
	for _, n := range entries {
		if seen[n.str("Id")] {
			return errorf("BatchEntryIdsNotDistinct", "Id %s repeated.", clip(n.str("Id")))
		}
		seen[n.str("Id")] = true
	}
	good, bad := []any{}, []any{}
	for _, n := range entries {
		id := field{"Id", n.str("Id")}
		out, err := one(q, n)
		if err != nil {
			bad = append(bad, object{id, {"SenderFault", true}, {"Code", err.Code}, {"Message", err.Message}})
			continue
		}
		good = append(good, append(object{id}, out...))
	}
	c.result = object{{"Successful", good}, {"Failed", bad}}
	return nil
}

func (c *call) sendBatch() *Error { return c.batch(c.send) }

func (c *call) dropMessage(q *Queue, n *node) (object, *Error) {
	if !c.v.broker.delete(q.key(), n.str("ReceiptHandle")) {
		return nil, errorf("ReceiptHandleIsInvalid", "The input receipt handle \"%s\" is not a valid receipt handle.", clip(n.str("ReceiptHandle")))
	}
	return nil, nil
}

func (c *call) deleteMessage() *Error {
	q, err := c.queue()
	if err != nil {
		return err
	}
	_, err = c.dropMessage(q, c.in)
	return err
}

func (c *call) deleteBatch() *Error { return c.batch(c.dropMessage) }

func (c *call) hideMessage(q *Queue, n *node) (object, *Error) {
	secs := n.num("VisibilityTimeout", q.number("VisibilityTimeout"))
	if secs < 0 || secs > 43200 {
		return nil, errorf("InvalidParameterValue", "Value %d for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200, if provided.", secs)
	}
	found, ok := c.v.broker.hide(q.key(), n.str("ReceiptHandle"), c.now, time.Duration(secs)*time.Second)
	switch {
	case !ok:
		return nil, errorf("ReceiptHandleIsInvalid", "The input receipt handle \"%s\" is not a valid receipt handle.", clip(n.str("ReceiptHandle")))
	case !found:
		return nil, errorf("MessageNotInflight", "The message is not available for a visibility timeout change.")
	}
	return nil, nil
}

func (c *call) changeVisibility() *Error {
	q, err := c.queue()
	if err != nil {
		return err
	}
	_, err = c.hideMessage(q, c.in)
	return err
}

func (c *call) changeVisibilityBatch() *Error { return c.batch(c.hideMessage) }

func (c *call) receiveMessage() *Error {
	q, err := c.queue()
	if err != nil {
		return err
	}
	most, wait := c.in.num("MaxNumberOfMessages", 1), c.in.num("WaitTimeSeconds", q.number("ReceiveMessageWaitTimeSeconds"))
	hide := c.in.num("VisibilityTimeout", q.number("VisibilityTimeout"))
	switch {
	case most < 1 || most > 10:
		return errorf("InvalidParameterValue", "Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", most)
	case wait < 0 || wait > 20:
		return errorf("InvalidParameterValue", "Value %d for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.", wait)
	case hide < 0 || hide > 43200:
		return errorf("InvalidParameterValue", "Value %d for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= 43200, if provided.", hide)
	}
	r := reception{
		key: q.key(), most: most, wait: time.Duration(wait) * time.Second, hide: time.Duration(hide) * time.Second, keep: q.seconds("MessageRetentionPeriod"), now: c.v.o.Now,
	}
	if arn, after, ok := redrive(q.Attributes["RedrivePolicy"]); ok {
		c.v.mu.RLock()
		if d := c.v.anyQueue(arn); d != nil {
			r.dead, r.deadAt = d.key(), after
		}
		c.v.mu.RUnlock()
	}
	list := []any{}
	for _, m := range c.v.broker.receive(c.q.r.Context(), r) {
		list = append(list, c.received(&m))
	}
	c.result = object{}
	if len(list) > 0 {
		c.result = object{{"Messages", list}}
	}
	return nil
}

// received is a message as ReceiveMessage shows it.
func (c *call) received(m *message) object {
	out := object{{"MessageId", m.id}, {"ReceiptHandle", m.handle()}, {"MD5OfBody", bodySum(m.body)}, {"Body", m.body}}
	want := append(c.in.strs("AttributeNames"), c.in.strs("MessageSystemAttributeNames")...)
	system := dict{}
	for _, f := range []field{
		{"SenderId", m.sender}, {"ApproximateFirstReceiveTimestamp", fmt.Sprint(m.first.UnixMilli())},
		{"ApproximateReceiveCount", strconv.Itoa(m.count)}, {"SentTimestamp", fmt.Sprint(m.sent.UnixMilli())},
	} {
		if slices.Contains(want, "All") || slices.Contains(want, f.name) {
			system = append(system, f)
		}
	}
	if len(system) > 0 {
		out = append(out, field{"Attributes", system})
	}
	names := c.in.strs("MessageAttributeNames")
	shown, attrs := map[string]messageAttr{}, dict{}
	for _, k := range sortedKeys(m.attrs) {
		if !slices.ContainsFunc(names, func(n string) bool {
			prefix, all := strings.CutSuffix(n, ".*")
			return n == "All" || n == k || all && (prefix == "" || strings.HasPrefix(k, prefix))
		}) {
			continue
		}
		a := m.attrs[k]
		shown[k] = a
		value := field{"StringValue", a.text}
		if a.binary {
			value.name = "BinaryValue"
		}
		attrs = append(attrs, field{k, object{{"DataType", a.kind}, value}})
	}
	if len(shown) > 0 {
		out = append(out, field{"MD5OfMessageAttributes", attrSum(shown)}, field{"MessageAttributes", attrs})
	}
	return out
}
