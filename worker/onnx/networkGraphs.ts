/**
 * The graphs that a network has. Networks of different families are read in different ways, and this is
 * the one place that tells the families apart: whoever exports, samples or scores asks here. It asks the
 * network, not its architecture, because a file or a caller may bring any list of layers.
 *
 * An example is a window, `contextLength` characters before the one to predict, or a whole word, which is read from
 * left to right (`Network.example`). Of the windows, those that are a chain of blocks have more forms.
 */
import type { PlainExportOptions } from "../../src/protocol";
import type { BlockChain } from "../model/blocks";
import type { Parameters } from "../model/layer";
import type { Network } from "../model/network";
import { convolutionGraph } from "./convolution";
import type { GraphBuilder } from "./graph";
import { incrementalGraph, type State, type Stepper } from "./incremental";
import { sequenceGraph } from "./sequence";
import { type SharedTree, sharedTreeGraph, singleLevelGraph } from "./sharedTree";
import { windowGraph } from "./window";
import { incrementalWordGraph, prefixTreeGraph } from "./wordStep";

/** The name of a form: see `ExportOptions.form`. */
export type FormName = NonNullable<PlainExportOptions["form"]>;

/** A graph to export. */
interface FormGraph {
  readonly graph: GraphBuilder;
  /** What the caller carries from one run to a later one. Default: nothing. */
  readonly states?: readonly State[];
}

/** What a network can be run as. */
interface NetworkGraphs {
  /** The forms to export it in, the default first; it has no others. */
  readonly forms: ReadonlyMap<FormName, (parameters: Parameters) => FormGraph>;
  /** Other names for its forms. */
  readonly otherNames?: { readonly [Name in FormName]?: FormName };
  /** How a sampler steps from character to character, and which state it carries. */
  stepper(parameters: Parameters): Stepper;
  /** How known words are scored, all their contexts at once. Default: by the stepper, as they are sampled. */
  tree?(parameters: Parameters): SharedTree;
  /** Most characters of a word that it can read; any number by default. */
  readonly longestWord?: number;
}

export function networkGraphs(network: Network): NetworkGraphs {
  if (network.example === "word") return wordGraphs(network);
  return network.chain ? chainGraphs(network, network.chain) : windowGraphs(network);
}

/** Any network: the window is its form, its step, and all that two contexts share. */
function windowGraphs(network: Network): NetworkGraphs {
  return {
    forms: new Map([["window", (parameters) => ({ graph: windowGraph(network, parameters) })]]),
    stepper: (parameters) => ({
      graph: windowGraph(network, parameters),
      tokens: "context",
      width: network.contextLength,
      states: [],
      logits: "logits",
    }),
    tree: (parameters) => singleLevelGraph(network, parameters),
  };
}

/** A chain of blocks, whose levels remember nodes from step to step, and share equal ones. */
function chainGraphs(network: Network, chain: BlockChain): NetworkGraphs {
  const incremental = (parameters: Parameters) => incrementalGraph(network, chain, parameters);
  return {
    forms: new Map([
      ...windowGraphs(network).forms,
      ["convolution", (parameters) => ({ graph: convolutionGraph(network, chain, parameters) })],
      ["incremental", incremental],
    ]),
    otherNames: { sequence: "convolution" },
    stepper: incremental,
    tree: (parameters) => sharedTreeGraph(network, chain, parameters),
  };
}

/** A network that reads words: each layer remembers what it needs of the tokens before. */
function wordGraphs(network: Network): NetworkGraphs {
  return {
    forms: new Map<FormName, (parameters: Parameters) => FormGraph>([
      ["sequence", (parameters) => ({ graph: sequenceGraph(network, parameters) })],
      ["incremental", (parameters) => incrementalWordGraph(network, parameters)],
    ]),
    stepper: (parameters) => prefixTreeGraph(network, parameters),
    // A word is read after the boundary.
    longestWord: network.contextLength - 1,
  };
}
