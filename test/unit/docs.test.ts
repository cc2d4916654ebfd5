/** Tests of the documentation: links, code blocks, the list of error codes, and the pages of the site. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import GithubSlugger from "github-slugger";
import MarkdownIt from "markdown-it";
import ts from "typescript";
import { expect, test } from "vitest";
import { scripts, version } from "../../package.json";
import { sections } from "../../scripts/docPages.mjs";
import { parseArguments } from "../../src/command/options";
import type { MakemoreErrorCode } from "../../src/errors";

const markdown = new MarkdownIt({ html: true });
const docs = readdirSync("docs")
  .filter((file) => file.endsWith(".md"))
  .map((file) => `docs/${file}`);
const pages = [...docs, "README.md", "CONTRIBUTING.md"];

const read = (file: string) => readFileSync(file, "utf8");
const parse = (file: string) => markdown.parse(read(file), {});

test("every page of docs/ is in the site's sidebar exactly once", () => {
  const listed = ["index", ...Object.values(sections).flat()].map((page) => `docs/${page}.md`);
  expect(listed.sort(), "add the page to scripts/docPages.mjs").toEqual(docs.sort());
});

/** Returns the anchors of a page's headings, as GitHub and the site generate them. */
function anchors(file: string): Set<string> {
  const slugger = new GithubSlugger();
  const tokens = parse(file);
  const headings = tokens.flatMap((token, i) => (token.type === "heading_open" ? [tokens[i + 1]] : []));
  return new Set(
    headings.map((heading) => slugger.slug((heading?.children ?? []).map((child) => child.content).join(""))),
  );
}

test.each(pages)("%s: links and pictures lead to files and headings", (file) => {
  for (const link of linksOf(file)) {
    const own = `https://unpkg.com/makemore-web@${version}/`;
    const [path = "", anchor] = link.startsWith(own)
      ? link.slice(own.length).split("#")
      : /^[a-z]+:/.test(link)
        ? []
        : join(dirname(file), link.replace(/^#/, `${file.split("/").at(-1)}#`)).split("#");
    if (path === "") continue;
    expect(existsSync(path), `${link} in ${file}`).toBe(true);
    if (anchor !== undefined) expect([...anchors(normalize(path))], `${link} in ${file}`).toContain(anchor);
  }
});

function linksOf(file: string): string[] {
  return parse(file)
    .flatMap((token) => token.children ?? [])
    .flatMap((token) => {
      const link = token.attrGet(token.type === "image" ? "src" : "href");
      return link === null ? [] : [link];
    });
}

test("docs/errors.md has a section for every error code, in the order of the type", () => {
  // TypeScript refuses this object if a code is missing or no longer exists.
  const codes = {
    INVALID_WORDS: 1,
    INVALID_OPTION: 1,
    INVALID_MODEL: 1,
    INVALID_ONNX: 1,
    NO_MODEL: 1,
    NO_WORDS: 1,
    NOT_SAVED: 1,
    STORAGE_FAILED: 1,
    BUSY: 1,
    DISPOSED: 1,
    UNSUPPORTED: 1,
    LOAD_FAILED: 1,
    WORKER_FAILED: 1,
    DIVERGED: 1,
    SAMPLING_FAILED: 1,
  } satisfies Record<MakemoreErrorCode, 1>;
  const described = read("docs/errors.md")
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [heading = "", ...text] = section.split("\n");
      expect(text.join("\n"), heading).toMatch(/^Fix: |\| fix \|/m);
      return heading;
    });
  expect(described).toEqual(Object.keys(codes));
});

/** A fenced block. `note` is the comment before it that says why it is not compiled alone. */
interface Block {
  place: string;
  language: string;
  code: string;
  note: string;
}

const blocks: Block[] = docs.flatMap((file) => {
  const tokens = parse(file);
  return tokens.flatMap((token, i) => {
    if (token.type !== "fence") return [];
    const before = tokens[i - 1];
    const note = before?.type === "html_block" ? (before.content.match(/<!-- (.*?) -->/)?.[1] ?? "") : "";
    return [
      { place: `${file}:${(token.map?.[0] ?? 0) + 1}`, language: token.info, code: token.content, note },
    ];
  });
});

/** Returns the blocks in these languages that have no note. */
const written = (...languages: string[]) =>
  blocks.filter(({ language, note }) => languages.includes(language) && note === "");

test("every code block has a language that is compiled or run, or a note that says where", () => {
  const here = ["ts", "js", "html", "json", "sh"];
  for (const { place, language, note } of blocks) {
    // A block without a language is plain text, such as a figure or a policy.
    if (language === "" || here.includes(language)) continue;
    expect(note, `${place}, ${language}`).toMatch(/^(excerpt|tested): /);
  }
});

test("notes of code blocks name the file that contains or runs the code", () => {
  const noted = blocks.filter(({ note }) => note !== "");
  expect(noted.length).toBeGreaterThan(0);
  for (const { place, code, note } of noted) {
    const [, kind, file = ""] = note.match(/^(excerpt|tested): (\S+)$/) ?? [];
    expect(existsSync(file), `${place}: ${note}`).toBe(true);
    if (kind === "excerpt") expect(plain(read(file)), place).toContain(plain(code));
    else expect(read(file), note).toContain(place.replace(/:\d+$/, ""));
  }
});

/** Code without docstrings and line breaks. */
const plain = (code: string) =>
  code
    .replace(/\/\*\*.*?\*\//gs, "")
    .replace(/\s+/g, " ")
    .trim();

/** Returns the examples in the docstrings of what `src/` exports. */
function docstringExamples(file: string): { place: string; code: string }[] {
  return [...read(file).matchAll(/^ *\* ```ts\n(.*?)^ *\* ```$/gms)].map((match) => ({
    place: `${file}, character ${match.index}`,
    code: (match[1] ?? "").replace(/^ *\* ?/gm, ""),
  }));
}

test("every public method has an example", () => {
  const source = read("src/makemore.ts");
  const examples = docstringExamples("src/makemore.ts");
  const methods = [...source.matchAll(/^ {2}(?:static |async |get |\*)*(?!constructor)([a-z]\w*)\(/gim)];
  for (const [, name = ""] of methods)
    expect(
      examples.some(({ code }) => new RegExp(`(mm|Makemore)\\??\\.${name}\\b`).test(code)),
      name,
    ).toBe(true);
  expect(methods.length).toBeGreaterThan(12);
});

test("code in TypeScript and JavaScript compiles under strict rules", () => {
  // Variables that the pages assume.
  const given = `declare global {
    const words: string[];
    const mm: import("makemore-web").Makemore;
    const Makemore: typeof import("makemore-web").Makemore;
  }
  export {};`;
  const files = new Map([["given.ts", given]]);
  const places = new Map<string, string>();
  const add = (place: string, code: string, extension: string) => {
    const file = `block${places.size}.${extension}`;
    files.set(file, `${code}\nexport {};\n`);
    places.set(file, place);
  };
  for (const { place, language, code } of written("ts", "js")) add(place, code, language);
  for (const { place, code } of written("html")) add(place, moduleScript(place, code), "js");
  for (const { place, code } of docstringExamples("src/makemore.ts")) add(place, code, "ts");
  expect(places.size).toBeGreaterThan(30);
  // A wrong block that must not compile, so that this test fails if nothing is compiled.
  add("wrong", 'import mm from "makemore-web";\nawait mm.sample(1, { temprature: 1 });', "ts");
  expect(diagnose(files, places)).toEqual([expect.stringMatching(/^wrong: .*temprature/)]);
});

/** Returns the module script of a page, and imports the package by its name. */
function moduleScript(place: string, html: string): string {
  const [, code = ""] = html.match(/<script type="module">\n(.*)<\/script>/s) ?? [];
  const plain = code.replace(/"[^"]*\/index\.js"/, '"makemore-web"');
  expect(plain, place).toContain('from "makemore-web"');
  return plain;
}

/** Returns the compiler's errors in blocks of code, with their places. */
function diagnose(files: ReadonlyMap<string, string>, places: ReadonlyMap<string, string>): string[] {
  const root = `${process.cwd()}/docs/`;
  const options: ts.CompilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    allowJs: true,
    checkJs: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ["lib.es2022.d.ts", "lib.esnext.disposable.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
    types: ["node", "@webgpu/types"],
    paths: { "makemore-web": [`${process.cwd()}/src/index.ts`] },
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  const own = (path: string) => (path.startsWith(root) ? files.get(path.slice(root.length)) : undefined);
  host.getSourceFile = (path, ...rest) => {
    const text = own(path);
    return text === undefined
      ? getSourceFile(path, ...rest)
      : ts.createSourceFile(path, text, ts.ScriptTarget.ES2022);
  };
  host.fileExists = (path) => own(path) !== undefined || fileExists(path);
  host.readFile = (path) => own(path) ?? readFile(path);
  const program = ts.createProgram(
    [...files.keys()].map((file) => root + file),
    options,
    host,
  );
  return program.getSourceFiles().flatMap((source) => {
    const file = source.fileName.slice(root.length);
    if (own(source.fileName) === undefined) return [];
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ messageText }) =>
        `${places.get(file) ?? file}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`,
    );
  });
}

test("blocks of JSON parse", () => {
  for (const { code } of written("json")) JSON.parse(code);
});

test("commands are valid, and name scripts, files and options that exist", () => {
  const shown = [...written("sh")];
  expect(shown.length).toBeGreaterThan(5);
  for (const { place, code } of shown) {
    execFileSync("bash", ["-n"], { input: code });
    for (const line of code
      .replace(/ *#.*$/gm, "")
      .split("\n")
      .filter(Boolean)) {
      const [, script] = line.match(/^npm run ([\w:]+)/) ?? [];
      if (script !== undefined) expect(Object.keys(scripts), `${place}: ${line}`).toContain(script);
      const [, file] = line.match(/^node (\S+)/) ?? [];
      if (file !== undefined) expect(existsSync(file), `${place}: ${line}`).toBe(true);
      const [, args] = line.match(/npx makemore-web (.*)/) ?? [];
      if (args !== undefined)
        expect(() => parseArguments(args.split(" ")), `${place}: ${line}`).not.toThrow();
    }
  }
});
