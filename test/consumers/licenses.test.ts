/** The packages with code in the shipped files: their licences allow us to ship them, and we ship the notice of each. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, inject, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const dist = join(inject("packed"), "dist");
const read = (file: string) => readFileSync(join(dist, file), "utf8");

/** A sentence of each licence. All of these licences allow others to ship the code in a package under MIT. */
const wordings: Readonly<Record<string, RegExp>> = {
  MIT: /Permission is hereby granted, free of charge/,
  ISC: /Permission to use, copy, modify, and\/or distribute this software/,
  "Apache-2.0": /Apache License\s+Version 2\.0, January 2004/,
  "BSD-3-Clause": /Redistribution and use in source and binary forms/,
};

const lock: Record<string, { version: string; license: string } | undefined> = JSON.parse(
  readFileSync(join(root, "package-lock.json"), "utf8"),
).packages;

/** Returns the folders of the packages that the shipped source maps name, relative to the repository. */
function bundledFolders(): string[] {
  const scripts = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((name) =>
    /\.js$/.test(name),
  );
  const sources = scripts.flatMap((script): string[] =>
    existsSync(join(dist, `${script}.map`))
      ? JSON.parse(read(`${script}.map`)).sources
      : (read(script).match(/(?<=^\/\/ )node_modules\/.*/gm) ?? []),
  );
  // The worker carries our kernels, which contain parts of AssemblyScript's standard library.
  const folders = sources.map(
    (source) => source.match(/node_modules\/(.*\/node_modules\/)?(@[^/]+\/)?[^/]+/)?.[0],
  );
  return [...new Set([...folders, "node_modules/assemblyscript"])]
    .filter((folder) => folder !== undefined)
    .sort();
}

/** Returns the packages of each heading in the notices, with the text of their licences. */
function readNotices(): Map<string, string> {
  const parts = read("THIRD-PARTY-NOTICES.txt")
    .split(/^={80}$/m)
    .slice(1);
  const sections = parts.flatMap((headings, i) =>
    i % 2 === 0 ? [[headings, parts[i + 1] ?? ""] as const] : [],
  );
  return new Map(
    sections.flatMap(([headings, text]) =>
      headings
        .trim()
        .split("\n")
        .map((heading) => [heading.replace(/ \(.*/, ""), text] as const),
    ),
  );
}

/** Returns a package's licences in the lock file, as SPDX ids. */
function licenses(folder: string): string[] {
  const { license } = lock[folder] ?? expect.unreachable(`${folder} is not in the lock file.`);
  return license.replace(/[()]/g, "").split(" AND ");
}

/** Returns the packages whose full licence text is not in the notices. */
function withoutNotice(folders: readonly string[]): string[] {
  const notices = readNotices();
  const plain = (text: string) => text.replace(/\s+/g, " ").trim();
  return folders.filter((folder) => {
    const name = folder.replace(/.*node_modules\//, "");
    const text = notices.get(`${name} ${lock[folder]?.version}`) ?? "";
    const files = readdirSync(join(root, folder)).filter((file) => /^(licen[cs]e|notice)/i.test(file));
    return !(
      /copyright/i.test(text) &&
      licenses(folder).every((id) => wordings[id]?.test(text)) &&
      files.every((file) => plain(text).includes(plain(readFileSync(join(root, folder, file), "utf8"))))
    );
  });
}

test("licences: all bundled packages have a licence that allows us to ship them", () => {
  const folders = bundledFolders();
  for (const name of ["comlink", "valibot", "idb", "onnxruntime-web", "@tensorflow/tfjs-core", "commander"])
    expect(folders).toContain(`node_modules/${name}`);
  const strange = folders.filter((folder) => !licenses(folder).every((id) => id in wordings));
  expect(strange).toEqual([]);
  // An installation brings no other packages.
  const { dependencies } = JSON.parse(readFileSync(join(inject("packed"), "package.json"), "utf8"));
  expect(dependencies).toBeUndefined();
});

test("licences: the notice of each bundled package is in the tarball", () => {
  expect(withoutNotice(bundledFolders())).toEqual([]);
  // Packages that are installed but not bundled have no notice.
  const absent = ["node_modules/typescript", "node_modules/react"];
  expect(withoutNotice(absent)).toEqual(absent);
});

test("licences: the notices include the libraries in ONNX Runtime's and tfjs's WebAssembly", () => {
  const notices = readNotices();
  const text = [...notices].filter(([name]) =>
    /^(onnxruntime-web|@tensorflow\/tfjs-backend-wasm) /.test(name),
  );
  expect(text).toHaveLength(2);
  const all = text.map(([, each]) => each).join("\n");
  for (const name of [
    "google/XNNPACK",
    "pytorch/cpuinfo",
    "emsdk",
    "Eigen",
    "abseil-cpp",
    "Georgia Institute",
  ])
    expect(all).toContain(name);
});
