// A trace may lack what its reader would need: classes that were not traced, events
// that were lost, a beginning that was missed.  Whatever is missing, the page shows
// something and never fails.

import assert from "node:assert/strict";
import { test } from "node:test";
import { counts, lender, mappers } from "../src/look.ts";
import { diff, total } from "../src/diff.ts";
import { Geometry } from "../src/geometry.ts";
import { plain, sentence } from "../src/sentence.ts";
import { childWrites, cow, entryOf, forked, heap, init, names, owned, play, text, type Told } from "./trace.ts";

const page = 4096;

const life: Told[] = [
  ...init, ...forked, childWrites,
  { kind: "vfork", pid: 2, aux: 3, old: 0x30, new: 0x30 }, { kind: "vfork-sleep", pid: 2, aux: 3 },
  { kind: "table-make", pid: 3, old: 0x70, new: 0x70, aux: 4 },
  { kind: "map", pid: 3, va: 0x7ffffffde000, aux: 33 * page, err: 3 | 16, old: 0x70 }, text("[stack]"),
  { kind: "entry", pid: 3, va: 0x7fffffffe000, new: entryOf(0x71, owned), aux: 0x70, refs: 1 },
  { kind: "fault", pid: 3, va: 0x7fffffffe010, err: 6, decision: "demand-zero", new: 0x71 },
  { kind: "exec", pid: 3, old: 0x30, new: 0x70 }, { kind: "vfork-wake", pid: 2, aux: 3 }, { kind: "name", pid: 3 }, text("/bin/sh"),
  { kind: "protect", pid: 2, va: heap, aux: page, err: 1, old: 0x30 }, { kind: "unmap", pid: 2, va: heap, aux: page, old: 0x30 },
  { kind: "entry", pid: 2, va: heap + page, old: entryOf(0x22, cow), new: 0, aux: 0x30 },
  { kind: "fault", pid: 3, va: 0x7ffffffd0010, err: 6, decision: "stack-grow", new: 0x72 },
  { kind: "table-free", pid: 3, old: 0x70, aux: 4 }, { kind: "exit", pid: 3, err: 256 }, { kind: "reparent", pid: 3, aux: 1 }, { kind: "wait", pid: 1, aux: 3 },
  { kind: "signal-kill", pid: 2, err: 11 }, { kind: "table-free", pid: 2, old: 0x31, aux: 1 }, { kind: "table-free", pid: 2, old: 0x30, aux: 4 },
  { kind: "exit", pid: 2, err: 11 }, { kind: "lost", aux: 5 }, { kind: "free", aux: 9 }, { kind: "switch", pid: 1, new: 0x10 },
];

/** showAll asks the model for everything that a page shows, at each moment. */
function showAll(events: Told[]): void {
  const h = play(...events);
  for (let i = 0; i < h.length; i++) {
    const s = h.stateAt(i);
    assert.doesNotMatch(plain(sentence(h, i)), /undefined|NaN/);
    total(diff(h.stateAt(i - 3), s));
    for (const space of s.spaces.values()) {
      counts(s, space);
      lender(s, space);
      const g = new Geometry(space, h.rows(space.id), 10);
      g.step(heap, 1, 1);
      space.pages((va, c, k) => assert.ok(c.frame(k) === 0 || mappers(s, c.frame(k)).some((m) => m.va === va)));
      assert.equal(space.resident, [...space.chunks.values()].reduce((n, c) => n + [...Array(32).keys()].filter((k) => c.low(k) & 1).length, 0));
    }
    for (const p of s.processes.values()) assert.ok(p.space === 0 || s.spaces.get(p.space)?.pids.includes(p.pid), `PID ${p.pid} is where it says`);
  }
}

test("without any one kind of event", () => {
  for (const kind of names.kinds) showAll(life.filter((e) => e.kind !== kind));
});

test("from any beginning on", () => {
  for (let from = 0; from < life.length; from++) showAll(life.slice(from));
});

test("with events lost at random, and in the wrong order", () => {
  let seed = 7;
  const random = (n: number) => (seed = (seed * 16807) % 2147483647) % n;
  for (let round = 0; round < 150; round++) {
    const some = life.filter(() => random(10) < 7);
    if (round % 3 === 0) some.splice(random(some.length), 0, ...some.splice(random(some.length), 5));
    showAll(some);
  }
});
