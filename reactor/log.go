package reactor

import (
	"fmt"
	"log/slog"
	"sync"

	"github.com/panjf2000/gnet/v2/pkg/logging"
)

var redirectOnce sync.Once

// redirectPollerLog sends what gnet's poller logs to slog. gnet has one logger
// for the process, so the first reactor's stays.
func redirectPollerLog(to *slog.Logger) {
	redirectOnce.Do(func() { logging.SetDefaultLoggerAndFlusher(pollerLog{to}, nil) })
}

// pollerLog is gnet's logging.Logger on top of slog.
type pollerLog struct{ to *slog.Logger }

func (p pollerLog) Debugf(format string, args ...any) { p.to.Debug(fmt.Sprintf(format, args...)) }
func (p pollerLog) Infof(format string, args ...any)  { p.to.Info(fmt.Sprintf(format, args...)) }
func (p pollerLog) Warnf(format string, args ...any)  { p.to.Warn(fmt.Sprintf(format, args...)) }
func (p pollerLog) Errorf(format string, args ...any) { p.to.Error(fmt.Sprintf(format, args...)) }
func (p pollerLog) Fatalf(format string, args ...any) { p.to.Error(fmt.Sprintf(format, args...)) }
