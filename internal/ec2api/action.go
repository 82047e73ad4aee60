package ec2api

import (
	"fmt"
	"slices"
)

// action is one action of a service: a row of docs/reference/ec2api.md.
type action struct {
	service string
	name    string
	write   bool // changes the state
	free    bool // takes the lock itself where it needs it
	run     func(*call) *Error
	errors  []string // codes beside those that every action has
	wire    *wireAction
}

// commonErrors are codes that any EC2 action can answer with.
var commonErrors = []string{
	"AuthFailure", "DryRunOperation", "InvalidAction", "InvalidParameterCombination", "InvalidParameterValue", "MissingParameter",
	"RequestExpired", "RequestLimitExceeded", "ResourceLimitExceeded", "UnknownParameter",
}

func read(name string, run func(*call) *Error, errors ...string) action {
	return action{service: serviceEC2, name: name, run: run, errors: errors}
}

func write(name string, run func(*call) *Error, errors ...string) action {
	return action{service: serviceEC2, name: name, write: true, run: run, errors: errors}
}

// free is an action that runs without the endpoint's lock: call.s is nil for it.
func free(name string, run func(*call) *Error, errors ...string) action {
	return action{service: serviceEC2, name: name, free: true, run: run, errors: errors}
}

// allActions lists all actions of all services.
func allActions() []action {
	list := slices.Concat(mirrorActions(), vpcActions(), subnetActions(), groupActions(), eniActions(), instanceActions(),
		volumeActions(), instanceOptionActions(), placeActions(), routeActions(), aclActions(), gatewayActions(), tagActions(), endpointActions(), addressActions(),
		peeringActions(), prefixListActions(), templateActions(), legacyActions(), emptyActions())
	for _, other := range []struct {
		service string
		list    []action
	}{{serviceELB, elbActions()}, {serviceSTS, stsActions()}, {serviceCloudWatch, cloudwatchActions()}, {serviceSQS, sqsActions()}, {serviceEvents, eventsActions()}, {serviceAutoScaling, slices.Concat(autoscalingActions(), scalingOptionActions())}, {serviceRAM, ramActions()}} {
		for _, a := range other.list {
			a.service = other.service
			list = append(list, a)
		}
	}
	return list
}

// actionTable joins the actions with their shapes.
func actionTable(w wire) (map[string]map[string]*action, error) {
	t := map[string]map[string]*action{}
	for _, a := range allActions() {
		if a.wire = w[a.service][a.name]; a.wire == nil {
			return nil, fmt.Errorf("%s %s has no shape: add it to actions.txt", a.service, a.name)
		}
		if t[a.service] == nil {
			t[a.service] = map[string]*action{}
		}
		if t[a.service][a.name] != nil {
			return nil, fmt.Errorf("%s %s is there twice", a.service, a.name)
		}
		t[a.service][a.name] = &a
	}
	for service, actions := range w {
		for name := range actions {
			if t[service][name] == nil {
				return nil, fmt.Errorf("%s %s has a shape but no action", service, name)
			}
		}
	}
	return t, nil
}
