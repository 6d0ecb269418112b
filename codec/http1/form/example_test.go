package form_test

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/penstock-go/penstock/codec/http1"
	"github.com/penstock-go/penstock/codec/http1/form"
)

// A form with a field and a file, which comes in two pieces.
func ExampleNew() {
	head := "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=cut\r\n\r\n"
	body := "--cut\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nHolidays\r\n" +
		"--cut\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"beach.txt\"\r\n\r\nsun and sea\n\r\n--cut--\r\n"
	var req http1.Request
	if _, err := http1.ParseRequest([]byte(head), &req, nil); err != nil {
		fmt.Println(err)
		return
	}
	f, err := form.New(&req, &form.Limits{File: 10 << 20}, func(file *form.File) (io.WriteCloser, error) {
		fmt.Printf("%s is %s: ", file.Name, file.FileName)
		return screen{}, nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = errors.Join(f.Write([]byte(body[:150])), f.Write([]byte(body[150:])), f.Close())
	fmt.Printf("title is %s, %v\n", f.Value("title"), err)
	// Output:
	// photo is beach.txt: sun and sea
	// title is Holidays, <nil>
}

type screen struct{}

func (screen) Write(p []byte) (int, error) { return os.Stdout.Write(p) }
func (screen) Close() error                { return nil }
