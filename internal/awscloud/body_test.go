package awscloud

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// closedTwice is a body as the SDK's: its second Close says io.EOF.
type closedTwice struct {
	io.Reader
	closed int
}

func (b *closedTwice) Close() error {
	if b.closed++; b.closed > 1 {
		return io.EOF
	}
	return nil
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// TestSecondClose: the transport may close a body that the SDK has closed.
func TestSecondClose(t *testing.T) {
	body := &closedTwice{Reader: strings.NewReader("x")}
	r, err := http.NewRequest("POST", "http://127.0.0.1/", body)
	if err != nil {
		t.Fatal(err)
	}
	calm{doer(func(r *http.Request) (*http.Response, error) {
		body.Close()
		if err := r.Body.Close(); err != nil {
			t.Errorf("the second Close: %v", err)
		}
		return nil, nil
	})}.Do(r)
	if body.closed != 2 {
		t.Errorf("closed %d times", body.closed)
	}
}
