// Package awscloud is setup.Cloud on AWS, through the AWS SDK for Go v2: the only room that
// imports it. It translates calls, nothing more: pages are joined, throttled and failed
// calls are repeated with growing pauses, and error codes get their meaning (errors.go).
//
// It speaks to AWS, or to any endpoint that speaks its protocols.
package awscloud

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"

	"mirador/internal/setup"
)

// DefaultAttempts is how often a call is tried that is throttled or fails at the service.
const DefaultAttempts = 8

// maxBackoff is the longest pause between two tries.
const maxBackoff = 20 * time.Second

// Options say how to reach AWS. What is empty is taken from the environment and the
// files of the AWS command line.
type Options struct {
	Region      string
	Profile     string
	EndpointURL string // of all services; AWS_ENDPOINT_URL does the same
	Attempts    int    // tries of a call; 0: DefaultAttempts
	// Backoff returns the pause before try n; nil: growing, with jitter, up to 20 s.
	Backoff func(n int, err error) (time.Duration, error)
	// HTTP does the requests; nil: the SDK's client.
	HTTP aws.HTTPClient
}

// Client is AWS in one region, for one identity.
type Client struct {
	cfg aws.Config
	o   Options
	ec2 *ec2.Client
	elb *elb.Client
	sts *sts.Client

	answered atomic.Bool // somebody has answered a call

	mu    sync.Mutex // guards calls
	calls map[string]int
}

var (
	_ setup.Cloud   = (*Client)(nil)
	_ setup.Metrics = (*Client)(nil)
)

// New returns a Client. It makes no call.
func New(ctx context.Context, o Options) (*Client, error) {
	var opts []func(*config.LoadOptions) error
	if o.Region != "" {
		opts = append(opts, config.WithRegion(o.Region))
	}
	opts = append(opts, config.WithLogger(logging.Nop{})) // the caller tells what matters
	if o.Profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(o.Profile))
	}
	if o.HTTP != nil {
		opts = append(opts, config.WithHTTPClient(o.HTTP))
	}
	for _, u := range []string{o.EndpointURL, os.Getenv("AWS_ENDPOINT_URL")} {
		if p, err := url.Parse(u); u != "" && (err != nil || p.Host == "" || p.Scheme != "http" && p.Scheme != "https") {
			return nil, &setup.CloudError{Kind: setup.KindInvalid, Op: setup.Action{Service: "aws", Name: "configuration"}, Message: fmt.Sprintf("endpoint %q is no URL", u),
				Hint: "it looks like http://127.0.0.1:4720 (--endpoint-url, AWS_ENDPOINT_URL)"}
		}
	}
	c := &Client{o: o, calls: map[string]int{}}
	opts = append(opts, config.WithRetryer(func() aws.Retryer {
		return retry.NewStandard(func(s *retry.StandardOptions) {
			s.MaxAttempts = DefaultAttempts
			if o.Attempts > 0 {
				s.MaxAttempts = o.Attempts
			}
			s.MaxBackoff = maxBackoff
			s.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(c.nobody)}, s.Retryables...)
			if o.Backoff != nil {
				s.Backoff = backoff(o.Backoff)
			}
		})
	}))
	cfg, err := config.LoadDefaultConfig(ctx, opts...)
	if err != nil {
		return nil, &setup.CloudError{Kind: setup.KindExpired, Op: setup.Action{Service: "aws", Name: "configuration"}, Message: err.Error(),
			Hint: "check --profile and the files in ~/.aws", Err: err}
	}
	if cfg.Region == "" {
		return nil, &setup.CloudError{Kind: setup.KindInvalid, Op: setup.Action{Service: "aws", Name: "configuration"}, Message: "no region",
			Hint: "give --region, set AWS_REGION, or set region in mirror.yaml"}
	}
	if cfg.HTTPClient == nil {
		cfg.HTTPClient = awshttp.NewBuildableClient()
	}
	cfg.HTTPClient = calm{cfg.HTTPClient}
	c.cfg = cfg
	cfg.APIOptions = append(cfg.APIOptions, c.count)
	c.ec2 = ec2.NewFromConfig(cfg, func(x *ec2.Options) { x.BaseEndpoint = base(o, x.BaseEndpoint) })
	c.elb = elb.NewFromConfig(cfg, func(x *elb.Options) { x.BaseEndpoint = base(o, x.BaseEndpoint) })
	c.sts = sts.NewFromConfig(cfg, func(x *sts.Options) { x.BaseEndpoint = base(o, x.BaseEndpoint) })
	return c, nil
}

func base(o Options, have *string) *string {
	if o.EndpointURL != "" {
		return aws.String(o.EndpointURL)
	}
	return have
}

type backoff func(int, error) (time.Duration, error)

// BackoffDelay is the method that the SDK asks.
func (b backoff) BackoffDelay(n int, err error) (time.Duration, error) { return b(n, err) }

// count counts requests, repeated ones too.
func (c *Client) count(s *middleware.Stack) error {
	return s.Deserialize.Add(middleware.DeserializeMiddlewareFunc("CountCalls",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
			c.mu.Lock()
			c.calls[service(awsmiddleware.GetServiceID(ctx))+":"+awsmiddleware.GetOperationName(ctx)]++
			c.mu.Unlock()
			out, md, err := next.HandleDeserialize(ctx, in)
			if out.RawResponse != nil {
				c.answered.Store(true)
			}
			return out, md, err
		}), middleware.After)
}

// nobody says that a call is not to be tried again when the address refuses connections or
// has no name, and nothing has answered yet: that is a wrong address, or an endpoint that is
// not there, and not a moment of a service.
func (c *Client) nobody(err error) aws.Ternary {
	var dns *net.DNSError
	if !c.answered.Load() && (errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &dns) && dns.IsNotFound) {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

// service returns how IAM names a service of the SDK.
func service(id string) string {
	if id == "Elastic Load Balancing v2" {
		return "elasticloadbalancing"
	}
	return strings.ToLower(id)
}

// Region returns the region that calls go to.
func (c *Client) Region() string { return c.cfg.Region }

// A CallCount is how many requests of one action were made.
type CallCount struct {
	Action string
	Count  int
}

// Calls returns how many requests were made, repeated ones too: in all, and by action,
// the most frequent first.
func (c *Client) Calls() (int, []CallCount) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	var out []CallCount
	for k, v := range c.calls {
		n += v
		out = append(out, CallCount{k, v})
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Count != out[j].Count {
			return out[i].Count > out[j].Count
		}
		return out[i].Action < out[j].Action
	})
	return n, out
}

// Identity asks who the caller is.
func (c *Client) Identity(ctx context.Context) (setup.Identity, error) {
	out, err := c.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return setup.Identity{}, explain(setup.Action{Service: "sts", Name: "GetCallerIdentity"}, err)
	}
	return setup.Identity{Account: text(out.Account), ARN: text(out.Arn), Region: c.cfg.Region}, nil
}

// maxPages bounds the pages of one read: a million things of a kind. A service that
// gives a token for ever would hold a caller up otherwise.
const maxPages = 1000

var errPages = errors.New("more pages than anything can have")

// pages reads pages while there are more.
func pages(op setup.Action, more func() bool, next func() error) error {
	for n := 0; more(); n++ {
		if n == maxPages {
			return &setup.CloudError{Kind: setup.KindUnavailable, Op: op, Message: errPages.Error(), Err: errPages}
		}
		if err := next(); err != nil {
			return explain(op, err)
		}
	}
	return nil
}

func text(s *string) string { return aws.ToString(s) }

func number(n *int32) int { return int(aws.ToInt32(n)) }

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func int32p(n int) *int32 { return aws.Int32(int32(n)) }

func isTrue(b *bool) bool { return aws.ToBool(b) }
