/**
 * `npm run docs`: writes the documentation as a static site into `site/`. Its pages are the Markdown files of
 * `docs/`. The API reference comes from the docstrings of `src/index.ts`. The built demo is in `site/demo/`.
 */
import { cpSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Application, Converter, JSX, KindRouter, ReflectionKind } from "typedoc";
import { sections } from "./docPages.mjs";

/** @import { Reflection } from "typedoc" */

const root = fileURLToPath(new URL("..", import.meta.url));

const demo = join(root, "demo/dist");
if (!existsSync(join(demo, "index.html")))
  throw new Error("demo/dist is missing: run `npm run build` and `npm run demo:build` first.");

const out = join(root, "site");
const app = await Application.bootstrap({
  name: "makemore-web",
  entryPoints: [join(root, "src/index.ts")],
  headings: { readme: false },
  readme: join(root, "docs/index.md"),
  projectDocuments: Object.values(sections).flatMap((pages) =>
    pages.map((page) => join(root, `docs/${page}.md`)),
  ),
  tsconfig: join(root, "tsconfig.json"),
  // `npm run types` has checked the types.
  skipErrorChecking: true,
  disableSources: true,
  excludePrivate: true,
  sort: ["source-order"],
  sortEntryPoints: false,
  categorizeByGroup: false,
  categoryOrder: Object.keys(sections),
  navigation: { includeCategories: true, includeGroups: true },
  includeHierarchySummary: false,
  searchInDocuments: true,
  searchInComments: true,
  customCss: join(root, "scripts/docs.css"),
  highlightLanguages: [..."ts tsx js html css json sh python vue svelte".split(" ")],
  validation: { invalidLink: true, invalidPath: true, notExported: false, notDocumented: false },
  treatWarningsAsErrors: true,
  treatValidationWarningsAsErrors: true,
});

/** @type {Map<string, string>} */
const addresses = new Map();
app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_, page) => {
  const [section] = Object.entries(sections).find(([, pages]) => pages.includes(page.name)) ?? [];
  page.frontmatter.category = section;
  const heading = headingOf(page.name);
  addresses.set(heading, page.name);
  page.name = heading;
});
app.renderer.defineRouter(
  "docs",
  /** Names a page after its file instead of its heading, so that a new heading breaks no link. */
  class extends KindRouter {
    /** @override @param {Reflection} reflection */
    getIdealBaseName(reflection) {
      return reflection.isDocument()
        ? `${addresses.get(reflection.name)}`
        : super.getIdealBaseName(reflection);
    }
  },
);
app.options.setValue("router", "docs");
// Shows the type that the compiler computes, because the source of a type may name a function that is not exported.
app.converter.on(Converter.EVENT_CREATE_DECLARATION, (_, declaration) => {
  if (declaration.kindOf(ReflectionKind.TypeAlias)) declaration.comment?.modifierTags.add("@useDeclaredType");
});
app.renderer.hooks.on("sidebar.begin", (context) =>
  JSX.createElement("a", { href: context.relativeURL("demo/index.html"), class: "demo" }, "Open the demo"),
);

const project = await app.convert();
if (!project) throw new Error("TypeDoc could not read src/index.ts.");
app.validate(project);
await app.generateDocs(project, out);
if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exit(1);
cpSync(demo, join(out, "demo"), { recursive: true });

/**
 * Returns the heading of a page.
 *
 * @param {string} page
 */
function headingOf(page) {
  const [, heading] = readFileSync(join(root, `docs/${page}.md`), "utf8").match(/^# (.+)$/m) ?? [];
  if (!heading) throw new Error(`docs/${page}.md does not begin with a heading.`);
  return heading;
}
