package qemu

import (
	"fmt"
	"strings"
	"time"
)

// End is the way in which a machine ended.
type End int

// The ends of a machine.
const (
	Finished   End = iota // what it was started for has ended; see Result.Status
	Stopped               // the user ended it
	BootFailed            // the kernel could not boot
	Panicked              // the kernel panicked, or broke the protocol
	Hung                  // the kernel's heartbeat has stopped, or the guest was silent for longer than it may be
	Failed                // QEMU itself failed
	Replayed              // a replay has come to its log's end; how the machine ended is the recording's to say
)

// The exit statuses of yolk that are not the program's own.
const (
	ExitBootFailed = 122
	ExitPanicked   = 123
	ExitHung       = 124
	ExitFailed     = 125
	exitSignal     = 128 // plus the signal's number
)

// Result is how a machine ended.
type Result struct {
	End    End
	Status uint32 // wait status as in wait(2), if Finished
	Why    string // one line for people; "" if Finished
}

// The values that the guest writes to the debug-exit port, as QEMU's exit
// status (PROTOCOL.md, "How the machine ends").
const (
	qemuReset    = 0
	qemuNormal   = 0x10<<1 | 1
	qemuPanic    = 0x11<<1 | 1
	qemuBootFail = 0x12<<1 | 1
)

// killedByDebugger is what QEMU says, and nobody in the guest can, when GDB's kill
// ends it.  Its status is then that of a reset.
const killedByDebugger = "Terminated via GDBstub"

// ExitCode is the exit status of yolk for the result: the program's own, or
// 128 plus the number of the signal that ended it, or one of Exit….
func (r Result) ExitCode() int {
	switch r.End {
	case Finished:
		if sig := r.Status & 0x7f; sig != 0 {
			return exitSignal + int(sig)
		}
		return int(r.Status >> 8 & 0xff)
	case Stopped, Replayed:
		return 0
	case BootFailed:
		return ExitBootFailed
	case Panicked:
		return ExitPanicked
	case Hung:
		return ExitHung
	}
	return ExitFailed
}

// outcome is what is known of a machine once QEMU has ended.
type outcome struct {
	stopped   error         // why we ended QEMU: errStopped, errHung, errSilent or a breach of the protocol; nil if it ended by itself
	code      int           // QEMU's exit status; -1 if a signal ended it
	ready     bool          // READY was seen
	heard     bool          // the guest has said anything at all
	exit      *uint32       // the EXIT frame's wait status
	qemuSays  string        // the last line on QEMU's stderr
	heartless time.Duration // how long the heart may stand still
	silent    time.Duration // how long the guest may be silent
	replay    bool          // QEMU replayed a recorded run
}

// judge turns an outcome into a result.
//
//	we ended it      QEMU's status   READY   EXIT    →
//	user                                             Stopped
//	no heartbeat                                     Hung
//	silence                                          Hung
//	breach                                           Panicked
//	                 33                      yes     Finished
//	                 33                      no      Panicked
//	                 35                              Panicked
//	                 37                              BootFailed
//	                 0, replay                       Replayed
//	                 0, debugger                     Stopped
//	                 0               no              BootFailed
//	                 0               yes             Panicked
//	                 other, odd      heard           Panicked
//	                 other                           Failed
//
// WHY the last but one: who writes any other value to the exit port is the kernel, and
// QEMU itself fails before there is one, or says why.
func (o *outcome) judge() Result {
	switch {
	case o.stopped == errStopped:
		return Result{End: Stopped, Why: "stopped"}
	case o.stopped == errHung:
		return Result{End: Hung, Why: "no progress: the kernel's heartbeat has stopped for " + o.heartless.String()}
	case o.stopped == errSilent:
		return Result{End: Hung, Why: "no progress: the kernel is alive, but nothing has come from the guest for " + o.silent.String()}
	case o.stopped != nil:
		return Result{End: Panicked, Why: "the kernel broke the protocol: " + o.stopped.Error()}
	}
	switch o.code {
	case qemuNormal:
		if o.exit == nil {
			return Result{End: Panicked, Why: "the kernel ended the machine without a status"}
		}
		return Result{End: Finished, Status: *o.exit}
	case qemuPanic:
		return Result{End: Panicked, Why: "kernel panic"}
	case qemuBootFail:
		return Result{End: BootFailed, Why: "the kernel could not boot"}
	case qemuReset:
		return o.reset()
	case -1:
		return Result{End: Failed, Why: "QEMU was killed by a signal"}
	}
	if o.heard && o.code&1 == 1 && o.qemuSays == "" {
		return Result{End: Panicked, Why: fmt.Sprintf("the kernel ended the machine with %#x, which means nothing", o.code>>1)}
	}
	why := fmt.Sprintf("QEMU ended with status %d", o.code)
	if o.qemuSays != "" {
		why += ": " + o.qemuSays
	}
	return Result{End: Failed, Why: why}
}

// reset judges the status of a machine that has reset itself.
func (o *outcome) reset() Result {
	switch {
	case o.replay:
		return Result{End: Replayed}
	case strings.Contains(o.qemuSays, killedByDebugger):
		return Result{End: Stopped, Why: "the debugger ended the machine"}
	case !o.ready:
		return Result{End: BootFailed, Why: "the machine reset itself during boot (triple fault)"}
	}
	return Result{End: Panicked, Why: "the machine reset itself (triple fault)"}
}
