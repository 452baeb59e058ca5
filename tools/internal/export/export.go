// Package export makes what other people's graders want: an autograder for
// Gradescope, a workflow for GitHub.  Both run `yolk grade` on what was handed in,
// from a reference that students do not write to, and pass on its verdict.
package export

import (
	"archive/zip"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"yolk/tools/goroot"
	"yolk/tools/internal/lab"
	"yolk/tools/internal/tree"
)

// ToolchainSum is the SHA-256 of the toolchain of goroot.Version for Linux on
// x86-64, as Go's module proxies serve it.
const ToolchainSum = "af4c06478303fdd1bfb335fab86c7ccb9b12e529044a946a16a1c4bcc779f8d7"

// Workflow is where GitHub looks for the workflow, below a repository's root.
const Workflow = ".github/workflows/grade.yml"

// data are the scripts and the workflow, with @NAMES@ to be filled in.
//
//go:embed data
var data embed.FS

func filled(name string, words ...string) string {
	b, err := data.ReadFile(path.Join("data", name))
	if err != nil {
		panic("export: " + err.Error())
	}
	words = append(words, "@GO@", goroot.Version, "@SUM@", ToolchainSum)
	return strings.NewReplacer(words...).Replace(strings.ReplaceAll(string(b), "\r\n", "\n"))
}

// Gradescope writes the zip file of an autograder for a lab of the reference at
// root.  tests is a directory with further tests, as for yolk grade -tests, or "".
// What is worth knowing but no error goes to notes.
func Gradescope(w io.Writer, root string, l *lab.Lab, tests string, notes io.Writer) error {
	files, _, err := lab.Reference(root, notes)
	if err != nil {
		return err
	}
	z := zip.NewWriter(w)
	for _, f := range []struct {
		name string
		mode fs.FileMode
	}{{"setup.sh", 0o755}, {"run_autograder", 0o755}, {"environment", 0o644}} {
		if err := add(z, f.name, f.mode, []byte(filled(f.name, "@LAB@", l.Name))); err != nil {
			return err
		}
	}
	if err := addAll(z, "reference", root, files); err != nil {
		return err
	}
	if tests != "" {
		if _, err := l.WithTests(tests); err != nil {
			return err
		}
		files, err := tree.Files(tests)
		if err == nil {
			err = addAll(z, "tests", tests, files)
		}
		if err != nil {
			return err
		}
	}
	return z.Close()
}

// addAll adds files of the directory dir below the directory to.
func addAll(z *zip.Writer, to, dir string, files []string) error {
	for _, name := range files {
		b, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err == nil {
			err = add(z, path.Join(to, name), 0o644, b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// add adds a file, with the first date that the format has: the same tree gives the
// same bytes.
func add(z *zip.Writer, name string, mode fs.FileMode, content []byte) error {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	h.SetMode(mode)
	f, err := z.CreateHeader(h)
	if err == nil {
		_, err = f.Write(content)
	}
	return err
}

var repositoryForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$`)

// GitHub writes the workflow that grades a lab into the student's repository at
// dir.  It fetches the reference from the repository OWNER/NAME on GitHub, at the
// commit at which the one at root stands.
func GitHub(root string, l *lab.Lab, repository, dir string, notes io.Writer) error {
	if !repositoryForm.MatchString(repository) {
		return fmt.Errorf("%q: the repository of the reference is named as OWNER/NAME", repository)
	}
	_, commit, err := lab.Reference(root, notes)
	if err != nil {
		return err
	}
	if commit == "" {
		return errors.New("the reference has no commit that a workflow could fetch: this tree is no git repository")
	}
	return tree.Write(dir, Workflow, []byte(filled("grade.yml",
		"@LAB@", l.Name, "@VERSION@", l.Version, "@REPOSITORY@", repository, "@COMMIT@", commit)))
}
