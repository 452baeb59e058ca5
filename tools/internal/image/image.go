// Package image builds the initrd: cpio archives in the newc format, in which the
// data of every file starts at a page boundary, so that the kernel's page cache
// can use the initrd's frames as they lie.
//
// The format itself aligns data to 4 bytes only.  What is missing is made up by
// NUL bytes at the end of the name field: readers take a name up to its first
// NUL, and no entry is invented that a listing would show.  Where the name
// field would grow beyond what readers accept, the same entry is written first
// without data, which moves the second one on.
//
// Invariant: the same tree gives the same bytes, whatever the order in which it
// was put together.
package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/cavaliergopher/cpio"
)

// PageSize is the alignment, in bytes, of archives in an initrd and of the
// files' data in them.
const PageSize = 4096

const (
	headerSize = 110  // of a newc entry, before the name
	maxName    = 4096 // longest name field that readers accept, with its NULs
	maxFile    = 1<<32 - 1
)

// Epoch is the modification time of entries that have none of their own.
var Epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// A Tree is a tree of files to be written as one archive.
type Tree struct {
	entries map[string]entry // by path without the leading slash
}

// An entry is one file of a tree.
type entry struct {
	mode  cpio.FileMode // type and permissions
	mtime time.Time
	size  int64
	data  []byte // contents, or the target of a symbolic link
	host  string // where the contents are, if not in data

	implied bool // a directory that is here only as a parent
}

// New returns a tree that has only its root.
func New() *Tree { return &Tree{entries: make(map[string]entry)} }

// Dir adds a directory; an existing one gets the new mode.
func (t *Tree) Dir(name string, perm uint32) error {
	return t.put(name, entry{mode: cpio.TypeDir | cpio.FileMode(perm), mtime: Epoch})
}

// File adds a regular file.
func (t *Tree) File(name string, perm uint32, data []byte) error {
	return t.put(name, entry{mode: cpio.TypeReg | cpio.FileMode(perm), mtime: Epoch, size: int64(len(data)), data: data})
}

// Symlink adds a symbolic link.
func (t *Tree) Symlink(name, target string) error {
	return t.put(name, entry{mode: cpio.TypeSymlink | 0o777, mtime: Epoch, size: int64(len(target)), data: []byte(target)})
}

// HostFile adds a regular file whose contents are read from a file of the
// host's when the archive is written.
func (t *Tree) HostFile(name string, perm uint32, host string) error {
	info, err := os.Stat(host)
	if err != nil {
		return err
	}
	return t.put(name, entry{mode: cpio.TypeReg | cpio.FileMode(perm), mtime: Epoch, size: info.Size(), host: host})
}

// put adds an entry in the place of one of the same name, and its missing
// parents.
func (t *Tree) put(name string, e entry) error {
	name = clean(name)
	if name == "" {
		if e.mode.IsDir() {
			return nil // the root is there
		}
		return errors.New("the root is a directory")
	}
	if e.size > maxFile {
		return fmt.Errorf("/%s: %d bytes are too many for a cpio archive", name, e.size)
	}
	for dir := parent(name); dir != ""; dir = parent(dir) {
		have, ok := t.entries[dir]
		if ok && !have.mode.IsDir() {
			return fmt.Errorf("/%s: /%s is not a directory", name, dir)
		}
		if !ok {
			t.entries[dir] = entry{mode: cpio.TypeDir | 0o755, mtime: Epoch, implied: true}
		}
	}
	t.entries[name] = e
	return nil
}

// clean makes a guest's path absolute and canonical, and takes off its slash.
func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// parent is the directory of a clean name; "" is the root.
func parent(name string) string {
	dir, _, _ := cutLast(name, "/")
	return dir
}

// cutLast splits s around the last sep; without one all of s is after it.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}

// Write writes the tree as one archive, which must start at a page boundary of
// the initrd.
func (t *Tree) Write(w io.Writer) error {
	out := &counter{w: w}
	archive := cpio.NewWriter(out)
	names := make([]string, 0, len(t.entries))
	for name := range t.entries {
		names = append(names, name)
	}
	slices.Sort(names) // parents come before what is in them
	for _, name := range names {
		if err := t.entries[name].write(archive, out, name); err != nil {
			return fmt.Errorf("/%s: %w", name, err)
		}
	}
	return archive.Close()
}

// write writes one entry.
func (e entry) write(archive *cpio.Writer, out *counter, name string) error {
	h := cpio.Header{Name: name, Mode: e.mode, ModTime: e.mtime, Size: e.size, Links: 1}
	if e.mode.IsRegular() && e.size > 0 {
		if err := align(archive, out, &h); err != nil {
			return err
		}
	}
	if err := archive.WriteHeader(&h); err != nil {
		return err
	}
	if e.host == "" {
		_, err := archive.Write(e.data)
		return err
	}
	f, err := os.Open(e.host)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.CopyN(archive, f, e.size); err != nil {
		return fmt.Errorf("%s: %w", e.host, err)
	}
	return nil
}

// align lengthens h's name so that the data will start at a page boundary.
func align(archive *cpio.Writer, out *counter, h *cpio.Header) error {
	for {
		if err := archive.Flush(); err != nil { // the padding behind the entry before
			return err
		}
		field := nameField(out.n, len(h.Name)+1)
		if field <= maxName {
			h.Name += string(make([]byte, field-len(h.Name)-1))
			return nil
		}
		filler := *h
		filler.Size = 0
		if err := archive.WriteHeader(&filler); err != nil {
			return err
		}
	}
}

// nameField is the length of the name field, at least least, that brings the
// data of an entry at offset off to a page boundary.
func nameField(off int64, least int) int {
	end := off + headerSize + int64(least)
	return least + int((PageSize-end%PageSize)%PageSize)
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// Concat writes archives one after the other, each from a page boundary on.
func Concat(w io.Writer, archives ...io.Reader) error {
	out := &counter{w: w}
	for _, a := range archives {
		gap := (PageSize - out.n%PageSize) % PageSize
		if _, err := out.Write(bytes.Repeat([]byte{0}, int(gap))); err != nil {
			return err
		}
		if _, err := io.Copy(out, a); err != nil {
			return err
		}
	}
	return nil
}
