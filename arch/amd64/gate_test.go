package amd64

import "testing"

// field returns n bits of a word from bit at on.
func field(word uint64, at, n int) uint64 { return word >> at & (1<<n - 1) }

// expect compares fields of a descriptor.
func expect(t *testing.T, what string, got, want uint64) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %#x, want %#x", what, got, want)
	}
}

// SDM 3A fig. 6-8.
func TestInterruptGate(t *testing.T) {
	const handler = 0xfedc_ba98_7654_3210
	for _, c := range []struct{ ist, dpl uint64 }{{1, 0}, {2, 3}, {7, 0}} {
		g := interruptGate(handler, c.ist, c.dpl)
		expect(t, "the handler's offset 15:0", field(g[0], 0, 16), 0x3210)
		expect(t, "the handler's offset 31:16", field(g[0], 48, 16), 0x7654)
		expect(t, "the handler's offset 63:32", g[1], 0xfedc_ba98)
		expect(t, "the selector", field(g[0], 16, 16), KernelCode)
		expect(t, "IST", field(g[0], 32, 3), c.ist)
		expect(t, "what is reserved", field(g[0], 35, 5), 0)
		expect(t, "the type", field(g[0], 40, 5), 0xe)
		expect(t, "DPL", field(g[0], 45, 2), c.dpl)
		expect(t, "P", field(g[0], 47, 1), 1)
	}
}

// SDM 3A fig. 7-4.
func TestTSSDescriptor(t *testing.T) {
	const base = 0xfedc_ba98_7654_3210
	d := tssDescriptor(base, 0x67)
	expect(t, "the limit", field(d[0], 0, 16)|field(d[0], 48, 4)<<16, 0x67)
	expect(t, "the base 23:0", field(d[0], 16, 24), 0x543210)
	expect(t, "the base 31:24", field(d[0], 56, 8), 0x76)
	expect(t, "the base 63:32", d[1], 0xfedc_ba98)
	expect(t, "the type", field(d[0], 40, 5), 0x9)
	expect(t, "DPL", field(d[0], 45, 2), 0)
	expect(t, "P", field(d[0], 47, 1), 1)
	expect(t, "AVL, G and what is reserved", field(d[0], 52, 4), 0)
}
