/**
 * `npm run figures`: trains a model (about half a minute), draws the figures of docs/wavenet.md from it, and prints
 * the numbers of that page.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import * as ort from "onnxruntime-node";
import { buildDataset, type TokenStream, wordsOf } from "../worker/data/dataset";
import { BOUNDARY } from "../worker/data/vocabulary";
import { createWasmEngine } from "../worker/engines/wasm";
import { architecture } from "../worker/model/architectures";
import type { BlockChain } from "../worker/model/blocks";
import { buildNetwork, initialParameters } from "../worker/model/network";
import { convolutionGraph } from "../worker/onnx/convolution";
import { checkTrainOptions } from "../worker/options";
import { DistinctNodes } from "../worker/sampling/distinctNodes";
import { Inference } from "../worker/sampling/inference";
import { GraphSession } from "../worker/sampling/runtime";
import type { Checkpoint } from "../worker/training/checkpoint";
import { learningRates } from "../worker/training/schedule";

const WORD = "emma";
/** Number of a node's channels to draw, in rows of eight. */
const SHOWN = 24;
const CELL = 5;
const NODE = { width: 8 * CELL, height: (SHOWN / 8) * CELL };
const COLUMN = 74;
const ROW = 78;
const folder = new URL("../docs/figures/", import.meta.url);

/** Trains, draws, prints. */
export async function main(): Promise<void> {
  const names = readFileSync(new URL("../demo/words/names.txt", import.meta.url), "utf8");
  const { checkpoint, train } = await trainDefault(names);
  const { chain } = checkpoint.network;
  if (!chain) throw new Error("The default model is a chain of blocks.");
  const inference = new Inference(async () => ort, checkpoint);
  console.log(`training loss ${(await inference.evaluate(train)).toFixed(3)}`);
  await inference.dispose();

  const nodes = await activations(checkpoint, chain);
  mkdirSync(folder, { recursive: true });
  save("tree.svg", drawTree(checkpoint, chain, nodes));
  save("convolution.svg", drawConvolution(chain, nodes));
  save("incremental.svg", drawIncremental(chain, nodes));
  countNodes(chain, train);
}

async function trainDefault(names: string): Promise<{ checkpoint: Checkpoint; train: TokenStream }> {
  const { model, evalEvery: _, sampleEvery: __, ...recipe } = checkTrainOptions({})();
  const dataset = buildDataset(names, recipe);
  const network = buildNetwork(architecture(model), dataset.vocabulary.size);
  const { optimizer, seed, batchSize, steps, learningRate } = recipe;
  const engine = await createWasmEngine({
    network,
    parameters: initialParameters(network, seed),
    optimizer,
    stream: dataset.train,
    seed,
    batchSize,
  });
  await engine.run(0, learningRates(learningRate, 0, steps, steps));
  const state = await engine.read();
  engine.dispose();
  return {
    checkpoint: { vocabulary: dataset.vocabulary, network, step: steps, recipe, ...state },
    train: dataset.train,
  };
}

/** The convolution's nodes for one word: [time, channels] per level, and the logits. */
interface Nodes {
  /** The characters, after the boundaries. */
  readonly tokens: readonly number[];
  readonly characters: readonly string[];
  /** Levels from the embedding up. Row 0 of a level is the first with a complete window. */
  readonly levels: readonly (readonly (readonly number[])[])[];
  /** Logits for each character of the word and for its end. */
  readonly logits: readonly (readonly number[])[];
}

async function activations(
  { network, parameters, vocabulary }: Checkpoint,
  chain: BlockChain,
): Promise<Nodes> {
  const graph = convolutionGraph(network, chain, parameters);
  const inner = graph.nodes.filter((node) => node.operator === "Tanh" || node.name === "embedding/Transpose");
  for (const { output: name } of inner)
    graph.output({ name, type: "float", dimensions: ["batch", "channels", `${name} time`], description: "" });
  const session = await GraphSession.open(ort, graph);
  const ids = vocabulary.encode(WORD);
  const outputs = await session.run({ tokens: { data: Int32Array.from(ids), dimensions: [1, ids.length] } });
  await session.release();
  const rows = (name: string, channels: number, channelsFirst: boolean) => {
    const values = outputs[name] ?? new Float32Array(0);
    const time = values.length / channels;
    return Array.from({ length: time }, (_, t) =>
      Array.from(
        { length: channels },
        (_, c) => values[channelsFirst ? c * time + t : t * channels + c] ?? 0,
      ),
    );
  };
  const tokens = [...new Array<number>(chain.contextLength).fill(BOUNDARY), ...ids];
  const widths = [chain.embedding.dimensions, ...chain.blocks.map((block) => block.fanOut)];
  return {
    tokens,
    characters: tokens.map((id) => (id === BOUNDARY ? "." : vocabulary.decode([id]))),
    levels: inner.map(({ output }, level) => rows(output, widths[level] ?? 1, true)),
    logits: rows("logits", chain.vocabularySize, false),
  };
}

/** Distance of a level's first row from the first character, because its window must be complete. */
function firstColumn(nodes: Nodes, level: number): number {
  return nodes.tokens.length - (nodes.levels[level]?.length ?? 0);
}

/** Columns of the level below that a node joins. */
function neighbours(chain: BlockChain, level: number, column: number): number[] {
  const below = chain.blocks.slice(0, level - 1);
  const dilation = below.reduce((product, block) => product * block.fold, 1);
  const fold = chain.blocks[level - 1]?.fold ?? 1;
  return Array.from({ length: fold }, (_, j) => column - (fold - 1 - j) * dilation);
}

/** A node and all nodes below it, as "level,column". */
function below(chain: BlockChain, level: number, column: number): Set<string> {
  const found = new Set([`${level},${column}`]);
  if (level > 0)
    for (const neighbour of neighbours(chain, level, column))
      for (const key of below(chain, level - 1, neighbour)) found.add(key);
  return found;
}

function drawTree({ vocabulary }: Checkpoint, chain: BlockChain, nodes: Nodes): string {
  const depth = nodes.levels.length - 1;
  const last = nodes.tokens.length - 1;
  const first = last - chain.contextLength + 1;
  const place = (level: number, column: number): [number, number] => {
    const columns = [...below(chain, level, column)]
      .filter((key) => key.startsWith("0,"))
      .map((key) => Number(key.slice(2)));
    const middle = columns.reduce((sum, c) => sum + c, 0) / columns.length;
    return [(middle - first) * COLUMN + 60, (depth - level) * ROW + 120];
  };
  const parts: string[] = [];
  for (const key of below(chain, depth, last)) {
    const [level = 0, column = 0] = key.split(",").map(Number);
    const [x, y] = place(level, column);
    if (level > 0)
      for (const neighbour of neighbours(chain, level, column))
        parts.unshift(line(place(level - 1, neighbour), [x, y]));
    parts.push(node(nodes, level, column, x, y));
    if (level === 0) parts.push(text(nodes.characters[column] ?? "", x, y + 36));
  }
  const probabilities = softmax(nodes.logits.at(-1) ?? []);
  const likeliest = probabilities
    .map((p, id) => ({ p, name: id === BOUNDARY ? "end" : vocabulary.decode([id]) }))
    .sort((a, b) => b.p - a.p)
    .slice(0, 6);
  const [x, y] = place(depth, last);
  for (const [i, { p, name }] of likeliest.entries()) {
    const left = x - 140 + i * 56;
    parts.push(
      `<rect x="${left - 12}" y="${(66 - p * 150).toFixed(1)}" width="24" height="${(p * 150).toFixed(1)}" fill="#4269d0"/>`,
      text(name, left, 82, 13),
    );
  }
  parts.unshift(line([x, y], [x, 92]));
  return picture(
    `The tree over the end of ${WORD}`,
    chain.contextLength * COLUMN + 50,
    (depth + 1) * ROW + 110,
    parts,
  );
}

function drawConvolution(chain: BlockChain, nodes: Nodes): string {
  const depth = nodes.levels.length - 1;
  const last = nodes.tokens.length - 1;
  // Two windows that are two characters apart. The nodes that are in both are computed once.
  const one = below(chain, depth, last);
  const other = below(chain, depth, last - 2);
  return drawGrid("Every node of the convolution; two trees in it share nodes", chain, nodes, (key) =>
    one.has(key) && other.has(key) ? "shared" : one.has(key) ? "bold" : other.has(key) ? "second" : "plain",
  );
}

function drawIncremental(chain: BlockChain, nodes: Nodes): string {
  const depth = nodes.levels.length - 1;
  const last = nodes.tokens.length - 1;
  const fresh = new Set(nodes.levels.map((_, level) => `${level},${last}`));
  const remembered = new Set<string>();
  for (let level = 1; level <= depth; level++)
    for (const column of neighbours(chain, level, last))
      if (column !== last) remembered.add(`${level - 1},${column}`);
  return drawGrid("The new nodes of one more character, and those remembered", chain, nodes, (key) =>
    fresh.has(key) ? "bold" : remembered.has(key) ? "kept" : "faint",
  );
}

type Emphasis = "plain" | "bold" | "second" | "shared" | "kept" | "faint";
const frames: Record<Emphasis, string> = {
  plain: "#b5b5b5",
  faint: "#d8d8d8",
  bold: "#d1495b",
  second: "#2e7d6b",
  kept: "#2e7d6b",
  shared: "#7b4fb3",
};

/** Draws all nodes of the convolution, each in the column of the last character that it sees. */
function drawGrid(
  title: string,
  chain: BlockChain,
  nodes: Nodes,
  emphasis: (key: string) => Emphasis,
): string {
  const depth = nodes.levels.length - 1;
  const place = (level: number, column: number): [number, number] => [
    column * COLUMN + 50,
    (depth - level) * ROW + 40,
  ];
  const parts: string[] = [];
  for (let level = 0; level <= depth; level++)
    for (let column = firstColumn(nodes, level); column < nodes.tokens.length; column++) {
      const how = emphasis(`${level},${column}`);
      const [x, y] = place(level, column);
      if (level > 0 && how !== "faint" && how !== "kept")
        for (const neighbour of neighbours(chain, level, column))
          parts.unshift(line(place(level - 1, neighbour), [x, y], frames[how], how === "plain" ? 1 : 2.5));
      parts.push(node(nodes, level, column, x, y, frames[how], how === "faint" ? 0.25 : 1));
      if (level === 0) parts.push(text(nodes.characters[column] ?? "", x, y + 36));
    }
  return picture(title, nodes.tokens.length * COLUMN + 30, (depth + 1) * ROW + 20, parts);
}

/** Draws the first channels of a node, from blue (-1) over white (0) to orange (1). */
function node(
  nodes: Nodes,
  level: number,
  column: number,
  x: number,
  y: number,
  frame = "#888",
  opacity = 1,
): string {
  const values = nodes.levels[level]?.[column - firstColumn(nodes, level)] ?? [];
  const left = x - NODE.width / 2;
  const top = y - NODE.height / 2;
  const cells = values.slice(0, SHOWN).map((value, i) => {
    const strength = Math.min(1, Math.abs(value));
    const [r, g, b] = value < 0 ? [44, 101, 182] : [222, 119, 28];
    const mix = (channel = 0) => Math.round(255 + (channel - 255) * strength);
    return `<rect x="${left + (i % 8) * CELL}" y="${top + Math.floor(i / 8) * CELL}" width="${CELL}" height="${CELL}" fill="rgb(${mix(r)},${mix(g)},${mix(b)})"/>`;
  });
  return `<g opacity="${opacity}"><rect x="${left - 3}" y="${top - 3}" width="${NODE.width + 6}" height="${NODE.height + 6}" fill="#fff" stroke="${frame}" stroke-width="${frame === "#888" || frame === frames.plain ? 1 : 3}"/>${cells.join("")}</g>`;
}

function line([x1, y1]: [number, number], [x2, y2]: [number, number], colour = "#888", width = 1.5): string {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}" stroke-width="${width}"/>`;
}

function text(content: string, x: number, y: number, size = 18): string {
  return `<text x="${x}" y="${y}" font-size="${size}" text-anchor="middle" font-family="monospace" fill="#222">${content}</text>`;
}

function picture(title: string, width: number, height: number, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"><title>${title}</title><rect width="100%" height="100%" fill="#fff"/>\n${parts.join("\n")}\n</svg>\n`;
}

function softmax(logits: readonly number[]): number[] {
  const weights = logits.map(Math.exp);
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

function save(name: string, svg: string): void {
  writeFileSync(new URL(name, folder), svg);
  console.log(`docs/figures/${name}: ${svg.length} bytes`);
}

/** Counts the nodes per level that each form computes for the training words, including boundaries. */
function countNodes(chain: BlockChain, train: TokenStream): void {
  const folds = chain.blocks.map((block) => block.fold);
  const windows = new DistinctNodes(folds);
  let positions = 0;
  let words = 0;
  const rows = new Int32Array(10_000);
  for (const { tokens, start, end } of wordsOf(train)) {
    windows.add(tokens, start, start, end, rows, 0);
    positions += end - start + 1;
    words++;
  }
  let span = 1;
  console.log(`${words} words, ${positions} positions`);
  for (const [level, fold] of folds.entries()) {
    span *= fold;
    console.log({
      level: level + 1,
      tree: (positions * chain.contextLength) / span,
      convolution: positions + words * (chain.contextLength - span),
      incremental: positions,
      distinct: windows.nodes[level]?.count,
    });
  }
}
