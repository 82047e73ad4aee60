package awscloud_test

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"mirador/internal/awscloud"
	"mirador/internal/setup"
)

// fakeQueue speaks as much of SQS's JSON protocol as a reader of a queue needs.
type fakeQueue struct {
	bodies  []string
	waits   []int
	deleted []string
	refuse  string // code of an error that every call is answered with
	failed  bool   // deleting is answered with an entry that failed
}

func (q *fakeQueue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	var in struct {
		QueueURL string `json:"QueueUrl"`
		Wait     int    `json:"WaitTimeSeconds"`
		Max      int    `json:"MaxNumberOfMessages"`
		Entries  []struct{ Id, ReceiptHandle string }
	}
	if err == nil {
		err = json.Unmarshal(b, &in)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if err != nil || q.refuse != "" {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":"com.amazonaws.sqs#%s","message":"no"}`, q.refuse)
		return
	}
	out := map[string]any{}
	switch r.Header.Get("X-Amz-Target") {
	case "AmazonSQS.ReceiveMessage":
		q.waits = append(q.waits, in.Wait)
		var list []map[string]string
		for i := range min(in.Max, len(q.bodies)) {
			sum := md5.Sum([]byte(q.bodies[i]))
			list = append(list, map[string]string{"MessageId": fmt.Sprint(i), "ReceiptHandle": "handle-" + q.bodies[i], "Body": q.bodies[i], "MD5OfBody": hex.EncodeToString(sum[:])})
		}
		q.bodies = q.bodies[len(list):]
		out["Messages"] = list
	case "AmazonSQS.DeleteMessageBatch":
		var done []map[string]string
		for _, e := range in.Entries {
			q.deleted = append(q.deleted, e.ReceiptHandle)
			done = append(done, map[string]string{"Id": e.Id})
		}
		out["Successful"], out["Failed"] = done, []any{}
		if q.failed {
			out["Failed"] = []map[string]any{{"Id": "0", "Code": "ReceiptHandleIsInvalid", "Message": "old", "SenderFault": true}}
		}
	}
	json.NewEncoder(w).Encode(out)
}

// Messages come out of a queue in pages, are deleted, and errors have their meaning.
func TestQueue(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_SESSION_TOKEN", "")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	fake := &fakeQueue{}
	for i := range 12 {
		fake.bodies = append(fake.bodies, fmt.Sprint("body", i))
	}
	srv := httptest.NewServer(fake)
	defer srv.Close()
	c, err := awscloud.New(t.Context(), awscloud.Options{Region: "us-east-1", Attempts: 2, Backoff: func(int, error) (time.Duration, error) { return 0, nil }})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "mirador", "arn:aws:sqs:us-east-1:123456789012:mirador", "https://sqs.us-east-1.amazonaws.com", "ftp://x/y"} {
		if _, err := c.Queue(bad); err == nil {
			t.Errorf("queue %q was taken", bad)
		}
	}
	q, err := c.Queue(srv.URL + "/123456789012/mirador")
	if err != nil {
		t.Fatal(err)
	}
	var handles []string
	for range 3 {
		list, err := q.Receive(t.Context(), 1500*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			handles = append(handles, m.Handle)
			if m.Handle != "handle-"+m.Body {
				t.Errorf("message %+v", m)
			}
		}
	}
	if len(handles) != 12 || !slices.Equal(fake.waits, []int{2, 2, 2}) {
		t.Errorf("%d messages, waits %v", len(handles), fake.waits)
	}
	if err := q.Delete(t.Context(), handles); err != nil || !slices.Equal(fake.deleted, handles) {
		t.Errorf("deleted %v: %v", fake.deleted, err)
	}
	fake.failed = true
	if err := q.Delete(t.Context(), handles[:1]); err == nil {
		t.Error("a message that could not be deleted is no error")
	}
	fake.refuse = "AccessDeniedException"
	if _, err := q.Receive(t.Context(), 0); setup.KindOf(err) != setup.KindDenied {
		t.Errorf("error %v", err)
	}
}
