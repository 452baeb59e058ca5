import assert from "node:assert/strict";
import { test } from "node:test";
import { Records } from "../src/records.ts";
import { Scale } from "../src/scale.ts";
import { Steps, classes, usual } from "../src/steps.ts";
import { encode, names, text, type Told } from "./trace.ts";

const events: Told[] = [
  { kind: "boot" }, // 0
  { kind: "entry", pid: 1 },
  { kind: "fault", pid: 1 }, // 2
  { kind: "flush-page", pid: 1 },
  { kind: "name", pid: 1 }, // 4
  text("/bin/sh"),
  { kind: "lost", aux: 3 }, // 6
  { kind: "fork", pid: 2, aux: 3 }, // 7
];

function stepsOf(pid: number, chosen: string[]): Steps {
  const records = new Records(names);
  records.append(encode(events));
  return new Steps({ classes: new Set(chosen), pid }, records);
}

const all = (s: Steps): number[] => Array.from({ length: s.length }, (_, n) => s.event(n));

test("what is listed: the classes chosen, one process if asked, losses always, texts never", () => {
  assert.deepEqual(all(stepsOf(0, usual)), [0, 2, 4, 6, 7]);
  assert.deepEqual(all(stepsOf(2, usual)), [6, 7]);
  assert.deepEqual(all(stepsOf(0, ["entry"])), [1, 6]);
});

test("stepping on and back, from events that are not listed too", () => {
  const s = stepsOf(0, usual);
  assert.equal(s.move(0, 1), 2);
  assert.equal(s.move(3, 1), 4);
  assert.equal(s.move(3, -1), 2);
  assert.equal(s.move(2, -1), 0);
  assert.equal(s.move(0, -1), 0);
  assert.equal(s.move(7, 1), 7);
  assert.equal(s.move(0, Infinity), 7);
  assert.equal(s.move(7, -Infinity), 0);
  assert.equal(s.before(0), -1);
  assert.equal(s.before(4), 2);
  assert.equal(s.rank(3), 2);
});

test("new events are listed as they come", () => {
  const records = new Records(names);
  const s = new Steps({ classes: new Set(usual), pid: 0 }, records);
  assert.equal(s.move(5, 1), 5, "nothing to step to");
  records.append(encode(events));
  s.extend();
  assert.equal(s.length, 5);
});

test("every kind belongs to one class", () => {
  const known = Object.values(classes).flat();
  assert.deepEqual(known.filter((k, i) => known.indexOf(k) !== i), []);
  for (const kind of names.kinds.filter((k) => k && !["text", "args", "lost"].includes(k))) assert.ok(known.includes(kind), kind);
});

/** scaleOf is an axis of 1000 pixels over 101 events, 1 µs apart. */
function scaleOf(unit: "events" | "time"): Scale {
  const records = new Records(names);
  records.append(encode(Array.from({ length: 101 }, () => ({ kind: "fault" }))));
  return Scale.whole(records, unit, 1000);
}

for (const unit of ["events", "time"] as const) {
  test(`an event is found where it is drawn, by ${unit}`, () => {
    const s = scaleOf(unit);
    for (const i of [0, 1, 50, 99, 100]) assert.equal(s.event(s.x(i) + 1e-9), i);
    assert.equal(s.event(-50), 0);
    assert.equal(s.event(2000), 100);
  });

  test(`magnifying keeps the moment in its place, and stays within the trace, by ${unit}`, () => {
    const s = scaleOf(unit);
    const near = s.zoom(2, 50);
    assert.ok(Math.abs(near.x(50) - s.x(50)) < 1);
    assert.ok(Math.abs(near.x(51) - near.x(50) - 20) < 1e-6);
    const edge = s.zoom(4, 0);
    assert.equal(edge.x(0), 0);
    assert.equal(s.zoom(1000, 30).zoom(0, 30).x(100), 1000);
  });
}

test("the axis moves with the moment", () => {
  const near = scaleOf("events").zoom(4, 0);
  const x = near.showing(90).x(90);
  assert.ok(x >= 0 && x <= 1000);
  assert.equal(near.showing(3), near);
});

test("ticks are round and not too many", () => {
  const ticks = scaleOf("events").ticks();
  assert.deepEqual(ticks.map((t) => t.label), ["0", "20", "40", "60", "80", "100"]);
  assert.deepEqual(scaleOf("time").ticks().map((t) => t.label), ["0 µs", "20 µs", "40 µs", "60 µs", "80 µs", "100 µs"]);
});
