package image

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/cavaliergopher/cpio"
)

// An Overlay is the archive of what the user adds to a running system's files:
// its missing parents are made, those that are there already are left alone.
type Overlay struct {
	tree  *Tree
	there map[string]bool // names in the archives below
}

// NewOverlay returns an empty overlay on a base tree.
func NewOverlay(base *Tree) *Overlay {
	o := &Overlay{tree: New(), there: make(map[string]bool)}
	for name := range base.entries {
		o.there[name] = true
	}
	return o
}

// Below notes the names in a file of archives (cpio newc, plain or gzip) that
// lies between the base and the overlay.  The error says why it is not one.
func (o *Overlay) Below(r io.Reader) error {
	in := bufio.NewReader(r)
	for n := 0; ; n++ {
		magic, err := skipZeros(in)
		switch {
		case err == io.EOF && n == 0:
			return errors.New("no cpio archive: the file is empty")
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case string(magic) == "\x1f\x8b":
			z, err := gzip.NewReader(in)
			if err != nil {
				return err
			}
			return o.Below(z)
		}
		if err := o.note(cpio.NewReader(in)); err != nil {
			return err
		}
	}
}

// skipZeros skips the zero bytes between archives and returns the first two
// bytes of what follows.
func skipZeros(in *bufio.Reader) ([]byte, error) {
	for {
		b, err := in.Peek(2)
		if err == io.EOF && len(b) == 1 && b[0] != 0 {
			return b, nil
		}
		if err != nil || b[0] != 0 {
			return b, err
		}
		in.Discard(1)
	}
}

// note notes the names in one archive.
func (o *Overlay) note(archive *cpio.Reader) error {
	for n := 1; ; n++ {
		h, err := archive.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("not a cpio archive in the newc format (entry %d): %w", n, err)
		}
		name, _, _ := strings.Cut(h.Name, "\x00")
		o.there[clean(name)] = true
	}
}

// SplitAdd splits HOST:GUEST at the last colon, since a path of Windows has
// one of its own.
func SplitAdd(arg string) (host, guest string, err error) {
	host, guest, ok := cutLast(arg, ":")
	if !ok || host == "" || guest == "" {
		return "", "", fmt.Errorf("%q is not HOST:GUEST", arg)
	}
	return host, guest, nil
}

// File adds a file that is not the host's.
func (o *Overlay) File(name string, perm uint32, data []byte) error {
	return o.tree.File(name, perm, data)
}

// Add adds the host's file or directory tree under the guest's path; a guest's
// path that ends in a slash is the directory that it goes into.  Modes, times
// and symbolic links are kept; a link named by host itself is followed.
func (o *Overlay) Add(host, guest string) error {
	host, err := filepath.Abs(host) // "." has a name, too
	if err != nil {
		return err
	}
	if strings.HasSuffix(guest, "/") {
		guest = path.Join(guest, filepath.Base(host))
	}
	if host, err = filepath.EvalSymlinks(host); err != nil {
		return err
	}
	info, err := os.Stat(host)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return o.addFile(guest, host, info)
	}
	return filepath.WalkDir(host, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(host, p)
		if err != nil {
			return err
		}
		if rel == "." {
			return o.addFile(guest, p, info)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return o.addFile(path.Join(guest, filepath.ToSlash(rel)), p, info)
	})
}

// addFile adds one file.
func (o *Overlay) addFile(guest, host string, info fs.FileInfo) error {
	e := entry{mtime: info.ModTime()}
	switch info.Mode().Type() {
	case 0:
		e.mode, e.size, e.host = cpio.TypeReg|permissions(host, info), info.Size(), host
	case fs.ModeDir:
		e.mode = cpio.TypeDir | permissions(host, info)
	case fs.ModeSymlink:
		target, err := os.Readlink(host)
		if err != nil {
			return err
		}
		target = filepath.ToSlash(target)
		e.mode, e.size, e.data = cpio.TypeSymlink|0o777, int64(len(target)), []byte(target)
	default:
		return fmt.Errorf("%s: neither a file nor a directory nor a symbolic link", host)
	}
	return o.tree.put(guest, e)
}

// permissions are the mode bits of a host's file.  Windows has none: what
// looks like a program may be executed.
func permissions(host string, info fs.FileInfo) cpio.FileMode {
	if runtime.GOOS == "windows" {
		return guessPermissions(host, info.IsDir())
	}
	mode := cpio.FileMode(info.Mode().Perm())
	for _, bit := range []struct {
		host  fs.FileMode
		guest cpio.FileMode
	}{{fs.ModeSetuid, cpio.ModeSetuid}, {fs.ModeSetgid, cpio.ModeSetgid}, {fs.ModeSticky, cpio.ModeSticky}} {
		if info.Mode()&bit.host != 0 {
			mode |= bit.guest
		}
	}
	return mode
}

func guessPermissions(host string, dir bool) cpio.FileMode {
	if dir {
		return 0o755
	}
	f, err := os.Open(host)
	if err != nil {
		return 0o644 // writing the archive will say it
	}
	defer f.Close()
	magic := make([]byte, 4)
	n, _ := io.ReadFull(f, magic)
	if s := string(magic[:n]); s == "\x7fELF" || strings.HasPrefix(s, "#!") {
		return 0o755
	}
	return 0o644
}

// Empty reports whether nothing has been added.
func (o *Overlay) Empty() bool { return len(o.tree.entries) == 0 }

// Write writes the overlay as one archive.  The directories that are only
// there as parents are left out where an archive below has them: an entry of
// their own would change their mode.
func (o *Overlay) Write(w io.Writer) error {
	out := New()
	for name, e := range o.tree.entries {
		if e.implied && o.there[name] {
			continue
		}
		out.entries[name] = e
	}
	return out.Write(w)
}
