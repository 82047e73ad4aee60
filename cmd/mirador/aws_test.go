package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/rogpeppe/go-internal/testscript"
)

// scriptAccount fills an account at an endpoint with a VPC of two zones, a sensor in the
// first (SENSOR), N sources with the tag Mirror=true (SOURCE1, ...), and one instance of a
// type that AWS cannot mirror (OTHER): account URL N
func scriptAccount(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: account URL N")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ctx := context.Background()
	c := ec2.New(ec2.Options{Region: "us-east-1", BaseEndpoint: &args[0], Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")})
	vpc, err := c.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")})
	ts.Check(err)
	ts.Setenv("VPC", *vpc.Vpc.VpcId)
	var subnets []string
	for i, z := range []string{"us-east-1a", "us-east-1b"} {
		s, err := c.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, CidrBlock: aws.String(fmt.Sprintf("10.0.%d.0/24", i)), AvailabilityZone: &z})
		ts.Check(err)
		subnets = append(subnets, *s.Subnet.SubnetId)
		ts.Setenv("SUBNET"+strconv.Itoa(i+1), *s.Subnet.SubnetId)
	}
	run := func(typ, name string, n int) []types.Instance {
		out, err := c.RunInstances(ctx, &ec2.RunInstancesInput{ImageId: aws.String("ami-12345678"), InstanceType: types.InstanceType(typ), SubnetId: &subnets[0],
			MinCount: aws.Int32(int32(n)), MaxCount: aws.Int32(int32(n)), TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeInstance,
				Tags: []types.Tag{{Key: aws.String("Name"), Value: &name}, {Key: aws.String("Mirror"), Value: aws.String(strconv.FormatBool(name != "sensor"))}}}}})
		ts.Check(err)
		return out.Instances
	}
	ts.Setenv("SENSOR", *run("m5.xlarge", "sensor", 1)[0].InstanceId)
	ts.Setenv("OTHER", *run("t2.micro", "old", 1)[0].InstanceId)
	for i, x := range run("m5.large", "web", n) {
		ts.Setenv("SOURCE"+strconv.Itoa(i+1), *x.InstanceId)
	}
	ts.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	ts.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	ts.Setenv("AWS_REGION", "us-east-1")
	ts.Setenv("AWS_ENDPOINT_URL", args[0])
}
