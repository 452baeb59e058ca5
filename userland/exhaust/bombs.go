package exhaust

import (
	"strings"

	"yolk/userland/kit"
	"yolk/userland/sys"
)

// self is the path of this program.
const self = "/bin/" + name

// holder is the argument with which this program only waits to be killed.
const holder = "-hold"

// launch starts programs that hold their arguments.
func launch(a *attempt, argv, envp []string) {
	image := sys.NewImage(self, append([]string{name, holder}, argv...), envp)
	a.take(func(int) error {
		r, w, err := sys.Pipe2(sys.O_CLOEXEC)
		if err != nil {
			return err
		}
		c := &launched{image: image}
		_, err = sys.VFork(c)
		sys.Close(w)
		sys.Close(r)
		if err != nil {
			return err
		}
		return errOf(c.errno)
	})
}

// launched is the child of launch.
type launched struct {
	image *sys.Image
	errno sys.Errno
}

// Run executes the image.
//
//go:nosplit
func (c *launched) Run() {
	c.errno = c.image.Exec()
	sys.Exit(1)
}

// twoMiB is Linux's limit of arguments, environment and their pointers under
// the usual limit of the stack.
const twoMiB = 2 << 20

func longArguments(a *attempt) {
	launch(a, list(15, 128<<10-1), nil)
}

func manyArguments(a *attempt) {
	launch(a, list(twoMiB/10-100, 1), nil)
}

func environment(a *attempt) {
	launch(a, nil, list(15, 128<<10-1))
}

// list is n strings of the given length.
func list(n, length int) []string {
	l, s := make([]string, n), strings.Repeat("a", length)
	for i := range l {
		l[i] = s
	}
	return l
}

// forkBomb: every process forks until it is refused.
func forkBomb(a *attempt) {
	for {
		pid, err := sys.Fork()
		if pid == 0 {
			continue
		}
		if !a.took(err) {
			break
		}
	}
	if a.get(wordDone) == 0 {
		a.hold()
	}
	a.stay()
	sys.Exit(0)
}

// vforkBomb: each child vforks in its turn; all but the last sleep.
func vforkBomb(a *attempt) {
	c := &bomb{a: a, count: sys.Addr(a.board[wordCount:]), errno: sys.Addr(a.board[wordErrno:]), gate: a.gate[0], buffer: sys.Addr(path[:])}
	deepen(8)
	sys.VFork(c)
}

// deepen makes the stack large enough for a thousand children, n times 64 KiB:
// they are all on it, one below the other, and none of them may have it grown.
func deepen(n int) byte {
	var room [64 << 10]byte
	if n > 1 {
		room[0] = deepen(n - 1)
	}
	return room[n]
}

// bomb is a child of vforkBomb.
type bomb struct {
	a                    *attempt
	count, errno, buffer uintptr
	depth                uintptr
	gate                 int
}

// Run vforks until it is refused, tells so and waits for the gate.
//
//go:nosplit
func (c *bomb) Run() {
	c.depth++
	sys.PokeWord(c.count, c.depth)
	if pid := sys.VForkChild(c); pid < 0 {
		sys.PokeWord(c.errno, uintptr(-pid))
		sys.PokeWord(c.count+wordDone, 1)
		sys.Call(sys.SysRead, uintptr(c.gate), c.buffer, 1, 0, 0, 0)
	}
	sys.Exit(0)
}

// shellBomb: a script that runs itself twice, in the background.
func shellBomb(a *attempt) {
	script := kit.Format("/tmp/bomb.", sys.Getpid())
	kit.WriteFile(script, []byte("sh $0 & sh $0 & wait\n"), 0o777)
	null, _ := sys.Open("/dev/null", sys.O_WRONLY, 0)
	sys.Dup2(null, kit.Stderr)
	sys.VForkExec("/bin/sh", []string{"sh", script}, nil)
	sys.Sleep(3e9)
	a.took(nil)
	a.hold()
	sys.Unlink(script)
}
