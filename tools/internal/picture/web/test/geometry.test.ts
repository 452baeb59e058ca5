import assert from "node:assert/strict";
import { test } from "node:test";
import { Geometry } from "../src/geometry.ts";
import { heap, init, play, type Told } from "./trace.ts";

const page = 4096;
const pitch = 10;

/** mapOf is the map of process 1's space after some events. */
function mapOf(...events: Told[]): Geometry {
  const h = play(...events);
  const s = h.stateAt(Infinity);
  const space = s.spaces.get(s.process(1).space)!;
  return new Geometry(space, h.rows(space.id), pitch);
}

const faultAt = (n: number): Told => ({ kind: "fault", pid: 1, va: heap + n * page, err: 6, decision: "demand-zero", new: 0x200 + n });
const region = (from: number, to: number): Told => ({ kind: "map", pid: 1, va: heap + from * page, aux: (to - from) * page, err: 3, old: 0x10 });

test("a page is found where it is placed, in the column of its address", () => {
  const g = mapOf(...init);
  const at = g.place(heap + 2 * page)!;
  assert.equal(at.x, 2 * pitch);
  assert.equal(g.hit(at.x + 5, at.y + 5), heap + 2 * page);
  assert.equal(g.hit(20 * pitch, at.y + 5), null, "the region ends before that column");
  assert.equal(g.hit(5, at.y - 5), null, "above it stands the region's name");
});

test("only rows that are used take room, and a gap says that some are left out", () => {
  const g = mapOf(...init, region(32, 100_000), faultAt(40), faultAt(64), faultAt(99_000));
  const rows = g.blocks.flatMap((b) => b.rows);
  assert.equal(rows.length, 4);
  assert.equal(rows[2].y - rows[1].y, pitch, "neighbours");
  assert.ok(rows[3].y - rows[2].y > pitch, "not neighbours");
});

test("two regions in one row are two rows on the map", () => {
  const g = mapOf(...init, { kind: "map", pid: 1, va: heap + 20 * page, aux: 4 * page, err: 1, old: 0x10 });
  assert.deepEqual(g.blocks.map((b) => b.rows.map((r) => [r.first, r.last])), [[[0, 15]], [[20, 23]]]);
  const at = g.place(heap + 21 * page)!;
  assert.equal(at.x, 21 * pitch);
  assert.equal(g.hit(at.x + 1, at.y + 1), heap + 21 * page);
});

test("pages outside of every region are shown as such", () => {
  const g = mapOf(...init, { kind: "fault", pid: 1, va: 0x7fff0000, err: 6, decision: "demand-zero", new: 0x300 }, faultAt(20));
  assert.deepEqual(g.blocks.map((b) => b.told), [false, true, false]);
  assert.ok(g.place(0x7fff0000));
  assert.equal(g.blocks[2].region.start, heap + 16 * page, "it begins where the region ends");
});

test("the cursor goes from row to row and stays at the ends", () => {
  const g = mapOf(...init, region(32, 96), faultAt(40), faultAt(90));
  assert.equal(g.step(heap, 1, 0), heap + page);
  assert.equal(g.step(heap, -1, 0), heap);
  assert.equal(g.step(heap + 15 * page, 1, 0), heap + 32 * page, "on in the next row");
  assert.equal(g.step(heap + 32 * page, -1, 0), heap + 15 * page, "and back");
  assert.equal(g.step(heap + 40 * page, 0, 1), heap + 72 * page);
  assert.equal(g.step(heap + 90 * page, 0, 1), heap + 90 * page);
  assert.equal(g.step(0x1000, 1, 0), heap, "from nowhere to the first page");
});
