package awscloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"

	"mirador/internal/setup"
)

// Bounds of the questions to the instance metadata service.
const (
	// selfPatience is how long all of them may take together: outside of EC2 nobody answers.
	selfPatience = 5 * time.Second
	// maxSelfAnswer bounds one answer in bytes. An identity document has some 500.
	maxSelfAnswer = 64 << 10
	// maxSelfInterfaces bounds the interfaces that are asked about: the largest types have 15 on
	// a card.
	maxSelfInterfaces = 64
)

// Self is the instance that this program runs on.
type Self struct {
	Instance, Region, Zone, Type, Account string
	Interfaces                            []SelfInterface
}

// SelfInterface is one network interface of this instance.
type SelfInterface struct {
	MAC, ID, Subnet string
	Device          string // device number
}

// WhoAmI asks the instance metadata service, version 2 only, what this program runs on.
// AWS_EC2_METADATA_SERVICE_ENDPOINT names another service.
func WhoAmI(ctx context.Context) (*Self, error) {
	ctx, cancel := context.WithTimeout(ctx, selfPatience)
	defer cancel()
	if strings.EqualFold(os.Getenv("AWS_EC2_METADATA_DISABLED"), "true") {
		return nil, selfError(errors.New("AWS_EC2_METADATA_DISABLED is set"), 0)
	}
	seen := &lastStatus{c: awshttp.NewBuildableClient().WithTimeout(selfPatience)}
	selfError := func(err error) error { return selfError(err, seen.code) }
	c := imds.New(imds.Options{
		Endpoint:       os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
		EnableFallback: aws.FalseTernary, // no version 1: anybody who makes this host send a request could ask it
		HTTPClient:     seen,
		Retryer:        aws.NopRetryer{},
	})
	doc, err := c.GetInstanceIdentityDocument(ctx, &imds.GetInstanceIdentityDocumentInput{})
	if err != nil {
		return nil, selfError(err)
	}
	s := &Self{Instance: doc.InstanceID, Region: doc.Region, Zone: doc.AvailabilityZone, Type: doc.InstanceType, Account: doc.AccountID}
	if s.Instance == "" || s.Region == "" {
		return nil, selfError(errors.New("the identity document names no instance and region"))
	}
	get := func(path string) (string, error) {
		out, err := c.GetMetadata(ctx, &imds.GetMetadataInput{Path: path})
		if err != nil {
			return "", err
		}
		defer out.Content.Close()
		b, err := io.ReadAll(io.LimitReader(out.Content, maxSelfAnswer+1))
		if err == nil && len(b) > maxSelfAnswer {
			err = fmt.Errorf("%s: more than %d bytes", path, maxSelfAnswer)
		}
		return strings.TrimSpace(string(b)), err
	}
	const macs = "network/interfaces/macs/"
	list, err := get(macs)
	if err != nil {
		return nil, selfError(err)
	}
	for _, mac := range strings.Fields(list) {
		if len(s.Interfaces) == maxSelfInterfaces {
			return nil, selfError(fmt.Errorf("more than %d interfaces", maxSelfInterfaces))
		}
		e := SelfInterface{MAC: strings.TrimSuffix(mac, "/")}
		for path, to := range map[string]*string{"interface-id": &e.ID, "subnet-id": &e.Subnet, "device-number": &e.Device} {
			if *to, err = get(macs + e.MAC + "/" + path); err != nil {
				return nil, selfError(err)
			}
		}
		s.Interfaces = append(s.Interfaces, e)
	}
	return s, nil
}

// lastStatus remembers the status of the last answer: errors of the SDK hide it.
type lastStatus struct {
	c    aws.HTTPClient
	code int
}

// Do makes a request.
func (l *lastStatus) Do(r *http.Request) (*http.Response, error) {
	l.code = 0
	resp, err := l.c.Do(r)
	if err == nil {
		l.code = resp.StatusCode
	}
	return resp, err
}

// selfError explains why the metadata service could not be asked; code is its last answer.
func selfError(err error, code int) error {
	e := &setup.CloudError{Kind: setup.KindUnavailable, Op: setup.Action{Service: "imds", Name: "GetInstanceIdentityDocument"}, Message: err.Error(), Err: err,
		Hint: "on an instance the metadata service must be on; elsewhere name the sensor with --sensor"}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		e.Message = "the instance metadata service did not answer"
		e.Hint = "in a container the hop limit of the metadata service must be 2 (aws ec2 modify-instance-metadata-options --http-put-response-hop-limit 2); or name the sensor with --sensor"
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		e.Kind, e.Message = setup.KindDenied, fmt.Sprintf("the instance metadata service refuses (%d)", code)
	case code >= 400:
		e.Message = fmt.Sprintf("the instance metadata service answers %d", code)
	}
	return e
}
