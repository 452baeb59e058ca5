// The page puts itself together.

import { App } from "./app.ts";
import { ChangeTab } from "./changetab.ts";
import { h } from "./dom.ts";
import { FrameTab } from "./frametab.ts";
import { goto, link } from "./goto.ts";
import { Inspector } from "./inspector.ts";
import { helpDialog, keys } from "./keys.ts";
import { EventList } from "./list.ts";
import { Maps } from "./maps.ts";
import { PageTab } from "./pagetab.ts";
import { about, follow, readPage, type About } from "./source.ts";
import { TableTab } from "./tabletab.ts";
import { Theme } from "./theme.ts";
import { Timeline } from "./timeline.ts";
import { Banner, Transport } from "./transport.ts";

async function start(a: About): Promise<void> {
  const app = new App(a);
  const theme = new Theme(() => app.changed());
  const dialog = helpDialog();
  const transport = new Transport(app, a.title, () => dialog.showModal());
  const banner = new Banner();
  const timeline = new Timeline(app, theme);
  const list = new EventList(app);
  const maps = new Maps(app, theme);
  const inspector = new Inspector(app, [new PageTab(), new TableTab(app), new FrameTab(app), new ChangeTab(app)]);
  const go = goto(app);
  document.getElementById("app")!.append(
    transport.el, timeline.el, banner.el, h("div", { class: "main" }, list.el, maps.el, inspector.el), dialog, go.el);
  document.getElementById("app")!.hidden = false;
  document.getElementById("unread")!.remove();
  app.add(transport, timeline, banner, list, inspector, maps, link()); // maps last: they measure what the others have changed
  keys(app, transport, timeline, dialog, go.open);
  const tell = (sentence: string, live = false) => {
    transport.live(live);
    banner.tell(sentence, live);
  };
  if (a.live) {
    app.following = true;
    await follow(app, a.live, tell);
  } else {
    await readPage(app, tell);
    app.seek(linked(app.history.length) ?? app.steps.move(app.at, a.end ? Infinity : -Infinity));
  }
}

/** linked is the event that the page's address names. */
function linked(length: number): number | null {
  const m = /^#(\d+)$/.exec(location.hash);
  return m && Number(m[1]) < length ? Number(m[1]) : null;
}

document.addEventListener("DOMContentLoaded", () => {
  const a = about();
  if (a) void start(a);
  else {
    document.getElementById("unread")!.textContent =
      "This page holds no trace. Make one that does: yolk run -trace t.yt -- cowdemo, then yolk trace -format html t.yt.";
  }
});
