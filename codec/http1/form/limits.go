package form

// What the zero value of each limit means.
const (
	DefaultFields = 256
	DefaultName   = 256
	DefaultValue  = 64 << 10
	DefaultMemory = 256 << 10
	DefaultHeader = 4096
)

// Limits bounds what a form may have. A zero (or negative) field means its default, and a
// nil *Limits means all defaults. How long the body may be is the server's matter.
type Limits struct {
	// Fields is how many fields and files there may be. 0 = 256. A breach is ErrFields.
	Fields int
	// Name is the longest name of a field or file in bytes, decoded. 0 = 256. A breach
	// is ErrName.
	Name int
	// Value is the longest value of a field in bytes, decoded. 0 = 64 KiB. A breach is
	// ErrValue.
	Value int
	// Memory is how many bytes the names and values of all fields may have together. 0 =
	// 256 KiB. A breach is ErrMemory. About twice as much may be allocated.
	Memory int
	// Header is the longest header of a part of multipart/form-data in bytes, with its
	// line ends. 0 = 4096. A breach is ErrPartHeader.
	Header int
	// File is the longest file in bytes. 0 is no limit but the body's. A breach is
	// ErrFile.
	File int64
}

// withDefaults returns l with every field settled.
func (l *Limits) withDefaults() Limits {
	var use Limits
	if l != nil {
		use = *l
	}
	for _, f := range [...]struct {
		limit *int
		def   int
	}{{&use.Fields, DefaultFields}, {&use.Name, DefaultName}, {&use.Value, DefaultValue}, {&use.Memory, DefaultMemory}, {&use.Header, DefaultHeader}} {
		if *f.limit <= 0 {
			*f.limit = f.def
		}
	}
	if use.File <= 0 {
		use.File = 1<<63 - 1
	}
	return use
}
