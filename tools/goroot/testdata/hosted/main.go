//go:build yolk

// Command hosted checks, on the system it runs on, what the private toolchain and
// package rt promise to user programs. It prints a line a failure and exits with
// status 0 when there was none. Run as "hosted MODE" it does as MODE says.
package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"runtime/goos"
	"strings"
	"sync"
	"syscall"
	"time"

	_ "yolk/userland/rt"
)

var failures int

func check(ok bool, format string, args ...any) {
	if !ok {
		failures++
		fmt.Printf(format+"\n", args...)
	}
}

func main() {
	if len(os.Args) > 1 {
		mode(os.Args[1:])
	}
	residence()
	process()
	files()
	clock()
	scheduler()
	interrupts()
	children()
	memory()
	if failures > 0 {
		os.Exit(1)
	}
}

func mode(args []string) {
	switch args[0] {
	case "args":
		fmt.Printf("%q %q\n", args[1:], os.Getenv("HOSTED"))
	case "exit":
		os.Exit(42)
	case "cat":
		io.Copy(os.Stdout, os.Stdin)
	case "print":
		print(strings.Repeat("x", 5000))
	case "panic":
		panic("as asked")
	case "deadlock":
		select {}
	case "nil":
		var p *int
		*p = 1
	}
	os.Exit(0)
}

// residence: starting touches little of the heap's 512 MiB. The page allocator
// alone skips up to 4 MiB for alignment, which must not be written.
func residence() {
	status, err := os.ReadFile("/proc/self/status")
	_, after, found := strings.Cut(string(status), "RssAnon:")
	if err != nil || !found {
		return // not every system says
	}
	var kib int
	fmt.Sscan(after, &kib)
	check(kib > 0 && kib < 1500, "a new process has %d KiB resident", kib)
}

func process() {
	check(runtime.GOMAXPROCS(4) == 1 && runtime.GOMAXPROCS(0) == 1, "GOMAXPROCS is %d", runtime.GOMAXPROCS(0))
	check(os.Getpid() > 1, "pid is %d", os.Getpid())
	b := make([]byte, 64)
	n, err := rand.Read(b)
	check(n == 64 && err == nil && !bytes.Equal(b, make([]byte, 64)), "rand.Read: %d %v %x", n, err, b)
}

func files() {
	dir, err := os.MkdirTemp("", "hosted")
	check(err == nil, "MkdirTemp: %v", err)
	defer os.RemoveAll(dir)
	check(os.Chdir(dir) == nil, "Chdir")
	check(os.WriteFile("a", bytes.Repeat([]byte("0123456789"), 1000), 0o600) == nil, "WriteFile")
	b, err := os.ReadFile("a")
	check(len(b) == 10000 && err == nil, "ReadFile: %d bytes, %v", len(b), err)
	entries, err := os.ReadDir(".")
	check(len(entries) == 1 && err == nil, "ReadDir: %v, %v", entries, err)
	_, err = os.Open("b")
	check(errors.Is(err, fs.ErrNotExist), "Open of a missing file: %v", err)
	// A FIFO would be given to a poller if there were one; it must stay blocking.
	check(syscall.Mkfifo("fifo", 0o600) == nil, "Mkfifo")
	f, err := os.OpenFile("fifo", os.O_RDWR, 0)
	check(err == nil, "opening a FIFO: %v", err)
	pid, _, _ := syscall.RawSyscall(syscall.SYS_FORK, 0, 0, 0)
	if pid == 0 {
		time.Sleep(20 * time.Millisecond)
		f.WriteString("late")
		os.Exit(0)
	}
	n, err := f.Read(b)
	check(string(b[:n]) == "late" && err == nil, "FIFO: %q, %v", b[:n], err)
	syscall.Wait4(int(pid), nil, 0, nil)
	f.Close()
}

func clock() {
	start := time.Now()
	time.Sleep(20 * time.Millisecond)
	d := time.Since(start)
	check(d >= 20*time.Millisecond && d < 2*time.Second, "Sleep(20ms) took %v", d)
	check(start.Year() > 2000, "the year is %d", start.Year())
	select {
	case <-time.After(10 * time.Millisecond):
	case <-make(chan int):
	}
}

func scheduler() {
	before := runtime.NumGoroutine()
	c := make(chan int)
	for i := range 100 {
		go func() {
			runtime.LockOSThread()
			time.Sleep(time.Duration(i%7) * time.Millisecond)
			c <- i
		}()
	}
	sum := 0
	for range 100 {
		sum += <-c
	}
	check(sum == 4950, "100 goroutines gave %d", sum)
	runtime.Gosched()
	check(runtime.NumGoroutine() == before, "%d goroutines instead of %d", runtime.NumGoroutine(), before)
}

// interrupts checks goos.Pending, WaitInterrupt, Ready and Idle.
func interrupts() {
	taken := 0
	go func() {
		for range 3 {
			goos.WaitInterrupt(5)
			taken++
		}
	}()
	goos.Ready(5)
	check(taken == 0, "Ready ran the waiting goroutine itself")
	runtime.Gosched()
	check(taken == 1 && goos.Pending == 0, "one interrupt before the wait: taken %d, pending %#x", taken, goos.Pending)
	goos.Ready(5)
	goos.Ready(5)
	runtime.Gosched()
	runtime.Gosched()
	check(taken == 2 && goos.Pending == 0, "two interrupts in one: taken %d, pending %#x", taken, goos.Pending)
	goos.Ready(6)
	goos.Pending |= 1 << 5
	runtime.Gosched() // looks at Pending, since a handler may have set it
	runtime.Gosched()
	check(taken == 3 && goos.Pending == 1<<6, "other lines: taken %d, pending %#x", taken, goos.Pending)
	goos.WaitInterrupt(6)

	var until []int64
	idle := goos.Idle
	goos.Idle = func(t int64) {
		until = append(until[:len(until):cap(until)], t)
		goos.Pending |= 1 << 7
	}
	until = make([]int64, 0, 8) // Idle must not allocate
	goos.WaitInterrupt(7)
	check(len(until) == 1 && until[0] == 1<<63-1, "Idle without a timer was called with %d", until)
	go func() { time.Sleep(time.Hour) }()
	runtime.Gosched()
	goos.WaitInterrupt(7)
	check(len(until) == 2 && until[1] != 1<<63-1, "Idle with a timer was called with %d", until)
	goos.Idle = idle
}

func children() {
	out, err := exec.Command("/proc/self/exe", "args", "a b").CombinedOutput()
	check(err == nil && string(out) == "[\"a b\"] \"\"\n", "exec: %q, %v", out, err)
	for i := range 20 {
		pid, _, errno := syscall.RawSyscall(syscall.SYS_FORK, 0, 0, 0)
		if errno == 0 && pid == 0 {
			churn()
			time.Sleep(time.Millisecond)
			os.Exit(i)
		}
		var ws syscall.WaitStatus
		_, err := syscall.Wait4(int(pid), &ws, 0, nil)
		check(errno == 0 && err == nil && ws.ExitStatus() == i, "fork %d: %v, %v, status %#x", i, errno, err, ws)
	}
}

// churn makes garbage in several goroutines and collects it.
func churn() {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			m := map[int][]byte{}
			for i := range 2000 {
				m[i%50] = make([]byte, 1000+i)
			}
		})
	}
	wg.Wait()
	runtime.GC()
}

func memory() {
	for range 20 {
		churn()
	}
	big := make([]byte, 100<<20)
	big[len(big)/2] = 1
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	check(m.NumGC >= 20, "%d collections", m.NumGC)
	check(m.Sys < 150<<20, "%d MiB from the system", m.Sys>>20)
}
