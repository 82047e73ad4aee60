package proto

// FileState is the life of a File.
type FileState uint8

// The states, named as EVE fileinfo.state names them.
const (
	FileOpen FileState = iota
	FileClosed
	FileTruncated
	FileError
)

// File is a file seen in a transaction. Its bytes pass through Append in order;
// what detection and the file store still need is kept in Data.
type File struct {
	Name  []byte
	Dir   Dir
	TxID  uint64
	State FileState
	Size  uint64 // bytes seen, gaps included
	Gaps  bool
	// Cut is set when the stream ended within the file. No hashes are told of it then.
	Cut     bool
	Data    []byte // window: bytes [DataOff, DataOff+len(Data))
	DataOff uint64
	// RangeStart, RangeEnd and RangeSize are set for HTTP ranges (HasRange).
	HasRange                        bool
	RangeStart, RangeEnd, RangeSize uint64

	// MD5, SHA1 and SHA256 are set by the sensor when the file has ended without
	// gaps and somebody asked for them; Magic is libmagic's description of the
	// bytes so far.
	MD5, SHA1, SHA256 []byte
	Magic             string
	// Tracker belongs to the sensor: hashing, magic and storing.
	Tracker any
	Logged  bool
	// Store is set by the filestore keyword, StoreSIDs by the rules that had it.
	Store     bool
	StoreSIDs []uint32
	// MinInspect and Window, when not 0, say when file.data of this file is looked at,
	// in place of the engine's options: at MinInspect bytes, and again every Window
	// bytes with as many in front.
	MinInspect, Window uint32
	// Inspected is how far detection has looked (absolute offset).
	Inspected uint64

	seq uint32
}

// Append adds file bytes. It keeps a copy.
func (f *File) Append(b []byte) {
	if f.State != FileOpen {
		return
	}
	f.Size += uint64(len(b))
	f.Data = append(f.Data, b...)
}

// Gap notes that n bytes of the file were lost.
func (f *File) Gap(n uint64) { f.Size += n; f.Gaps = true }

// Close ends the file in state s. A second Close is ignored.
func (f *File) Close(s FileState) {
	if f.State == FileOpen {
		f.State = s
	}
}

// ID returns the number of the file in its flow, from 1.
func (f *File) ID() uint32 { return f.seq }
