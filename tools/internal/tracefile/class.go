package tracefile

import (
	"fmt"
	"path/filepath"
	"strings"

	"yolk/kernel/trace"
)

// classes are the classes of events by the names that users give them.
var classes = []struct {
	name  string
	class trace.Class
	kinds []trace.Kind
}{
	{"process", trace.ClassProcess, []trace.Kind{
		trace.Boot, trace.Name, trace.Fork, trace.VFork, trace.VForkSleep, trace.VForkWake,
		trace.Exec, trace.ExecFail, trace.Exit, trace.Wait, trace.Reparent,
	}},
	{"fault", trace.ClassFault, []trace.Kind{trace.Fault}},
	{"table", trace.ClassTable, []trace.Kind{trace.TableMake, trace.TableFree}},
	{"tlb", trace.ClassTLB, []trace.Kind{trace.FlushPage, trace.FlushSpace}},
	{"signal", trace.ClassSignal, []trace.Kind{trace.SignalSend, trace.SignalFrame, trace.SignalKill}},
	{"syscall", trace.ClassSyscall, []trace.Kind{trace.Syscall, trace.SysReturn, trace.Args}},
	{"map", trace.ClassMap, []trace.Kind{trace.Map, trace.Unmap, trace.Protect}},
	{"entry", trace.ClassEntry, []trace.Kind{trace.Entry}},
	{"sched", trace.ClassSched, []trace.Kind{trace.Switch, trace.Free}},
	{"all", trace.ClassAll, nil},
}

// ClassNames lists the names that ParseClasses understands.
func ClassNames() string {
	var names []string
	for _, c := range classes {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

// ParseClasses reads a list of names with commas between them.
func ParseClasses(list string) (set trace.Class, err error) {
names:
	for name := range strings.SplitSeq(list, ",") {
		for _, c := range classes {
			if strings.TrimSpace(name) == c.name {
				set |= c.class
				continue names
			}
		}
		return 0, fmt.Errorf("there is no class of events %q; there are %s", name, ClassNames())
	}
	return set, nil
}

// DefaultClasses are the classes that are traced into a file unless others are
// asked for: all but the most frequent ones.  What draws pictures needs those too,
// and reads files that end in .yt.
func DefaultClasses(name string) trace.Class {
	if strings.ToLower(filepath.Ext(name)) == ".yt" {
		return trace.ClassAll
	}
	return trace.ClassAll &^ (trace.ClassEntry | trace.ClassSched)
}

// classOf are the classes by kind.  Lost and Text belong to every class.
var classOf = func() map[trace.Kind]trace.Class {
	m := map[trace.Kind]trace.Class{trace.Lost: trace.ClassAll, trace.Text: trace.ClassAll}
	for _, c := range classes {
		for _, k := range c.kinds {
			m[k] = c.class
		}
	}
	return m
}()

// ClassOf returns the class that an event of kind k belongs to.
func ClassOf(k trace.Kind) trace.Class { return classOf[k] }
