import assert from "node:assert/strict";
import { test } from "node:test";
import { frameOf, marked, writable } from "../src/paging.ts";
import { Look, lender, mappers, pageAt } from "../src/look.ts";
import { Holds, region, type Space, type State } from "../src/state.ts";
import { childWrites, cow, entryOf, forked, heap, init, owned, play, text, type Told } from "./trace.ts";

const page = 4096;

/** spaceOf is the address space of a process. */
function spaceOf(s: State, pid: number): Space {
  const space = s.spaces.get(s.process(pid).space);
  assert.ok(space, `process ${pid} has an address space`);
  return space;
}

/** last is the state after all of some events. */
function last(...events: Told[]): State {
  return play(...events).stateAt(Infinity);
}

test("boot and the first program", () => {
  const s = last(...init);
  const space = spaceOf(s, 1);
  assert.equal(space.root, 0x10);
  assert.equal(space.resident, 3);
  assert.deepEqual([s.totalFrames, s.freeFrames, s.zeroFrame], [1000, 900, 5]);
  assert.equal(pageAt(s, space, heap + 8).frame, 0x21);
  assert.equal(pageAt(s, space, heap).look, Look.Private);
  assert.equal(pageAt(s, space, heap + 3 * page).look, Look.Absent);
  assert.equal(space.region(heap)?.flags, region.read | region.write);
  assert.equal(space.region(heap - 1), undefined);
});

test("fork shares frames and marks private pages on both sides", () => {
  const s = last(...init, ...forked);
  for (const pid of [1, 2]) {
    const p = pageAt(s, spaceOf(s, pid), heap);
    assert.equal(p.frame, 0x21);
    assert.ok(marked(p.entry) && !writable(p.entry));
    assert.equal(p.look, Look.Shared);
  }
  assert.equal(s.mapped(0x21), 2);
  assert.deepEqual(mappers(s, 0x21).map((m) => m.space.root), [0x10, 0x30]);
  assert.equal(spaceOf(s, 2).region(heap)?.end, heap + 16 * page);
  assert.equal(s.process(2).parent, 1);
});

test("fork leaves shared memory writable", () => {
  const shared: Told[] = [
    { kind: "map", pid: 1, va: heap + 64 * page, aux: page, err: 3 | region.shared, old: 0x10 },
    { kind: "fault", pid: 1, va: heap + 64 * page, err: 6, decision: "shared-write", new: 0x50 },
  ];
  const s = last(...init, ...shared, ...forked);
  const p = pageAt(s, spaceOf(s, 2), heap + 64 * page);
  assert.ok(writable(p.entry) && !marked(p.entry));
  assert.equal(p.look, Look.Common);
});

test("a copy splits one page, the last owner keeps the frame", () => {
  const h = play(...init, ...forked, childWrites, { kind: "fault", pid: 1, va: heap, err: 7, decision: "cow-reuse", old: 0x21, new: 0x21, refs: 1 });
  const split = h.stateAt(h.length - 2);
  assert.equal(pageAt(split, spaceOf(split, 2), heap).frame, 0x40);
  assert.equal(pageAt(split, spaceOf(split, 2), heap).look, Look.Private);
  assert.equal(pageAt(split, spaceOf(split, 1), heap).look, Look.Last);
  assert.equal(pageAt(split, spaceOf(split, 1), heap + page).look, Look.Shared);
  const kept = h.stateAt(h.length - 1);
  assert.equal(pageAt(kept, spaceOf(kept, 1), heap).look, Look.Private);
  assert.equal(kept.mapped(0x21), 1);
});

test("entries that are told are taken as they are", () => {
  const s = last(...init, ...forked.slice(0, 2),
    { kind: "entry", pid: 1, va: heap, old: entryOf(0x21, owned), new: entryOf(0x21, cow), aux: 0x10, refs: 1 },
    { kind: "entry", pid: 1, va: heap, old: 0, new: entryOf(0x21, cow), aux: 0x30, refs: 2 },
    forked[2]);
  assert.equal(spaceOf(s, 2).resident, 1, "nothing is guessed where entries are told");
  assert.equal(spaceOf(s, 2).entry(heap).high, 2 ** 31, "NX is kept");
  assert.equal(frameOf(spaceOf(s, 1).entry(heap)), 0x21);
  assert.ok(marked(spaceOf(s, 1).entry(heap)));
});

test("a frame new to all holds the page cache's page where a file is mapped", () => {
  const s = last(...init,
    { kind: "map", pid: 1, va: 0x400000, aux: 8 * page, err: 5 | region.file, old: 0x10 }, text("/bin/init"),
    { kind: "entry", pid: 1, va: 0x400000, new: entryOf(0x60, cow), aux: 0x10 },
    { kind: "entry", pid: 1, va: heap, old: 0, new: entryOf(0x61, owned), aux: 0x10 });
  assert.equal(s.holds(0x60), Holds.File);
  assert.equal(s.holds(0x61), Holds.Anonymous);
  assert.equal(pageAt(s, spaceOf(s, 1), 0x400000).look, Look.File);
});

test("the zero page is the zero page wherever it is mapped", () => {
  const s = last(...init, { kind: "fault", pid: 1, va: heap + 5 * page, err: 4, decision: "zero-page", new: 5 });
  assert.equal(pageAt(s, spaceOf(s, 1), heap + 5 * page).look, Look.Zero);
  assert.ok(marked(spaceOf(s, 1).entry(heap + 5 * page)));
});

test("vfork: one address space, two processes, the parent asleep", () => {
  const h = play(...init,
    { kind: "vfork", pid: 1, aux: 2, old: 0x10, new: 0x10 },
    { kind: "vfork-sleep", pid: 1, aux: 2 },
    { kind: "vfork-wake", pid: 1, aux: 2 },
    { kind: "exit", pid: 2, err: 0 });
  const during = h.stateAt(h.length - 3);
  assert.equal(during.spaces.size, 1);
  assert.deepEqual(spaceOf(during, 1).pids, [1, 2]);
  assert.equal(lender(during, spaceOf(during, 2))?.pid, 1);
  const after = h.stateAt(h.length - 1);
  assert.deepEqual(spaceOf(after, 1).pids, [1]);
  assert.equal(after.process(1).state, "running");
  assert.equal(after.process(2).state, "zombie");
  assert.equal(spaceOf(after, 1).resident, 3, "the child's exit empties nothing");
  assert.equal(lender(after, spaceOf(after, 1)), undefined);
});

const exec: Told[] = [
  { kind: "table-make", pid: 2, old: 0x70, new: 0x70, aux: 4 },
  { kind: "fault", pid: 2, va: 0x7fffffffe000, err: 6, decision: "demand-zero", new: 0x71 },
  { kind: "exec", pid: 2, old: 0x30, new: 0x70 },
  { kind: "table-free", pid: 2, old: 0x31, aux: 1 },
  { kind: "table-free", pid: 2, old: 0x30, aux: 4 },
];

test("exec: the old space goes, the stack was written in the new one", () => {
  const h = play(...init, ...forked, ...exec);
  const during = h.stateAt(h.length - 3);
  assert.deepEqual(during.spaceOf(0x30)?.pids, [], "nobody is in it, until its tables are freed");
  assert.equal(spaceOf(during, 2).root, 0x70);
  const s = h.stateAt(h.length - 1);
  assert.equal(s.spaceOf(0x30), undefined);
  assert.equal(spaceOf(s, 2).root, 0x70);
  assert.equal(spaceOf(s, 2).resident, 1);
  assert.equal(s.mapped(0x21), 1);
  assert.equal(pageAt(s, spaceOf(s, 1), heap).look, Look.Last);
});

test("a space that is emptied entry by entry stays until its root goes", () => {
  const entry = (va: number, frame: number): Told => ({ kind: "entry", pid: 2, va, old: entryOf(frame, cow), new: 0, aux: 0x30 });
  const h = play(...init, ...forked, exec[0], exec[2], entry(heap, 0x21), entry(heap + page, 0x22), exec[3], entry(heap + 2 * page, 0x23), exec[4]);
  assert.equal(h.stateAt(h.length - 3).spaceOf(0x30)?.resident, 1);
  assert.equal(h.stateAt(h.length - 1).spaceOf(0x30), undefined);
  assert.equal(h.stateAt(h.length - 1).spaces.size, 2);
});

test("exec and exit without table events end the space too", () => {
  const s = last(...init, { kind: "fork", pid: 1, aux: 2, old: 0x10, new: 0x30 }, { kind: "exec", pid: 2, old: 0x30, new: 0x70 });
  assert.equal(s.spaceOf(0x30), undefined);
  const t = last(...init, { kind: "fork", pid: 1, aux: 2, old: 0x10, new: 0x30 }, { kind: "exit", pid: 2, err: 256 });
  assert.equal(t.spaceOf(0x30), undefined);
  assert.equal(t.process(2).status, 256);
});

test("wait ends the zombie, and its pid may be born again", () => {
  const s = last(...init, ...forked, { kind: "exit", pid: 2 }, { kind: "wait", pid: 1, aux: 2 });
  assert.ok(!s.processes.has(2));
  const t = last(...init, ...forked, { kind: "exit", pid: 2 }, { kind: "vfork", pid: 1, aux: 2, old: 0x10, new: 0x10 });
  assert.equal(t.process(2).state, "running");
});

test("regions are cut, split and joined", () => {
  const s = last(...init,
    { kind: "unmap", pid: 1, va: heap + page, aux: page, old: 0x10 },
    { kind: "protect", pid: 1, va: heap + 4 * page, aux: 2 * page, err: 1, old: 0x10 },
    { kind: "map", pid: 1, va: heap + 16 * page, aux: page, err: 3, old: 0x10 });
  const space = spaceOf(s, 1);
  assert.deepEqual(space.regions.map((r) => [(r.start - heap) / page, (r.end - heap) / page, r.flags]), [[0, 1, 3], [2, 4, 3], [4, 6, 1], [6, 17, 3]]);
  assert.equal(space.resident, 2, "the page in the hole went");
  assert.equal(s.mapped(0x22), 0);
});

test("taking the right to write takes it from the entries", () => {
  const s = last(...init, { kind: "protect", pid: 1, va: heap, aux: page, err: 1, old: 0x10 });
  assert.ok(!writable(spaceOf(s, 1).entry(heap)));
  assert.ok(writable(spaceOf(s, 1).entry(heap + page)));
});

test("a stack grows down to the fault", () => {
  const s = last(...init,
    { kind: "map", pid: 1, va: 0x7ffffffde000, aux: 33 * page, err: 3 | region.growsDown, old: 0x10 },
    { kind: "fault", pid: 1, va: 0x7ffffffd0010, err: 6, decision: "stack-grow", new: 0x80 },
    { kind: "map", pid: 1, va: 0x7ffffffcf000, aux: page, err: 3 | region.growsDown, old: 0x10 },
    { kind: "fault", pid: 1, va: 0x7ffffffcf010, err: 6, decision: "stack-grow", new: 0x81 });
  const stack = spaceOf(s, 1).region(0x7ffffffd0000);
  assert.deepEqual([stack?.start, stack?.end], [0x7ffffffcf000, 0x7ffffffff000]);
});

test("faults that end in a signal map nothing", () => {
  const s = last(...init, { kind: "fault", pid: 1, va: 0xffff800000000000n, err: 6, decision: "segv-maperr" });
  assert.equal(spaceOf(s, 1).resident, 3);
});

test("reparenting, samples and losses", () => {
  const s = last(...init, ...forked, { kind: "reparent", pid: 2, aux: 7 }, { kind: "free", aux: 123 }, { kind: "lost", aux: 12 }, { kind: "switch", pid: 2, new: 0x30 });
  assert.deepEqual([s.process(2).parent, s.freeFrames, s.lost, s.running], [7, 123, 12, 2]);
});
