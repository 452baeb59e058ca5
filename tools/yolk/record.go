package main

import (
	"errors"
	"fmt"

	"yolk/kernel/trace"
	"yolk/qemu"
)

// checkRecord refuses what a recording could not hold.
func (f *runFlags) checkRecord() error {
	switch {
	case f.record == "":
		return nil
	case f.gdb.on:
		return errors.New("-record excludes GDB: record first, then yolk replay -gdb")
	case len(f.qemu) > 0:
		return errors.New("-record excludes -qemu: what else QEMU is given might not be there for the replay")
	}
	return nil
}

// recorder is a run's recording; a nil one records nothing.
type recorder struct{ *qemu.Recording }

// startRecording prepares to record the run of cfg, if that was asked for.
//
// WHY all events are traced: a replay can write them to a file, but cannot ask
// the kernel for others than were recorded.
func (f *runFlags) startRecording(qemuPath string, cfg *qemu.Config) (*recorder, error) {
	if f.record == "" {
		return nil, nil
	}
	rec, err := qemu.NewRecording(f.record, qemuPath, cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot record: %w", err)
	}
	cfg.Params.Trace = trace.ClassAll
	return &recorder{rec}, nil
}

// finish saves the recording of a run that has ended with exitCode, and returns
// yolk's exit status.
func (r *recorder) finish(cfg *qemu.Config, result qemu.Result, exitCode int) int {
	if r == nil {
		return exitCode
	}
	defer r.Close()
	if err := r.Save(cfg, result, exitCode); err != nil {
		return complain(fmt.Errorf("the run was not recorded: %w", err))
	}
	return exitCode
}
