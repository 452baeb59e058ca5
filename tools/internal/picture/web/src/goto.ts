// Going to a place by its name, and the page's address, which names the moment.

import type { App, Part } from "./app.ts";
import { h } from "./dom.ts";
import { mappers } from "./look.ts";

/** goto asks for an address, a frame or an event, and goes there. */
export function goto(app: App): { el: HTMLElement; open: () => void } {
  const input = h("input", { type: "text", id: "goto", autocomplete: "off", spellcheck: "false", placeholder: "0x7ffeffffe000, frame 0x85fa, #958", "aria-describedby": "goto-words" });
  const words = h("p", { class: "hint", id: "goto-words", role: "status" });
  const dialog = h("dialog", { class: "goto", "aria-label": "Go to" }, h("form", { method: "dialog" }, h("label", { for: "goto" }, "Go to an address, a frame or an event"), input, words));
  dialog.querySelector("form")!.addEventListener("submit", (e) => {
    const failed = go(app, input.value.trim());
    words.textContent = failed;
    if (failed) e.preventDefault();
  });
  return {
    el: dialog,
    open: () => {
      words.textContent = "";
      input.value = "";
      dialog.showModal();
    },
  };
}

/** go goes to the place that the words name; its value says why it cannot. */
function go(app: App, words: string): string {
  const event = /^#(\d+)$/.exec(words);
  if (event) {
    if (Number(event[1]) >= app.history.length) return "There is no such event.";
    app.seek(Number(event[1]));
    return "";
  }
  const frame = /^(?:frame|pfn) *(0x[0-9a-f]+|\d+)$/i.exec(words);
  if (frame) {
    const [m] = mappers(app.state, Number(frame[1]));
    if (!m) return "Nobody maps that frame at this moment.";
    app.choose({ space: m.space.id, va: m.va });
    return "";
  }
  const va = /^(?:0x)?([0-9a-f]+)$/i.exec(words);
  if (!va) return "That is no address, frame or event.";
  const at = Math.floor(parseInt(va[1], 16) / 4096) * 4096;
  const space = whose(app, at);
  if (!space) return "No region of any address space covers that address at this moment.";
  app.choose({ space, va: at });
  return "";
}

/** whose is the address space in which to look for an address: the one in sight first. */
function whose(app: App, va: number): number | undefined {
  const s = app.state;
  const first = app.spot ? s.spaces.get(app.spot.space) : undefined;
  const own = s.spaces.get(s.process(app.records.pid(app.at)).space);
  return [first, own, ...s.spaces.values()].find((x) => x && (x.region(va) || x.entry(va).low))?.id;
}

/** link keeps the page's address naming the moment, once it has come to rest. */
export function link(): Part {
  let timer = 0;
  return {
    update(app: App) {
      clearTimeout(timer);
      timer = window.setTimeout(() => {
        if (app.at >= 0 && !app.playing && !app.following) history.replaceState(null, "", `#${app.at}`);
      }, 400);
    },
  };
}
