package ec2api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"mirador/internal/ec2api"
)

// TestQueueSDK drives a queue with the Go SDK, which checks the sums of messages.
func TestQueueSDK(t *testing.T) {
	_, cfg := sdkServer(t, ec2api.Options{})
	c, ctx := sqs.NewFromConfig(cfg), t.Context()
	made := must(c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("mirador"), Attributes: map[string]string{"VisibilityTimeout": "60"}, Tags: map[string]string{"a": "b"}}))(t)
	if !strings.HasSuffix(*made.QueueUrl, "/123456789012/mirador") {
		t.Fatalf("URL = %s", *made.QueueUrl)
	}
	again := must(c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("mirador")}))(t)
	if *again.QueueUrl != *made.QueueUrl {
		t.Errorf("made again: %s", *again.QueueUrl)
	}
	_, err := c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("mirador"), Attributes: map[string]string{"VisibilityTimeout": "61"}})
	wantCode(t, "another queue of the name", err, "QueueAlreadyExists")
	_, err = c.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("other")})
	wantCode(t, "no such queue", err, "AWS.SimpleQueueService.NonExistentQueue")
	u := made.QueueUrl

	must(c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: u, MessageBody: aws.String("one <&> \u00e9"), MessageAttributes: map[string]sqstypes.MessageAttributeValue{
		"n": {DataType: aws.String("Number"), StringValue: aws.String("1")}, "b": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 255}},
	}}))(t)
	batch := must(c.SendMessageBatch(ctx, &sqs.SendMessageBatchInput{QueueUrl: u, Entries: []sqstypes.SendMessageBatchRequestEntry{
		{Id: aws.String("a"), MessageBody: aws.String("two")}, {Id: aws.String("b"), MessageBody: aws.String("three"), DelaySeconds: 900},
	}}))(t)
	if len(batch.Successful) != 2 || len(batch.Failed) != 0 {
		t.Errorf("batch = %+v", batch)
	}
	count := func() (visible, hidden, delayed string) {
		a := must(c.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: u, AttributeNames: []sqstypes.QueueAttributeName{"All"}}))(t).Attributes
		return a["ApproximateNumberOfMessages"], a["ApproximateNumberOfMessagesNotVisible"], a["ApproximateNumberOfMessagesDelayed"]
	}
	if v, h, d := count(); v != "2" || h != "0" || d != "1" {
		t.Errorf("before: %s %s %s", v, h, d)
	}
	got := must(c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: u, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"}, MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{"All"}}))(t).Messages
	if len(got) != 2 || *got[0].Body != "one <&> \u00e9" || got[0].Attributes["ApproximateReceiveCount"] != "1" || string(got[0].MessageAttributes["b"].BinaryValue) != "\x00\xff" {
		t.Fatalf("received %+v", got)
	}
	if more := must(c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: u}))(t).Messages; len(more) != 0 {
		t.Errorf("hidden messages are seen: %+v", more)
	}
	if v, h, _ := count(); v != "0" || h != "2" {
		t.Errorf("in flight: %s %s", v, h)
	}
	// Seen at once again, with a new handle; the old one deletes nothing.
	must(c.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: u, ReceiptHandle: got[0].ReceiptHandle, VisibilityTimeout: 0}))(t)
	once := must(c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: u, WaitTimeSeconds: 5}))(t).Messages
	if len(once) != 1 || *once[0].MessageId != *got[0].MessageId {
		t.Fatalf("received again: %+v", once)
	}
	must(c.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: u, ReceiptHandle: got[0].ReceiptHandle}))(t)
	if _, h, _ := count(); h != "2" {
		t.Errorf("an old handle deleted: %s in flight", h)
	}
	gone := must(c.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: u, Entries: []sqstypes.DeleteMessageBatchRequestEntry{
		{Id: aws.String("1"), ReceiptHandle: once[0].ReceiptHandle}, {Id: aws.String("2"), ReceiptHandle: got[1].ReceiptHandle}, {Id: aws.String("3"), ReceiptHandle: aws.String("none")},
	}}))(t)
	if len(gone.Successful) != 2 || len(gone.Failed) != 1 || *gone.Failed[0].Code != "ReceiptHandleIsInvalid" {
		t.Errorf("deleted: %+v", gone)
	}
	must(c.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: u}))(t)
	if v, h, d := count(); v+h+d != "000" {
		t.Errorf("purged: %s %s %s", v, h, d)
	}
	must(c.TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: u, Tags: map[string]string{"c": "d"}}))(t)
	must(c.UntagQueue(ctx, &sqs.UntagQueueInput{QueueUrl: u, TagKeys: []string{"a"}}))(t)
	if tags := must(c.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: u}))(t).Tags; len(tags) != 1 || tags["c"] != "d" {
		t.Errorf("tags = %v", tags)
	}
	must(c.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: u, Attributes: map[string]string{"ReceiveMessageWaitTimeSeconds": "1"}}))(t)
	_, err = c.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: u, Attributes: map[string]string{"VisibilityTimeout": "99999"}})
	wantCode(t, "attribute out of range", err, "InvalidAttributeValue")
	_, err = c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("a.fifo"), Attributes: map[string]string{"FifoQueue": "true"}})
	wantCode(t, "FIFO", err, "AWS.SimpleQueueService.UnsupportedOperation")
	if urls := must(c.ListQueues(ctx, &sqs.ListQueuesInput{QueueNamePrefix: aws.String("mir")}))(t).QueueUrls; len(urls) != 1 {
		t.Errorf("queues = %v", urls)
	}
	must(c.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: u}))(t)
	_, err = c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: u})
	wantCode(t, "deleted queue", err, "AWS.SimpleQueueService.NonExistentQueue")
}

// TestQueueWaits lets a receiver wait for what comes later, and for a message that was
// received often enough to go to the queue for the dead.
func TestQueueWaits(t *testing.T) {
	_, cfg := sdkServer(t, ec2api.Options{})
	c, ctx := sqs.NewFromConfig(cfg), t.Context()
	dead := must(c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("dead")}))(t).QueueUrl
	u := must(c.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("work"), Attributes: map[string]string{
		"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:dead","maxReceiveCount":"1"}`,
	}}))(t).QueueUrl
	result := make(chan []sqstypes.Message)
	go func() {
		out, err := c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: u, WaitTimeSeconds: 20, VisibilityTimeout: 1})
		if err != nil {
			t.Error(err)
			close(result)
			return
		}
		result <- out.Messages
	}()
	must(c.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: u, MessageBody: aws.String("late")}))(t)
	list := <-result
	if len(list) != 1 || *list[0].Body != "late" {
		t.Fatalf("received %+v", list)
	}
	must(c.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: u, ReceiptHandle: list[0].ReceiptHandle}))(t)
	if again := must(c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: u}))(t).Messages; len(again) != 0 {
		t.Errorf("received after its time: %+v", again)
	}
	if d := must(c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: dead, WaitTimeSeconds: 20}))(t).Messages; len(d) != 1 || *d[0].Body != "late" {
		t.Errorf("dead: %+v", d)
	}
	short, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.ReceiveMessage(short, &sqs.ReceiveMessageInput{QueueUrl: u, WaitTimeSeconds: 20}); err == nil {
		t.Error("a cancelled wait had an answer")
	}
}

// TestQueueOutlivesRestart finds queue and rule again, and a queue made anew empty.
func TestQueueOutlivesRestart(t *testing.T) {
	dir := t.TempDir()
	v, base := newServer(t, ec2api.Options{StateDir: dir})
	s := &story{t: t, base: base}
	u, _ := s.json("AmazonSQS.CreateQueue", `{"QueueName":"q","Attributes":{"DelaySeconds":"7"}}`)["QueueUrl"].(string)
	s.json("AmazonSQS.SendMessage", `{"QueueUrl":"`+u+`","MessageBody":"x"}`)
	s.json("AmazonSQS.DeleteQueue", `{"QueueUrl":"`+u+`"}`)
	s.json("AmazonSQS.CreateQueue", `{"QueueName":"q","Attributes":{"DelaySeconds":"7"}}`)
	s.json("AWSEvents.PutRule", `{"Name":"r","EventPattern":"{\"source\":[\"x\"]}"}`)
	a, _ := s.json("AmazonSQS.GetQueueAttributes", `{"QueueUrl":"`+u+`","AttributeNames":["All"]}`)["Attributes"].(map[string]any)
	if a["ApproximateNumberOfMessagesDelayed"] != "0" {
		t.Errorf("a queue made anew has %v messages", a["ApproximateNumberOfMessagesDelayed"])
	}
	v.Close()
	_, base = newServer(t, ec2api.Options{StateDir: dir})
	s.base = base
	a, _ = s.json("AmazonSQS.GetQueueAttributes", `{"QueueUrl":"`+u+`","AttributeNames":["All"]}`)["Attributes"].(map[string]any)
	if a["DelaySeconds"] != "7" {
		t.Errorf("DelaySeconds = %v after a restart", a["DelaySeconds"])
	}
	s.json("AWSEvents.DescribeRule", `{"Name":"r"}`)
}

// TestQueueQueryProtocol is what clients from before 2023 send.
func TestQueueQueryProtocol(t *testing.T) {
	_, base := newServer(t, ec2api.Options{})
	s := &story{t: t, base: base}
	u := s.id(s.do("sqs:CreateQueue", "QueueName", "old", "Attribute.1.Name", "VisibilityTimeout", "Attribute.1.Value", "5", "Tag.1.Key", "k", "Tag.1.Value", "v"), "QueueUrl")
	s.do("sqs:SendMessage", "QueueUrl", u, "MessageBody", "a<b", "MessageAttribute.1.Name", "n", "MessageAttribute.1.Value.DataType", "String", "MessageAttribute.1.Value.StringValue", "x")
	s.do("sqs:SendMessageBatch", "QueueUrl", u, "SendMessageBatchRequestEntry.1.Id", "one", "SendMessageBatchRequestEntry.1.MessageBody", "second")
	got := s.do("sqs:ReceiveMessage", "QueueUrl", u, "MaxNumberOfMessages", "10", "AttributeName.1", "All", "MessageAttributeName.1", "All")
	for _, want := range []string{"<Message><MessageId>", "<Body>a&lt;b</Body>", "<Attribute><Name>ApproximateReceiveCount</Name><Value>1</Value></Attribute>",
		"<MessageAttribute><Name>n</Name><Value><DataType>String</DataType><StringValue>x</StringValue></Value></MessageAttribute>", "<Body>second</Body>"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
	out := s.do("sqs:DeleteMessageBatch", "QueueUrl", u, "DeleteMessageBatchRequestEntry.1.Id", "x", "DeleteMessageBatchRequestEntry.1.ReceiptHandle", element(got, "ReceiptHandle"))
	if !strings.Contains(out, "<DeleteMessageBatchResultEntry><Id>x</Id></DeleteMessageBatchResultEntry>") {
		t.Errorf("deleted: %s", out)
	}
	if tags := s.do("sqs:ListQueueTags", "QueueUrl", u); !strings.Contains(tags, "<Tag><Key>k</Key><Value>v</Value></Tag>") {
		t.Errorf("tags: %s", tags)
	}
	s.refuse("AWS.SimpleQueueService.NonExistentQueue", "sqs:GetQueueUrl", "QueueName", "none")
	// Posted to the queue's own URL, which says which queue is meant.
	form := url.Values{"Action": {"PurgeQueue"}, "Version": {"2012-11-05"}}
	r, err := http.Post(u, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != 200 {
		t.Errorf("purge at the queue's URL: %s", r.Status)
	}
	if left := s.do("sqs:GetQueueAttributes", "QueueUrl", u, "AttributeName.1", "ApproximateNumberOfMessagesNotVisible"); !strings.Contains(left, "<Value>0</Value>") {
		t.Errorf("after the purge: %s", left)
	}
}

// jsonCall sends a call of a JSON protocol without a signature.
func jsonCall(t *testing.T, base, target, body string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", target)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	out := map[string]any{}
	if err := json.NewDecoder(a.Body).Decode(&out); err != nil && a.ContentLength != 0 {
		t.Fatalf("%s: %v", target, err)
	}
	return a.StatusCode, out
}

// got is an event as a queue gives it.
type gotEvent struct {
	Version, ID, Source, Account, Time, Region string
	Kind                                       string `json:"detail-type"`
	Resources                                  []string
	Detail                                     struct {
		Instance string `json:"instance-id"`
		State    string
		Name     string         `json:"eventName"`
		Source   string         `json:"eventSource"`
		Request  map[string]any `json:"requestParameters"`
		Answer   map[string]any `json:"responseElements"`
	}
}

// TestEvents follows instances and interfaces as a watcher does.
func TestEvents(t *testing.T) {
	_, base := newServer(t, ec2api.Options{})
	cfg := sdkConfig(base, testKey, testSecret, "")
	c, q, ctx := ec2.NewFromConfig(cfg), sqs.NewFromConfig(cfg), t.Context()
	u := must(q.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("events")}))(t).QueueUrl
	rule := func(name, pattern string) {
		t.Helper()
		p, _ := json.Marshal(pattern)
		if code, out := jsonCall(t, base, "AWSEvents.PutRule", `{"Name":"`+name+`","EventPattern":`+string(p)+`}`); code != 200 || out["RuleArn"] != "arn:aws:events:us-east-1:123456789012:rule/"+name {
			t.Fatalf("PutRule = %d %v", code, out)
		}
		if code, out := jsonCall(t, base, "AWSEvents.PutTargets", `{"Rule":"`+name+`","Targets":[{"Id":"1","Arn":"arn:aws:sqs:us-east-1:123456789012:events"}]}`); code != 200 || out["FailedEntryCount"] != 0.0 {
			t.Fatalf("PutTargets = %d %v", code, out)
		}
	}
	rule("states", `{"source":["aws.ec2"],"detail-type":["EC2 Instance State-change Notification"],"detail":{"state":["running","terminated"]}}`)
	rule("calls", `{"detail-type":["AWS API Call via CloudTrail"],"detail":{"eventSource":["ec2.amazonaws.com"],"eventName":[{"prefix":"Attach"},{"suffix":"MirrorSession"},"DetachNetworkInterface"]}}`)
	next := func() gotEvent {
		t.Helper()
		for range 5 {
			out := must(q.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: u, WaitTimeSeconds: 10}))(t).Messages
			if len(out) == 0 {
				continue
			}
			must(q.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: u, ReceiptHandle: out[0].ReceiptHandle}))(t)
			var e gotEvent
			if err := json.Unmarshal([]byte(*out[0].Body), &e); err != nil {
				t.Fatalf("%s: %v", *out[0].Body, err)
			}
			return e
		}
		t.Fatal("no event came")
		return gotEvent{}
	}
	run := must(c.RunInstances(ctx, &ec2.RunInstancesInput{ImageId: aws.String("ami-0123456789abcdef0"), InstanceType: types.InstanceTypeM5Large, MinCount: aws.Int32(1), MaxCount: aws.Int32(1)}))(t).Instances[0]
	e := next()
	if e.Version != "0" || e.Source != "aws.ec2" || e.Account != "123456789012" || e.Region != "us-east-1" || e.Detail.Instance != *run.InstanceId || e.Detail.State != "running" ||
		len(e.Resources) != 1 || e.Resources[0] != "arn:aws:ec2:us-east-1:123456789012:instance/"+*run.InstanceId {
		t.Errorf("event = %+v", e)
	}
	if _, err := time.Parse(time.RFC3339, e.Time); err != nil {
		t.Error(err)
	}
	eni := must(c.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: run.SubnetId}))(t).NetworkInterface.NetworkInterfaceId
	at := must(c.AttachNetworkInterface(ctx, &ec2.AttachNetworkInterfaceInput{NetworkInterfaceId: eni, InstanceId: run.InstanceId, DeviceIndex: aws.Int32(1)}))(t)
	if e = next(); e.Detail.Name != "AttachNetworkInterface" || e.Detail.Source != "ec2.amazonaws.com" || e.Detail.Request["networkInterfaceId"] != *eni || e.Detail.Request["deviceIndex"] != 1.0 || e.Detail.Answer["attachmentId"] != *at.AttachmentId {
		t.Errorf("event = %+v", e)
	}
	target := must(c.CreateTrafficMirrorTarget(ctx, &ec2.CreateTrafficMirrorTargetInput{NetworkInterfaceId: eni}))(t).TrafficMirrorTarget.TrafficMirrorTargetId
	filter := must(c.CreateTrafficMirrorFilter(ctx, &ec2.CreateTrafficMirrorFilterInput{}))(t).TrafficMirrorFilter.TrafficMirrorFilterId
	session := must(c.CreateTrafficMirrorSession(ctx, &ec2.CreateTrafficMirrorSessionInput{
		NetworkInterfaceId: run.NetworkInterfaces[0].NetworkInterfaceId, TrafficMirrorTargetId: target, TrafficMirrorFilterId: filter, SessionNumber: aws.Int32(1),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeTrafficMirrorSession, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}},
	}))(t).TrafficMirrorSession.TrafficMirrorSessionId
	e = next()
	in, _ := e.Detail.Request["CreateTrafficMirrorSessionRequest"].(map[string]any)
	out, _ := e.Detail.Answer["CreateTrafficMirrorSessionResponse"].(map[string]any)
	shown, _ := out["trafficMirrorSession"].(map[string]any)
	if in["TrafficMirrorTargetId"] != *target || in["SessionNumber"] != 1.0 || shown["trafficMirrorSessionId"] != *session || shown["ownerId"] != "123456789012" {
		t.Errorf("event = %+v", e)
	}
	must(c.DetachNetworkInterface(ctx, &ec2.DetachNetworkInterfaceInput{AttachmentId: at.AttachmentId}))(t)
	if e = next(); e.Detail.Name != "DetachNetworkInterface" || e.Detail.Answer["_return"] != true {
		t.Errorf("event = %+v", e)
	}
	jsonCall(t, base, "AWSEvents.DisableRule", `{"Name":"calls"}`)
	must(c.DeleteTrafficMirrorSession(ctx, &ec2.DeleteTrafficMirrorSessionInput{TrafficMirrorSessionId: session}))(t)
	must(c.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{*run.InstanceId}}))(t)
	if e = next(); e.Detail.State != "terminated" {
		t.Errorf("event = %+v", e)
	}
	if code, out := jsonCall(t, base, "AWSEvents.PutEvents", `{"Entries":[{"Source":"mine","DetailType":"x","Detail":"{}"},{"Source":"aws.ec2","DetailType":"x","Detail":"{}"}]}`); code != 200 || out["FailedEntryCount"] != 1.0 {
		t.Errorf("PutEvents = %d %v", code, out)
	}
	if code, out := jsonCall(t, base, "AWSEvents.DeleteRule", `{"Name":"calls"}`); code != 400 || out["__type"] != "ValidationException" {
		t.Errorf("DeleteRule with targets = %d %v", code, out)
	}
	jsonCall(t, base, "AWSEvents.RemoveTargets", `{"Rule":"calls","Ids":["1"]}`)
	if code, _ := jsonCall(t, base, "AWSEvents.DeleteRule", `{"Name":"calls"}`); code != 200 {
		t.Errorf("DeleteRule = %d", code)
	}
	if code, out := jsonCall(t, base, "AWSEvents.DescribeRule", `{"Name":"calls"}`); code != 400 || out["__type"] != "ResourceNotFoundException" {
		t.Errorf("DescribeRule = %d %v", code, out)
	}
	if code, out := jsonCall(t, base, "AWSEvents.PutRule", `{"Name":"x","EventPattern":"{\"source\":\"aws\"}"}`); code != 400 || out["__type"] != "InvalidEventPatternException" {
		t.Errorf("PutRule = %d %v", code, out)
	}
}

// TestCLIEvents does the set-up of a watcher with the AWS CLI.
func TestCLIEvents(t *testing.T) {
	if testing.Short() {
		t.Skip("the AWS CLI takes its time")
	}
	c := newCLI(t, ec2api.Options{})
	u := c.at(c.do("sqs create-queue --queue-name mirador --attributes VisibilityTimeout=60 --tags a=b"), "QueueUrl")
	arn := c.at(c.do("sqs get-queue-attributes --attribute-names QueueArn --queue-url", u), "Attributes", "QueueArn")
	c.do("sqs set-queue-attributes --queue-url "+u+" --attributes", `{"Policy":"{\"Version\":\"2012-10-17\",\"Statement\":[]}"}`)
	c.do("events put-rule --name states --tags Key=x,Value=y --event-pattern", `{"source":["aws.ec2"],"detail":{"state":[{"anything-but":["pending"]}]}}`)
	c.do("events put-targets --rule states --targets", "Id=1,Arn="+arn)
	if got := c.at(c.do("events list-targets-by-rule --rule states"), "Targets", 0, "Arn"); got != arn {
		t.Errorf("target = %s", got)
	}
	if got := c.at(c.do("events list-rule-names-by-target --target-arn "+arn), "RuleNames", 0); got != "states" {
		t.Errorf("rule = %s", got)
	}
	rule := c.at(c.do("events describe-rule --name states"), "Arn")
	if got := c.at(c.do("events list-tags-for-resource --resource-arn "+rule), "Tags", 0, "Value"); got != "y" {
		t.Errorf("tag = %s", got)
	}
	c.do("events list-rules --name-prefix st --limit 1")
	c.do("events tag-resource --tags Key=p,Value=q --resource-arn " + rule)
	c.do("events untag-resource --tag-keys p --resource-arn " + rule)
	c.do("events describe-event-bus")
	c.do("events list-event-buses")
	if out := c.do("events test-event-pattern", "--event-pattern", `{"a":[1]}`, "--event", `{"a":1}`); out["Result"] != true {
		t.Errorf("test = %v", out)
	}
	id := c.at(c.do("ec2 run-instances --image-id ami-0123456789abcdef0 --count 1 --instance-type m5.large"), "Instances", 0, "InstanceId")
	m := c.do("sqs receive-message --wait-time-seconds 20 --attribute-names All --queue-url", u)
	if body := c.at(m, "Messages", 0, "Body"); !strings.Contains(body, id) || !strings.Contains(body, "running") {
		t.Errorf("body = %s", body)
	}
	c.do("sqs delete-message --queue-url "+u+" --receipt-handle", c.at(m, "Messages", 0, "ReceiptHandle"))
	c.do("events disable-rule --name states")
	c.do("events enable-rule --name states")
	c.refuse("ValidationException", "events delete-rule --name states")
	c.do("events remove-targets --rule states --ids 1")
	c.do("events delete-rule --name states")
	c.refuse("ResourceNotFoundException", "events describe-rule --name states")
	c.do("sqs delete-queue --queue-url", u)
	c.refuse("AWS.SimpleQueueService.NonExistentQueue", "sqs get-queue-attributes --queue-url", u)
}
