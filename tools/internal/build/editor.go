package build

import (
	"os"
	"path/filepath"
	"strings"

	"yolk/tools/goroot"
)

// EditorEnv returns the environment in which a language server finds the whole tree
// as it is built: the kernel's files and the user programs' with their tags, and the
// private standard library behind them.
func (t *Toolchain) EditorEnv() []string {
	path := filepath.Join(t.root, "bin") + string(os.PathListSeparator) + os.Getenv("PATH")
	env := t.env()
	for i, kv := range env {
		if flags, ok := strings.CutPrefix(kv, "GOFLAGS="); ok {
			env[i] = "GOFLAGS=" + flags + " " + KernelFlags[0]
		}
	}
	return append(goroot.Without(env, "PATH"), "PATH="+path)
}
