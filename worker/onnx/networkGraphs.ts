/**
 * The graphs that a network has. Networks of different families are read in different ways, and this is
 * the one place that tells the families apart: whoever exports, samples or scores asks here. It asks the
 * network, not its architecture, because a file or a caller may bring any list of layers.
 *
 * In both families one example is a window: `contextLength` characters before the one to predict.
 */
import { MakemoreError } from "../../src/errors";
import type { PlainExportOptions } from "../../src/protocol";
import type { BlockChain } from "../model/blocks";
import type { Parameters } from "../model/layer";
import type { Network } from "../model/network";
import { convolutionGraph } from "./convolution";
import type { GraphBuilder } from "./graph";
import { incrementalGraph, type State, type Stepper } from "./incremental";
import { type SharedTree, sharedTreeGraph, singleLevelGraph } from "./sharedTree";
import { windowGraph } from "./window";

/** The name of a form: see `ExportOptions.form`. */
type FormName = NonNullable<PlainExportOptions["form"]>;

/** A graph to export. */
interface FormGraph {
  readonly graph: GraphBuilder;
  /** What the caller carries from one run to a later one. Default: nothing. */
  readonly states?: readonly State[];
}

/** What a network can be run as. */
interface NetworkGraphs {
  /** The forms to export it in; it has no others. */
  readonly forms: { readonly [Name in FormName]?: (parameters: Parameters) => FormGraph };
  /** How a sampler steps from character to character, and which state it carries. */
  stepper(parameters: Parameters): Stepper;
  /** How known words are scored, all their contexts at once. */
  tree(parameters: Parameters): SharedTree;
}

export function networkGraphs(network: Network): NetworkGraphs {
  if (network.example === "word")
    throw new MakemoreError("UNSUPPORTED", "Models that read words cannot be sampled or exported yet.");
  return network.chain ? chainGraphs(network, network.chain) : windowGraphs(network);
}

/** Any network: the window is its form, its step, and all that two contexts share. */
function windowGraphs(network: Network): NetworkGraphs {
  return {
    forms: { window: (parameters) => ({ graph: windowGraph(network, parameters) }) },
    stepper: (parameters) => ({
      graph: windowGraph(network, parameters),
      tokens: "context",
      width: network.contextLength,
      states: [],
    }),
    tree: (parameters) => singleLevelGraph(network, parameters),
  };
}

/** A chain of blocks, whose levels remember nodes from step to step, and share equal ones. */
function chainGraphs(network: Network, chain: BlockChain): NetworkGraphs {
  const incremental = (parameters: Parameters) => incrementalGraph(network, chain, parameters);
  return {
    forms: {
      ...windowGraphs(network).forms,
      convolution: (parameters) => ({ graph: convolutionGraph(network, chain, parameters) }),
      incremental,
    },
    stepper: incremental,
    tree: (parameters) => sharedTreeGraph(network, chain, parameters),
  };
}
