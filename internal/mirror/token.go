package mirror

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// tokens remembers what client tokens have made, the newest MaxClientTokens of them.
type tokens struct {
	byKey map[string]*ClientToken
	order []*ClientToken // oldest first
}

func tokenKey(action, token string) string { return action + " " + token }

// digest is a short form of the parameters p, without their client token.
func digest(p any) string {
	b, err := json.Marshal(p)
	if err != nil {
		panic("mirror: parameters that JSON cannot say: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// replay looks for what an earlier request with the same token has made. It returns an
// empty id when the request is new. p are the parameters with an empty client token.
func (b *Book) replay(action, token string, p any) (id string, err error) {
	if token == "" {
		return "", nil
	}
	if len(token) > MaxClientToken {
		return "", invalid("ClientToken", token, "It has more than 64 characters.")
	}
	for i := range len(token) {
		if token[i] < ' ' || token[i] > '~' {
			return "", invalid("ClientToken", token, "It has characters that are not ASCII.")
		}
	}
	t := b.tokens.byKey[tokenKey(action, token)]
	if t == nil || !b.Has(t.ID) {
		return "", nil
	}
	if t.Digest != digest(p) {
		return "", refuse(CodeIdempotentMismatch,
			"The client token %s was used before with other parameters", token)
	}
	return t.ID, nil
}

// remember keeps that the request with this token has made the object with this id.
func (b *Book) remember(action, token string, p any, id string) {
	if token != "" {
		t := ClientToken{Action: action, Token: token, Digest: digest(p), ID: id}
		b.tokens.add(t)
		b.fresh = append(b.fresh, t)
	}
}

func (t *tokens) add(c ClientToken) {
	if t.byKey == nil {
		t.byKey = make(map[string]*ClientToken)
	}
	key := tokenKey(c.Action, c.Token)
	if old := t.byKey[key]; old != nil {
		*old = c // its object is gone; the token counts as old as it is
		return
	}
	if len(t.order) >= MaxClientTokens {
		old := t.order[0]
		delete(t.byKey, tokenKey(old.Action, old.Token))
		t.order = t.order[1:]
	}
	t.byKey[key] = &c
	t.order = append(t.order, &c)
}
