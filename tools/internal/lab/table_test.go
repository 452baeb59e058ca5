package lab

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write labs/README.md anew")

// TestTable: the chapter of the directory labs is what the labs' data says.
func TestTable(t *testing.T) {
	file := filepath.Join("labs", "README.md")
	want := table(t)
	if *update {
		ok(t, os.WriteFile(file, want, 0o666))
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not up to date (%v): go test ./tools/internal/lab -update", file, err)
	}
}

// table is the chapter.
func table(t *testing.T) []byte {
	var b, wrong bytes.Buffer
	b.WriteString(`# labs: what there is to do, and what its tests notice

| lab | version | about | tests | points | of them robustness | wrong solutions |
|---|---|---|---|---|---|---|
`)
	for _, l := range labs(t) {
		list, err := l.Wrongs(root)
		ok(t, err)
		list = append(list, lefts(t, l)...)
		points, robust := l.Points()
		fmt.Fprintf(&b, "| [%s](%s/README.md) | %s | %s | %d | %d | %d | %d |\n", l.Name, l.Name, l.Version, l.Title, len(l.Tests), points, robust, len(list))
		fmt.Fprintf(&wrong, "\n## %s\n\n| wrong solution | case | points lost | tests that fail |\n|---|---|---|---|\n", l.Name)
		for _, w := range list {
			lost := 0
			for _, c := range l.Tests {
				if slices.Contains(w.Fails, c.Name()) {
					lost += c.Points
				}
			}
			fmt.Fprintf(&wrong, "| %s | %s | %d | %d |\n", w.Name, w.Case, lost, len(w.Fails))
		}
	}
	fmt.Fprintf(&b, "\n%s\n", provenOf(t))
	b.WriteString("\nEach wrong solution is the reference with one mistake in it. `yolk test -all -run '^lab/'` holds\n" +
		"that it fails the tests that the lab's wrong.json names, and no others, in the rings on the host, in the guest and from outside.\n" +
		"Where two processes run wild on one stack, some verdicts are a matter of luck: they count as given.\n")
	b.Write(wrong.Bytes())
	return b.Bytes()
}

// provenOf tells of which commit all of it is proven.
func provenOf(t *testing.T) string {
	b, err := os.ReadFile(filepath.Join("labs", ProofFile))
	ok(t, err)
	var p Proof
	ok(t, json.Unmarshal(b, &p))
	if len(p.Commit) != 40 || p.Checks < 200 {
		t.Errorf("%s proves nothing: %+v", ProofFile, p)
	}
	return fmt.Sprintf("All %d checks of the matrix (labs × starter, reference, wrong solutions; on the host, in the machine and\n"+
		"from outside) were run on commit %s, and passed: `yolk test -all -update -run '^lab/'`.", p.Checks, p.Commit)
}
