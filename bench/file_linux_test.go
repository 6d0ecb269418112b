package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/penstock-go/penstock/bench/internal/load"
	"github.com/penstock-go/penstock/bench/internal/versus"
)

const (
	// fileBudget is what a file of 1 MiB may cost in processor time, as a multiple of what
	// it costs nginx.
	fileBudget = 1.3

	fileConns = 16
)

// TestFileCost: nearly all that a file costs is the kernel's work, of both servers, if it
// is asked to send the file by itself.
func TestFileCost(t *testing.T) {
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("there is no nginx to compare with")
	}
	dir := t.TempDir()
	files := filepath.Join(dir, "files")
	if err := os.Mkdir(files, 0o755); err != nil {
		t.Fatal(err)
	}
	penstock := []string{build(t, ".", "./cmd/rivals/penstock"), "-addr", "{addr}", "-files", files}
	for _, c := range []struct {
		name string
		size int
	}{{"4k", 4 << 10}, {"64k", 64 << 10}, {"1m", 1 << 20}} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(files, c.name), make([]byte, c.size), 0o644); err != nil {
				t.Fatal(err)
			}
			what := load.Config{Mode: load.File, Path: "/" + c.name, Conns: fileConns}
			entrants := []versus.Entrant{
				{Name: "nginx", Args: nginxFor(t, nginx, files), Load: what},
				{Name: "penstock", Args: penstock, Load: what},
			}
			if c.size < 1<<20 {
				ratio(t, entrants, 1) // for information
				return
			}
			hold(t, fileBudget, entrants)
		})
	}
}

// nginxFor is the command line of an nginx with one process that serves dir as fast as it
// can.
func nginxFor(t *testing.T, nginx, dir string) []string {
	t.Helper()
	own := t.TempDir()
	conf := filepath.Join(own, "nginx.conf")
	text := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr crit;
events { worker_connections 1024; }
http {
	access_log off; sendfile on; keepalive_requests 1000000000; open_file_cache max=100; open_file_cache_valid 60s;
	client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
	server { listen @addr@; root %[2]s; }
}
`, own, dir)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// nginx has no flag for an address, so a shell writes it where it belongs.
	return []string{"/bin/sh", "-c", "sed s/@addr@/{addr}/ " + conf + " >" + conf + ".now && exec " + nginx + " -c " + conf + ".now"}
}
