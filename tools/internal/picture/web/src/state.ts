// What the system looks like after some number of events.
//
// A State shares with the states it was forked from whatever has not changed
// since: a fork copies references, and the first change to a thing copies that
// thing.  It is the kernel's own trick, and for the same reason: a picture of
// each 512th event costs next to nothing, and looking back is cheap.

import { bit, frameOf, present, type Entry } from "./paging.ts";

/** The pages of a chunk, which is also a row of the map. */
export const chunkPages = 32;
const chunkBytes = chunkPages * 4096;

/** The frames of a FrameChunk. */
const frameChunk = 256;

/** What a frame holds. */
export enum Holds {
  Unknown,
  Anonymous,
  File, // it is the page cache's
  Zero, // it is the shared zero page
}

export type ProcessState = "running" | "asleep" | "zombie";

/** A process.  It is replaced, never changed. */
export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly space: number; // id of its address space, 0 when it has none
  readonly state: ProcessState;
  readonly awaits: number; // the vfork child for which it is asleep
  readonly status: number; // the wait status of a zombie
}

/** The protection and kind of a region, as Map events tell them. */
export const region = { read: 1, write: 2, exec: 4, shared: 8, growsDown: 16, file: 32, heap: 64 } as const;
const rights = region.read | region.write | region.exec;

/** A range of an address space with one set of rights.  It is replaced, never changed. */
export interface Region {
  readonly start: number;
  readonly end: number;
  readonly flags: number; // of the table above
  readonly offset: number; // of start in the file
  readonly made: number; // the event that told of it, whose text is the path; -1 unknown
}

/** A page-table frame.  It is replaced, never changed. */
export interface Table {
  readonly frame: number;
  readonly level: number;
  readonly va: number; // the first address that it covers
}

/** 32 leaf entries, the lower halves before the upper ones. */
export class Chunk {
  constructor(public owner: number, readonly words: Uint32Array) {}

  get(i: number): Entry {
    return { low: this.words[i], high: this.words[chunkPages + i] };
  }

  /** low is get(i).low without the object. */
  low(i: number): number {
    return this.words[i];
  }

  /** frame is the frame of get(i), 0 for an empty entry. */
  frame(i: number): number {
    return (this.words[chunkPages + i] & 0xfffff) * 2 ** 20 + (this.words[i] >>> 12);
  }
}

/** An address space. */
export class Space {
  pids: readonly number[] = [];
  regions: readonly Region[] = [];
  tables: readonly Table[] = [];
  chunks = new Map<number, Chunk>(); // by address / chunkBytes
  resident = 0; // pages present
  told = false; // Entry events come for it, so nothing has to be guessed
  ends = false; // TableFree will tell of its end, since TableMake told of its beginning

  constructor(
    public owner: number,
    readonly id: number,
    readonly root: number, // the frame of its PML4
    readonly maker: number, // the pid that was running when it was made
  ) {}

  /** copy is the same space, to be changed by the state with that stamp. */
  copy(owner: number): Space {
    const s = new Space(owner, this.id, this.root, this.maker);
    Object.assign(s, this, { owner, chunks: new Map(this.chunks) });
    return s;
  }

  /** entry is the leaf entry of va; the empty one if there is none. */
  entry(va: number): Entry {
    const c = this.chunks.get(chunkOf(va));
    return c ? c.get(slotOf(va)) : { low: 0, high: 0 };
  }

  /** region is the one that va lies in. */
  region(va: number): Region | undefined {
    const r = this.regions[firstEndingAbove(this.regions, va)];
    return r && r.start <= va ? r : undefined;
  }

  /** pages calls visit for each page that is present, chunk by chunk. */
  pages(visit: (va: number, chunk: Chunk, i: number) => void): void {
    for (const [key, chunk] of this.chunks) {
      for (let i = 0; i < chunkPages; i++) {
        if (chunk.words[i] & bit.present) visit(key * chunkBytes + i * 4096, chunk, i);
      }
    }
  }
}

/** chunkOf is the number of the chunk that va lies in. */
export const chunkOf = (va: number): number => Math.floor(va / chunkBytes);

/** slotOf is va's place in its chunk. */
export const slotOf = (va: number): number => Math.floor(va / 4096) % chunkPages;

/** chunkStart is the first address of a chunk. */
export const chunkStart = (key: number): number => key * chunkBytes;

/** What is known of 256 frames: for each, 4 times the entries that point at it, and what it holds. */
class Frames {
  constructor(public owner: number, readonly words: Int32Array) {}
}

/** Pages and page-table frames. */
export interface Given {
  readonly pages: number;
  readonly tables: number;
}

export const nothing: Given = { pages: 0, tables: 0 };

let stamps = 0;

export class State {
  zeroFrame = -1;
  kernelRoot = 0;
  totalFrames = 0;
  freeFrames = -1; // the last sample; -1 before the first
  running = 0; // the pid that ran last
  lost = 0; // events that were dropped so far
  flushes = 0;
  lastSpace = 0; // the highest id so far
  /** What an address space that is being emptied has given back so far. */
  given = nothing;

  processes = new Map<number, Process>();
  spaces = new Map<number, Space>(); // by id
  roots = new Map<number, number>(); // frame of the root: id
  building = new Map<number, number>(); // pid: id of the space that it makes and that nobody is in yet
  private frames = new Map<number, Frames>();
  private stamp = ++stamps;

  /** fork is a state that goes its own way from here. */
  fork(): State {
    const s = new State();
    const stamp = s.stamp;
    Object.assign(s, this, {
      stamp,
      processes: new Map(this.processes),
      spaces: new Map(this.spaces),
      roots: new Map(this.roots),
      building: new Map(this.building),
      frames: new Map(this.frames),
    });
    this.stamp = ++stamps; // or this one would go on writing to what is now shared
    return s;
  }

  /** process is the one with that pid, made up if no event has told of it. */
  process(pid: number): Process {
    return this.processes.get(pid) ?? { pid, parent: 0, space: 0, state: "running", awaits: 0, status: 0 };
  }

  change(pid: number, what: Partial<Process>): void {
    this.processes.set(pid, { ...this.process(pid), ...what });
  }

  /** makeSpace begins an address space; a root known already is that space's. */
  makeSpace(root: number, maker: number): Space {
    this.dropSpace(root);
    const s = new Space(this.stamp, ++this.lastSpace, root, maker);
    this.spaces.set(s.id, s);
    this.roots.set(root, s.id);
    this.building.set(maker, s.id);
    this.addTable(s.id, { frame: root, level: 4, va: 0 });
    return s;
  }

  /** spaceOf is the address space with that root. */
  spaceOf(root: number): Space | undefined {
    return this.spaces.get(this.roots.get(root) ?? 0);
  }

  /** dropSpace ends the address space with that root. */
  dropSpace(root: number): void {
    const s = this.spaceOf(root);
    if (!s) return;
    s.pages((_, c, i) => this.count(c.frame(i), -1));
    for (const pid of s.pids) this.change(pid, { space: 0 });
    this.built(s);
    this.give(s.resident, s.tables.length);
    this.spaces.delete(s.id);
    this.roots.delete(root);
  }

  /** enter puts a process into an address space, out of the one that it was in. */
  enter(pid: number, id: number): void {
    this.leave(pid);
    const s = this.own(id);
    s.pids = [...s.pids, pid];
    this.built(s);
    this.change(pid, { space: id });
  }

  /** leave takes a process out of its address space, which stays. */
  leave(pid: number): void {
    const id = this.process(pid).space;
    if (this.spaces.has(id)) {
      const s = this.own(id);
      s.pids = s.pids.filter((p) => p !== pid);
    }
    if (this.processes.has(pid)) this.change(pid, { space: 0 });
  }

  addTable(id: number, t: Table): void {
    const s = this.own(id);
    s.tables = [...s.tables, t];
  }

  /** removeTable forgets a page-table frame; with its root a space ends. */
  removeTable(frame: number): void {
    if (this.roots.has(frame)) return this.dropSpace(frame);
    for (const { id, tables } of this.spaces.values()) {
      if (!tables.some((t) => t.frame === frame)) continue;
      this.own(id).tables = tables.filter((t) => t.frame !== frame);
      return this.give(0, 1);
    }
  }

  /** give counts what is given back. */
  give(pages: number, tables: number): void {
    this.given = { pages: this.given.pages + pages, tables: this.given.tables + tables };
  }

  /** setRegion replaces what is mapped in [start, end) by r, or by nothing. */
  setRegion(id: number, start: number, end: number, r?: Region): void {
    const s = this.own(id);
    const from = firstEndingAbove(s.regions, start);
    let to = from;
    while (to < s.regions.length && s.regions[to].start < end) to++;
    const middle: Region[] = s.regions.slice(from, to).flatMap((old) => cut(old, old.start, start));
    if (r) middle.push(r);
    middle.push(...s.regions.slice(from, to).flatMap((old) => cut(old, end, old.end)));
    const seam = Math.max(from - 1, 0);
    s.regions = s.regions.slice(0, seam).concat(
      merge([...s.regions.slice(seam, from), ...middle, ...s.regions.slice(to, to + 1)]),
      s.regions.slice(to + 1),
    );
  }

  /** protect gives [start, end) new rights. */
  protect(id: number, start: number, end: number, prot: number): void {
    for (const r of this.spaces.get(id)!.regions.flatMap((r) => cut(r, start, end))) {
      this.setRegion(id, r.start, r.end, { ...r, flags: (r.flags & ~rights) | (prot & rights) });
    }
  }

  /** setEntry changes the leaf entry of va. */
  setEntry(id: number, va: number, e: Entry): void {
    const before = this.spaces.get(id)!.entry(va);
    if (before.low === e.low && before.high === e.high) return;
    const s = this.own(id);
    const key = chunkOf(va);
    let c = s.chunks.get(key);
    if (c?.owner !== this.stamp) {
      c = new Chunk(this.stamp, c ? c.words.slice() : new Uint32Array(2 * chunkPages));
      s.chunks.set(key, c);
    }
    if (present(before)) this.count(frameOf(before), -1);
    if (present(e)) this.count(frameOf(e), +1);
    s.resident += Number(present(e)) - Number(present(before));
    c.words[slotOf(va)] = e.low;
    c.words[chunkPages + slotOf(va)] = e.high;
  }

  /** mapped is the number of entries that point at a frame. */
  mapped(frame: number): number {
    return this.word(frame) >> 2;
  }

  /** holds tells what is in a frame. */
  holds(frame: number): Holds {
    return frame === this.zeroFrame ? Holds.Zero : this.word(frame) & 3;
  }

  setHolds(frame: number, what: Holds): void {
    const words = this.ownFrames(frame);
    words[frame % frameChunk] = (words[frame % frameChunk] & ~3) | what;
  }

  /** mappedFrames calls visit for each frame that some entry points at. */
  mappedFrames(visit: (frame: number, mapped: number) => void): void {
    for (const [key, c] of this.frames) {
      for (let i = 0; i < frameChunk; i++) {
        if (c.words[i] >= 4) visit(key * frameChunk + i, c.words[i] >> 2);
      }
    }
  }

  /** own is the space, safe to be changed. */
  own(id: number): Space {
    const s = this.spaces.get(id)!;
    if (s.owner === this.stamp) return s;
    const copy = s.copy(this.stamp);
    this.spaces.set(id, copy);
    return copy;
  }

  private built(s: Space): void {
    if (this.building.get(s.maker) === s.id) this.building.delete(s.maker);
  }

  private word(frame: number): number {
    return this.frames.get(Math.floor(frame / frameChunk))?.words[frame % frameChunk] ?? 0;
  }

  private count(frame: number, by: number): void {
    this.ownFrames(frame)[frame % frameChunk] += 4 * by;
  }

  private ownFrames(frame: number): Int32Array {
    const key = Math.floor(frame / frameChunk);
    let c = this.frames.get(key);
    if (c?.owner !== this.stamp) {
      c = new Frames(this.stamp, c ? c.words.slice() : new Int32Array(frameChunk));
      this.frames.set(key, c);
    }
    return c.words;
  }
}

/** firstEndingAbove is the index of the first region that ends above va. */
function firstEndingAbove(sorted: readonly Region[], va: number): number {
  let low = 0;
  for (let high = sorted.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (sorted[middle].end > va) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** cut is the part of r in [start, end), if there is one. */
function cut(r: Region, start: number, end: number): Region[] {
  start = Math.max(start, r.start);
  end = Math.min(end, r.end);
  return start >= end ? [] : [{ ...r, start, end, offset: r.offset + (start - r.start) }];
}

/** merge joins neighbours that the kernel holds as one region. */
function merge(sorted: Region[]): Region[] {
  const out: Region[] = [];
  for (const r of sorted) {
    const last = out.at(-1);
    if (last && alike(last, r)) out[out.length - 1] = { ...last, end: r.end };
    else out.push(r);
  }
  return out;
}

function alike(a: Region, b: Region): boolean {
  if (a.end !== b.start || a.flags !== b.flags) return false;
  return a.made === b.made ? a.offset + (a.end - a.start) === b.offset : (a.flags & (region.file | region.shared)) === 0;
}
