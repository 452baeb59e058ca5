package vfs

import (
	"errors"
	"slices"
	"strings"

	"yolk/kernel/abi"
)

// maxLinks is how many symbolic links one path may lead through
// (path_resolution(7)).
const maxLinks = 40

// PipeMaker makes pipes.
type PipeMaker interface {
	// Pipe returns the two ends of a new pipe, and the node to open others.
	Pipe(c Caller) (r, w Handle, node Node)
	// FIFO returns what opening the FIFO owner is to open.
	FIFO(owner Node) Node
}

// System is what all processes share: the tree that mounts make of several
// file systems, the count of open descriptions and the maker of pipes.
type System struct {
	Pipes PipeMaker

	over  map[Dir]Dir // directory → root of what is mounted on it
	under map[Dir]Dir // the other way round
	open  int         // descriptions in use
	limit int
}

// DescriptionCost is what an open description makes the kernel's heap hold, in
// bytes: with its handle, its half of a pipe, its name, and the directory of that
// name, which may have been removed.
const DescriptionCost = 1280

// NewSystem returns a System that allows the given number of open
// descriptions in all (ErrFileTableFull beyond).
func NewSystem(descriptions int, pipes PipeMaker) *System {
	return &System{Pipes: pipes, over: map[Dir]Dir{}, under: map[Dir]Dir{}, limit: descriptions}
}

// Mount lays the tree whose root is given over the directory on.
func (s *System) Mount(on, root Dir) {
	s.over[on], s.under[root] = root, on
}

// Mounted reports whether d is a mount point or a mounted root: it can be
// neither removed nor renamed.
func (s *System) Mounted(d Dir) bool { return s.over[d] != nil || s.under[d] != nil }

// OpenCount returns the number of descriptions in use.
func (s *System) OpenCount() int { return s.open }

// Context says where a process's names begin.  It is the process's own.
type Context struct {
	System *System
	Root   Dir
	Cwd    Dir
	Umask  uint32
}

// NewContext returns the first process's context, with root as root and
// working directory.
func NewContext(s *System, root Dir) *Context {
	return &Context{System: s, Root: root, Cwd: root, Umask: 0o022}
}

// Clone returns a copy for a child.
func (x *Context) Clone() *Context {
	c := *x
	return &c
}

// Place is where a walk ended.
type Place struct {
	Dir   Dir    // the directory that holds Name; nil when the path is "/"
	Name  string // the last component; may be "." or ".."
	Node  Node   // nil: Name does not exist in Dir
	Slash bool   // the path ended in a slash
}

// How says what a walk does with the last component.
type How int

const (
	NoFollow How = 1 << iota // a symbolic link there is not followed
	MayLack                  // it need not exist
)

// Walk resolves path (path_resolution(7)) from base, or from the working
// directory where base is nil.
//
//	component            node                   then
//	"" (of "/" or "//")  -                      skipped
//	"."                  the directory          on
//	".."                 its parent; at the root itself; at a mounted root
//	                     the parent of the directory it covers
//	any, not the last    directory              on, in what is mounted over it
//	                     link                   its target goes before the rest
//	                     other                  ErrNotDir
//	the last             link                   as above, unless NoFollow
//	                     missing                ErrNotExist, unless MayLack
//	the last with '/'    link                   followed all the same
//	                     not a directory        ErrNotDir
func (x *Context) Walk(c Caller, base Dir, path string, how How) (Place, error) {
	if path == "" {
		return Place{}, ErrNotExist
	}
	at := Place{Node: x.Cwd}
	if base != nil {
		at.Node = base
	}
	if path[0] == '/' {
		at.Node = x.Root
	}
	for links := 0; ; {
		if path = strings.TrimLeft(path, "/"); path == "" {
			return at, nil
		}
		dir, ok := at.Node.(Dir)
		if !ok {
			return Place{}, ErrNotDir
		}
		name, rest := path, ""
		if i := strings.IndexByte(path, '/'); i >= 0 {
			name, rest = path[:i], path[i:]
		}
		last, slash := strings.TrimLeft(rest, "/") == "", rest != ""
		node, err := x.step(c, dir, name)
		if last && how&MayLack != 0 && errors.Is(err, ErrNotExist) {
			return Place{dir, name, nil, slash}, nil
		}
		if err != nil {
			return Place{}, err
		}
		at, path = Place{dir, name, node, last && slash}, rest
		if link, ok := node.(Symlink); ok && follows(how, last, slash) {
			if links++; links > maxLinks {
				return Place{}, ErrLoop
			}
			if at, path, err = x.follow(c, dir, link, rest); err != nil {
				return Place{}, err
			}
			continue
		}
		if _, isDir := node.(Dir); last && slash && !isDir && how&MayLack == 0 {
			return Place{}, ErrNotDir
		}
		if last {
			return at, nil
		}
	}
}

// follows reports whether a symbolic link at this component is followed.
func follows(how How, last, slash bool) bool {
	return !last || how&NoFollow == 0 || slash && how&MayLack == 0
}

// follow returns where the walk goes on behind a link found in dir, and with
// what path.
func (x *Context) follow(c Caller, dir Dir, link Symlink, rest string) (Place, string, error) {
	if magic, ok := link.(MagicLink); ok {
		at, err := magic.Follow(c)
		return at, rest, err
	}
	target, err := link.Readlink(c)
	if err == nil && target == "" {
		err = ErrNotExist
	}
	if err != nil {
		return Place{}, "", err
	}
	at := Place{Node: dir}
	if target[0] == '/' {
		at.Node = x.Root
	}
	return at, target + rest, nil
}

// step looks one component up.
func (x *Context) step(c Caller, dir Dir, name string) (Node, error) {
	switch {
	case name == ".":
		return dir, nil
	case name == "..":
		return x.parent(dir)
	case len(name) > abi.NAME_MAX:
		return nil, ErrNameTooLong
	}
	node, err := dir.Lookup(c, name)
	if err != nil {
		return nil, err
	}
	if d, ok := node.(Dir); ok && len(x.System.over) > 0 {
		if root := x.System.over[d]; root != nil {
			return root, nil
		}
	}
	return node, nil
}

// parent returns what ".." means in dir.
func (x *Context) parent(dir Dir) (Node, error) {
	if dir == x.Root {
		return dir, nil
	}
	if covered := x.System.under[dir]; covered != nil {
		dir = covered
	}
	up, _ := dir.Up()
	if up == nil {
		return nil, ErrNotExist
	}
	return up, nil
}

// Path returns the absolute path of a place, ErrNotExist where a directory on
// the way has been removed or lies outside of the root, ErrNameTooLong where no
// program could have written the path.  A place without
// directory and node is named by its Name alone ("pipe:[5]").
func (x *Context) Path(p Place) (string, error) {
	dir, isDir := p.Node.(Dir)
	var names []string
	length := 0
	switch {
	case isDir:
	case p.Dir == nil:
		return p.Name, nil
	default:
		dir, names = p.Dir, []string{p.Name}
	}
	for dir != x.Root {
		if covered := x.System.under[dir]; covered != nil {
			dir = covered
		}
		up, name := dir.Up()
		if up == nil {
			return "", ErrNotExist
		}
		dir, names = up, append(names, name)
		if length += len(name) + 1; length >= abi.PATH_MAX {
			return "", ErrNameTooLong
		}
	}
	slices.Reverse(names)
	return "/" + strings.Join(names, "/"), nil
}
