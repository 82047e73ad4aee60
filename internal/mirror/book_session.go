package mirror

import "slices"

// CreateSession makes a session.
func (b *Book) CreateSession(w World, p CreateSessionParams) (Session, error) {
	key := p
	key.ClientToken = ""
	if id, err := b.replay("CreateSession", p.ClientToken, key); err != nil || id != "" {
		s, _ := b.Session(id)
		return s, err
	}
	if err := b.checkSessionParams(&p); err != nil {
		return Session{}, err
	}
	if _, err := b.source(w, p.NetworkInterfaceID); err != nil {
		return Session{}, err
	}
	s := &Session{
		NetworkInterfaceID: p.NetworkInterfaceID, TargetID: p.TargetID, FilterID: p.FilterID, OwnerID: b.o.AccountID,
		Number: *p.Number, Description: p.Description, Tags: slices.Clone(p.Tags),
	}
	if p.PacketLength != nil {
		s.PacketLength = *p.PacketLength
	}
	if err := b.checkTargetOf(w, s, p.PacketLength); err != nil {
		return Session{}, err
	}
	if b.filters[p.FilterID] == nil {
		return Session{}, filterNotFound(p.FilterID)
	}
	if err := b.checkNotTarget(s.NetworkInterfaceID); err != nil {
		return Session{}, err
	}
	if n := len(b.bySource[s.NetworkInterfaceID]); n >= b.quotas.SessionsPerInterface {
		return Session{}, refuse(CodeSessionsPerInterface, "Sessions per interface limit reached (%d)", b.quotas.SessionsPerInterface)
	}
	if err := b.checkNumberFree(s); err != nil {
		return Session{}, err
	}
	if len(b.sessions) >= b.quotas.Sessions {
		return Session{}, refuse(CodeSessionLimit, "Traffic mirror session limit reached (%d)", b.quotas.Sessions)
	}
	if p.VNI != nil {
		s.VNI = uint32(*p.VNI)
	} else {
		s.VNI = b.newVNI()
	}
	s.ID = b.newID(prefixSession)
	b.addSession(s)
	b.remember("CreateSession", p.ClientToken, key, s.ID)
	return *copySession(s), nil
}

// checkSessionParams checks what can be told from p alone.
func (b *Book) checkSessionParams(p *CreateSessionParams) error {
	switch {
	case p.NetworkInterfaceID == "":
		return missing("NetworkInterfaceId")
	case p.TargetID == "":
		return missing("TrafficMirrorTargetId")
	case p.FilterID == "":
		return missing("TrafficMirrorFilterId")
	case p.Number == nil:
		return missing("SessionNumber")
	}
	if err := checkSessionNumber(*p.Number); err != nil {
		return err
	}
	if p.PacketLength != nil {
		if err := b.checkPacketLength(*p.PacketLength, false); err != nil {
			return err
		}
	}
	if p.VNI != nil {
		if err := b.checkVNI(*p.VNI); err != nil {
			return err
		}
	}
	if err := checkDescription(p.Description); err != nil {
		return err
	}
	return checkTags(p.Tags)
}

// checkTargetOf tells whether the session s, which need not be in b yet, can have the
// target it names, and gives s the packet length of a load balancer when length, that of
// the request, says nothing and s has none.
func (b *Book) checkTargetOf(w World, s *Session, length *int) error {
	t, others := b.anyTarget(w, s.TargetID)
	if t == nil {
		return targetNotFound(s.TargetID)
	}
	if t.Type() != TargetInterface {
		if s.PacketLength == 0 {
			s.PacketLength = MaxPacketLength
		}
		if length != nil {
			if err := b.checkPacketLength(*length, true); err != nil {
				return err
			}
		}
	}
	shared := b.targets[s.TargetID] == nil
	if !shared { // what a target of another account points to is not in sight
		if err := b.checkResource(w, t); err != nil {
			return err
		}
	}
	if t.NetworkInterfaceID == s.NetworkInterfaceID {
		return refuse(CodeInvalidValue, "%s cannot be source and target of a traffic mirror session", s.NetworkInterfaceID)
	}
	if n := b.quotas.SessionsPerTarget; n > 0 {
		used := 0
		for _, o := range b.sessions {
			if o.TargetID == s.TargetID && o.ID != s.ID {
				used++
			}
		}
		if used >= n {
			return refuse(CodeSessionsPerTarget, "Sessions per target limit reached (%d)", n)
		}
	}
	if t.Type() != TargetInterface {
		return nil
	}
	limit := b.quotas.SourcesPerTarget
	if i, ok := w.Interface(t.NetworkInterfaceID); ok && LargeTarget(i.InstanceType) {
		limit = b.quotas.SourcesPerLargeTarget
	}
	if n := b.sourcesOf(t.NetworkInterfaceID, s) + others + 1; n > limit {
		return refuse(CodeSourcesPerTarget, "Sources per interface-target limit reached (%d)", n)
	}
	return nil
}

// sourcesOf counts the source interfaces, without that of s, that mirror to targets which
// are this interface.
func (b *Book) sourcesOf(target string, s *Session) int {
	seen := make(map[string]bool)
	for _, o := range b.sessions {
		t := b.targets[o.TargetID]
		same := o.TargetID == s.TargetID || t != nil && t.NetworkInterfaceID == target
		if same && o.NetworkInterfaceID != s.NetworkInterfaceID {
			seen[o.NetworkInterfaceID] = true
		}
	}
	return len(seen)
}

// checkNotTarget tells whether an interface is a target, which cannot be a source.
func (b *Book) checkNotTarget(id string) error {
	for _, t := range b.targetIDs {
		if b.targets[t].NetworkInterfaceID == id {
			return refuse(CodeInvalidValue, "%s is the traffic mirror target %s and cannot be the source of a session", id, t)
		}
	}
	return nil
}

// checkNumberFree tells whether no other session of the source of s has its number.
func (b *Book) checkNumberFree(s *Session) error {
	if b.o.Switches.DuplicateSessionNumbers {
		return nil
	}
	for _, id := range b.bySource[s.NetworkInterfaceID] {
		if id != s.ID && b.sessions[id].Number == s.Number {
			return refuse(CodeInvalidValue, "Session number %d is already in use for %s: %s", s.Number, s.NetworkInterfaceID, id)
		}
	}
	return nil
}

func sessionNotFound(id string) *Error {
	return refuse(CodeSessionNotFound, "The traffic mirror session ID '%s' does not exist", id)
}

// ModifySession changes a session; its source cannot be changed. A field that is removed
// gets its default: packet-length that of the target, virtual-network-id a new random
// one.
func (b *Book) ModifySession(w World, p ModifySessionParams) (Session, error) {
	if p.SessionID == "" {
		return Session{}, missing("TrafficMirrorSessionId")
	}
	err := removals(p.RemoveFields, []string{FieldPacketLength, FieldDescription, FieldVNI}, map[string]bool{
		FieldPacketLength: p.PacketLength != nil, FieldVNI: p.VNI != nil,
		FieldDescription: p.Description != nil && *p.Description != "",
	})
	if err != nil {
		return Session{}, err
	}
	old := b.sessions[p.SessionID]
	if old == nil {
		return Session{}, sessionNotFound(p.SessionID)
	}
	s := copySession(old)
	if err := b.changeSession(s, &p); err != nil {
		return Session{}, err
	}
	if p.FilterID != nil && b.filters[s.FilterID] == nil {
		return Session{}, filterNotFound(s.FilterID)
	}
	switch {
	case p.TargetID != nil:
		if err := b.checkTargetOf(w, s, p.PacketLength); err != nil {
			return Session{}, err
		}
	case s.PacketLength == 0:
		if t, _ := b.anyTarget(w, s.TargetID); t != nil && t.Type() != TargetInterface {
			s.PacketLength = MaxPacketLength
		}
	}
	if err := b.checkNumberFree(s); err != nil {
		return Session{}, err
	}
	*old = *s
	b.touch(s.ID)
	b.sortSource(s.NetworkInterfaceID)
	return *copySession(s), nil
}

// changeSession applies p to s.
func (b *Book) changeSession(s *Session, p *ModifySessionParams) error {
	for _, f := range p.RemoveFields {
		switch f {
		case FieldPacketLength:
			s.PacketLength = 0
		case FieldDescription:
			s.Description = ""
		case FieldVNI:
			s.VNI = b.newVNI()
		}
	}
	if p.TargetID != nil {
		s.TargetID = *p.TargetID
	}
	if p.FilterID != nil {
		s.FilterID = *p.FilterID
	}
	if p.Number != nil {
		if err := checkSessionNumber(*p.Number); err != nil {
			return err
		}
		s.Number = *p.Number
	}
	if p.PacketLength != nil {
		if err := b.checkPacketLength(*p.PacketLength, false); err != nil {
			return err
		}
		s.PacketLength = *p.PacketLength
	}
	if p.VNI != nil {
		if err := b.checkVNI(*p.VNI); err != nil {
			return err
		}
		s.VNI = uint32(*p.VNI)
	}
	if p.Description != nil && *p.Description != "" {
		s.Description = *p.Description
	}
	return checkDescription(s.Description)
}

// DeleteSession removes a session.
func (b *Book) DeleteSession(id string) error {
	if id == "" {
		return missing("TrafficMirrorSessionId")
	}
	if b.sessions[id] == nil {
		return sessionNotFound(id)
	}
	b.removeSession(id)
	return nil
}

// Why a session does not mirror.
const (
	WhyNoSession       = "no-session"
	WhySourceDeleted   = "source-deleted"
	WhySourceNotMirror = "source-unsupported"      // detached, or the instance is of another type now
	WhyTargetDeleted   = "target-deleted"          // a shared target, by its owner
	WhyResourceDeleted = "target-resource-deleted" // what the target points to
)

// Status tells whether the session with this id mirrors. Existing sessions stay when
// their source or target goes; AWS charges them all the same.
func (b *Book) Status(w World, sessionID string) SessionStatus {
	s := b.sessions[sessionID]
	if s == nil {
		return SessionStatus{Why: WhyNoSession}
	}
	i, ok := w.Interface(s.NetworkInterfaceID)
	if !ok {
		return SessionStatus{Why: WhySourceDeleted}
	}
	if b.unsupported(&i) != "" {
		return SessionStatus{Why: WhySourceNotMirror}
	}
	t, _ := b.anyTarget(w, s.TargetID)
	if t == nil {
		return SessionStatus{Why: WhyTargetDeleted}
	}
	if b.targets[s.TargetID] != nil && b.checkResource(w, t) != nil {
		return SessionStatus{Why: WhyResourceDeleted}
	}
	return SessionStatus{Active: true}
}
