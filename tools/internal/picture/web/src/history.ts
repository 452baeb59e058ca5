// History plays a trace once from its beginning to its end, and remembers what
// is needed to show any moment of it quickly:
//
//   - a keyframe: the state at each 512th event, from which others are played;
//   - the lives of the processes, for the picture over time;
//   - what an event's sentence needs besides the event: who keeps a frame that
//     was copied, how much an exec or an exit gave back;
//   - which rows of an address space are ever used, so that the map of a space
//     keeps its shape while pages come and go.

import { apply, faultSpace } from "./apply.ts";
import { bit, frameOf } from "./paging.ts";
import { Records, type Event, type Text } from "./records.ts";
import { chunkOf, State, type Space } from "./state.ts";

/** The events between two keyframes. */
const keyframeEvery = 512;

/** How many states besides the keyframes are remembered. */
const remembered = 8;

/** A stretch of a process's life, from one event to another; open while to is Infinity. */
export interface Span {
  from: number;
  to: number;
}

/** The life of a process. */
export interface Life {
  pid: number;
  parent: Life | null;
  born: number; // the event of its fork; for a process there from the start, the first that names it
  vforked: boolean;
  exited: number; // Infinity while it lives
  reaped: number;
  asleep: Span[]; // for a vfork child
  execs: number[];
  children: Life[];
}

/** What the sentence of one event needs besides the event itself. */
export interface Fact {
  keepers?: number[]; // pids that go on using the frame that was copied
  pages?: number; // pages shared by a fork, or given back by an exec or an exit
  marked?: number; // those of the pages shared that are marked copy-on-write
  tables?: number; // page-table frames given back
  present?: number; // pages of the new space after an exec
  borrowed?: boolean; // the process that execs or exits was on its parent's space
  wasZero?: boolean; // the page that was written had been the zero page
  mapping?: number; // the event that told of the region that a file's page lies in
}

/** The decisions whose sentences name a file. */
const ofFile = new Set(["file-page", "file-copy", "shared-write"]);

export class History {
  /** Lives in the order of birth. */
  readonly lives: Life[] = [];

  /** The events that have been played; those that arrived are in records. */
  get length(): number {
    return this.played;
  }

  private played = 0;
  private head = new State();
  private readonly keyframes: State[] = [new State()];
  private readonly recent = new Map<number, State>();
  private readonly living = new Map<number, Life>();
  private readonly texts = new Map<number, Text[]>();
  private readonly words = new Map<number, string>(); // what text has put together
  private readonly named = new Map<number, number[]>(); // pid: its Name events
  private readonly facts = new Map<number, Fact>();
  private readonly families = new Map<number, number>(); // id of a space: the one whose rows it shares
  private readonly rowsOf = new Map<number, Set<number>>(); // by family
  private owner = -1; // the event that Text records belong to

  constructor(readonly records: Records) {}

  /** extend plays the events that have arrived since. */
  extend(): void {
    while (this.played < this.records.length) this.play(this.played++);
  }

  /**
   * stateAt is the state after the i-th event; before the first one for i = -1.
   * It must not be changed.
   */
  stateAt(i: number): State {
    i = Math.max(Math.min(i, this.played - 1), -1);
    const had = this.recent.get(i);
    if (had) {
      this.recent.delete(i); // and to the end again: the last used goes last
      this.recent.set(i, had);
      return had;
    }
    const [from, base] = this.nearest(i);
    const s = base.fork();
    for (let k = from + 1; k <= i; k++) apply(s, this.records, this.records.event(k));
    this.recent.set(i, s);
    if (this.recent.size > remembered) this.recent.delete(this.recent.keys().next().value!);
    return s;
  }

  /** text is what the Text records say that belong to the i-th event. */
  text(i: number): string {
    let words = this.words.get(i);
    if (words === undefined) {
      const parts = this.texts.get(i) ?? [];
      words = new TextDecoder().decode(new Uint8Array(parts.flatMap((t) => [...t.bytes]))) + (parts.at(-1)?.cut ? "…" : "");
      this.words.set(i, words);
    }
    return words;
  }

  /** name is the program that pid runs after the i-th event, "" if that is not known. */
  name(pid: number, i: number): string {
    for (let p: number | undefined = pid; p; p = this.parentOf(p, i)) {
      const at = this.named.get(p)?.findLast((k) => k <= i);
      const life = this.life(p, i);
      if (at !== undefined && (!life || at >= life.born)) return this.text(at);
      if (life) i = life.born; // a child runs what its parent ran when it was born
    }
    return "";
  }

  /** life is the process of that pid that lived, or was a zombie, at the i-th event. */
  life(pid: number, i: number): Life | undefined {
    return this.lives.findLast((l) => l.pid === pid && l.born <= i);
  }

  /** fact is what else there is to say about the i-th event. */
  fact(i: number): Fact {
    return this.facts.get(i) ?? {};
  }

  /** rows are the chunks that the space, or one that it was forked with, ever uses. */
  rows(space: number): ReadonlySet<number> {
    return this.rowsOf.get(this.family(space)) ?? new Set();
  }

  private parentOf(pid: number, i: number): number | undefined {
    return this.life(pid, i)?.parent?.pid;
  }

  /** nearest is the latest state at or before the i-th event that is at hand. */
  private nearest(i: number): [number, State] {
    const k = Math.floor((i + 1) / keyframeEvery);
    let best: [number, State] = [k * keyframeEvery - 1, this.keyframes[k]];
    for (const [at, s] of this.recent) {
      if (at <= i && at > best[0]) best = [at, s];
    }
    return best;
  }

  private play(i: number): void {
    const kind = this.records.kind(i);
    if (kind === "text") {
      this.push(this.texts, this.owner, this.records.text(i));
      this.words.delete(this.owner);
    } else if (kind !== "args") {
      this.owner = i;
      this.playEvent(this.records.event(i));
    }
    if ((i + 1) % keyframeEvery === 0) this.keyframes.push(this.head.fork());
  }

  private playEvent(e: Event): void {
    const before = this.before(e);
    apply(this.head, this.records, e);
    this.note(e, before);
    this.live(e);
    if (e.kind === "name") this.push(this.named, e.pid, e.index);
    if (e.kind === "fork") this.join(e);
    if (e.kind === "entry" || e.kind === "fault") this.use(e);
  }

  /** before is the part of an event's facts that is gone after it. */
  private before(e: Event): Fact {
    const s = this.head;
    switch (e.kind) {
      case "exec":
      case "exit": {
        const space = s.spaces.get(s.process(e.pid).space);
        const life = this.living.get(e.pid);
        if (space ? space.pids.length > 1 : life?.vforked && life.execs.length === 0) return { borrowed: true };
        return space ? { pages: space.resident, tables: space.tables.length } : { ...s.given };
      }
      case "fault":
        return e.old !== 0 && e.old === s.zeroFrame ? { wasZero: true } : {};
    }
    return {};
  }

  /** note completes the facts of an event that has been applied. */
  private note(e: Event, fact: Fact): void {
    const s = this.head;
    switch (e.kind) {
      case "fork": {
        const child = s.spaceOf(e.new);
        fact.pages = child?.resident ?? 0;
        fact.marked = 0;
        child?.pages((_, c, i) => (fact.marked! += Number((c.low(i) & bit.cow) !== 0)));
        break;
      }
      case "exec":
        fact.present = s.spaceOf(e.new)?.resident ?? 0;
        break;
      case "fault":
        if (e.decision === "cow-copy") fact.keepers = this.keepers(e);
        if (ofFile.has(e.decision)) fact.mapping = this.spaceOfFault(e)?.region(e.va)?.made;
        break;
    }
    if (Object.keys(fact).length > 0) this.facts.set(e.index, fact);
  }

  /**
   * keepers are the processes that still have the frame that was copied.  After
   * a fork they have it at the same address, and only there is it looked for.
   */
  private keepers(e: Event): number[] {
    const pids: number[] = [];
    for (const s of this.head.spaces.values()) {
      if (!s.pids.includes(e.pid) && frameOf(s.entry(e.va)) === e.old) pids.push(...s.pids);
    }
    return pids.sort((a, b) => a - b);
  }

  /** live follows the lives of the processes. */
  private live(e: Event): void {
    if (e.pid > 0 && e.kind !== "lost" && !this.living.has(e.pid)) this.bear(e.pid, null, e.index, false);
    const life = this.living.get(e.pid);
    switch (e.kind) {
      case "fork":
      case "vfork":
        this.bear(e.aux, life ?? null, e.index, e.kind === "vfork");
        break;
      case "vfork-sleep":
        life?.asleep.push({ from: e.index, to: Infinity });
        break;
      case "vfork-wake":
        if (life?.asleep.length) life.asleep.at(-1)!.to = e.index;
        break;
      case "exec":
        life?.execs.push(e.index);
        break;
      case "exit":
        if (life) this.end(life, e.index);
        break;
      case "wait": {
        const child = this.living.get(e.aux);
        if (child) child.reaped = e.index;
        this.living.delete(e.aux);
      }
    }
  }

  private bear(pid: number, parent: Life | null, born: number, vforked: boolean): void {
    const life: Life = { pid, parent, born, vforked, exited: Infinity, reaped: Infinity, asleep: [], execs: [], children: [] };
    const before = this.living.get(pid);
    if (before && before.reaped === Infinity) before.reaped = born; // nobody told of it
    parent?.children.push(life);
    this.lives.push(life);
    this.living.set(pid, life);
  }

  private end(life: Life, at: number): void {
    life.exited = at;
    const sleep = life.asleep.at(-1);
    if (sleep && sleep.to === Infinity) sleep.to = at;
  }

  /** join makes parent and child of a fork one family of rows. */
  private join(e: Event): void {
    const parent = this.head.spaceOf(e.old);
    const child = this.head.spaceOf(e.new);
    if (!parent || !child) return;
    const rows = this.rowsOf.get(child.id);
    this.families.set(child.id, this.family(parent.id));
    for (const row of rows ?? []) this.addRow(child.id, row);
  }

  private family(id: number): number {
    return this.families.get(id) ?? id;
  }

  /** use notes the row that the event touches. */
  private use(e: Event): void {
    const s = this.head;
    const id = e.kind === "entry" ? s.roots.get(e.aux) : this.spaceOfFault(e)?.id;
    if (id && (e.kind === "entry" || e.new !== 0)) this.addRow(id, chunkOf(e.va));
  }

  private spaceOfFault(e: Event): Space | undefined {
    return faultSpace(this.head, e.pid);
  }

  private addRow(space: number, row: number): void {
    const family = this.family(space);
    const rows = this.rowsOf.get(family);
    if (rows) rows.add(row);
    else this.rowsOf.set(family, new Set([row]));
  }

  private push<T>(map: Map<number, T[]>, key: number, value: T): void {
    const list = map.get(key);
    if (list) list.push(value);
    else map.set(key, [value]);
  }
}
