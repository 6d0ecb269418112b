package form

import (
	"io"
	"mime"
	"strings"

	"github.com/penstock-go/penstock/codec/http1"
)

// choose finds the parser for a Content-Type.
func (f *Form) choose(contentType string) error {
	if contentType == "" {
		return ErrType
	}
	t, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ErrContentType
	}
	switch t {
	case "application/x-www-form-urlencoded":
		f.parser = &urlencoded{f: f}
	case "multipart/form-data":
		if !validBoundary(params["boundary"]) {
			return ErrContentType
		}
		f.parser = newMultipart(f, params["boundary"])
	default:
		return ErrType
	}
	return nil
}

// validBoundary is RFC 2046 5.1.1: up to 70 of these, and no space in the end.
func validBoundary(b string) bool {
	for i := range len(b) {
		switch c := b[i]; {
		case '0' <= c && c <= '9', 'a' <= c|0x20 && c|0x20 <= 'z', strings.IndexByte("'()+_,-./:=? ", c) >= 0:
		default:
			return false
		}
	}
	return 0 < len(b) && len(b) <= 70 && b[len(b)-1] != ' '
}

// startPart reads a part's header, of whole lines.
func (f *Form) startPart(header []byte) (part, error) {
	if err := f.begin(); err != nil {
		return partNone, err
	}
	list, err := headerFields(string(header))
	if err != nil {
		return partNone, err
	}
	disposition, err := single(list, "Content-Disposition")
	if err != nil {
		return partNone, err
	}
	contentType, err := single(list, "Content-Type")
	if err != nil {
		return partNone, err
	}
	t, params, err := mime.ParseMediaType(disposition)
	name, named := params["name"]
	switch {
	case err != nil || t != "form-data" || !named:
		return partNone, ErrHeader
	case len(name) > f.lim.Name:
		return partNone, ErrName
	case transferEncoded(list):
		return partNone, ErrEncoding
	}
	if fileName := baseName(params["filename"]); fileName != "" {
		return partFile, f.startFile(&File{Name: name, FileName: fileName, ContentType: contentType, Header: list})
	}
	f.open()
	err = f.add([]byte(name))
	f.endName()
	return partField, err
}

// headerFields takes the lines of a header apart, all of which end with CRLF.
func headerFields(header string) (list []http1.Field, err error) {
	for header != "" {
		var line string
		line, header, _ = strings.Cut(header, "\r\n")
		name, value, found := strings.Cut(line, ":")
		value = strings.Trim(value, " \t")
		if !found || !http1.ValidName(name) || !http1.ValidValue(value) {
			return nil, ErrHeader
		}
		list = append(list, http1.Field{Name: name, Value: value})
	}
	return list, nil
}

// single returns the value of a field that must not come twice, "" if there is none.
func single(list []http1.Field, name string) (value string, err error) {
	found := false
	for _, f := range list {
		if strings.EqualFold(f.Name, name) {
			if found {
				return "", ErrHeader
			}
			value, found = f.Value, true
		}
	}
	return value, nil
}

// transferEncoded tells of a part that is not sent as it is. RFC 7578 4.7 has no use for
// that, and what some decode and others do not is a way around a filter.
func transferEncoded(list []http1.Field) bool {
	for _, f := range list {
		if strings.EqualFold(f.Name, "Content-Transfer-Encoding") {
			switch strings.ToLower(f.Value) {
			case "7bit", "8bit", "binary":
			default:
				return true
			}
		}
	}
	return false
}

// baseName drops the folders in front.
func baseName(name string) string {
	name = strings.TrimRight(name, `/\`)
	return name[strings.LastIndexAny(name, `/\`)+1:]
}

// startFile asks the program where a file's content goes.
func (f *Form) startFile(file *File) (err error) {
	if f.onFile != nil {
		f.sink, err = f.onFile(file)
	}
	return err
}

// store writes a piece of the file in hand.
func (f *Form) store(p []byte) error {
	if f.sink == nil {
		return nil
	}
	n, err := f.sink.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}

// stored ends the file in hand.
func (f *Form) stored() error {
	sink := f.sink
	if f.sink = nil; sink == nil {
		return nil
	}
	return sink.Close()
}
