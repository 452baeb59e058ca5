import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, entries, frameOf, indexAt, makeEntry, span } from "../src/paging.ts";
import { field, Records } from "../src/records.ts";
import { encode, names } from "./trace.ts";

const some = encode([
  { kind: "fork", pid: 7, aux: 8, old: 1, new: 2 },
  { kind: "fault", pid: -1, va: 0xffff800000000123n, err: 7, decision: "cow-copy", refs: 70000, old: 2 ** 40, new: 3 },
]);

test("records are decoded field by field", () => {
  const r = new Records(names);
  r.append(some);
  assert.equal(r.length, 2);
  assert.deepEqual(r.event(0), { index: 0, kind: "fork", decision: "none", time: 0, pid: 7, err: 0, refs: 0, va: 0, old: 1, new: 2, aux: 8 });
  const e = r.event(1);
  assert.deepEqual([e.kind, e.decision, e.pid, e.err, e.refs, e.old, e.time], ["fault", "cow-copy", -1, 7, 70000, 2 ** 40, 1000]);
  assert.equal(r.hex(1, field.va), "0xffff800000000123");
});

test("a record may come byte by byte", () => {
  const r = new Records(names);
  for (let i = 0; i < some.length - 1; i++) r.append(some.subarray(i, i + 1));
  assert.deepEqual([r.length, r.rest], [1, 63]);
  r.append(some.subarray(some.length - 1));
  assert.deepEqual([r.length, r.rest], [2, 0]);
});

test("what is no event is damage, and ends the trace", () => {
  const r = new Records(names);
  r.append(some.subarray(0, 64));
  r.append(new Uint8Array(64));
  r.append(some);
  assert.equal(r.length, 1);
  assert.match(r.damage, /damaged after 1 events/);
});

test("a kind that has no name is unknown", () => {
  const r = new Records({ kinds: ["", "fork"], decisions: [], calls: [], errors: [], signals: [] });
  r.append(some);
  assert.deepEqual([r.kind(0), r.kind(1), r.event(1).decision], ["fork", "unknown", "unknown"]);
});

test("entries and addresses", () => {
  const e = makeEntry(0x123456789, 0x67, false);
  assert.equal(frameOf(e), 0x123456789);
  assert.deepEqual(decode(e).map((b) => (b.on ? b.name : "-")), ["NX", "-", "D", "A", "U", "W", "P"]);
  assert.equal(makeEntry(1, 7, true).high, 0);
  const va = 0x7ffeffffe000;
  assert.deepEqual([4, 3, 2, 1].map((l) => indexAt(va, l)), [255, 507, 511, 510]);
  assert.equal(span(1) * entries, span(2));
});
