/**
 * The ONNX graphs of a network. Export, sampling and scoring ask here, so this is the only place that distinguishes
 * kinds of networks. It looks at the network, not at its architecture, because a file or a caller may give any list of
 * layers.
 *
 * There are networks that read windows and networks that read whole words (`Network.example`). Networks of windows have
 * more forms if they are a chain of blocks.
 */
import type { PlainExportOptions } from "../../src/protocol";
import type { BlockChain } from "../model/blocks";
import type { Parameters } from "../model/layer";
import type { Network } from "../model/network";
import { convolutionGraph } from "./convolution";
import type { GraphBuilder } from "./graph";
import { incrementalGraph, type State, type Stepper } from "./incremental";
import { prefixTreeGraph } from "./prefixTree";
import { sequenceGraph } from "./sequence";
import { type SharedTree, sharedTreeGraph, singleLevelGraph } from "./sharedTree";
import { windowGraph } from "./window";
import { incrementalWordGraph } from "./wordStep";

/** See `ExportOptions.form`. */
export type FormName = NonNullable<PlainExportOptions["form"]>;

/** A graph to export. */
interface FormGraph {
  readonly graph: GraphBuilder;
  /** State that the caller must carry from run to run. Default: none. */
  readonly states?: readonly State[];
}

/** The graphs of one network. */
interface NetworkGraphs {
  /** All forms for export, the default first. */
  readonly forms: ReadonlyMap<FormName, (parameters: Parameters) => FormGraph>;
  /** Aliases of forms. */
  readonly otherNames?: { readonly [Name in FormName]?: FormName };
  /** The graph for sampling, which takes one character per run. */
  stepper(parameters: Parameters): Stepper;
  /** The graph for scoring, which takes many contexts at once. Default: scoring uses the stepper. */
  tree?(parameters: Parameters): SharedTree;
  /** Most characters of a word that the network can read. Default: any number. */
  readonly longestWord?: number;
}

export function networkGraphs(network: Network): NetworkGraphs {
  if (network.example === "word") return wordGraphs(network);
  return network.chain ? chainGraphs(network, network.chain) : windowGraphs(network);
}

/** For any network of windows: all graphs are the window. */
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

/** For a chain of blocks: steps reuse the nodes of earlier steps, and scoring shares equal nodes. */
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

/** For a network that reads words: each layer keeps its own state of earlier tokens. */
function wordGraphs(network: Network): NetworkGraphs {
  return {
    forms: new Map<FormName, (parameters: Parameters) => FormGraph>([
      ["sequence", (parameters) => ({ graph: sequenceGraph(network, parameters) })],
      ["incremental", (parameters) => incrementalWordGraph(network, parameters)],
    ]),
    stepper: (parameters) => prefixTreeGraph(network, parameters),
    // One position is the boundary before the word.
    longestWord: network.contextLength - 1,
  };
}
