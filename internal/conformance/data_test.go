package conformance

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"

	"github.com/penstock-go/penstock/internal/wstest"
)

// dataSet is what a section of 12 sends, piece by piece and round and round.
type dataSet struct {
	op   byte
	data string
}

// testData are the five kinds of data of section 12, of about 200 KB each: JSON, a
// picture, prose, HTML, and a document that is mostly compressed already. They are
// the same in each run.
var testData = sync.OnceValue(func() []dataSet {
	r := rand.New(rand.NewPCG(12, 13))
	return []dataSet{
		{wstest.Text, records(r)},
		{wstest.Binary, picture(r)},
		{wstest.Binary, prose(r)},
		{wstest.Text, page(r)},
		{wstest.Binary, document(r)},
	}
})

const dataSize = 200_000

func records(r *rand.Rand) string {
	var b strings.Builder
	b.WriteByte('[')
	for i := 0; b.Len() < dataSize; i++ {
		fmt.Fprintf(&b, `{"id": %d, "name": "%s %s", "balance": %.2f, "active": %t, "tags": ["%s", "%s"]}, `,
			i, pick(r), pick(r), r.Float64()*1e4, r.IntN(2) == 0, pick(r), pick(r))
	}
	return b.String()
}

// picture is a grey one of 512 by 512 points, with shades and some noise.
func picture(r *rand.Rand) string {
	b := make([]byte, 0, 512*512)
	for y := range 512 {
		for x := range 512 {
			b = append(b, byte((x*x/700+y*y/900)/2+r.IntN(6)))
		}
	}
	return string(b)
}

func prose(r *rand.Rand) string {
	var b strings.Builder
	for b.Len() < dataSize {
		for range 5 + r.IntN(10) {
			b.WriteString(pick(r))
			b.WriteByte(' ')
		}
		b.WriteString("\u00fcber\r\n")
	}
	return b.String()
}

func page(r *rand.Rand) string {
	var b strings.Builder
	for b.Len() < dataSize {
		fmt.Fprintf(&b, "<div class=\"%s\"><a href=\"/%s/%d.html\">%s %s</a></div>\n", pick(r), pick(r), r.IntN(1000), pick(r), pick(r))
	}
	return b.String()
}

func document(r *rand.Rand) string {
	var b strings.Builder
	for n := 0; b.Len() < dataSize; n++ {
		fmt.Fprintf(&b, "%d 0 obj << /Type /Page /Length 900 /Filter /FlateDecode >> stream\n", n)
		for range 900 {
			b.WriteByte(byte(r.Uint32()))
		}
		b.WriteString("\nendstream endobj\n")
	}
	return b.String()
}

func pick(r *rand.Rand) string {
	words := strings.Fields(`water gate pipe turbine river dam flow level pressure valve meter basin spill weir canal
		lock pump station tower cable line power grid load peak night storage rotor blade shaft bearing oil seal guard`)
	return words[r.IntN(len(words))]
}
