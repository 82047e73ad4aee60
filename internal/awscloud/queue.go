package awscloud

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"mirador/internal/setup"
)

// perReceive is how many messages one call gives or deletes. AWS: SQS quotas.
const perReceive = 10

// Queue is setup.Queue on SQS.
type Queue struct {
	c   *sqs.Client
	url string
}

var _ setup.Queue = (*Queue)(nil)

// Queue returns the queue with this URL. Its calls go to the host of the URL.
func (c *Client) Queue(queueURL string) (*Queue, error) {
	u, err := url.Parse(queueURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.Path == "" || u.Path == "/" {
		return nil, fmt.Errorf("queue %q is no URL of a queue such as https://sqs.eu-west-1.amazonaws.com/123456789012/mirador", queueURL)
	}
	base := u.Scheme + "://" + u.Host
	return &Queue{c: sqs.NewFromConfig(c.cfg, func(o *sqs.Options) { o.BaseEndpoint = &base }), url: queueURL}, nil
}

// Receive reads messages; the service waits for the first one.
func (q *Queue) Receive(ctx context.Context, wait time.Duration) ([]setup.Message, error) {
	// Whole seconds, rounded up: less than one would be a question again and again.
	seconds := int32((wait + time.Second - 1) / time.Second)
	out, err := q.c.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &q.url, MaxNumberOfMessages: perReceive, WaitTimeSeconds: seconds})
	if err != nil {
		return nil, explain(setup.Action{Service: "sqs", Name: "ReceiveMessage"}, err)
	}
	var list []setup.Message
	for _, m := range out.Messages {
		list = append(list, setup.Message{Body: text(m.Body), Handle: text(m.ReceiptHandle)})
	}
	return list, nil
}

// Delete takes messages out of the queue.
func (q *Queue) Delete(ctx context.Context, handles []string) error {
	op := setup.Action{Service: "sqs", Name: "DeleteMessageBatch"}
	for len(handles) > 0 {
		n := min(len(handles), perReceive)
		in := &sqs.DeleteMessageBatchInput{QueueUrl: &q.url}
		for i, h := range handles[:n] {
			in.Entries = append(in.Entries, types.DeleteMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), ReceiptHandle: aws.String(h)})
		}
		out, err := q.c.DeleteMessageBatch(ctx, in)
		if err != nil {
			return explain(op, err)
		}
		if len(out.Failed) > 0 {
			return &setup.CloudError{Op: op, Code: text(out.Failed[0].Code), Message: text(out.Failed[0].Message)}
		}
		handles = handles[n:]
	}
	return nil
}
