package reactor

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// File is a part of an open file on its way to a socket. It takes the place in the
// queue that bytes written at the time would have, and holds no memory for them.
type File struct {
	// FD is the descriptor of a regular file. It stays open until the File is sent.
	FD int
	// Offset is where the part begins.
	Offset int64
	// Length is how many bytes it has, one at least. A file that grows meanwhile is sent
	// as far as that; one that ends before it ends the connection, with ErrFileShort.
	Length int64
	// Sent is told of the end, unless SendFile has said it.
	Sent FileSent
}

// FileSent is told what became of a File.
type FileSent interface {
	// FileSent says that the kernel has taken all of f, or, by an error, that the
	// connection has ended before. The descriptor is not used any more. It comes on the
	// loop's goroutine, once, and not from inside a call to the Conn.
	FileSent(f *File, err error)
}

// ErrFileShort ends a connection on which more of a file was announced than there is
// by now. It is reset, so that nobody takes what came for the whole.
var ErrFileShort = errors.New("reactor: a file is shorter than it was")

// SendFile sends head, which may be empty, and f behind it, at once or as the socket
// takes them. done says that all of f has gone: Sent is not called then. The caller
// keeps head. While a File is in the queue High is true, and Handler.Writable comes
// when there is none left, and little else.
//
// ErrQueueFull means that there is no room for head; nothing was sent then, f is the
// caller's, and so it is after any other error, which is the end of the connection.
func (c *Conn) SendFile(head []byte, f *File) (done bool, err error) {
	if err := c.admit(len(head)); err != nil {
		return false, err
	}
	if c.out == nil {
		n, err := c.sendMore(head, f.Length)
		if err != nil {
			return false, err
		}
		if n == len(head) {
			if _, err := c.sendPart(f, flushBudget); err != nil || f.Length == 0 {
				return err == nil, err
			}
		}
		head = head[n:]
	}
	c.push(head)
	c.pushFile(f)
	return false, nil
}

// joinedMost is the longest part that leaves in one packet with what is in front of it,
// which saves a packet. With a longer one the head would shift all of its pages, so that
// they fit into the kernel's packets badly: 1 MiB by loopback costs a third more then.
const joinedMost = 64 << 10

// sendMore sends the head of a part that is n bytes long.
func (c *Conn) sendMore(head []byte, n int64) (int, error) {
	if len(head) == 0 {
		return 0, nil
	}
	if chunk := c.limits().Chunk; n > joinedMost || chunk > 0 && len(head) > chunk {
		return c.send(head, nil)
	}
	sent, e := c.loop.k.WriteMore(int(c.fd), head)
	return c.wrote("write", sent, e)
}

// sendPart sends what the socket takes of f now, budget bytes at most.
func (c *Conn) sendPart(f *File, budget int) (int, error) {
	n := int(min(f.Length, int64(budget)))
	if chunk := c.limits().Chunk; chunk > 0 {
		n = min(n, chunk)
	}
	n, e := c.loop.k.SendFile(int(c.fd), f.FD, f.Offset, n)
	if n == 0 && e == 0 {
		c.end(ErrFileShort, true)
		return 0, ErrFileShort
	}
	f.Offset += int64(n)
	f.Length -= int64(n)
	return c.wrote("sendfile", n, e)
}

// wrote counts what a call has sent, or ends the connection for its error.
func (c *Conn) wrote(call string, n int, e unix.Errno) (int, error) {
	if e != 0 && e != unix.EAGAIN {
		err := os.NewSyscallError(call, e)
		c.end(err, true)
		return 0, err
	}
	c.loop.counters.bytesOut.add(n)
	return n, nil
}

// pushFile puts f behind the queue.
func (c *Conn) pushFile(f *File) {
	q := c.queue()
	q.segs = append(q.segs, segment{file: f})
	q.files += f.Length
	c.flags |= flagHigh
}
