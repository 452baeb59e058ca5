// The keyboard, and the page that explains it.

import type { App } from "./app.ts";
import { h } from "./dom.ts";
import type { Timeline } from "./timeline.ts";
import type { Transport } from "./transport.ts";

const help: [string, string][] = [
  ["← →", "a step back, a step on"],
  ["Shift ← →", "ten steps"],
  ["Home End", "the first event, the last one"],
  ["Space", "play, pause"],
  ["m", "remember this moment and compare others with it; again: stop that"],
  ["g", "go to an address, a frame or an event"],
  ["n p", "the next, the previous event about the page that is looked at"],
  ["+ − 0", "magnify the time axis, shrink it, show all of it"],
  ["Tab", "from part to part: player, time, processes, events, maps, inspector"],
  ["arrows in a map", "from page to page; Enter, or a click, holds on to one"],
  ["Escape", "let go of the page that is held: the event's page is looked at again"],
  ["?", "this"],
];

/** helpDialog explains keys and words. */
export function helpDialog(): HTMLDialogElement {
  const close = h("button", { type: "button" }, "Close");
  const dialog = h("dialog", { class: "help", "aria-label": "Keys and meaning" },
    h("h2", {}, "Keys"),
    h("dl", {}, ...help.flatMap(([k, what]) => [h("dt", {}, h("kbd", {}, k)), h("dd", {}, what)])),
    h("h2", {}, "Meaning"),
    h("p", {}, "Everything here is computed from the events of the trace. A cell of a map is a page of 4 KiB, a row of 32 cells is 128 KiB; rows of a region that are never used are left out, so a gap between rows is memory that nobody touched. A notch in a cell's corner is the copy-on-write mark of its entry."),
    h("p", {}, "On the lines of the processes, ◇ is an exec and × the end; a dashed line is a parent asleep for its vfork child, a dotted one a zombie. A stroke below a line is a page fault, one above it a fault that copied a page."),
    close);
  close.addEventListener("click", () => dialog.close());
  return dialog;
}

/** keys listens to the keyboard. */
export function keys(app: App, transport: Transport, timeline: Timeline, dialog: HTMLDialogElement, goto: () => void): void {
  const acts: Record<string, () => void> = {
    ArrowLeft: () => app.step(-1),
    ArrowRight: () => app.step(1),
    "Shift+ArrowLeft": () => app.step(-10),
    "Shift+ArrowRight": () => app.step(10),
    Home: () => app.step(-Infinity),
    End: () => app.step(Infinity),
    " ": () => transport.toggle(),
    m: () => transport.setMark(),
    g: goto,
    n: () => app.related(1),
    p: () => app.related(-1),
    "+": () => timeline.zoom(2),
    "-": () => timeline.zoom(1 / 2),
    "0": () => timeline.zoom(0),
    Escape: () => app.choose(null),
    "?": () => dialog.showModal(),
  };
  document.addEventListener("keydown", (e) => {
    if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || dialog.open || typing(e)) return;
    const act = acts[e.shiftKey && e.key.startsWith("Arrow") ? `Shift+${e.key}` : e.key];
    if (!act) return;
    e.preventDefault();
    act();
  });
}

/** typing reports whether a key belongs to the element that has the focus. */
function typing(e: KeyboardEvent): boolean {
  const el = e.target as HTMLElement;
  if (el instanceof HTMLInputElement) return el.type === "text" || (el.type === "checkbox" && e.key === " ");
  if (el instanceof HTMLSelectElement) return true;
  return el instanceof HTMLButtonElement && e.key === " ";
}
