// Package form reads what browsers send for a form: bodies of the types
// application/x-www-form-urlencoded (the URL Standard) and multipart/form-data (RFC
// 7578), in pieces of any size and in bounded memory.
//
//	HTTP                 New      is it a form, and of which type?
//	HTTPBody             Write    fields are kept, files go to their writers
//	HTTPBodyCompletion   Close    was it whole? Value, Values, All
//	whatever else ends   Abort    a file that was cut short hears of it
//
// Every byte is looked at once, wherever the pieces end. Of a multipart body nothing is
// kept but names, values, and the header of the part in hand; what a part's content and
// its boundary have in common, which may be cut in two, is a number. mime/multipart reads
// from an io.Reader, so here it would need a goroutine or coroutine and a buffer for each
// upload, and it allows a client 10 MB of headers; its rules for headers are used, from
// package mime, and tests hold the two together.
//
// # Strictness
//
// What servers and filters in front of them might read differently is refused: a
// boundary that is none by RFC 2046, a delimiter with something behind it, bare line
// feeds, parts without a name or with two, folded header lines, contents in a transfer
// encoding, a broken percent escape, a missing end, and anything but empty lines in front of
// the first delimiter. What comes behind the last is ignored, as RFC 2046 5.1.1 wants.
//
// Errors are *http1.Errors: 415 for what is no form, 413 for a breach of Limits, 400 for
// what is malformed. A callback returns them as they are.
package form
