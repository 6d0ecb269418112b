//go:build linux

package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
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

// dial connects connection i and leaves its descriptor non-blocking.
func dial(c *Config, i int) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := connect(fd, c.Addr, i); err != nil {
		unix.Close(fd)
		return -1, err
	}
	if c.Mode == WS {
		err = shakeHands(fd, c)
	}
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("load: connection %d: %w", i, err)
	}
	return fd, nil
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
func shakeHands(fd int, c *Config) error {
	request := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", c.Path, c.Addr)
	if _, err := unix.Write(fd, request); err != nil {
		return os.NewSyscallError("write", err)
	}
	head, err := readHead(fd)
	if err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReaderSize(bytes.NewReader(head), len(head)), nil)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusSwitchingProtocols:
		return fmt.Errorf("the handshake was answered with %s", resp.Status)
	case resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=":
		return errors.New("the handshake was answered with another key")
	}
	return nil
}

// readHead reads up to an empty line; who accepts says nothing behind it unasked.
func readHead(fd int) ([]byte, error) {
	var head []byte
	for b := make([]byte, 4096); !bytes.Contains(head, []byte("\r\n\r\n")); {
		n, err := unix.Read(fd, b)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, os.NewSyscallError("read", err)
		case n == 0:
			return nil, errors.New("the server closed during the handshake")
		default:
			head = append(head, b[:n]...)
		}
	}
	return head, nil
}
