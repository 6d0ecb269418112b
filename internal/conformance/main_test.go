package conformance

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if programs.dir != "" {
		_ = os.RemoveAll(programs.dir)
	}
	if full() {
		fmt.Print(board.String())
	}
	os.Exit(code)
}

// setting is the variable that the package comment describes.
const setting = "PENSTOCK_CONFORMANCE"

func full() bool { return os.Getenv(setting) != "" }

// messages returns how many messages a case sends of which Autobahn sends most, if
// a quick run is to send few.
func messages(few, most int) int {
	switch s := os.Getenv(setting); s {
	case "":
		if raced {
			return max(1, few/4)
		}
		return few
	case "full":
		return most
	default:
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			panic(setting + " is neither full nor a number: " + s)
		}
		return n
	}
}

// score counts a section's cases.
type score struct{ ok, all int }

// scoreboard counts cases by mode and section.
type scoreboard struct {
	mu   sync.Mutex
	rows map[string]map[string]score
}

var board = scoreboard{rows: map[string]map[string]score{}}

func (b *scoreboard) count(mode, section string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	row := b.rows[mode]
	if row == nil {
		row = map[string]score{}
		b.rows[mode] = row
	}
	s := row[section]
	s.all++
	if ok {
		s.ok++
	}
	row[section] = s
}

// String is a table: a line for each mode, with the cases that were OK of those
// that ran.
func (b *scoreboard) String() string {
	var out strings.Builder
	for _, mode := range slices.Sorted(maps.Keys(b.rows)) {
		fmt.Fprintf(&out, "%-26s", mode)
		row := b.rows[mode]
		sum := score{}
		for _, section := range slices.SortedFunc(maps.Keys(row), bySection) {
			s := row[section]
			sum.ok, sum.all = sum.ok+s.ok, sum.all+s.all
			fmt.Fprintf(&out, "  %s: %d/%d", section, s.ok, s.all)
		}
		fmt.Fprintf(&out, "  all: %d/%d\n", sum.ok, sum.all)
	}
	return out.String()
}

// bySection puts numbers in their order and "x" behind them.
func bySection(a, b string) int {
	if n := cmp.Compare(len(a), len(b)); n != 0 && a != "x" && b != "x" {
		return n
	}
	return cmp.Compare(a, b)
}
