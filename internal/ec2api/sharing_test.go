package ec2api_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"mirador/internal/ec2api"
)

const consumerKey, consumerAccount = "AKIACONSUMERTEST", "210987654321"

func twoAccounts(dir string) ec2api.Options {
	return ec2api.Options{StateDir: dir, Keys: map[string]string{testKey: testSecret, consumerKey: testSecret}, Accounts: map[string]string{consumerKey: consumerAccount}}
}

// mirrored tells whether the data plane sees a session.
func mirrored(v *ec2api.Server, id string) bool {
	for _, s := range v.Snapshot().Mirroring.Sessions {
		if s.ID == id {
			return true
		}
	}
	return false
}

// TestSharedTarget shares a target with another account, which mirrors to it until the
// share is deleted. All of it outlives a restart.
func TestSharedTarget(t *testing.T) {
	if testing.Short() {
		t.Skip("the AWS CLI takes its time")
	}
	dir := t.TempDir()
	v, base := newServer(t, twoAccounts(dir))
	owner, consumer := cliOf(t, base, testKey), cliOf(t, base, consumerKey)
	own := ec2.NewFromConfig(sdkConfig(base, testKey, testSecret, ""))
	con := ec2.NewFromConfig(sdkConfig(base, consumerKey, testSecret, ""))
	ctx := t.Context()
	if got := consumer.at(consumer.do("sts get-caller-identity"), "Account"); got != consumerAccount {
		t.Fatalf("account = %s", got)
	}
	vpcs := func(c *ec2.Client) string {
		return *must(c.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{}))(t).Vpcs[0].VpcId
	}
	if vpcs(own) == vpcs(con) || len(must(con.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{}))(t).Vpcs) != 1 {
		t.Error("the accounts see each other's VPCs")
	}
	run := func(c *ec2.Client) types.Instance {
		t.Helper()
		return must(c.RunInstances(ctx, &ec2.RunInstancesInput{ImageId: aws.String("ami-0123456789abcdef0"), InstanceType: types.InstanceTypeM5Large, MinCount: aws.Int32(1), MaxCount: aws.Int32(1)}))(t).Instances[0]
	}
	sensor, source := run(own), run(con)
	target := must(own.CreateTrafficMirrorTarget(ctx, &ec2.CreateTrafficMirrorTargetInput{NetworkInterfaceId: sensor.NetworkInterfaces[0].NetworkInterfaceId}))(t).TrafficMirrorTarget.TrafficMirrorTargetId
	filter := must(con.CreateTrafficMirrorFilter(ctx, &ec2.CreateTrafficMirrorFilterInput{}))(t).TrafficMirrorFilter.TrafficMirrorFilterId
	number := int32(0)
	session := func() (string, error) {
		number++
		out, err := con.CreateTrafficMirrorSession(ctx, &ec2.CreateTrafficMirrorSessionInput{NetworkInterfaceId: source.NetworkInterfaces[0].NetworkInterfaceId, TrafficMirrorTargetId: target, TrafficMirrorFilterId: filter, SessionNumber: &number})
		if err != nil {
			return "", err
		}
		return *out.TrafficMirrorSession.TrafficMirrorSessionId, nil
	}
	_, err := session()
	wantCode(t, "before the share", err, "InvalidTrafficMirrorTargetId.NotFound")

	arn := "arn:aws:ec2:us-east-1:123456789012:traffic-mirror-target/" + *target
	share := owner.at(owner.do("ram create-resource-share --name sensors --principals "+consumerAccount+" --resource-arns "+arn), "resourceShare", "resourceShareArn")
	owner.refuse("ResourceArnNotFoundException", "ram associate-resource-share --resource-share-arn "+share+" --resource-arns "+arn[:len(arn)-4]+"0000")
	if _, err = session(); err == nil {
		t.Error("a session before the invitation is accepted")
	}
	invitation := consumer.at(consumer.do("ram get-resource-share-invitations"), "resourceShareInvitations", 0, "resourceShareInvitationArn")
	consumer.do("ram accept-resource-share-invitation --resource-share-invitation-arn", invitation)
	consumer.refuse("ResourceShareInvitationAlreadyAcceptedException", "ram accept-resource-share-invitation --resource-share-invitation-arn", invitation)
	if got := consumer.at(consumer.do("ram list-resources --resource-owner OTHER-ACCOUNTS"), "resources", 0, "arn"); got != arn {
		t.Errorf("shared with the consumer: %s", got)
	}
	if got := consumer.at(consumer.do("ram get-resource-shares --resource-owner OTHER-ACCOUNTS"), "resourceShares", 0, "status"); got != "ACTIVE" {
		t.Errorf("share is %s", got)
	}
	seen := must(con.DescribeTrafficMirrorTargets(ctx, &ec2.DescribeTrafficMirrorTargetsInput{TrafficMirrorTargetIds: []string{*target}}))(t).TrafficMirrorTargets
	if len(seen) != 1 || *seen[0].OwnerId != "123456789012" {
		t.Errorf("targets of the consumer: %+v", seen)
	}
	id := must(session())(t)
	foreign := must(own.DescribeTrafficMirrorSessions(ctx, &ec2.DescribeTrafficMirrorSessionsInput{}))(t).TrafficMirrorSessions
	if len(foreign) != 1 || *foreign[0].OwnerId != consumerAccount || *foreign[0].TrafficMirrorSessionId != id {
		t.Errorf("sessions the owner sees: %+v", foreign)
	}
	if !mirrored(v, id) {
		t.Error("the data plane does not see the session")
	}
	_, err = own.DeleteTrafficMirrorSession(ctx, &ec2.DeleteTrafficMirrorSessionInput{TrafficMirrorSessionId: &id})
	wantCode(t, "the owner deletes a foreign session", err, "InvalidTrafficMirrorSessionId.NotFound")
	_, err = con.DeleteTrafficMirrorTarget(ctx, &ec2.DeleteTrafficMirrorTargetInput{TrafficMirrorTargetId: target})
	wantCode(t, "the consumer deletes the target", err, "InvalidTrafficMirrorTargetId.NotFound")

	v.Close()
	v, base = newServer(t, twoAccounts(dir))
	con = ec2.NewFromConfig(sdkConfig(base, consumerKey, testSecret, ""))
	owner.base = base
	if !mirrored(v, id) || len(must(con.DescribeTrafficMirrorTargets(ctx, &ec2.DescribeTrafficMirrorTargetsInput{}))(t).TrafficMirrorTargets) != 1 {
		t.Error("the share is gone after a restart")
	}
	owner.do("ram delete-resource-share --resource-share-arn", share)
	if mirrored(v, id) {
		t.Error("a session to a target that is no longer shared is active")
	}
	if n := len(must(con.DescribeTrafficMirrorSessions(ctx, &ec2.DescribeTrafficMirrorSessionsInput{}))(t).TrafficMirrorSessions); n != 1 {
		t.Errorf("the consumer has %d sessions", n)
	}
	_, err = session()
	wantCode(t, "after the share", err, "InvalidTrafficMirrorTargetId.NotFound")
	if got := owner.at(owner.do("ram get-resource-shares --resource-owner SELF"), "resourceShares", 0, "status"); got != "DELETED" {
		t.Errorf("share is %s", got)
	}

	// A role of the other account is the other account.
	role := must(sts.NewFromConfig(sdkConfig(base, testKey, testSecret, "")).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::" + consumerAccount + ":role/setup"), RoleSessionName: aws.String("test")}))(t).Credentials
	as := ec2.NewFromConfig(sdkConfig(base, *role.AccessKeyId, *role.SecretAccessKey, *role.SessionToken))
	if vpcs(as) != vpcs(con) {
		t.Error("a role of the consumer sees another account")
	}
}

// TestSharedOrganization shares without an invitation, and counts the sources of both
// accounts for the limit of a target.
func TestSharedOrganization(t *testing.T) {
	v, base := newServer(t, ec2api.Options{Accounts: map[string]string{"other": consumerAccount}})
	s := &story{t: t, base: base}
	ctx := t.Context()
	own, con := ec2.NewFromConfig(sdkConfig(base, "any", "x", "")), ec2.NewFromConfig(sdkConfig(base, "other", "x", ""))
	run := func(c *ec2.Client, n int32) (enis []*string) {
		t.Helper()
		for _, i := range must(c.RunInstances(ctx, &ec2.RunInstancesInput{ImageId: aws.String("ami-0123456789abcdef0"), InstanceType: types.InstanceTypeM5Large, MinCount: &n, MaxCount: &n}))(t).Instances {
			enis = append(enis, i.NetworkInterfaces[0].NetworkInterfaceId)
		}
		return enis
	}
	mine := run(own, 7)
	theirs := run(con, 5)
	target := must(own.CreateTrafficMirrorTarget(ctx, &ec2.CreateTrafficMirrorTargetInput{NetworkInterfaceId: mine[6]}))(t).TrafficMirrorTarget.TrafficMirrorTargetId
	s.rest("ram", "EnableSharingWithAwsOrganization", "POST", "/enablesharingwithawsorganization", "", "")
	s.rest("ram", "CreateResourceShare", "POST", "/createresourceshare", `{"name":"x","allowExternalPrincipals":false,"principals":["`+consumerAccount+`"],"resourceArns":["arn:aws:ec2:us-east-1:123456789012:traffic-mirror-target/`+*target+`"]}`, "")
	session := func(c *ec2.Client, eni *string) error {
		filter := must(c.CreateTrafficMirrorFilter(ctx, &ec2.CreateTrafficMirrorFilterInput{}))(t).TrafficMirrorFilter.TrafficMirrorFilterId
		_, err := c.CreateTrafficMirrorSession(ctx, &ec2.CreateTrafficMirrorSessionInput{NetworkInterfaceId: eni, TrafficMirrorTargetId: target, TrafficMirrorFilterId: filter, SessionNumber: aws.Int32(1)})
		return err
	}
	for _, eni := range mine[:6] {
		if err := session(own, eni); err != nil {
			t.Fatal(err)
		}
	}
	for _, eni := range theirs[:4] {
		if err := session(con, eni); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, "the eleventh source", session(con, theirs[4]), "TrafficMirrorSourcesPerTargetLimitExceeded")
	if n := len(v.Snapshot().Mirroring.Sessions); n != 10 {
		t.Errorf("%d sessions mirror, want 10", n)
	}

	// VPCs of the two accounts can be peered; both sides see the connection.
	a := must(own.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.1.0.0/16")}))(t).Vpc.VpcId
	b := must(con.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.2.0.0/16")}))(t).Vpc.VpcId
	p := must(own.CreateVpcPeeringConnection(ctx, &ec2.CreateVpcPeeringConnectionInput{VpcId: a, PeerVpcId: b, PeerOwnerId: aws.String(consumerAccount)}))(t).VpcPeeringConnection.VpcPeeringConnectionId
	_, err := own.AcceptVpcPeeringConnection(ctx, &ec2.AcceptVpcPeeringConnectionInput{VpcPeeringConnectionId: p})
	wantCode(t, "the requester accepts", err, "OperationNotPermitted")
	must(con.AcceptVpcPeeringConnection(ctx, &ec2.AcceptVpcPeeringConnectionInput{VpcPeeringConnectionId: p}))(t)
	for _, c := range []*ec2.Client{own, con} {
		got := must(c.DescribeVpcPeeringConnections(ctx, &ec2.DescribeVpcPeeringConnectionsInput{VpcPeeringConnectionIds: []string{*p}}))(t).VpcPeeringConnections[0]
		if got.Status.Code != "active" || *got.AccepterVpcInfo.OwnerId != consumerAccount || *got.AccepterVpcInfo.CidrBlock != "10.2.0.0/16" || *got.RequesterVpcInfo.OwnerId != "123456789012" {
			t.Errorf("peering = %+v", got)
		}
	}
	if snap := v.Snapshot(); snap.Peerings[*p].Other(*a) != *b || snap.VPCs[*b] == nil {
		t.Errorf("the data plane sees %+v", snap.Peerings[*p])
	}
}
