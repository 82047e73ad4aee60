package setup

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// already tells whether the refusal err of call means that it is done: by an earlier run
// whose answer was lost, or by somebody else. Result is then that of the call.
func (a *applier) already(ctx context.Context, call Call, err error) (Result, bool) {
	kind := KindOf(err)
	switch c := call.(type) {
	case DeleteSession, DeleteTarget, DeleteFilter, DeleteRule, DeleteGroup, DeleteInterface, DetachInterface,
		DeleteListener, DeleteBalancer, DeleteTargetGroup, DeleteService, DeleteEndpoint:
		return Result{}, kind == KindNotFound
	case CreateRule:
		return Result{}, kind == KindExists // the next plan looks whether it is the same
	case Authorize:
		return Result{}, kind == KindExists && a.eachPermission(ctx, c.Rules, KindExists, func(p Permission) Call {
			return Authorize{Group: c.Group, Egress: c.Egress, Rules: []Permission{p}}
		})
	case Revoke:
		return Result{}, kind == KindNotFound && !strings.Contains(err.Error(), "InvalidGroup") &&
			a.eachPermission(ctx, c.Rules, KindNotFound, func(p Permission) Call {
				return Revoke{Group: c.Group, Egress: c.Egress, Rules: []Permission{p}}
			})
	case AttachInterface:
		if kind == KindInUse || kind == KindExists || kind == KindInvalid {
			return a.attached(ctx, c)
		}
	case CreateGroup, CreateBalancer, CreateTargetGroup, CreateListener:
		if kind == KindExists {
			id, _ := a.namesake(ctx, call)
			return Result{ID: id}, id != ""
		}
	}
	return Result{}, false
}

// sameKey tells whether two resources are the same part of the same stack.
func sameKey(a, b Tags) bool {
	return a[TagStack] == b[TagStack] && a[TagKey] == b[TagKey] && a[TagStack] != ""
}

// namesake returns what has the name that call wanted to give, when it is the same part
// of the stack. others tells that it belongs to somebody else; neither means that it
// does not show yet.
func (a *applier) namesake(ctx context.Context, call Call) (id string, others bool) {
	note := func(name, want, found string, ours bool) {
		if name == want && ours {
			id = found
		} else if name == want {
			others = true
		}
	}
	switch c := call.(type) {
	case CreateGroup:
		list, err := a.c.SecurityGroups(ctx, Query{VPCs: []string{c.VPC}})
		for i := range list {
			note(list[i].Name, c.Name, list[i].ID, sameKey(list[i].Tags, c.Tags))
		}
		others = others || err != nil
	case CreateBalancer:
		list, err := a.c.Balancers(ctx)
		for i := range list {
			note(list[i].Name, c.Name, list[i].ARN, sameKey(list[i].Tags, c.Tags))
		}
		others = others || err != nil
	case CreateTargetGroup:
		list, err := a.c.TargetGroups(ctx)
		for i := range list {
			note(list[i].Name, c.Name, list[i].ARN, sameKey(list[i].Tags, c.Tags))
		}
		others = others || err != nil
	case CreateListener:
		list, err := a.c.Listeners(ctx, c.Balancer)
		for i := range list {
			note(itoa(list[i].Port), itoa(c.Port), list[i].ARN, true)
		}
		others = others || err != nil
	}
	return id, others && id == ""
}

// unseen tells whether the refusal err of call may be about something that an earlier
// run made and that does not show yet.
func (a *applier) unseen(ctx context.Context, call Call, err error) bool {
	switch call.(type) {
	case CreateGroup, CreateBalancer, CreateTargetGroup, CreateListener:
		if KindOf(err) != KindExists {
			return false
		}
		_, others := a.namesake(ctx, call)
		return !others
	case AttachInterface:
		return KindOf(err) == KindInUse || KindOf(err) == KindExists
	}
	return false
}

// eachPermission makes the calls of single permissions; ones that are refused with kind
// are done already.
func (a *applier) eachPermission(ctx context.Context, list []Permission, kind ErrorKind, call func(Permission) Call) bool {
	if len(list) == 1 {
		return true
	}
	for _, p := range list {
		if _, err := a.c.Do(ctx, call(p)); err != nil && KindOf(err) != kind {
			return false
		}
	}
	return true
}

// attached tells whether the interface is in the instance already.
func (a *applier) attached(ctx context.Context, c AttachInterface) (Result, bool) {
	list, err := a.c.Interfaces(ctx, Query{IDs: []string{c.Interface}})
	if err != nil || len(list) != 1 || list[0].InstanceID != c.Instance {
		return Result{}, false
	}
	return Result{ID: list[0].AttachmentID}, list[0].AttachmentID != ""
}

// wait looks until what w says is so.
func (a *applier) wait(ctx context.Context, w Wait) error {
	d := freshPause
	for range maxWaitTries {
		done, err := a.look(ctx, w)
		if err != nil && !(KindOf(err) == KindNotFound) {
			return err
		}
		if done {
			return nil
		}
		if err := a.o.Pause(ctx, d); err != nil {
			return err
		}
		d = min(2*d, maxPause)
	}
	return fmt.Errorf("%s did not become so in time: %s", w.ID, strings.ReplaceAll(w.For, "-", " "))
}

// look tells whether w is over.
func (a *applier) look(ctx context.Context, w Wait) (bool, error) {
	switch w.For {
	case WaitBalancerActive, WaitBalancerGone:
		list, err := a.c.Balancers(ctx)
		i := slices.IndexFunc(list, func(b Balancer) bool { return b.ARN == w.ID })
		if err != nil {
			return false, err
		}
		if w.For == WaitBalancerGone {
			return i < 0, nil
		}
		if i >= 0 && list[i].State == "failed" {
			return false, fmt.Errorf("load balancer %s has failed", w.ID)
		}
		return i >= 0 && strings.HasPrefix(list[i].State, "active"), nil
	case WaitEndpointAvailable, WaitEndpointGone:
		list, err := a.c.Endpoints(ctx, Query{IDs: []string{w.ID}})
		if w.For == WaitEndpointGone {
			return KindOf(err) == KindNotFound || err == nil && (len(list) == 0 || strings.EqualFold(list[0].State, "deleted")), err
		}
		if err != nil || len(list) == 0 {
			return false, err
		}
		if endpointGone(&list[0]) {
			return false, fmt.Errorf("endpoint %s is %s", w.ID, list[0].State)
		}
		return strings.EqualFold(list[0].State, "available"), nil
	case WaitInterfaceAttached, WaitInterfaceAvailable:
		list, err := a.c.Interfaces(ctx, Query{IDs: []string{w.ID}})
		if w.For == WaitInterfaceAvailable {
			return KindOf(err) == KindNotFound || err == nil && len(list) == 1 && list[0].Status == "available", err
		}
		return err == nil && len(list) == 1 && list[0].Status == "in-use", err
	}
	return false, fmt.Errorf("nobody knows how to wait for %q", w.For)
}
