// What the page shows: the moment, what is listed, which page is looked at.  The
// parts of the page draw from it, and change it through it.

import { diff, type SpaceChange } from "./diff.ts";
import { History } from "./history.ts";
import { pageAt, type Page } from "./look.ts";
import { Records, type Names } from "./records.ts";
import { Steps, parts, usual, type Filter } from "./steps.ts";
import type { Space, State } from "./state.ts";

/** A place in some address space. */
export interface Spot {
  space: number; // its id
  va: number;
}

/** A part of the page. */
export interface Part {
  update(app: App): void;
}

export class App {
  readonly records: Records;
  readonly history: History;
  steps: Steps;

  /** The moment: the state after this event.  -1 while there is none. */
  at = -1;
  /** The other moment, when two are compared. */
  mark: number | null = null;
  /** The page under the pointer, or under the map's cursor. */
  hover: Spot | null = null;
  /** The page that was chosen; null: that of the event. */
  chosen: Spot | null = null;
  /** Processes whose address spaces stay in sight. */
  readonly pinned = new Set<number>();
  /** While the trace grows: stay at its end. */
  following = false;
  /** Steps a second while playing, else 0. */
  playing = 0;

  private parts: Part[] = [];
  private due = false;

  constructor(names: Names) {
    this.records = new Records(names);
    this.history = new History(this.records);
    this.steps = new Steps({ classes: new Set(usual), pid: 0 }, this.records);
  }

  /** add puts parts onto the page, to be drawn with it. */
  add(...parts: Part[]): void {
    this.parts.push(...parts);
  }

  /** changed draws the page anew, in the next frame. */
  changed(): void {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      for (const part of this.parts) part.update(this);
    });
  }

  /** grew takes in the events that have arrived. */
  grew(): void {
    this.history.extend();
    this.steps.extend();
    if (this.following || this.at < 0) this.at = this.whole(this.history.length - 1);
    this.changed();
  }

  /** seek goes to the event i. */
  seek(i: number, keepPlaying = false): void {
    if (!keepPlaying) this.playing = 0;
    this.following = false;
    this.at = this.whole(i);
    this.changed();
  }

  /** whole is the event i, or where that is a text, the event that it belongs to. */
  private whole(i: number): number {
    i = Math.min(Math.max(i, 0), this.history.length - 1);
    while (i > 0 && parts.has(this.records.kind(i))) i--;
    return i;
  }

  /** step goes n steps on, or back. */
  step(n: number, keepPlaying = false): void {
    this.seek(this.steps.move(this.at, n), keepPlaying);
  }

  /** related goes to the next event (1), or the one before (-1), about the page that is looked at. */
  related(by: 1 | -1): void {
    const spot = this.spot;
    const space = spot && this.state.spaces.get(spot.space);
    if (!spot || !space) return;
    for (let i = this.at, next = this.steps.move(i, by); next !== i; i = next, next = this.steps.move(i, by)) {
      if (!this.about(next, space, spot.va)) continue;
      this.chosen = spot;
      return this.seek(next);
    }
  }

  /** about reports whether the event i is about the page of va. */
  private about(i: number, space: Space, va: number): boolean {
    const e = this.records.event(i);
    const root = { fault: space.pids.includes(e.pid) ? space.root : -1, entry: e.aux, "flush-page": e.old }[e.kind];
    return root === space.root && e.va - (e.va % 4096) === va;
  }

  /** filter changes what is listed. */
  filter(f: Partial<Filter>): void {
    this.steps = new Steps({ ...this.steps.filter, ...f }, this.records);
    this.changed();
  }

  /** point says which page is under the pointer. */
  point(spot: Spot | null): void {
    if (spot?.space === this.hover?.space && spot?.va === this.hover?.va) return;
    this.hover = spot;
    this.changed();
  }

  /** choose looks at a page until another one is chosen; null: at the event's. */
  choose(spot: Spot | null): void {
    this.chosen = spot;
    this.changed();
  }

  /** pin keeps a process's address space in sight, or lets it go. */
  pin(pid: number): void {
    if (!this.pinned.delete(pid)) this.pinned.add(pid);
    this.changed();
  }

  /** state is the state at the moment. */
  get state(): State {
    return this.history.stateAt(this.at);
  }

  /** since is the moment that the changes shown count from. */
  get since(): number {
    return this.mark !== null && this.mark !== this.at ? this.mark : this.steps.before(this.at);
  }

  /** changes are what differs between since and at, the earlier one first. */
  get changes(): SpaceChange[] {
    const [from, to] = this.since < this.at ? [this.since, this.at] : [this.at, this.since];
    if (this.kept.from !== from || this.kept.to !== to) {
      this.kept = { from, to, changes: diff(this.history.stateAt(from), this.history.stateAt(to)) };
    }
    return this.kept.changes;
  }
  private kept = { from: NaN, to: NaN, changes: [] as SpaceChange[] };

  /** spot is the page that is looked at: pointed at, chosen, or the event's. */
  get spot(): Spot | null {
    const live = (s: Spot | null) => (s && this.state.spaces.has(s.space) ? s : null);
    return live(this.hover) ?? live(this.chosen) ?? this.eventSpot;
  }

  /** page is what is at spot. */
  get page(): { space: Space; page: Page } | null {
    const spot = this.spot;
    const space = spot && this.state.spaces.get(spot.space);
    return space ? { space, page: pageAt(this.state, space, spot.va) } : null;
  }

  /** eventSpot is the page that the event is about. */
  get eventSpot(): Spot | null {
    if (this.at < 0) return null;
    const e = this.records.event(this.at);
    const s = this.state;
    let id: number | undefined;
    if (e.kind === "fault") id = s.building.get(e.pid) ?? s.process(e.pid).space;
    else if (e.kind === "entry") id = s.roots.get(e.aux);
    else if (e.kind === "flush-page") id = s.roots.get(e.old);
    const space = id ? s.spaces.get(id) : undefined;
    return space ? { space: space.id, va: e.va - (e.va % 4096) } : null;
  }
}
