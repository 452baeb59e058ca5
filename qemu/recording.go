package qemu

import (
	"archive/zip"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
)

// recordingFormat is the version of a recording.  It changes when QEMU is
// started with other devices or options, since a replay needs the same ones.
const recordingFormat = 1

// The members of a recording, which is a zip archive.
const (
	memberManifest = "manifest.json" // the first one
	memberKernel   = "kernel.elf"
	memberInitrd   = "initrd.cpio"
)

// Manifest says what was recorded.
type Manifest struct {
	Format      int     `json:"format"`
	Yolk        string  `json:"yolk"` // version of the yolk that recorded
	QEMU        string  `json:"qemu"` // version of the QEMU that did
	Machine     string  `json:"machine"`
	CPU         string  `json:"cpu"`
	Memory      int     `json:"memory"` // MiB
	CommandLine string  `json:"commandLine"`
	Terminal    [3]bool `json:"terminal"` // Params.Terminal
	ExitCode    int     `json:"exitCode"` // yolk's exit status
	Why         string  `json:"why"`      // Result.Why
}

// A Recording is a recorded run of a machine, unpacked in a directory of its
// own: all that is needed to replay it, with nothing of the source tree.
type Recording struct {
	Manifest
	dir string
	out *os.File // what Save writes; nil for a replay
}

// ErrRecording means that a file is not a recording that can be replayed here.
var ErrRecording = errors.New("cannot be replayed")

// NewRecording prepares to record a run of cfg with the given QEMU into the file
// path, and changes cfg accordingly: the run must use copies of the kernel and
// the initrd, since a build may replace them while it lasts.  Close removes what
// it made.
func NewRecording(path, qemu string, cfg *Config) (*Recording, error) {
	version, err := Version(qemu)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "yolk-record-")
	if err != nil {
		return nil, err
	}
	r := &Recording{dir: dir, Manifest: Manifest{Format: recordingFormat, Yolk: yolkVersion(), QEMU: version}}
	r.out, err = os.Create(path + partial) // now, not when an hour has been recorded in vain
	if err == nil {
		err = r.prepare(cfg)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// partial ends the name of a recording that is not whole yet.
const partial = ".part"

func (r *Recording) prepare(cfg *Config) error {
	cfg.RR, cfg.Params.Taken = &RR{Dir: r.dir}, true
	if err := createImage(r.path(fileSnapshots)); err != nil {
		return err
	}
	if err := copyFile(r.path(memberKernel), cfg.Kernel); err != nil {
		return err
	}
	cfg.Kernel = r.path(memberKernel)
	if cfg.Initrd == "" {
		return nil
	}
	if err := copyFile(r.path(memberInitrd), cfg.Initrd); err != nil {
		return err
	}
	cfg.Initrd = r.path(memberInitrd)
	return nil
}

// Save packs the recording of the run into its file.  cfg is what was run,
// result and exitCode what came of it.
func (r *Recording) Save(cfg *Config, result Result, exitCode int) error {
	if !wholeLog(r.path(fileEvents)) {
		return errors.New("QEMU did not get to end its log of events")
	}
	line, err := cfg.CommandLine()
	if err != nil {
		return err
	}
	r.Machine, r.CPU, r.Memory = or(cfg.Machine, DefaultMachine), or(cfg.CPU, DefaultCPU), cmp.Or(cfg.Memory, DefaultMemory)
	r.CommandLine, r.Terminal = line, cfg.Params.Terminal
	r.ExitCode, r.Why = exitCode, result.Why
	if err := errors.Join(r.pack(r.out), r.out.Close()); err != nil {
		return err
	}
	return os.Rename(r.out.Name(), strings.TrimSuffix(r.out.Name(), partial))
}

// pack writes the archive.
func (r *Recording) pack(w io.Writer) error {
	z := zip.NewWriter(w)
	manifest, err := json.MarshalIndent(r.Manifest, "", "  ")
	if err != nil {
		return err
	}
	m, err := z.Create(memberManifest)
	if err != nil {
		return err
	}
	if _, err := m.Write(manifest); err != nil {
		return err
	}
	for _, name := range []string{memberKernel, memberInitrd, fileEvents, fileSnapshots} {
		if err := r.packFile(z, name); err != nil && !(name == memberInitrd && errors.Is(err, os.ErrNotExist)) {
			return err
		}
	}
	return z.Close()
}

func (r *Recording) packFile(z *zip.Writer, name string) error {
	f, err := os.Open(r.path(name))
	if err != nil {
		return err
	}
	defer f.Close()
	w, err := z.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return err
}

// OpenRecording unpacks the recording in the file path.  Close removes what it
// unpacked.  The error wraps ErrRecording if the file is none, is damaged, or has
// another format.
func OpenRecording(path string) (*Recording, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, notARecording(path, err)
	}
	defer z.Close()
	dir, err := os.MkdirTemp("", "yolk-replay-")
	if err != nil {
		return nil, err
	}
	r := &Recording{dir: dir}
	if err := r.unpack(&z.Reader); err != nil {
		r.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// notARecording says in words why a file cannot be opened.
func notARecording(path string, err error) error {
	var start [4]byte
	f, openErr := os.Open(path)
	if openErr != nil {
		return openErr
	}
	defer f.Close()
	if _, readErr := io.ReadFull(f, start[:]); readErr == nil && string(start[:]) == "PK\x03\x04" {
		return fmt.Errorf("%s: %w: it is cut short or damaged (%w)", path, ErrRecording, err)
	}
	return fmt.Errorf("%s: %w: it is not a recording of yolk run -record", path, ErrRecording)
}

// unpack unpacks the archive.
func (r *Recording) unpack(z *zip.Reader) error {
	if err := r.readManifest(z); err != nil {
		return err
	}
	for _, name := range []string{memberKernel, memberInitrd, fileEvents, fileSnapshots} {
		err := r.unpackFile(z, name)
		if name == memberInitrd && errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%w: its %s is missing or damaged (%w)", ErrRecording, name, err)
		}
	}
	return nil
}

func (r *Recording) readManifest(z *zip.Reader) error {
	f, err := z.Open(memberManifest)
	if err != nil {
		return fmt.Errorf("%w: it is not a recording of yolk run -record", ErrRecording)
	}
	defer f.Close()
	if err := json.NewDecoder(f).Decode(&r.Manifest); err != nil {
		return fmt.Errorf("%w: its manifest is damaged (%w)", ErrRecording, err)
	}
	if r.Format != recordingFormat {
		return fmt.Errorf("%w: it has format %d, recorded by yolk %s; this yolk replays format %d", ErrRecording, r.Format, r.Yolk, recordingFormat)
	}
	return nil
}

func (r *Recording) unpackFile(z *zip.Reader, name string) error {
	f, err := z.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return writeFrom(r.path(name), f)
}

// CheckQEMU returns an error that wraps ErrRecording unless the given QEMU is of
// the version that recorded.  Others execute other instructions for the same
// guest, or do not understand the snapshot.
func (r *Recording) CheckQEMU(qemu string) error {
	version, err := Version(qemu)
	if err == nil && version != r.QEMU {
		err = fmt.Errorf("the recording %w: it was made with QEMU %s, and this is QEMU %s", ErrRecording, r.QEMU, version)
	}
	return err
}

// Config is the machine that replays the recording.
func (r *Recording) Config() *Config {
	cfg := &Config{
		Machine: r.Machine, CPU: r.CPU, Memory: r.Memory, Kernel: r.path(memberKernel), Line: r.CommandLine,
		RR: &RR{Dir: r.dir, Replay: true},
	}
	if _, err := os.Stat(r.path(memberInitrd)); err == nil {
		cfg.Initrd = r.path(memberInitrd)
	}
	return cfg
}

// Outcome is yolk's exit status for a replay that came to result, and a line
// for people, or "".  It is the recorded run's; a replay that ended in another
// way has failed.
func (r *Recording) Outcome(result Result) (exitCode int, why string) {
	if result.End == Replayed || result.ExitCode() == r.ExitCode {
		return r.ExitCode, r.Why
	}
	return ExitFailed, fmt.Sprintf("the replay did not end as the recorded run did, with status %d, but with %d: %s",
		r.ExitCode, result.ExitCode(), or(result.Why, "the program's"))
}

// Close removes all files but the one that Save has made.
func (r *Recording) Close() error {
	if r.out != nil {
		r.out.Close()
		os.Remove(r.out.Name()) // gone if it was saved
	}
	return os.RemoveAll(r.dir)
}

func (r *Recording) path(name string) string { return filepath.Join(r.dir, name) }

func copyFile(to, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return writeFrom(to, f)
}

func writeFrom(path string, r io.Reader) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}

var versionNumber = regexp.MustCompile(`version (\d+(?:\.\d+)+)`)

// Version is the version of a QEMU, all its numbers: 7.2.22.
func Version(qemu string) (string, error) {
	out, err := exec.Command(qemu, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("cannot start QEMU: %w", err)
	}
	m := versionNumber.FindSubmatch(out)
	if m == nil {
		return "", fmt.Errorf("%s says no version: %.100q", qemu, out)
	}
	return string(m[1]), nil
}

// yolkVersion is the version of the running program as the go command knows it.
func yolkVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
