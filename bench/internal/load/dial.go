//go:build linux

package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long a server may take for any one answer.
const patience = 10 * time.Second

// connsPerAddress is how many connections come from one loopback address. The
// ephemeral ports of one are about 28,000, some of them in TIME_WAIT.
const connsPerAddress = 5000

// open makes connection i ready for messages. extensions is what its handshake has
// agreed upon.
func open(c *Config, i int) (fd int, w wire, extensions string, err error) {
	fd, link, err := dial(c, i)
	if err != nil {
		return -1, nil, "", err
	}
	if c.Mode.Plain() == WS {
		extensions, err = shakeHands(link, c)
	}
	if err == nil && c.Mode.Fans() {
		err = greet(link, c.Mode)
	}
	if err == nil {
		w, err = link.wire()
	}
	if err != nil {
		unix.Close(fd)
	}
	return fd, w, extensions, err
}

// dial connects connection i, with TLS where the mode has it.
func dial(c *Config, i int) (fd int, l link, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, nil, os.NewSyscallError("socket", err)
	}
	l = patient(fd)
	if err = connect(fd, c.Addr, i); err == nil && c.Mode.Secure() {
		l, err = newSecure(fd, c.TLS)
	}
	if err != nil {
		unix.Close(fd)
	}
	return fd, l, err
}

func connect(fd int, to netip.AddrPort, i int) error {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	tv := unix.NsecToTimeval(int64(patience))
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv)
	if host := i / connsPerAddress; host > 0 && to.Addr().IsLoopback() {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		from := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + host)}}
		if err := unix.Bind(fd, from); err != nil {
			return os.NewSyscallError("bind", err)
		}
	}
	return os.NewSyscallError("connect", connectAll(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}))
}

// connectAll goes on after a signal, such as the Go runtime sends its threads:
// Linux does not restart a connect(2) with a timeout, but can be asked again.
func connectAll(fd int, to unix.Sockaddr) error {
	for {
		switch err := unix.Connect(fd, to); err {
		case unix.EINTR:
		case unix.EISCONN:
			return nil
		default:
			return err
		}
	}
}

// shakeHands opens a WebSocket. The key and its answer are those of RFC 6455 1.3.
func shakeHands(l link, c *Config) (extensions string, err error) {
	request := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n", c.Path, c.Addr)
	if offer := c.offer(); offer != "" {
		request = fmt.Appendf(request, "Sec-WebSocket-Extensions: %s\r\n", offer)
	}
	if _, err := l.Write(append(request, "\r\n"...)); err != nil {
		return "", err
	}
	head, err := readHead(l)
	if err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(bytes.NewReader(head), len(head)), nil)
	switch {
	case err != nil:
		return "", err
	case resp.StatusCode != http.StatusSwitchingProtocols:
		return "", fmt.Errorf("the handshake was answered with %s", resp.Status)
	case resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=":
		return "", errors.New("the handshake was answered with another key")
	}
	return resp.Header.Get("Sec-WebSocket-Extensions"), nil
}

// greet waits until the server has this connection among those that it sends to
// all: it has if it answers something that comes behind the handshake. That is a
// ping, or without frames a byte.
func greet(l link, m Mode) error {
	if m.Plain() == Raw {
		b := []byte{0}
		if _, err := l.Write(b); err != nil {
			return err
		}
		_, err := l.Read(b)
		return err
	}
	if _, err := l.Write(appendFrame(nil, pingFrame, nil, true)); err != nil {
		return err
	}
	pong := make([]byte, 2)
	if _, err := io.ReadFull(l, pong); err != nil {
		return err
	}
	if pong[0] != pongFrame || pong[1] != 0 {
		return fmt.Errorf("a ping was answered with %x", pong)
	}
	return nil
}

// readHead reads up to an empty line; who accepts says nothing behind it unasked.
func readHead(r io.Reader) ([]byte, error) {
	var head []byte
	for b := make([]byte, 4096); !bytes.Contains(head, []byte("\r\n\r\n")); {
		n, err := r.Read(b)
		head = append(head, b[:n]...)
		if err != nil {
			return nil, fmt.Errorf("during the handshake: %w", err)
		}
	}
	return head, nil
}
