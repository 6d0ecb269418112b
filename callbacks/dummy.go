package callbacks

import "github.com/penstock-go/penstock/codec/http1"

// CallbackHTTPDummy is a Callback for what a program does not handle itself,
// libwebsockets' lws_callback_http_dummy: it answers a request for which no
// HTTPBodyCompletion is to come with 404, and any other, when that comes, with
// 200 and no content. Unlike its model it does nothing when a response was
// started or held, so the program may answer first and then return it.
func CallbackHTTPDummy(s Session, r Reason, _ []byte) error {
	if s.Answered() {
		return nil
	}
	switch r {
	case HTTP:
		if req := s.Request(); req != nil && !completes(req) {
			return s.Respond(404, "text/plain", []byte("404 Not Found\n"))
		}
	case HTTPBodyCompletion:
		return s.Respond(200, "", nil)
	}
	return nil
}

// completes tells whether HTTPBodyCompletion follows, as that says.
func completes(req *http1.Request) bool {
	switch string(req.Method()) {
	case "POST", "PUT", "PATCH":
		return true
	}
	return !req.Framing().Empty()
}
