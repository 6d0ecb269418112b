package engine

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/penstock-go/penstock/codec/http1"
)

// What is wrong with a request before anything is sent.
var (
	errNoURL  = errors.New("engine: the request has no URL or Header")
	errScheme = errors.New("engine: the request's scheme is neither http nor https")
	errHost   = errors.New("engine: the request's URL has no host, or none in ASCII")
)

// agent is the User-Agent of requests that have none.
const agent = "penstock"

// prepare makes the session.
func (t *trip) prepare(req *http.Request) (*session, error) {
	if t.rt.err != nil {
		return nil, t.rt.err
	}
	info, err := t.info(req)
	if err != nil {
		return nil, err
	}
	if t.trace != nil && t.trace.GetConn != nil {
		t.trace.GetConn(info.host())
	}
	return t.rt.e.client(t.rt.v, *info)
}

// info is the request as Connect knows it.
func (t *trip) info(req *http.Request) (*ClientConnectInfo, error) {
	if req.URL == nil || req.Header == nil {
		return nil, errNoURL
	}
	cfg := &t.rt.cfg
	i := &ClientConnectInfo{Method: methodOf(req), Flags: cfg.Flags&relaxing | HTTPNoFollowRedirect, TLS: cfg.TLS, Iface: cfg.Iface,
		ConnectTimeout: cfg.ConnectTimeout, UserData: t, plainly: true}
	switch req.URL.Scheme {
	case "https":
		i.Flags |= UseSSL
	case "http":
		i.Flags = HTTPNoFollowRedirect
	default:
		return nil, errScheme
	}
	if err := i.address(req); err != nil {
		return nil, err
	}
	if !cfg.DisableKeepAlives && !req.Close && !listed(req.Header["Connection"], "close") {
		i.Flags |= Pipeline
	}
	if cfg.Proxy != nil {
		via, err := cfg.Proxy(req)
		if err != nil {
			return nil, err
		}
		if via != nil {
			i.Proxy = via.String()
		}
	}
	t.length = t.measure(req)
	i.BodyLength = t.length
	t.fields(i, req)
	return i, nil
}

// address says where to connect, and what to ask there.
func (i *ClientConnectInfo) address(req *http.Request) error {
	i.Address = req.URL.Hostname()
	if p := req.URL.Port(); p != "" {
		n, err := strconv.Atoi(p)
		if err != nil || n == 0 {
			return errHost
		}
		i.Port = n
	}
	if i.Address == "" || i.unix() || ascii(i.Address) != i.Address {
		return errHost
	}
	if req.Host != "" && !strings.EqualFold(req.Host, req.URL.Host) {
		i.Host, i.named = req.Host, i.Address
	}
	i.Path = req.URL.RequestURI()
	if i.Path == "*" && i.Method != "OPTIONS" {
		return errNoURL
	}
	return nil
}

// fields are the request's, without those that the engine writes.
func (t *trip) fields(i *ClientConnectInfo, req *http.Request) {
	if upgrade := req.Header.Get("Upgrade"); upgrade != "" && listed(req.Header["Connection"], "upgrade") {
		i.upgrade = upgrade
	}
	i.options = options(req.Header["Connection"])
	i.ExpectContinue = i.BodyLength != 0 && strings.EqualFold(req.Header.Get("Expect"), "100-continue")
	for name, values := range req.Header {
		if engines(name) {
			continue
		}
		if name == "User-Agent" && len(values) > 0 && values[0] == "" { // none is wanted
			continue
		}
		for _, v := range values {
			i.Header = append(i.Header, http1.Field{Name: name, Value: strings.Trim(v, " \t")})
		}
	}
	if _, ok := req.Header["User-Agent"]; !ok {
		i.Header = append(i.Header, http1.Field{Name: "User-Agent", Value: agent})
	}
	if len(req.Trailer) > 0 && i.BodyLength < 0 {
		var names []string
		for name := range req.Trailer {
			names = append(names, name)
		}
		i.Header = append(i.Header, http1.Field{Name: "Trailer", Value: strings.Join(names, ", ")})
	}
	if !t.rt.cfg.DisableCompression && req.Header.Get("Accept-Encoding") == "" && req.Header.Get("Range") == "" && i.Method != "HEAD" {
		t.gzip = true
		i.Header = append(i.Header, http1.Field{Name: "Accept-Encoding", Value: "gzip"})
	}
}

// engines tells the fields that the engine writes. Those that are malformed are left
// for it to refuse.
func engines(name string) bool {
	return http1.ValidName(name) && checkRequestField(name, "") != nil || strings.EqualFold(name, "Trailer")
}

// options are what a request's Connection lists beside what the engine says: the names
// of fields that are for the next recipient only (RFC 9110 7.6.1).
func options(lists []string) string {
	var b strings.Builder
	for _, l := range lists {
		for _, x := range list(l) {
			switch strings.ToLower(x) {
			case "close", "keep-alive", "upgrade":
				continue
			}
			if http1.ValidName(x) {
				b.WriteString(x + ", ")
			}
		}
	}
	return b.String()
}

// listed tells whether token is in lists that are separated by commas.
func listed(lists []string, token string) bool {
	for _, l := range lists {
		for _, x := range list(l) {
			if strings.EqualFold(x, token) {
				return true
			}
		}
	}
	return false
}

// measure is how long the body is, negative if that is not known.
func (t *trip) measure(req *http.Request) int64 {
	switch {
	case noBody(req):
		return 0
	case req.ContentLength > 0:
		return req.ContentLength
	}
	switch methodOf(req) {
	case "POST", "PUT", "PATCH":
		return -1
	}
	return t.body.probe()
}

// outgoing is a request's body.
type outgoing struct {
	r      io.ReadCloser // nil is none
	once   sync.Once
	begun  io.Reader // what probe has read, and the rest
	probed chan struct{}
}

// probeWait is how long a body is waited for that may turn out to be none, for a method
// that usually has none; net/http's is the same.
const probeWait = 200 * time.Millisecond

// probe looks whether there is a body at all: 0 if not, else -1.
func (b *outgoing) probe() int64 {
	b.probed = make(chan struct{})
	var n int
	go func() {
		defer close(b.probed)
		var one [1]byte
		var err error
		n, err = io.ReadFull(b.r, one[:])
		switch {
		case n == 1:
			b.begun = io.MultiReader(bytes.NewReader(one[:]), b.r)
		case err == io.EOF:
			b.begun = eofReader{}
		default:
			b.begun = failing{err}
		}
	}()
	timer := time.NewTimer(probeWait)
	defer timer.Stop()
	select {
	case <-b.probed:
		if _, none := b.begun.(eofReader); none {
			b.close()
			return 0
		}
	case <-timer.C:
	}
	return -1
}

// Read reads on, behind what probe has read.
func (b *outgoing) Read(p []byte) (int, error) {
	if b.probed == nil {
		return b.r.Read(p)
	}
	<-b.probed
	return b.begun.Read(p)
}

// close closes the body, once.
func (b *outgoing) close() {
	b.once.Do(func() {
		if b.r != nil {
			_ = b.r.Close()
		}
	})
}

// eofReader has nothing to read.
type eofReader struct{}

func (eofReader) Read([]byte) (int, error) { return 0, io.EOF }

// failing is a reader whose first Read has failed.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
