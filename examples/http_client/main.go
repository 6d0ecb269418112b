// Command http_client makes one HTTP request and prints the response's body, as curl
// does. It ends with 0 if the response is complete, 22 with -fail if its status is 400
// or more, 2 if it was called wrongly, and 1 if there is no whole response.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/engine"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		log.Print("http_client: ", err)
	}
	os.Exit(exitCode(err))
}

// errStatus is a response that -fail takes for a failure.
var errStatus = errors.New("the server refused")

func exitCode(err error) int {
	var usage *usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		return 2
	case errors.Is(err, errStatus):
		return 22
	}
	return 1
}

type usageError struct{ error }

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	c := &client{in: in, out: out}
	info, ca, err := c.parse(args)
	if err != nil {
		return &usageError{err}
	}
	e, err := engine.New(engine.Config{Loops: 1, Vhosts: []engine.Vhost{{
		Protocols: []callbacks.Protocol{{Callback: c.callback}}, ClientTLS: &engine.ClientTLS{CAFile: ca}}}})
	if err != nil {
		return &usageError{err}
	}
	ctx, c.done = context.WithCancel(ctx)
	defer c.done()
	h, err := e.Connect(info)
	if err != nil {
		return &usageError{err}
	}
	context.AfterFunc(ctx, func() { _ = h.Close(0, "") }) // Run would wait for the response
	if err := e.Run(ctx); c.err == nil && !c.complete {
		return errors.Join(errors.New("interrupted"), err)
	}
	return c.err
}

// client is the program of the one session.
type client struct {
	in       io.Reader
	out      io.Writer
	body     io.Reader // of the request; nil is none
	include  bool
	fail     bool
	done     func()
	complete bool
	err      error
}

// parse makes of the arguments what is to be connected to.
func (c *client) parse(args []string) (info engine.ClientConnectInfo, ca string, err error) {
	f := flag.NewFlagSet("http_client", flag.ContinueOnError)
	f.SetOutput(c.out)
	method := f.String("X", "", "`method`; GET, or POST with -d")
	data := f.String("d", "", "the request's body; @file is a file's content, and - what comes on the standard input")
	length := f.Int64("length", -1, "how long the body on the standard input is; negative if it is not known")
	f.BoolVar(&c.include, "i", false, "print the response's head, too")
	f.BoolVar(&c.fail, "fail", false, "take a status of 400 or more for a failure")
	stay := f.Bool("stay", false, "do not follow redirects")
	insecure := f.Bool("insecure", false, "accept any certificate of an https server")
	f.StringVar(&ca, "ca", "", "`file` of the authorities to trust, instead of the system's")
	proxy := f.String("proxy", "", "`url` of a proxy, http://user:password@host:port or socks5://...")
	timeout := f.Duration("timeout", 0, "how long all of it may take")
	var header []http1.Field
	f.Func("H", "`field` to send, \"name: value\"; may be given several times", func(line string) error {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return errors.New("no colon")
		}
		header = append(header, http1.Field{Name: name, Value: strings.TrimSpace(value)})
		return nil
	})
	if err = f.Parse(args); err != nil {
		return info, "", err
	}
	if f.NArg() != 1 {
		return info, "", errors.New("one URL is wanted")
	}
	if info, err = engine.ParseClientURL(f.Arg(0)); err != nil {
		return info, "", err
	}
	if info.Method == "" {
		return info, "", fmt.Errorf("%q is no http or https URL", f.Arg(0))
	}
	info.Header, info.Proxy, info.Timeout = header, *proxy, *timeout
	given := false
	f.Visit(func(f *flag.Flag) { given = given || f.Name == "d" })
	if given {
		info.Method = "POST"
		info.BodyLength, err = c.open(*data, *length)
		if !named(header, "Content-Type") {
			info.Flags |= engine.HTTPXWWWFormURLEncoded
		}
	}
	if *method != "" {
		info.Method = *method
	}
	if *stay {
		info.Flags |= engine.HTTPNoFollowRedirect
	}
	if *insecure && info.Flags&engine.UseSSL != 0 {
		info.Flags |= engine.AllowInsecure
	}
	return info, ca, err
}

func named(header []http1.Field, name string) bool {
	for _, f := range header {
		if strings.EqualFold(f.Name, name) {
			return true
		}
	}
	return false
}

// open finds the request's body and its length.
func (c *client) open(data string, length int64) (int64, error) {
	path, isFile := strings.CutPrefix(data, "@")
	switch {
	case data == "-":
		c.body = c.in
		return length, nil
	case !isFile:
		c.body = strings.NewReader(data)
		return int64(len(data)), nil
	}
	f, err := os.Open(path) // for as long as the program runs
	if err != nil {
		return 0, err
	}
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	c.body = f
	return st.Size(), nil
}

func (c *client) callback(s callbacks.Session, reason callbacks.Reason, in []byte) error {
	switch reason {
	case callbacks.ClientAppendHandshakeHeader:
		return s.AddHeader("User-Agent", "penstock-http_client")

	case callbacks.ClientHTTPWriteable:
		return c.send(s)

	case callbacks.EstablishedClientHTTP:
		if r := s.Response(); c.fail && r.Status() >= 400 {
			c.err = fmt.Errorf("%w: %d %s", errStatus, r.Status(), r.Phrase())
			return callbacks.ErrClose
		}
		if c.include {
			return c.print(s.Response().Raw())
		}

	case callbacks.ReceiveClientHTTPRead:
		return c.print(in) // who reads slowly holds up the one loop there is, and so the server

	case callbacks.CompletedClientHTTP:
		c.complete = true

	case callbacks.ClientConnectionError, callbacks.ClosedClientHTTP:
		if !c.complete && c.err == nil {
			c.err = s.Err()
		}
		c.done()
	}
	return nil
}

func (c *client) print(b []byte) error {
	_, err := c.out.Write(b)
	if err != nil {
		c.err = err
		return callbacks.ErrClose
	}
	return nil
}

// readMost bounds what is read of the body at once.
const readMost = 64 << 10

// send reads some of the body, where that may block, and sends it.
func (c *client) send(s callbacks.Session) error {
	if c.body == nil {
		return nil
	}
	buf := make([]byte, readMost)
	var n int
	var err error
	return s.Go(func() { n, err = io.ReadFull(c.body, buf) }, func(s callbacks.Session) error {
		kind := callbacks.WriteHTTP
		switch {
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			kind = callbacks.WriteHTTPFinal
			c.body = nil
		case err != nil:
			c.err = err
			return callbacks.ErrClose
		default:
			s.RequestWriteable()
		}
		if werr := s.Write(buf[:n], kind); werr != nil && !errors.Is(werr, callbacks.ErrAnswered) {
			c.err = werr
			return callbacks.ErrClose
		}
		return nil
	})
}
