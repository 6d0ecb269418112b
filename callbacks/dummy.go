package callbacks

// CallbackHTTPDummy is a Callback for what a program does not handle itself,
// libwebsockets' lws_callback_http_dummy: it answers a request without a body
// with 404, and one with a body, when that is complete, with 200 and no
// content. Unlike its model it does nothing when a response was started or
// held, so the program may answer first and then return it.
func CallbackHTTPDummy(s Session, r Reason, _ []byte) error {
	if s.Answered() {
		return nil
	}
	switch r {
	case HTTP:
		if req := s.Request(); req != nil && req.Framing().Empty() {
			return s.Respond(404, "text/plain", []byte("404 Not Found\n"))
		}
	case HTTPBodyCompletion:
		return s.Respond(200, "", nil)
	}
	return nil
}
