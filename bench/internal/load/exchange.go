//go:build linux

package load

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/sys/unix"
)

// exchange is a message and its answer. Both have a fixed length, so the streams
// are periodic and need no parsing.
type exchange struct {
	request []byte
	reply   []byte
	always  []span // of reply, compared every time
	sampled []span // of reply, compared every sampleEvery answers
}

// span is reply[from:to].
type span struct{ from, to int }

const (
	// smallReply is the longest answer that is compared whole every time.
	smallReply = 1 << 10

	// sampleEvery is how many longer answers pass for one that is compared whole:
	// comparing 64 KiB takes the generator longer than sending it.
	sampleEvery = 16
)

// matches compares b with the answer from at on.
func (x *exchange) matches(at int, b []byte, sample bool) bool {
	for _, s := range x.always {
		if !x.spanMatches(s, at, b) {
			return false
		}
	}
	if sample {
		for _, s := range x.sampled {
			if !x.spanMatches(s, at, b) {
				return false
			}
		}
	}
	return true
}

func (x *exchange) spanMatches(s span, at int, b []byte) bool {
	from, to := max(s.from, at), min(s.to, at+len(b))
	return from >= to || bytes.Equal(b[from-at:to-at], x.reply[from:to])
}

// fixed is the stream of an exchange's answers.
type fixed struct {
	*exchange
	at int // bytes of the answer in hand that have come
}

// take compares.
func (f *fixed) take(b []byte, k int) (n int, done bool, err error) {
	n = min(len(b), len(f.reply)-f.at)
	if !f.matches(f.at, b[:n], k%sampleEvery == 0) {
		return n, false, fmt.Errorf("answer %d is not as expected: %.80q at byte %d", k, b[:n], f.at)
	}
	if f.at += n; f.at < len(f.reply) {
		return n, false, nil
	}
	f.at = 0
	return n, true, nil
}

// exchangeFor makes the messages of connection i; http is what was learnt from
// the server.
func (c *Config) exchangeFor(i int, http *exchange) *exchange {
	switch c.Mode.Plain() {
	case HTTP:
		return http
	case WS:
		return echoed(appendFrame(nil, binaryFrame, payload(i, c.Size), true), appendFrame(nil, binaryFrame, payload(i, c.Size), false))
	}
	p := payload(i, c.Size)
	return echoed(p, p)
}

// echoed is an exchange whose answer is known to the last byte.
func echoed(request, reply []byte) *exchange {
	head := len(reply)
	if head > smallReply {
		head = 16 // a frame's header and who it is for
	}
	return &exchange{request, reply, []span{{0, head}}, []span{{head, len(reply)}}}
}

// payload differs from connection to connection, so that an answer to another
// one is noticed.
func payload(i, size int) []byte {
	p := make([]byte, size)
	var mark [4]byte
	binary.LittleEndian.PutUint32(mark[:], uint32(i)*2654435761)
	for k := range p {
		p[k] = mark[k&3] + byte(k>>2)
	}
	return p
}

// learn gets c.Path once, by way of net/http, and takes its answer for the model
// of all others. What may differ is the head behind the status, as it has a date.
func learn(c *Config) (*exchange, error) {
	request := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", c.Path, c.Addr)
	fd, link, err := dial(c, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if _, err := link.Write(request); err != nil {
		return nil, err
	}
	var reply bytes.Buffer
	resp, err := http.ReadResponse(bufio.NewReader(io.TeeReader(link, &reply)), nil)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode != 200 || resp.ContentLength < 0 || resp.Close:
		return nil, fmt.Errorf("load: GET %s: status %d, length %d, close %v", c.Path, resp.StatusCode, resp.ContentLength, resp.Close)
	}
	all := reply.Bytes()
	tail := len(all) - len(body) - len("\r\n\r\n")
	if c.Mode == File {
		return &exchange{request, all, []span{{0, len("HTTP/1.1 200")}}, []span{{tail, len(all)}}}, nil
	}
	return &exchange{request, all, []span{{0, len("HTTP/1.1 200")}, {tail, len(all)}}, nil}, nil
}
