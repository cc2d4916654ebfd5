/** The built demo in a real browser, served from a subfolder of a plain static host. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { chromiumArgs, chromiumPath } from "../../scripts/browsers.mjs";
import { type StaticServer, serve } from "../server";

const dist = fileURLToPath(new URL("../../demo/dist/", import.meta.url));
const names = readFileSync(new URL("../../demo/words/names.txt", import.meta.url), "utf8")
  .trim()
  .split("\n");
const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/**
 * Fonts that replace the page's own: a narrow family, which the test loads, and a wide one, which every machine has.
 * The page's own fonts differ from machine to machine.
 */
const families = { own: "", narrow: "narrow", wide: "monospace" };
const familyNames = ["own", "narrow", "wide"] as const;
const narrow = [400, 600, 700].map((weight) => ({
  weight: String(weight),
  bytes: [
    ...readFileSync(
      createRequire(import.meta.url).resolve(
        `@fontsource/roboto-condensed/files/roboto-condensed-latin-${weight}-normal.woff2`,
      ),
    ),
  ],
}));

let browser: Browser;
let server: StaticServer;
let page: Page;
/** Errors and warnings of the browser. */
let complaints: string[];

beforeAll(async () => {
  browser = await chromium.launch({ executablePath: chromiumPath(), args: chromiumArgs });
  server = await serve(
    { "/some/folder/": dist },
    {},
    { "/some/folder/slow.html": pieces(`${dist}index.html`, 60) },
  );
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});
beforeEach(() => open());
afterEach(async () => {
  await page?.close();
  expect(complaints).toEqual([]);
});

/** Reloads the demo and waits for its names, which the server sends after `delay` milliseconds. */
async function open(
  options: Parameters<Browser["newPage"]>[0] = {},
  late = 0,
  family: keyof typeof families = "own",
): Promise<void> {
  await page?.close();
  complaints = [];
  page = await browser.newPage(options);
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("requestfailed", (request) => complaints.push(`${request.url()} failed`));
  page.on("request", (request) => {
    if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).origin !== server.origin)
      complaints.push(`asked ${request.url()}`);
  });
  await page.addInitScript(watchLayout);
  await page.route("**/names-*.txt", async (route) => {
    await new Promise((resolve) => setTimeout(resolve, late));
    await route.continue();
  });
  await page.route("**/index-*.css", async (route) => {
    const response = await route.fetch();
    const name = families[family];
    const own = name ? `:root { --sans: ${name}; --serif: ${name}; }` : "";
    await route.fulfill({ response, body: `${await response.text()}${own}` });
  });
  // Load the font from bytes, because a font from a URL would arrive after the first paint.
  if (family === "narrow")
    await page.addInitScript((fonts) => {
      for (const { weight, bytes } of fonts)
        document.fonts.add(new FontFace("narrow", new Uint8Array(bytes), { weight }));
    }, narrow);
  await page.goto(`${server.origin}/some/folder/`);
  await eventually(() => text("#words-count")).toContain("30,294 words of 26 different characters");
  await unfold();
}

/** Unfolds the list and the options, as a visitor does. The layout shifts of this do not count. */
const unfold = () =>
  page.evaluate(async () => {
    const before = [...globalThis.moved];
    for (const id of ["words-list", "options", "sample-options"])
      document.getElementById(id)?.setAttribute("open", "");
    await new Promise((resolve) => setTimeout(resolve, 200));
    globalThis.moved = before;
  });

declare global {
  /** Layout shifts without user input since the page began to load. */
  var moved: string[];
}

/** Chromium's LayoutShift, which TypeScript's library does not know. */
interface LayoutShift extends PerformanceEntry {
  readonly value: number;
  readonly hadRecentInput: boolean;
  readonly sources: readonly { readonly node: Node | null }[];
}

/** Runs in the page before its own scripts. */
function watchLayout(): void {
  globalThis.moved = [];
  const isShift = (entry: PerformanceEntry): entry is LayoutShift => entry.entryType === "layout-shift";
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (!isShift(entry) || entry.hadRecentInput) continue;
      const what = entry.sources.map(({ node }) =>
        node instanceof Element
          ? `<${node.localName} id="${node.id}" class="${node.className}">`
          : node?.nodeName,
      );
      globalThis.moved.push(`${entry.value} at ${Math.round(entry.startTime)} ms: ${what.join(", ")}`);
    }
  }).observe({ type: "layout-shift", buffered: true });
}

const movements = () => page.evaluate(() => globalThis.moved);

const text = async (selector: string) => (await page.locator(selector).textContent()) ?? "";

/** Waits for results of training and sampling; with a long limit, because machines differ. */
const eventually = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 120_000 });

/** Sets the given fields, and the wasm backend, which every machine has. */
async function set(fields: Record<string, string>): Promise<void> {
  await page.locator("#every-option").evaluate((details) => details.setAttribute("open", ""));
  await page.selectOption("[name=backend]", "wasm");
  for (const [name, value] of Object.entries(fields)) await page.fill(`#train-form [name=${name}]`, value);
}

async function trainToTheEnd(steps: number): Promise<void> {
  await page.check("[value=small]");
  await set({ steps: String(steps) });
  await page.click("#train");
  await eventually(() => text("#train-note")).toContain("Loss over all words");
}

/** The text of a page, cut into equal pieces, and before each summary, because a browser draws one of its own there. */
function pieces(path: string, count: number): string[] {
  const all = readFileSync(path, "utf8");
  const length = Math.ceil(all.length / count);
  return Array.from({ length: count }, (_, index) =>
    all.slice(index * length, (index + 1) * length).split(/(?=<summary>)/),
  ).flat();
}

test.each([1280, 700, 375])(
  "nothing moves while the page arrives in pieces, %i pixels wide",
  async (width) => {
    await page.setViewportSize({ width, height: 1600 });
    await page.goto(`${server.origin}/some/folder/slow.html`);
    await eventually(() => text("#words-count")).toContain("30,294 words of 26 different characters");
    expect(await movements()).toEqual([]);
  },
);

test.each(familyNames)("nothing moves while it trains, with the %s fonts", async (family) => {
  await open({}, 0, family);
  const height = () => page.evaluate(() => document.documentElement.scrollHeight);
  await page.check("[value=small]");
  await set({ steps: "600" });
  const before = await height();
  await page.click("#train");
  await eventually(() => text("#train-note")).toContain("Loss over all words");
  await eventually(() => text("#sample-status")).toMatch(/^24 words/);
  // The names, the progress, the chart, the samples and the words did not change the page's height.
  expect(await height()).toBe(before);
  expect(await movements()).toEqual([]);
});

test("trains on the bundled names, shows the progress, and marks the listed ones among its words", async () => {
  await trainToTheEnd(600);
  await eventually(() => text("#sample-status")).toMatch(/^24 words/);
  const validation = Number(/validation (\d\.\d+)/.exec(await text("#train-note"))?.[1]);
  expect(validation).toBeLessThan(2.6);
  expect(await page.locator("#progress").evaluate((bar: HTMLProgressElement) => bar.position)).toBe(1);
  expect(await page.locator("#chart").getAttribute("aria-label")).toMatch(/step 600 of 600: .* \d\.\d+$/);
  expect(await page.locator("#diary li.written").count()).toBe(await page.locator("#diary li").count());
  expect(await page.locator("#losses tr").count()).toBeGreaterThanOrEqual(8);

  // The arrow keys and the pointer read the curve.
  await page.locator("#chart").press("Home");
  expect(await text("#chart-values")).toMatch(/^Near step \d+: training \d\.\d+, validation \d\.\d+$/);
  const first = await text("#chart-values");
  await page.locator("#chart .u-over").hover();
  expect(await text("#chart-values")).not.toBe(first);

  const known = new Set(names);
  await page.fill("[name=count]", "400");
  await page.click("#sample");
  await eventually(() => text("#sample-status")).toMatch(/^400 words/);
  const words = await page.locator("#samples li").evaluateAll((items) =>
    items.map((item) => ({
      word: item.firstChild?.textContent ?? "",
      listed: item.classList.contains("listed"),
    })),
  );
  expect(words.length).toBe(400);
  expect(words.some(({ listed }) => listed)).toBe(true);
  for (const { word, listed } of words) expect([word, listed]).toEqual([word, known.has(word)]);

  await page.check("[name=novel]");
  await page.fill("[name=prefix]", "mar");
  await page.click("#sample");
  await eventually(() => text("#sample-status")).toMatch(/400 new, 0 in your list/);
  expect(await page.locator("#samples li").allInnerTexts()).toSatisfy((all: string[]) =>
    all.every((word) => word.startsWith("mar") && !known.has(word)),
  );
});

test("reaches a validation loss below 2.2 after 5,000 steps of the default model and recipe", async () => {
  await set({ steps: "5000" });
  await page.click("#train");
  await eventually(() => text("#train-note")).toContain("Loss over all words");
  expect(await text("#figure-step")).toBe("5,000 / 5,000");
  expect(Number(/validation (\d\.\d+)/.exec(await text("#train-note"))?.[1])).toBeLessThan(2.2);
});

test.each([
  { width: 375, height: 667 },
  { width: 1440, height: 900 },
])(
  "shows Train and words without scrolling at $width px wide, and the results on a desktop",
  async (viewport) => {
    await open({ viewport });
    // Every section is folded, as on a first visit.
    await page.reload();
    await eventually(() => page.locator("#samples li").count()).toBe(24);
    const bottom = async (selector: string) => {
      const { y = 0, height = 0 } = (await page.locator(selector).boundingBox()) ?? {};
      return y + height;
    };
    expect(await bottom("#train")).toBeLessThanOrEqual(viewport.height);
    if (viewport.width > 1000) expect(await bottom("#chart")).toBeLessThanOrEqual(viewport.height);
    // The generator is visible without scrolling too.
    expect(await bottom("#sample")).toBeLessThanOrEqual(viewport.height);
    await unfold();
    await page.check("[value=small]");
    await set({ steps: "1000000" });
    await page.click("#train");
    // Words come long before the first row of the diary, at step 125,000.
    await eventually(() => page.locator("#live li").count()).toBe(24);
    const first = await text("#live");
    await eventually(() => text("#live")).not.toBe(first);
    expect(await page.locator("#diary li.written").count()).toBe(0);
    await page.click("#stop");
    await eventually(() => text("#train-note")).toMatch(/^Stopped at step/);
  },
);

test("shows words of an untrained list from a prepared model, which writes more and can be trained on", async () => {
  const fetched: string[] = [];
  page.on("request", (request) => fetched.push(request.url()));
  await page.click("[data-list=dinosaurs]");
  await eventually(() => text("#words-count")).toMatch(/^4\d\d words/);
  expect(await page.getByRole("button", { name: "Dinosaurs", pressed: true }).count()).toBe(1);
  const words = () => page.locator("#samples li").allInnerTexts();
  const first = await words();
  expect(first).toHaveLength(24);
  expect(await text("#writer")).toMatch(/trained before/);
  // Only the list was fetched.
  expect(fetched.map((url) => /[^/]*$/.exec(url)?.[0])).toEqual([expect.stringMatching(/^dinosaurs-.*txt$/)]);

  await page.fill("[name=prefix]", "tri");
  await page.click("#sample");
  await eventually(() => text("#sample-status")).toMatch(/^24 words/);
  for (const word of await words()) expect(word).toMatch(/^tri/);
  await page.click("#go-on");
  await eventually(() => text("#train-note")).toMatch(/^Done: [\d,]+ steps/);
  await eventually(() => page.locator("#runs tr").count()).toBe(1);
  expect(await text("#runs th")).toBe("1 The small model of this page");
  expect(await page.locator("#go-on").isVisible()).toBe(false);

  // There is no prepared model for the visitor's own words.
  await page.click("#words-own");
  await page.fill("#words", "abba\nbaab\nabab");
  await eventually(() => text("#words-count")).toMatch(/^3 words/);
  expect(await page.locator(".chip[aria-pressed=true]").textContent()).toBe("Your own…");
});

test("shares list and options in a link, own words only by an explicit click, and ignores bad links", async () => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  await page.click("[data-list=plants]");
  await page.check("[value=mlp]");
  await set({ steps: "300", seed: "7" });
  await page.fill("[name=prefix]", "ro");
  await page.click("#copy");
  await eventually(() => text("#share-status")).toBe("24 words copied.");
  expect((await copied()).split("\n")).toEqual(
    await page.locator("#samples li").evaluateAll((items) => items.map((item) => item.textContent)),
  );
  await page.click("#share");
  await eventually(() => text("#share-status")).toBe("Link copied.");
  const link = await copied();
  expect(Object.fromEntries(new URLSearchParams(new URL(link).hash.slice(1)))).toEqual({
    list: "plants",
    model: "mlp",
    steps: "300",
    seed: "7",
    backend: "wasm",
    "sample-prefix": "ro",
  });

  await page.goto("about:blank");
  await page.goto(link);
  await eventually(() => text("#words-count")).toMatch(/^428 words/);
  expect(await page.locator("[name=model]:checked").inputValue()).toBe("mlp");
  for (const [field, value] of [
    ["#train-form [name=steps]", "300"],
    ["#train-form [name=seed]", "7"],
    ["[name=prefix]", "ro"],
  ] as const)
    expect(await page.inputValue(field)).toBe(value);

  await page.click("#words-own");
  await page.fill("#words", "abba\nbaab");
  await page.click("#share");
  await eventually(() => text("#share-status")).toMatch(/Your own words are not in it/);
  expect(await copied()).not.toContain("abba");
  await page.click("#share-words");
  await eventually(() => text("#share-status")).toBe("Link copied.");
  const own = await copied();
  await page.goto("about:blank");
  await page.goto(own);
  await eventually(() => text("#words-count")).toMatch(/^2 words/);

  for (const bad of ["#list=atlantis", "#model=none", "#steps=-3", "#list=plants&words=a", "#%%%"]) {
    await page.goto("about:blank");
    await page.goto(`${server.origin}/some/folder/${bad}`);
    await eventually(() => text("#words-count")).toMatch(/^30,294 words/);
    expect(await text("#link-note")).toMatch(
      /^The link was not understood \(.+\), so it changes nothing here\.$/,
    );
    expect(await page.locator("[name=model]:checked").inputValue()).toBe("wavenet");
  }
});

test("keeps the model of a visit, and offers it on the next one", async () => {
  await page.click("[data-list=elements]");
  await trainToTheEnd(60);
  await eventually(() => page.evaluate(() => localStorage.length)).toBe(1);
  await page.reload();
  await eventually(() => text("#kept-text")).toBe("Your model of Elements from today is kept here.");
  await unfold();
  await page.click("#kept-open");
  await eventually(() => text("#sample-status")).toMatch(/^24 words/);
  expect([await text("#writer"), await text("#figure-step")]).toEqual(["By your earlier model.", "60 / 60"]);
  await eventually(() => text("#words-count")).toMatch(/^118 words/);
  await set({ steps: "90" });
  await page.click("#resume");
  await eventually(() => text("#train-note")).toMatch(/^Done: 30 steps/);
  await page.reload();
  await page.click("#kept-forget");
  await eventually(savedModels).toBe(0);
  await page.reload();
  await eventually(() => text("#words-count")).toMatch(/^30,294 words/);
  expect(await page.locator("#kept").isVisible()).toBe(false);
});

/** Counts the models in the browser's storage. */
function savedModels(): Promise<number> {
  return page.evaluate(
    () =>
      new Promise<number>((resolve, reject) => {
        const opening = indexedDB.open("makemore-web");
        opening.onerror = reject;
        opening.onsuccess = () => {
          const database = opening.result;
          const counting = database.transaction("infos").objectStore("infos").count();
          counting.onerror = reject;
          counting.onsuccess = () => {
            database.close();
            resolve(counting.result);
          };
        };
      }),
  );
}

test("keeps the runs of a visit, with their losses and words", async () => {
  await trainToTheEnd(60);
  await page.check("[value=mlp]");
  await page.click("#train");
  await eventually(() => page.locator("#runs tr").count()).toBe(2);
  await eventually(() => page.locator("#runs tr:first-child .words bdi").count()).toBe(5);
  const cells = await page
    .locator("#runs tr")
    .evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));
  expect(cells.map(([run, , , parameters, steps]) => [run, parameters, steps])).toEqual([
    ["2 MLP", "12,097", "60"],
    ["1 Small WaveNet", "22,397", "60"],
  ]);
  for (const [, validation, train] of cells)
    for (const nats of [validation, train]) expect(Number(nats)).toBeLessThan(Math.log(27));

  // All panels work with a model that reads words.
  await page.check("[value=bigram]");
  await page.click("#train");
  await eventually(() => page.locator("#runs tr").count()).toBe(3);
  await eventually(() => page.locator("#runs tr:first-child .words bdi").count()).toBe(5);
  expect(await page.locator("#runs tr:first-child td:nth-child(4)").textContent()).toBe("729");
  expect(await text("#tree-text")).toMatch(/^This model has no tree/);
  await eventually(() => text("#sample-status")).toMatch(/^24 words/);
  const download = page.waitForEvent("download");
  await page.click("#download");
  expect((await download).suggestedFilename()).toBe("makemore-sequence-60.onnx");
  for (const error of ["#train-error", "#sample-error", "#typed-error", "#file-error"])
    expect(await text(error)).toBe("");
});

/** Starts a training of more steps than it can finish, and stops it after a few. */
async function trainAndStop(): Promise<number> {
  await page.check("[value=small]");
  await set({ steps: "1000000" });
  await page.click("#train");
  await eventually(() => text("#figure-step")).toMatch(/\d \/ 1,000,000/);
  await page.click("#stop");
  await eventually(() => text("#train-note")).toMatch(/^Stopped at step [\d,]+ of 1,000,000/);
  return Number((await text("#train-note")).match(/[\d,]+/)?.[0].replaceAll(",", ""));
}

test("stops, and resumes to another total, to which the diary adapts", async () => {
  const stopped = await trainAndStop();
  await set({ steps: String(stopped + 50) });
  await page.click("#resume");
  await eventually(() => text("#train-note")).toMatch(/^Done: 50 steps/);
  expect(await page.locator("#diary li:not(.written)").count()).toBe(0);
  expect(await page.locator("#diary li").count()).toBeGreaterThan(0);

  // The total equals the steps done, so Resume is enabled again only with a larger total.
  const resume = page.locator("#resume");
  expect(await resume.isEnabled()).toBe(false);
  await resume.click({ force: true });
  await set({ steps: String(stopped + 60) });
  expect(await resume.isEnabled()).toBe(true);
  await set({ steps: "-3" });
  expect(await resume.isEnabled()).toBe(false);
  expect(await text("#train-error")).toBe("");
  expect(await text("#train-note")).toMatch(/^Done: 50 steps/);
});

test("a training that is stopped before its first step leaves everything as it was", async () => {
  await trainToTheEnd(40);
  await eventually(() => text("#sample-status")).toMatch(/^24 words/);
  const shown = () =>
    page.evaluate(() =>
      ["samples", "sample-status", "figure-step", "losses", "diary", "layers"].map(
        (id) => document.getElementById(id)?.textContent,
      ),
    );
  const before = await shown();
  // The steps that measure the engines do not count as steps of the training.
  await page.selectOption("[name=backend]", "auto");
  await page.check("[value=wavenet]");
  await page.click("#train");
  await page.click("#stop");
  await eventually(() => text("#train-note")).toBe("Stopped before the first step: the model is as it was.");
  expect(await shown()).toEqual(before);
  await page.click("#sample");
  await eventually(() => text("#sample-status")).not.toBe(before[1]);
  expect(await text("#layers")).toBe(before[5]);
});

test("writes words, downloads, and accepts other words during a training", async () => {
  await page.check("[value=small]");
  await set({ steps: "1000000" });
  await page.click("#train");
  await eventually(() => text("#figure-step")).toMatch(/\d \/ 1,000,000/);
  await page.click("#sample");
  await eventually(() => text("#sample-status")).toMatch(/^24 words/);
  // The focused element keeps the focus.
  expect(await page.evaluate(() => document.activeElement?.id)).toBe("sample");
  const download = page.waitForEvent("download");
  await page.click("#download");
  expect((await download).suggestedFilename()).toMatch(/^makemore-window-[1-9]\d*\.onnx$/);
  await page.click("#words-own");
  await page.fill("#words", "abba\nbaab");
  await eventually(() => text("#words-count")).toBe("2 words of 2 different characters.");
  await page.click("#words-undo");
  await eventually(() => text("#words-count")).toMatch(/^30,294 words/);
  expect(await text("#train-note")).toMatch(/^Training on wasm/);
  await page.click("#stop");
  await eventually(() => text("#train-note")).toMatch(/^Stopped at step/);
});

test("trains and stops with the keyboard alone, also if a key is held", async () => {
  await page.check("[value=small]");
  await set({ steps: "1000000" });
  const focus = () => page.evaluate(() => document.activeElement?.id);
  await page.locator("#train").focus();
  // Enter is held, so its second keydown is a repeat.
  await page.keyboard.down("Enter");
  await eventually(focus).toBe("stop");
  await page.keyboard.down("Enter");
  await page.keyboard.up("Enter");
  await eventually(() => text("#figure-step")).toMatch(/\d \/ 1,000,000/);
  await page.keyboard.press("Enter");
  await eventually(() => text("#train-note")).toMatch(/^Stopped at step/);
  expect(await focus()).toBe("resume");

  const temperature = page.getByRole("slider", { name: /Temperature/ });
  await temperature.focus();
  await page.keyboard.press("ArrowRight");
  expect(await text("#temperature-value")).toBe("0.9");
  expect(await page.getByRole("slider", { name: /Step along the word/ }).count()).toBe(1);
});

test("the default is the library's recipe, with as many steps as the list needs", async () => {
  expect(await page.locator("[name=recipe]:checked").inputValue()).toBe("default");
  // Words of few letters, on which any training soon stops improving.
  await page.click("#words-own");
  await page.fill(
    "#words",
    Array.from(
      { length: 60 },
      (_, i) => `${i.toString(3).replace(/./g, (d) => "abc"[Number(d)] ?? "")}`,
    ).join("\n"),
  );
  await set({});
  await page.check("[value=small]");
  await page.click("#train");
  await eventually(() => text("#train-note")).toContain("Loss over all words");
  expect(await text("#train-note")).toMatch(/^Done: [\d,]+ steps .*\d+% of what it writes is in the list\./);
  expect(await page.locator("#resume").isEnabled()).toBe(false);
  // The focus has not moved.
  expect(await page.evaluate(() => document.activeElement?.id)).toBe("stop");
});

test("shows each error where it belongs, and keeps the model", async () => {
  await trainToTheEnd(40);
  await set({ steps: "-3" });
  await page.click("#train");
  await eventually(() => text("#train-error")).toMatch(/^Steps is -3/);
  expect(await page.locator("[name=steps]").getAttribute("aria-invalid")).toBe("true");

  // An empty field is an error if the library has no default for it.
  await set({ steps: "40", seed: "" });
  await page.click("#train");
  await eventually(() => text("#train-error")).toMatch(/^Seed is /);
  await set({ seed: "42" });

  await set({ steps: "40" });
  await page.check("[value=own]");
  await page.fill("[name=folds]", "2 3");
  await page.click("#train");
  await eventually(() => text("#model-error")).toMatch(/folds/);
  expect(await text("#train-error")).toBe("");

  await page.check("[value=small]");
  await page.click("#words-own");
  await page.click("#train");
  await eventually(() => text("#words-error")).toMatch(/no words/);
  await page.fill("#words", "aaa\naa");
  await page.click("#train");
  await eventually(() => text("#words-error")).toMatch(/only one character/);

  await page.fill("[name=count]", "1000000");
  await page.click("#sample");
  await eventually(() => text("#sample-error")).toMatch(/at most 1000 words/);
  await page.fill("[name=count]", "24");

  await page.fill("[name=prefix]", "Ω");
  await page.click("#sample");
  await eventually(() => text("#sample-error")).toMatch(/Ω/);

  await page.setInputFiles("#file", { name: "a.onnx", mimeType: "", buffer: Buffer.from("no model") });
  await eventually(() => text("#file-error")).toMatch(/^⚠?\s*a\.onnx: /);

  await page.fill("[name=prefix]", "");
  await page.click("#sample");
  await eventually(() => text("#sample-status")).toMatch(/^24 words/);
  expect(await text("#sample-error")).toBe("");
});

test("a downloaded model opens in another visit, dropped or chosen, and training goes on from it", async () => {
  await trainToTheEnd(60);
  const download = page.waitForEvent("download");
  await page.click("#download");
  const file = await download;
  expect(file.suggestedFilename()).toBe("makemore-window-60.onnx");
  const buffer = readFileSync(await file.path());

  await open();
  await page.evaluate(
    (content) => {
      const data = new DataTransfer();
      data.items.add(new File([new Uint8Array(content)], "dropped.onnx"));
      dispatchEvent(new DragEvent("dragover", { dataTransfer: data, cancelable: true }));
      dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
    },
    [...buffer],
  );
  await eventually(() => text("#file-status")).toMatch(/dropped\.onnx is open/);
  expect(await page.locator("#drop").isVisible()).toBe(false);
  await page.setInputFiles("#file", { name: "mine.onnx", mimeType: "", buffer });
  await eventually(() => text("#file-status")).toMatch(/22,397 parameters, trained for 60 steps/);
  expect(await text("#figure-step")).toBe("60 / 60");
  await page.click("#sample");
  await eventually(() => text("#sample-status")).toMatch(/^24 words/);
  await set({ steps: "90" });
  await page.click("#resume");
  await eventually(() => text("#train-note")).toMatch(/^Done: 30 steps/);
});

test("shows the surprise of a typed word, its place, and its tree", async () => {
  await trainToTheEnd(300);
  await page.fill("#typed", "emma");
  await eventually(() => page.locator("#tiles .nats").allInnerTexts()).toHaveLength(5);
  await eventually(() => text("#place-text")).toMatch(/“emma” is likelier.*than \d+% of your words/);
  expect(await text("#place-text")).toContain("It is in your list.");
  const shares = [Number(/(\d+)%/.exec(await text("#place-text"))?.[1])];
  await page.fill("#typed", "xqzvvk");
  await eventually(() => text("#place-text")).toMatch(/“xqzvvk”/);
  shares.push(Number(/(\d+)%/.exec(await text("#place-text"))?.[1]));
  expect(shares[1]).toBeLessThan(5);
  expect(shares[0]).toBeGreaterThan(shares[1] ?? 0);

  // The folds 2, 2, 2 give a tree of 4 + 2 + 1 nodes, with one new node per level.
  expect(await page.locator("#tree circle.new").count()).toBe(3);
  expect(await page.locator("#tree circle.shared").count()).toBe(4);
  expect(await text("#tree-text")).toContain("a tree of 7 nodes");
  await page.fill("#typed", "xqΩ");
  await eventually(() => text("#typed-error")).toMatch(/Ω/);
  expect(await text("#place-text")).toBe("");
  await page.fill("#typed", "");
  await eventually(() => text("#place-text")).toBe("Type a word.");
  await page.fill("#typed", "xqzvvk");
  await page.locator("#tree-at").focus();
  await page.keyboard.press("ArrowLeft");
  expect(await text("#tree-text")).toContain("“k” after “xqzvv”");

  // Bars show the likeliest next characters, and a click on one appends it.
  await eventually(() => text("#next-text")).toBe("After “xqzvv”:");
  const bars = await page.locator("#next .chance").allTextContents();
  expect(bars).toHaveLength(8);
  const chances = bars.map((chance) => Number.parseInt(chance.replace("<1", "0"), 10));
  expect(chances).toEqual([...chances].sort((a, b) => b - a));
  const letters = (await page.locator("#next .character").allTextContents()).filter((c) => c !== "end");
  await page
    .locator("#next button", { hasText: letters[0] ?? "" })
    .first()
    .click();
  expect(await page.inputValue("#typed")).toBe(`xqzvv${letters[0]}`);
  await eventually(() => text("#next-text")).toBe(`After “xqzvv${letters[0]}”:`);
});

test("accepts the visitor's own words, typed or pasted", async () => {
  await page.click("#words-own");
  await page.fill("#words", "abba\nbaab\nab");
  await eventually(() => text("#words-count")).toBe("3 words of 2 different characters.");
  await page.evaluate((long) => {
    const data = new DataTransfer();
    data.setData("text", long);
    document
      .querySelector("#words")
      ?.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, cancelable: true }));
  }, names.slice(0, 5000).join("\n"));
  await eventually(() => text("#words-count")).toMatch(/^5,0\d\d words /);
  expect(await text("#words-part")).toBe("The first 200 are shown.");
  await page.click("#words-edit");
  for (let part = 1; part < 5000 / 200; part++) await page.click("#words-later");
  expect(await page.locator("#words").inputValue()).toContain(names[4990]);
});

/** Drops a file with this text on the page. */
const drop = (name: string, content: string) =>
  page.evaluate(
    ({ name, content }) => {
      const data = new DataTransfer();
      data.items.add(new File([content], name));
      dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
    },
    { name, content },
  );

test("asks which column of a dropped table has the words, and does not train before the answer", async () => {
  await drop(
    "NAMES.CSV",
    `name,sex,count\n${names
      .slice(0, 300)
      .map((name, i) => `${name},F,${i}\n`)
      .join("")}`,
  );
  await eventually(() => text("#words-question")).toMatch(/table with commas.*Column “name”.*Column “sex”/);
  await page.click("#train");
  expect(await page.evaluate(() => document.activeElement?.textContent)).toMatch(/^Column “name”/);
  await page.keyboard.press("Enter");
  await eventually(() => text("#words-count")).toBe("300 words of 26 different characters.");
  expect(await text("#words-source")).toBe("From NAMES.CSV, column “name”.");
  await drop("list", "emma\nolivia\n");
  await eventually(() => text("#words-count")).toMatch(/^2 words/);
});

test("on a phone, Train without words scrolls to the words and shows the error there", async () => {
  await open({ viewport: { width: 375, height: 667 } });
  await page.click("#words-own");
  await page.click("#train");
  await eventually(() => text("#words-error")).toMatch(/no words/);
  expect(await page.evaluate(() => document.activeElement?.id)).toBe("words");
  const { y = 0, height = 0 } = (await page.locator("#words-error").boundingBox()) ?? {};
  expect([y >= 0, y + height <= 667]).toEqual([true, true]);
});

test("shows right-to-left words from right to left everywhere", async () => {
  await page.click("#words-own");
  await page.fill(
    "#words",
    ["שלום", "רות", "אברהם", "שרה", "מרים", "דוד", "יעקב", "רחל", "לאה", "יוסף", "مريم"].join("\n"),
  );
  await trainToTheEnd(20);
  await eventually(() => text("#sample-status")).toMatch(/^24 words/);
  const lefts = (selector: string) =>
    page.locator(selector).evaluateAll((all) => all.map((element) => element.getBoundingClientRect().left));
  for (const word of ["שלום", "مريم"]) {
    await page.fill("#typed", word);
    await eventually(() => page.locator("#tiles .character").allInnerTexts()).toEqual([...word, "end"]);
    for (const drawn of [await lefts("#tiles li"), await lefts("#tree .letter")])
      expect(drawn).toEqual([...drawn].sort((a, b) => b - a));
  }
  const directions = (selector: string) =>
    page
      .locator(selector)
      .evaluateAll((all) => [...new Set(all.map((element) => getComputedStyle(element).direction))]);
  for (const selector of [
    "#words",
    "#typed",
    "#samples li",
    "#place-text bdi",
    "#tree-text bdi",
    "#diary .written .words",
  ])
    expect([selector, await directions(selector)]).toEqual([selector, ["rtl"]]);
  // The first letter with a direction decides the direction of the word.
  await page.fill("#typed", "emma");
  await eventually(() => page.locator("#tiles .character").allInnerTexts()).toEqual([..."emma", "end"]);
  const drawn = await lefts("#tiles li");
  expect(drawn).toEqual([...drawn].sort((a, b) => a - b));
});

test("does not break a word that fits on a line", async () => {
  await open({ viewport: { width: 375, height: 667 } });
  await page.click("#words-own");
  await page.fill(
    "#words",
    ["Maximilianalexander", "Wilhelminafrederika", "Christophersebastian"].join("\n"),
  );
  await trainToTheEnd(300);
  await eventually(() => text("#sample-status")).toMatch(/^24 words/);
  const lines = await page.locator("#samples li").evaluateAll((items) =>
    items.map((item) => {
      const range = document.createRange();
      range.selectNodeContents(item.firstChild ?? item);
      return {
        lines: new Set([...range.getClientRects()].map(({ top }) => top)).size,
        length: item.firstChild?.textContent?.length ?? 0,
      };
    }),
  );
  for (const { lines: count, length } of lines) if (length <= 21) expect(count).toBe(1);
});

declare global {
  /** Durations of the page's long tasks, ms. */
  var longTasks: number[];
}

test.each([
  {
    given: "four million lines of a hundred words",
    part: `${names.slice(0, 100).join("\n")}\n`,
    times: 40_000,
  },
  { given: "one line of 33 MB", part: "many words ", times: 3_000_000 },
])("is never blocked for long by $given, dropped or pasted", async ({ part, times }) => {
  for (const way of ["drop", "paste"]) {
    await open();
    await page.evaluate(
      async ({ part, times, way }) => {
        const text = part.repeat(times);
        const data = new DataTransfer();
        if (way === "drop") data.items.add(new File([text], "long.txt"));
        else data.setData("text", text);
        // Wait, so that the time in which the test made the text does not count.
        await new Promise((resolve) => setTimeout(resolve, 500));
        globalThis.longTasks = [];
        new PerformanceObserver((list) => {
          for (const { duration } of list.getEntries()) globalThis.longTasks.push(Math.round(duration));
        }).observe({ type: "longtask" });
        await new Promise((resolve) => setTimeout(resolve));
        if (way === "drop") dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
        else
          document
            .querySelector("#words")
            ?.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, cancelable: true }));
      },
      { part, times, way },
    );
    await eventually(() => text("#words-count")).not.toMatch(/^30,294/);
    // A list of a quarter of this size took 260 to 410 ms in one task, so this one would take over a second.
    const longTasks = await page.evaluate(() => globalThis.longTasks);
    expect(longTasks.filter((duration) => duration > 500)).toEqual([]);
  }
});

test("draws what happens inside the model if the box is ticked, and not otherwise", async () => {
  const plots = () =>
    page.locator("#inside figure").evaluateAll((figures) =>
      figures.map((figure) => ({
        label: figure.querySelector("[role=img]")?.getAttribute("aria-label"),
        lines: figure.querySelectorAll("polyline, circle").length,
      })),
    );
  await trainToTheEnd(20);
  for (const { label, lines } of await plots()) {
    expect(label).toMatch(/^No .* yet\.$/);
    expect(lines).toBe(0);
  }
  await page.click("#inside > summary");
  await page.check("#inside-on");
  await trainToTheEnd(20);
  expect(await text("#inside-note")).toMatch(/^\d+ steps? looked at; the last one is step \d+\.$/);
  const [saturation, activations, gradients, updates] = await plots();
  const tanhs = (value: string) => new RegExp(`now: tanh1 ${value}, tanh2 ${value}, tanh3 ${value}$`);
  expect(saturation?.label).toMatch(tanhs("<?\\d+%"));
  expect(activations?.label).toMatch(tanhs("std 0\\.\\d+"));
  expect(gradients?.label).toMatch(tanhs("std [\\d.e-]+"));
  expect(updates?.label).toMatch(/now: embedding\.weight −\d(\.\d)?, linear1\.weight −/);
  expect([saturation, activations, gradients, updates].map((plot) => plot?.lines)).toEqual([3, 3, 3, 5]);
});

test("axe finds nothing wrong, in light and in dark", async () => {
  await page.click("#inside > summary");
  await page.check("#inside-on");
  await trainToTheEnd(40);
  await eventually(() => text("#place-text")).toMatch(/likelier/);
  await page.check("[value=own]");
  await set({ steps: "-3" });
  await page.click("#train");
  await eventually(() => text("#train-error")).toMatch(/^Steps is -3/);
  await page.evaluate(() => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
  await page.addScriptTag({ path: axe });
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    const violations: { id: string; nodes: { html: string }[] }[] = await page.evaluate(
      "axe.run().then((results) => results.violations)",
    );
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join()}`)).toEqual([]);
  }
});

/** Returns every visible control with its position and size in the page. */
const controls = () =>
  page.evaluate(() =>
    [...document.querySelectorAll("button, input, select, textarea, summary, progress")]
      .filter((element) => element.checkVisibility())
      .map((element) => {
        const { x, y, width, height } = element.getBoundingClientRect();
        const name = element.id || element.getAttribute("name") || element.textContent?.trim();
        return `${name}: ${[x, y + scrollY, width, height].join()}`;
      }),
  );

test.each(familyNames.flatMap((family) => [360, 1280].map((width) => ({ family, width }))))(
  "controls keep their position and size in every state, $width px wide, with the $family fonts",
  async (given) => {
    await open({ viewport: { width: given.width, height: 800 } }, 0, given.family);
    const before = await controls();
    expect(before.length).toBeGreaterThan(30);
    // Set each state of a control, also states that the page has not shown yet.
    for (const state of ["disabled", "aria-disabled", "aria-invalid"]) {
      await page.evaluate((state) => {
        for (const element of document.querySelectorAll("button, input, select, textarea"))
          element.setAttribute(state, "true");
      }, state);
      expect(await controls()).toEqual(before);
      await page.reload();
      await eventually(() => text("#words-count")).toContain("30,294 words");
      await unfold();
      await page.evaluate((state) => {
        for (const element of document.querySelectorAll("button, input, select, textarea"))
          element.removeAttribute(state);
      }, state);
      expect(await controls()).toEqual(before);
    }
  },
);

test.each(familyNames)(
  "fits a phone, and nothing moves while it trains, with the %s fonts",
  async (family) => {
    // The names arrive so late that the page is painted without them.
    await open({ viewport: { width: 360, height: 740 } }, 500, family);
    const size = () =>
      page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]);
    await page.check("[value=small]");
    await set({ steps: "100" });
    const before = await size();
    expect(before[0]).toBeLessThanOrEqual(360);
    await page.click("#train");
    await eventually(() => text("#train-note")).toContain("Loss over all words");
    await eventually(() => text("#place-text")).toMatch(/likelier/);
    expect(await size()).toEqual(before);
    expect(await movements()).toEqual([]);
  },
);

test("links to the licences of the page's libraries and of the package's", async () => {
  const hrefs = await page
    .locator("footer a[href*=licenses]")
    .evaluateAll((links) => links.map((link) => (link instanceof HTMLAnchorElement ? link.href : "")));
  const [libraries, inPackage] = await Promise.all(
    hrefs.map(async (href) => (await page.request.get(href)).text()),
  );
  for (const name of ["uplot", "d3-dsv"])
    expect(libraries).toMatch(new RegExp(`## ${name} .*\\n[^#]*Copyright`));
  for (const name of ["comlink", "onnxruntime-web", "@tensorflow/tfjs-core"])
    expect(inPackage).toMatch(new RegExp(`^${name} \\d`, "m"));
});

test("text of twice the size fits a phone", async () => {
  await open({ viewport: { width: 360, height: 740 } });
  await page.addStyleTag({ content: "html { font-size: 200% }" });
  await trainToTheEnd(40);
  await eventually(() => text("#place-text")).toMatch(/likelier/);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
});
