package procfs

import "testing"

func TestPageTableRoundTrip(t *testing.T) {
	text := "root=0x1f000\n0x000000400000 frame=0x12 P-U-A-- refs=1\n0x7fffffffe000 frame=0xabc P-UNADC refs=2\n"
	pt, ok := ParsePageTable(text)
	if !ok || pt.Root != 0x1f000 || len(pt.Entries) != 2 {
		t.Fatalf("ParsePageTable = %+v, %v", pt, ok)
	}
	back := "root=0x1f000\n"
	for _, e := range pt.Entries {
		back += e.String() + "\n"
	}
	if back != text {
		t.Errorf("printed again: %q", back)
	}
	e, ok := pt.Find(0x7fffffffe123)
	if !ok || !e.Has('C') || e.Has('W') || e.Frame != 0xabc || e.Refs != 2 {
		t.Errorf("Find = %+v, %v", e, ok)
	}
	if _, ok := pt.Find(0x401000); ok {
		t.Error("Find found a page that is not there")
	}
}

func TestPageTableRefusesDamage(t *testing.T) {
	for _, text := range []string{
		"", "root=\n", "rot=0x1\n",
		"root=0x1\n0x1000 frame=0x2 P-U-A- refs=1\n",
		"root=0x1\n0x1000 frame=0x2 W-U-A-- refs=1\n",
		"root=0x1\n0x1000 frame=2 P-U-A-- refs=1\n",
		"root=0x1\n0x1000 frame=0x2 P-U-A-- refs=x\n",
		"root=0x1\n\n",
	} {
		if _, ok := ParsePageTable(text); ok {
			t.Errorf("ParsePageTable(%q) is content", text)
		}
	}
}

func TestCounter(t *testing.T) {
	text := "cow_copy_extra 9\ncow_copy 7\ncow_reuse 0\n"
	if n, ok := Counter(text, "cow_copy"); !ok || n != 7 {
		t.Errorf("cow_copy = %d, %v", n, ok)
	}
	if _, ok := Counter(text, "cow"); ok {
		t.Error("a prefix of a name was taken for the name")
	}
}

func TestParseMaps(t *testing.T) {
	list := ParseMaps("00400000-00452000 r-xp 00001000 08:02 173521                             /bin/a b\n" +
		"7ffc000-7ffd000 rw-p 00000000 00:00 0\nbroken\n")
	if len(list) != 2 || list[0].Path != "/bin/a b" || list[0].Pages() != 0x52 || list[0].Offset != 0x1000 || list[1].Path != "" {
		t.Errorf("ParseMaps = %+v", list)
	}
}

func TestParseStat(t *testing.T) {
	s, ok := ParseStat("42 (a) b (c) S 7 42 42 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 100 8192 3 rest\n")
	if !ok || s.PID != 42 || s.PPID != 7 || s.Name != "a) b (c" || s.State != 'S' || s.VSize != 8192 || s.RSS != 3 {
		t.Errorf("ParseStat = %+v, %v", s, ok)
	}
	if _, ok := ParseStat("42 (x) S 1"); ok {
		t.Error("a short line was accepted")
	}
}

func TestMeminfo(t *testing.T) {
	if n, ok := Meminfo("MemTotal:  100 kB\nMemFree:    42 kB\n", "MemFree"); !ok || n != 42 {
		t.Errorf("MemFree = %d, %v", n, ok)
	}
}

func TestPage(t *testing.T) {
	p := Page(1<<63 | 1<<61 | 0x1234)
	if !p.Present() || p.Frame() != 0x1234 || Page(0x1234).Present() {
		t.Error("pagemap entry misread")
	}
}
