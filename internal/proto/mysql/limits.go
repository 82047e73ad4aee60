package mysql

import "mirador/internal/proto"

const (
	// MaxMessage is how much of one packet is looked at; the rest is skipped and
	// counted. Statements beyond it are rare, and packets may have 16 MiB.
	MaxMessage = 64 << 10
	// defaultMaxTxs bounds the requests of a flow that nobody has answered (setting
	// max-tx). A client waits for the answer before it asks again; each may hold a
	// statement of MaxMessage bytes.
	defaultMaxTxs = 64
	// MaxRows and MaxRowBytes bound the rows, and the bytes of their text, that are
	// kept of one transaction for the keyword mysql.rows; all rows are counted. The
	// engine looks at 1024 values of a buffer.
	MaxRows     = 1024
	MaxRowBytes = 64 << 10
	// MaxColumns is the most columns of a result (the server's own limit is 4096).
	// MaxTypes is of how many the types are kept to read binary rows.
	MaxColumns = 4096
	MaxTypes   = 256
	// MaxStatements bounds the prepared statements of a flow whose types of columns
	// are kept; the oldest is forgotten and its rows are counted only.
	MaxStatements = 64
	// MaxAttributes bounds the connection attributes that are kept (10 are usual).
	MaxAttributes = 32
	// maxAttrParams is the most attributes of a query (query attributes) behind which
	// its text is looked for.
	maxAttrParams = 64
	// maxGreeting is the largest greeting that is recognised; servers send about 80 to
	// 110 bytes.
	maxGreeting = 512
)

// What is counted when it meets a bound, indexes into Protocol.Limits.
const (
	limitStatements proto.LimitID = iota
	limitAttributes
)

func limitNames() []string {
	return []string{"statements", "attributes"}
}
