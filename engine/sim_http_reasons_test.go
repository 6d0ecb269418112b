package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-go/penstock/callbacks"
	"github.com/penstock-go/penstock/codec/http1"
)

// TestReasonsOfRequests holds each reason of an HTTP server to its documentation: when it
// comes, what in is, and what does not come behind it. Pieces of a body are one reason.
func TestReasonsOfRequests(t *testing.T) {
	const post, body, chunked = "POST / HTTP/1.1\r\nHost: sim\r\nContent-Length: 4\r\n\r\n", "body", "POST / HTTP/1.1\r\nHost: sim\r\nTransfer-Encoding: chunked\r\n\r\n"
	const asked = `FilterHTTPConnection "/", HTTPBindProtocol, CheckAccessRights "/", HTTP "/"`
	refuse := func(callbacks.Session) error { return errProgram }
	respond := func(s callbacks.Session) error { return s.Respond(200, "", nil) }
	hold := func(s callbacks.Session) error { s.Hold(); return nil }
	type does map[callbacks.Reason]func(callbacks.Session) error
	overBoth(t, func(t *testing.T, over transport) {
		for name, c := range map[string]struct {
			send   string
			does   does
			want   string // up to ClosedHTTP
			status string // of the last answer, "" if there is none
		}{
			"GET":                        {getRequest, does{callbacks.HTTP: respond}, asked + ", HTTPDropProtocol", "200"},
			"GET that nobody answers":    {getRequest, nil, asked + ", HTTPDropProtocol", "404"},
			"GET with a body":            {"GET" + post[4:] + body, nil, asked + `, HTTPBody "body", HTTPBodyCompletion, HTTPDropProtocol`, "500"},
			"POST":                       {post + body, does{callbacks.HTTPBodyCompletion: respond}, asked + `, HTTPBody "body", HTTPBodyCompletion, HTTPDropProtocol`, "200"},
			"POST in chunks":             {chunked + "2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n", does{callbacks.HTTPBodyCompletion: respond}, asked + `, HTTPBody "body", HTTPBodyCompletion, HTTPDropProtocol`, "200"},
			"POST of nothing":            {"POST / HTTP/1.1\r\nHost: sim\r\nContent-Length: 0\r\n\r\n", does{callbacks.HTTPBodyCompletion: respond}, asked + `, HTTPBodyCompletion, HTTPDropProtocol`, "200"},
			"POST without a body":        {"POST / HTTP/1.1\r\nHost: sim\r\n\r\n", does{callbacks.HTTPBodyCompletion: respond}, asked + `, HTTPBodyCompletion, HTTPDropProtocol`, "200"},
			"POST in no chunks":          {chunked + "0\r\n\r\n", does{callbacks.HTTPBodyCompletion: respond}, asked + `, HTTPBodyCompletion, HTTPDropProtocol`, "200"},
			"DELETE of nothing":          {"DELETE / HTTP/1.1\r\nHost: sim\r\nContent-Length: 0\r\n\r\n", does{callbacks.HTTPBodyCompletion: respond}, asked + `, HTTPBodyCompletion, HTTPDropProtocol`, "200"},
			"answered before the body":   {post + body, does{callbacks.HTTP: respond}, asked + ", HTTPDropProtocol", "200"},
			"answered in the body":       {chunked + "2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n", does{callbacks.HTTPBody: respond}, asked + `, HTTPBody "bo", HTTPDropProtocol`, "200"},
			"streamed before the body":   {post + body, does{callbacks.HTTP: func(s callbacks.Session) error { return s.StartResponse(200, "", -1) }, callbacks.HTTPBodyCompletion: func(s callbacks.Session) error { return s.Write(nil, callbacks.WriteHTTPFinal) }}, asked + `, HTTPBody "body", HTTPBodyCompletion, HTTPDropProtocol`, "200"},
			"filtered":                   {getRequest, does{callbacks.FilterHTTPConnection: refuse}, `FilterHTTPConnection "/"`, "403"},
			"filtered with a status":     {getRequest, does{callbacks.FilterHTTPConnection: func(callbacks.Session) error { return http1.NewError(410, "gone") }}, `FilterHTTPConnection "/"`, "410"},
			"answered by the filter":     {getRequest, does{callbacks.FilterHTTPConnection: respond}, `FilterHTTPConnection "/"`, "200"},
			"not bound":                  {getRequest, does{callbacks.HTTPBindProtocol: refuse}, `FilterHTTPConnection "/", HTTPBindProtocol, HTTPDropProtocol`, "500"},
			"without access":             {getRequest, does{callbacks.CheckAccessRights: refuse}, `FilterHTTPConnection "/", HTTPBindProtocol, CheckAccessRights "/", HTTPDropProtocol`, "401"},
			"answered instead of access": {getRequest, does{callbacks.CheckAccessRights: respond}, `FilterHTTPConnection "/", HTTPBindProtocol, CheckAccessRights "/", HTTPDropProtocol`, "200"},
			"filtered with a body":       {post + body, does{callbacks.FilterHTTPConnection: refuse}, `FilterHTTPConnection "/"`, "403"},
			"error in HTTP":              {post + body, does{callbacks.HTTP: refuse}, asked + ", HTTPDropProtocol", "500"},
			"error in the body":          {post + body, does{callbacks.HTTPBody: refuse}, asked + `, HTTPBody "body", HTTPDropProtocol`, "500"},
			"error in the completion":    {post + body, does{callbacks.HTTPBodyCompletion: refuse}, asked + `, HTTPBody "body", HTTPBodyCompletion, HTTPDropProtocol`, "500"},
			"error in the drop":          {getRequest, does{callbacks.HTTP: respond, callbacks.HTTPDropProtocol: refuse}, asked + ", HTTPDropProtocol", "200"},
			"closed in HTTP":             {post + body, does{callbacks.HTTP: func(callbacks.Session) error { return callbacks.ErrClose }}, asked + ", HTTPDropProtocol", ""},
			"writeable, asked for twice": {getRequest, does{callbacks.HTTP: func(s callbacks.Session) error { s.RequestWriteable(); s.RequestWriteable(); return hold(s) }, callbacks.HTTPWriteable: respond},
				asked + ", HTTPWriteable, HTTPDropProtocol", "200"},
			"writeable that fails": {getRequest, does{callbacks.HTTP: func(s callbacks.Session) error { s.RequestWriteable(); return hold(s) }, callbacks.HTTPWriteable: refuse},
				asked + ", HTTPWriteable, HTTPDropProtocol", "500"},
			"writeable that is not needed any more": {getRequest + getRequest, does{callbacks.HTTP: func(s callbacks.Session) error {
				if s.UserData() != nil {
					return errors.Join(hold(s), s.Handle().Post(respond))
				}
				s.SetUserData(1)
				s.RequestWriteable()
				return respond(s)
			}}, asked + ", HTTPDropProtocol, " + asked + ", HTTPDropProtocol", "200"},
			"one behind the other": {post + body + getRequest, does{callbacks.HTTP: func(s callbacks.Session) error {
				if s.Request().Framing().Empty() {
					return respond(s)
				}
				return nil
			}, callbacks.HTTPBodyCompletion: respond}, asked + `, HTTPBody "body", HTTPBodyCompletion, HTTPDropProtocol, ` + asked + ", HTTPDropProtocol", "200"},
			"redirected":              {strings.Replace(getRequest, "/", "/moved", 1), nil, `FilterHTTPConnection "/moved", HTTPBindProtocol, CheckAccessRights "/moved", HTTPDropProtocol`, "302"},
			"half a body":             {post + "bo", nil, asked + `, HTTPBody "bo", HTTPDropProtocol`, "400"},
			"a body that breaks":      {chunked + "2\r\nbo\r\nx", nil, asked + `, HTTPBody "bo", HTTPDropProtocol`, "400"},
			"a body too long":         {"POST / HTTP/1.1\r\nHost: sim\r\nContent-Length: 1001\r\n\r\n", nil, "", "413"},
			"a second that is broken": {getRequest + "GET / HTTP/1.1\r\n\r\n", does{callbacks.HTTP: respond}, asked + ", HTTPDropProtocol", "400"},
		} {
			t.Run(name, func(t *testing.T) {
				n := &notes{}
				program := n.wrap(func(s callbacks.Session, why callbacks.Reason, _ []byte) error {
					if f := c.does[why]; f != nil {
						return f(s)
					}
					return nil
				})
				p := script{limits: Limits{Body: 1000}, program: program, ops: []op{sendNow(c.send), closeWrite(), ended()}}.play(t, over)
				lines := slices.DeleteFunc(n.lines(), func(line string) bool { return line == "ProtocolInit" || line == "ProtocolDestroy" })
				got := strings.Join(lines, ", ")
				if c.want != "" {
					c.want += ", "
				}
				if want := "FilterNetworkConnection, WSICreate, ServerNewClientInstantiated, " + c.want + "ClosedHTTP, WSIDestroy"; got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
				answers := strings.Split(string(p.got), "HTTP/1.1 ")
				if last := answers[len(answers)-1]; !strings.HasPrefix(last, c.status) || c.status == "" && last != "" {
					t.Errorf("answered with %q", p.got)
				}
			})
		}
	})
}

// TestConnectionsWithoutARequest are no HTTP sessions that could be closed.
func TestConnectionsWithoutARequest(t *testing.T) {
	overBoth(t, func(t *testing.T, over transport) {
		for _, sent := range []string{"", "GET / HT", "nonsense\r\n\r\n"} {
			n := &notes{}
			script{program: n.wrap(nothingMore), ops: []op{sendNow(sent), closeWrite(), ended()}}.play(t, over)
			if slices.Contains(n.why, callbacks.ClosedHTTP) || !slices.Contains(n.why, callbacks.WSIDestroy) {
				t.Errorf("%q: %v", sent, n.why)
			}
		}
	})
}
