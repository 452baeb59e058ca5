//go:build !(linux && amd64)

package sys

import "os"

// Call is the stand-in where there is no Linux on amd64 underneath: it can write
// and exit, which is what `yolkbox help` takes; any other call answers ENOSYS.
//
//go:uintptrescapes
func Call(nr, a1, a2, a3, a4, a5, a6 uintptr) (uintptr, Errno) {
	switch {
	case nr == SysExitGroup:
		os.Exit(int(a1))
	case nr == SysWrite && (a1 == 1 || a1 == 2):
		file := [...]*os.File{1: os.Stdout, 2: os.Stderr}[a1]
		n, err := file.Write(Bytes(a2, int(a3)))
		if err != nil {
			return ^uintptr(0), EIO
		}
		return uintptr(n), 0
	}
	return ^uintptr(0), ENOSYS
}

// noSuchCall is -ENOSYS as a system call returns it.
const noSuchCall = ^uintptr(ENOSYS) + 1

// The stand-ins of the functions that are assembly on linux/amd64.
func vfork(Child) uintptr                    { return noSuchCall }
func vforkReturns() uintptr                  { return noSuchCall }
func signalPCs() (handler, restorer uintptr) { return 0, 0 }
func readTSC() uint64                        { return 0 }
func countDown(uint64)                       {}
func forkRegisters(*Registers) uintptr       { return noSuchCall }
func spinRegisters(uint64, *Registers)       {}
func vforkHere(Child) uintptr                { return noSuchCall }
