// Steps are the events that are listed and stepped through: those of the classes
// that the reader wants to see.  The others still change the state.

import type { Records } from "./records.ts";

/** The classes of events, as `yolk run -trace-events` names them, and their kinds. */
export const classes: Record<string, string[]> = {
  process: ["boot", "name", "fork", "vfork", "vfork-sleep", "vfork-wake", "exec", "exec-fail", "exit", "wait", "reparent"],
  fault: ["fault"],
  map: ["map", "unmap", "protect"],
  signal: ["signal-send", "signal-frame", "signal-kill"],
  syscall: ["syscall", "sysreturn"],
  table: ["table-make", "table-free"],
  entry: ["entry"],
  tlb: ["flush-page", "flush-space"],
  sched: ["switch", "free"],
};

/** What is listed at first: decisions, not what they consist of. */
export const usual = ["process", "fault", "map", "signal"];

/** Text and Args belong to the event before them and are no events to a reader. */
export const parts = new Set(["text", "args"]);

const classOf = new Map(Object.entries(classes).flatMap(([name, kinds]) => kinds.map((k) => [k, name])));

/** What of a trace is listed. */
export interface Filter {
  classes: ReadonlySet<string>;
  pid: number; // only this process's events; 0 for all
}

export class Steps {
  private events: number[] = [];
  private seen = 0; // events of records that were looked at

  constructor(readonly filter: Filter, private readonly records: Records) {
    this.extend();
  }

  /** extend looks at the events that have arrived since. */
  extend(): void {
    for (; this.seen < this.records.length; this.seen++) {
      if (this.wants(this.seen)) this.events.push(this.seen);
    }
  }

  get length(): number {
    return this.events.length;
  }

  /** event is the n-th step's event. */
  event(n: number): number {
    return this.events[n];
  }

  /** rank is the number of steps up to and with the event i. */
  rank(i: number): number {
    let low = 0;
    for (let high = this.events.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (this.events[middle] <= i) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** move is the event n steps after i, or before it if n is negative; the last or first at most. */
  move(i: number, n: number): number {
    if (this.events.length === 0) return i;
    const from = n > 0 ? this.rank(i) - 1 : this.rank(i - 1);
    return this.events[Math.min(Math.max(from + n, 0), this.events.length - 1)];
  }

  /** before is the event of the step before the one at i, -1 if it is the first. */
  before(i: number): number {
    const n = this.rank(i - 1);
    return n === 0 ? -1 : this.events[n - 1];
  }

  private wants(i: number): boolean {
    const kind = this.records.kind(i);
    if (kind === "lost") return true;
    if (parts.has(kind) || (this.filter.pid !== 0 && this.records.pid(i) !== this.filter.pid)) return false;
    const name = classOf.get(kind);
    return name === undefined || this.filter.classes.has(name);
  }
}
