package ec2api

import "strings"

// emptyAction describes what this endpoint has none of.
type emptyAction struct {
	name     string
	param    string // the list that names what is wanted; empty: there is none
	set      string // the element that the answer has
	notFound string // the code for what is named
}

// emptyActions describe what this endpoint has none of: set-up tools, and data sources of
// Terraform, ask and get to know that there is nothing.
func emptyActions() []action {
	list := []action{
		read("GetSubnetCidrReservations", func(c *call) *Error {
			if _, err := c.subnet(c.in.str("SubnetId")); err != nil {
				return err
			}
			c.x.strs("subnetIpv4CidrReservationSet", nil)
			c.x.strs("subnetIpv6CidrReservationSet", nil)
			return nil
		}, "InvalidSubnetID.NotFound"),
	}
	for _, e := range []emptyAction{
		{"DescribeTransitGatewayVpcAttachments", "TransitGatewayAttachmentIds", "transitGatewayVpcAttachments", "InvalidTransitGatewayAttachmentID.NotFound"},
		{"DescribeTransitGatewayAttachments", "TransitGatewayAttachmentIds", "transitGatewayAttachments", "InvalidTransitGatewayAttachmentID.NotFound"},
		{"DescribeTransitGatewayPeeringAttachments", "TransitGatewayAttachmentIds", "transitGatewayPeeringAttachments", "InvalidTransitGatewayAttachmentID.NotFound"},
		{"DescribeTransitGatewayRouteTables", "TransitGatewayRouteTableIds", "transitGatewayRouteTables", "InvalidRouteTableID.NotFound"},
		{"DescribeTransitGateways", "TransitGatewayIds", "transitGatewaySet", "InvalidTransitGatewayID.NotFound"},
		{"DescribeVpnGateways", "VpnGatewayId", "vpnGatewaySet", "InvalidVpnGatewayID.NotFound"},
		{"DescribeVpnConnections", "VpnConnectionId", "vpnConnectionSet", "InvalidVpnConnectionID.NotFound"},
		{"DescribeCustomerGateways", "CustomerGatewayId", "customerGatewaySet", "InvalidCustomerGatewayID.NotFound"},
		{"DescribeFlowLogs", "FlowLogId", "flowLogSet", "InvalidFlowLogId.NotFound"},
		{"DescribeCarrierGateways", "CarrierGatewayId", "carrierGatewaySet", "InvalidCarrierGatewayID.NotFound"},
		{"DescribeSnapshots", "SnapshotId", "snapshotSet", "InvalidSnapshot.NotFound"},
		{"DescribePlacementGroups", "GroupName", "placementGroupSet", "InvalidPlacementGroup.Unknown"},
		{"DescribeCapacityReservations", "CapacityReservationId", "capacityReservationSet", "InvalidCapacityReservationId.NotFound"},
		{"DescribeHosts", "HostId", "hostSet", "InvalidHostID.NotFound"},
		{"DescribeFleets", "FleetId", "fleetSet", "InvalidFleetId.NotFound"},
		{"DescribeReservedInstances", "ReservedInstancesId", "reservedInstancesSet", "InvalidReservedInstancesId"},
		{"DescribeSpotInstanceRequests", "SpotInstanceRequestId", "spotInstanceRequestSet", "InvalidSpotInstanceRequestID.NotFound"},
		{"DescribeSpotPriceHistory", "", "spotPriceHistorySet", ""},
		{"DescribeInstanceEventWindows", "InstanceEventWindowId", "instanceEventWindowSet", "InvalidInstanceEventWindowId.NotFound"},
		{"DescribeInstanceConnectEndpoints", "InstanceConnectEndpointId", "instanceConnectEndpointSet", "InvalidInstanceConnectEndpointId.NotFound"},
		{"DescribeNetworkInterfacePermissions", "NetworkInterfacePermissionId", "networkInterfacePermissions", "InvalidPermissionID.NotFound"},
		{"DescribeNetworkInsightsPaths", "NetworkInsightsPathId", "networkInsightsPathSet", "InvalidNetworkInsightsPathId.NotFound"},
		{"DescribeSecurityGroupVpcAssociations", "", "securityGroupVpcAssociationSet", ""},
		{"DescribeVpcBlockPublicAccessExclusions", "ExclusionId", "vpcBlockPublicAccessExclusionSet", "InvalidVpcBlockPublicAccessExclusionId.NotFound"},
		{"DescribeVpcEncryptionControls", "VpcEncryptionControlId", "vpcEncryptionControlSet", "InvalidVpcEncryptionControlId.NotFound"},
		{"DescribeVpcEndpointAssociations", "", "vpcEndpointAssociationSet", ""},
		{"DescribeVpcEndpointConnectionNotifications", "", "connectionNotificationSet", ""},
		{"DescribeIpams", "IpamId", "ipamSet", "InvalidIpamId.NotFound"},
		{"DescribeIpamPools", "IpamPoolId", "ipamPoolSet", "InvalidIpamPoolId.NotFound"},
		{"DescribeIpv6Pools", "PoolId", "ipv6PoolSet", "InvalidPoolId.NotFound"},
		{"DescribePublicIpv4Pools", "PoolId", "publicIpv4PoolSet", "InvalidPublicIpv4PoolID.NotFound"},
		{"DescribeAddressTransfers", "", "addressTransferSet", ""},
		{"DescribeStaleSecurityGroups", "", "staleSecurityGroupSet", ""},
	} {
		run := func(c *call) *Error { return c.nothing(e) }
		if e.notFound == "" {
			list = append(list, read(e.name, run))
		} else {
			list = append(list, read(e.name, run, e.notFound))
		}
	}
	return list
}

func (c *call) nothing(e emptyAction) *Error {
	if e.param != "" {
		if want := c.in.strs(e.param); len(want) > 0 {
			return notFound(e.notFound, strings.TrimSuffix(strings.TrimSuffix(lowerFirst(e.param), "s"), "Id"), want[0])
		}
	}
	if _, err := c.matchers(); err != nil {
		return err
	}
	if c.in.str("NextToken") != "" {
		return errorf("InvalidPaginationToken", "The specified pagination token is not valid or is expired")
	}
	c.x.strs(e.set, nil)
	return nil
}
