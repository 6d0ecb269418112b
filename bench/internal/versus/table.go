//go:build linux

package versus

import (
	"fmt"
	"io"
	"time"

	"github.com/penstock-go/penstock/bench/internal/load"
)

// Table writes the series as Markdown, with ratios to the first of them. On a
// machine that others use too, the ratio of the best rounds is the steadier one:
// what disturbs a round makes it dearer. What the servers have agreed upon for TLS
// and for compression comes below, as another cipher is another amount of work, and
// so are smaller answers.
func Table(w io.Writer, all []*Series) {
	fmt.Fprintln(w, "| server | CPU us/message | min-max | ratio | min-max | best/best | busy | messages/s | p50 us | p99 us |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|")
	for _, s := range all {
		cpu, ratio := s.Nanos(), s.Ratio(all[0])
		fmt.Fprintf(w, "| %s | %.3f | %.3f-%.3f | %.3f | %.3f-%.3f | %.3f | %.0f %% | %.0f | %.0f | %.0f |\n", s.Name,
			cpu.Median/1e3, cpu.Min/1e3, cpu.Max/1e3, ratio.Median, ratio.Min, ratio.Max, cpu.Min/all[0].Nanos().Min,
			100*s.Of((*load.Result).Busy).Median, s.Of((*load.Result).Rate).Median, s.latency(0.50), s.latency(0.99))
	}
	for _, s := range all {
		if s.TLS != "" {
			fmt.Fprintf(w, "\n%s: %s\n", s.Name, s.TLS)
		}
		if s.Extensions != "" {
			fmt.Fprintf(w, "\n%s: %s, %.0f bytes an answer\n", s.Name, s.Extensions, s.Of((*load.Result).ReceivedPerMessage).Median)
		}
	}
}

// latency is the median of the rounds' quantile q, in microseconds.
func (s *Series) latency(q float64) float64 {
	return s.Of(func(r *load.Result) float64 { return float64(r.Latency.Quantile(q)) / float64(time.Microsecond) }).Median
}
