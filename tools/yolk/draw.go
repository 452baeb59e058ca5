package main

import (
	"errors"
	"fmt"
	"io"

	"yolk/kernel/trace"
	"yolk/tools/internal/grade"
	"yolk/tools/internal/picture"
)

// draws has a grading write the picture of its first failure in the guest, if one
// was asked for.  sentence, to be called when all is graded, says what came of it.
func (f *gradeFlags) draws(opt *grade.Options) (sentence func() string) {
	if f.html == "" {
		return func() string { return "" }
	}
	said := fmt.Sprintf("picture: no test that runs in the guest was run and failed, so %s is not written\n", f.html)
	opt.Draw = func(d *grade.Drawing) error {
		said = drawnWords(d, f.html)
		return writeTo(f.html, func(w io.Writer) error { return writeDrawing(w, d) })
	}
	return func() string { return said }
}

// drawnWords says what a picture shows.
func drawnWords(d *grade.Drawing, file string) string {
	ran := "by itself"
	if d.Others > 0 {
		ran = fmt.Sprintf("with %d others, for by itself it passes,", d.Others)
	}
	ended := "failed"
	if !d.Failed {
		ended = "did not fail again"
	}
	return fmt.Sprintf("picture: %s is of a boot in which %s ran %s and %s\n", file, d.Test.Name(), ran, ended)
}

// errCut stands at the end of a picture that does not show all.
var errCut = errors.New("there were more events than a picture holds, and the first of them are shown")

func writeDrawing(w io.Writer, d *grade.Drawing) error {
	err := picture.WriteAtEnd(w, func(yield func(trace.Event, error) bool) {
		for _, ev := range d.Events {
			if !yield(ev, nil) {
				return
			}
		}
		if d.Cut {
			yield(trace.Event{}, errCut)
		}
	}, d.Test.Name())
	if errors.Is(err, errCut) {
		return nil // the page says it
	}
	return err
}
