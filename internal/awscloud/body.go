package awscloud

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// calm sends requests of the SDK. The SDK closes the body of a request when the answer
// begins, and that body answers a second Close, of the transport, with io.EOF: the
// transport takes it for a failed write and closes the connection under the answer.
// What is read late, a long answer, is then lost, and each call needs a connection of
// its own (smithy-go 1.28).
type calm struct{ aws.HTTPClient }

func (c calm) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = calmBody{r.Body}
	}
	return c.HTTPClient.Do(r)
}

type calmBody struct{ io.ReadCloser }

func (b calmBody) Close() error {
	b.ReadCloser.Close() // closed already
	return nil
}
