import assert from "node:assert/strict";
import { test } from "node:test";
import { Change, diff, total } from "../src/diff.ts";
import { History } from "../src/history.ts";
import { Records } from "../src/records.ts";
import { State } from "../src/state.ts";
import { apply } from "../src/apply.ts";
import { childWrites, cow, encode, entryOf, forked, heap, init, names, play, text, type Told } from "./trace.ts";

const page = 4096;

/** busy is a long life: forks, writes on both sides, exits, over and over. */
function busy(rounds: number): Told[] {
  const events = [...init];
  for (let i = 0; i < rounds; i++) {
    const pid = 2 + i;
    const copy = 0x1000 + 4 * i;
    events.push(
      { kind: "table-make", pid: 1, old: copy, new: copy, aux: 4 },
      { kind: "fork", pid: 1, aux: pid, old: 0x10, new: copy },
      { kind: "fault", pid, va: heap, err: 7, decision: "cow-copy", old: 0x21, new: copy + 1, refs: 2 },
      { kind: "fault", pid: 1, va: heap + page, err: 7, decision: "cow-copy", old: 0x22, new: copy + 2, refs: 2 },
      { kind: "fault", pid, va: heap + (3 + (i % 9)) * page, err: 6, decision: "demand-zero", new: copy + 3 },
      { kind: "table-free", pid, old: copy, aux: 4 },
      { kind: "exit", pid, err: i << 8 },
      { kind: "wait", pid: 1, aux: pid, err: i << 8 },
      { kind: "fault", pid: 1, va: heap + page, err: 7, decision: "cow-copy", old: copy + 2, new: 0x22, refs: 2 },
    );
  }
  return events;
}

/** shape is a state in a form that can be compared. */
function shape(s: State) {
  return {
    processes: [...s.processes.values()].sort((a, b) => a.pid - b.pid),
    spaces: [...s.spaces.values()].map((sp) => {
      const pages: [number, number, number][] = [];
      sp.pages((va, c, i) => pages.push([va, c.low(i), c.frame(i)]));
      return { root: sp.root, pids: sp.pids, regions: sp.regions, tables: sp.tables, resident: sp.resident, pages: pages.sort((a, b) => a[0] - b[0]) };
    }),
    mapped: [0x21, 0x22, 0x23].map((f) => s.mapped(f)),
  };
}

test("any moment, in any order, is what playing from the start gives", () => {
  const h = play(...busy(150));
  const records = h.records;
  const truth = new State();
  const shapes = [];
  for (let i = 0; i < records.length; i++) {
    apply(truth, records, records.event(i));
    shapes.push(JSON.stringify(shape(truth)));
  }
  let seed = 1;
  for (let n = 0; n < 300; n++) {
    seed = (seed * 16807) % 2147483647;
    const i = seed % records.length;
    assert.equal(JSON.stringify(shape(h.stateAt(i))), shapes[i], `event ${i}`);
  }
  assert.equal(h.stateAt(-1).processes.size, 0);
});

test("a trace that comes in pieces gives the same history", () => {
  const bytes = encode(busy(20));
  const h = new History(new Records(names));
  for (let at = 0; at < bytes.length; at += 100) {
    h.records.append(bytes.subarray(at, at + 100));
    h.extend();
  }
  const whole = play(...busy(20));
  assert.equal(h.length, whole.length);
  assert.equal(JSON.stringify(shape(h.stateAt(h.length - 1))), JSON.stringify(shape(whole.stateAt(whole.length - 1))));
  assert.equal(h.lives.length, whole.lives.length);
});

test("lives: birth, sleep, exec, end", () => {
  const h = play(...init,
    { kind: "vfork", pid: 1, aux: 2, old: 0x10, new: 0x10 }, // 10
    { kind: "vfork-sleep", pid: 1, aux: 2 },
    { kind: "table-make", pid: 2, old: 0x70, new: 0x70, aux: 4 },
    { kind: "exec", pid: 2, old: 0x10, new: 0x70 },
    { kind: "vfork-wake", pid: 1, aux: 2 },
    { kind: "exit", pid: 2 },
    { kind: "wait", pid: 1, aux: 2 });
  const [first, child] = h.lives;
  assert.deepEqual([child.parent?.pid, child.born, child.vforked, child.execs, child.exited, child.reaped], [1, 10, true, [13], 15, 16]);
  assert.deepEqual(first.asleep, [{ from: 11, to: 14 }]);
  assert.deepEqual(first.children, [child]);
  assert.ok(h.fact(13).borrowed, "the space stays with the parent");
  const s = h.stateAt(14);
  assert.deepEqual([1, 2].map((pid) => s.spaces.get(s.process(pid).space)?.root), [0x10, 0x70], "the wake leaves the child where it is");
});

test("a pid that comes again is another life", () => {
  const round: Told[] = [...forked, { kind: "table-free", pid: 2, old: 0x30, aux: 4 }, { kind: "exit", pid: 2 }];
  const h = play(...init, ...round, { kind: "wait", pid: 1, aux: 2 }, ...round);
  assert.deepEqual(h.lives.map((l) => l.pid), [1, 2, 2]);
  assert.equal(h.life(2, h.length - 1), h.lives[2]);
});

test("names follow exec and are inherited", () => {
  const h = play(...init, ...forked, // 10, 11, 12
    { kind: "exec", pid: 2, old: 0x30, new: 0x70 },
    { kind: "name", pid: 2 }, text("/bin/a program of a rather long "), text("name"));
  assert.equal(h.name(1, 5), "/bin/init");
  assert.equal(h.name(2, 13), "/bin/init");
  assert.equal(h.name(2, h.length - 1), "/bin/a program of a rather long name");
  assert.equal(h.name(9, 13), "");
});

test("facts: who keeps the frame, how many pages are shared or given back", () => {
  const h = play(...init, ...forked, childWrites,
    { kind: "table-free", pid: 2, old: 0x31, aux: 1 }, { kind: "table-free", pid: 2, old: 0x30, aux: 4 }, { kind: "exit", pid: 2 });
  assert.deepEqual(h.fact(12), { pages: 3, marked: 3 });
  assert.deepEqual(h.fact(13).keepers, [1]);
  assert.deepEqual(h.fact(16), { pages: 3, tables: 2 });
});

test("facts: an exit that empties its space entry by entry gives back what it had", () => {
  const gone: Told[] = [0, 1, 2].map((i) => ({ kind: "entry", pid: 2, va: heap + i * page, old: entryOf(0x21 + i, cow), new: 0, aux: 0x30 }));
  const h = play(...init, ...forked, gone[0], { kind: "unmap", pid: 2, va: heap, aux: page, old: 0x30 }, gone[1], gone[2],
    { kind: "table-free", pid: 2, old: 0x31, aux: 1 }, { kind: "table-free", pid: 2, old: 0x30, aux: 4 }, { kind: "exit", pid: 2 });
  assert.deepEqual(h.fact(h.length - 1), { pages: 2, tables: 2 });
});

test("parent and child use the same rows of the map", () => {
  const h = play(...init, ...forked, { kind: "fault", pid: 2, va: heap + 40 * page, err: 6, decision: "demand-zero", new: 0x90 });
  const s = h.stateAt(h.length - 1);
  const row = heap / (32 * page);
  for (const pid of [1, 2]) assert.deepEqual([...h.rows(s.process(pid).space)].sort(), [row, row + 1]);
});

test("the difference of a write is the one page that split", () => {
  const h = play(...init, ...forked, childWrites);
  const changes = diff(h.stateAt(12), h.stateAt(13));
  assert.deepEqual(changes.map((c) => c.pages), [[{ va: heap, change: Change.Split, from: 0x21, to: 0x40 }]]);
  assert.equal(changes[0].after?.root, 0x30);
});

test("the difference of a fork: marked pages on one side, a new space on the other", () => {
  const h = play(...init, ...forked);
  const n = total(diff(h.stateAt(9), h.stateAt(12)));
  assert.equal(n[Change.Marked], 3);
  assert.equal(n[Change.Appeared], 3);
});

test("differences: went, replaced, mark cleared; none of a moment with itself", () => {
  const h = play(...init, ...forked, childWrites, // 13
    { kind: "fault", pid: 1, va: heap, err: 7, decision: "cow-reuse", old: 0x21, new: 0x21, refs: 1 },
    { kind: "fault", pid: 1, va: heap + 5 * page, err: 4, decision: "zero-page", new: 5 }, // 15
    { kind: "fault", pid: 1, va: heap + 5 * page, err: 7, decision: "demand-zero", old: 5, new: 0x91 },
    { kind: "unmap", pid: 1, va: heap, aux: page, old: 0x10 });
  const at = (a: number, b: number) => diff(h.stateAt(a), h.stateAt(b)).flatMap((c) => c.pages.map((p) => p.change));
  assert.deepEqual(at(13, 14), [Change.Unmarked]);
  assert.deepEqual(at(15, 16), [Change.Replaced]);
  assert.deepEqual(at(16, 17), [Change.Went]);
  assert.deepEqual(at(9, 9), []);
});
