/** The command's arguments. Options with a name from makemore.py mean the same as there. */
import { existsSync, readFileSync } from "node:fs";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { version } from "../../package.json";
import { MakemoreError } from "../errors";
import { formatValue } from "../formatValue";
import type { ModelChoice } from "../types";

export interface CommandOptions {
  type?: string;
  nLayer?: number;
  nHead?: number;
  nEmbd?: number;
  nEmbd2?: number;
  recipe?: string;
  steps?: number;
  batchSize?: number;
  learningRate?: number;
  seed?: number | string;
  column?: number | string;
  output?: string;
  resume?: boolean;
  sampleOnly?: boolean;
  n: number;
  temperature?: number;
  topK?: number;
  prefix?: string;
  suffix?: string;
  contains?: string;
  pattern?: RegExp;
  /** See `readAvoided`. */
  avoid?: string;
  novel?: boolean;
  minDistance?: number;
  json?: boolean;
  quiet?: boolean;
}

export interface CommandLine {
  /** A file, or "-" for the standard input. Absent only with `--sample-only`. */
  readonly words: string | undefined;
  readonly options: CommandOptions;
}

/** Thrown for a wrong command line, `--help` and `--version`; the text is printed already. */
export { CommanderError as UsageError };

/**
 * Reads the command line.
 *
 * @throws UsageError with the exit code: 0 after `--help` and `--version`, 2 for a mistake
 */
export function parseArguments(args: readonly string[]): CommandLine {
  const command = new Command("makemore-web")
    .description("Trains a small language model on a list of words, and makes more words like them.")
    .version(version)
    .argument("[words]", 'a text file with one word per line, or "-" for the standard input')
    .optionsGroup("Model:")
    .addOption(ofNew("--type <name>", "wavenet, mlp, bigram, bow, rnn, gru, lstm, transformer or microgpt"))
    .addOption(ofNew("--n-layer <count>", "layers").argParser(number))
    .addOption(ofNew("--n-head <count>", "attention heads").argParser(number))
    .addOption(ofNew("--n-embd <size>", "channels of an embedding").argParser(number))
    .addOption(ofNew("--n-embd2 <size>", "hidden units").argParser(number))
    .optionsGroup("Training:")
    .addOption(ofNew("--recipe <name>", "default, thorough, best, lecture, makemore or microgpt"))
    .addOption(
      ofTraining("--steps <count>", "gradient steps (default: by the length of the list)").argParser(number),
    )
    .addOption(ofTraining("--max-steps <count>", "the same as --steps").argParser(number))
    .addOption(ofNew("-b, --batch-size <count>", "examples per step").argParser(number))
    .addOption(ofTraining("-l, --learning-rate <rate>", "constant learning rate").argParser(number))
    .option(
      "--seed <seed>",
      "a number or any text: the same seed gives the same model and the same words",
      numberOrText,
    )
    .option(
      "--column <name>",
      "the column with the words, if the file is a CSV table: its name in the first line, or its number from 0",
      numberOrText,
    )
    .optionsGroup("Model file:")
    .option("-o, --output <file>", "save the model as ONNX, also after Ctrl+C")
    .option("--resume", "go on training the model in the --output file, with the same words")
    .option("--sample-only", "do not train: sample the model in the --output file")
    .optionsGroup("Samples:")
    .option("-n <count>", "how many words to print", number, 10)
    .option("--temperature <number>", "below 1 is safer, above 1 is wilder", number)
    .option("--top-k <count>", "only the likeliest characters", number)
    .option("--prefix <text>", "how each word begins")
    .option("--suffix <text>", "how each word ends")
    .option("--contains <text>", "what each word has somewhere")
    .option("--pattern <regexp>", "what each word matches, as ^[a-m] or with flags as /^[a-m]/i", pattern)
    .option("--avoid <file>", "words and parts of words to avoid: a file with one per line, or bad,worse")
    .option("--novel", "only words that are not in the list")
    .option("--min-distance <edits>", "edits to the nearest word of the list, at the least", number)
    .optionsGroup("Output:")
    .option("--json", "print one JSON object")
    .option("-q, --quiet", "no progress; print only the words, one per line")
    .addHelpText(
      "after",
      "\nExamples:\n  makemore-web towns.txt -o towns.onnx\n  makemore-web --sample-only -o towns.onnx -n 100\n  cat words | makemore-web - -n 20 --quiet",
    )
    .allowExcessArguments(false)
    .exitOverride((error) => {
      throw new CommanderError(error.exitCode && 2, error.code, error.message);
    });
  command.parse(args, { from: "user" });
  const { maxSteps, ...options } = command.opts<CommandOptions & { maxSteps?: number }>();
  if (options.steps === undefined && maxSteps !== undefined) options.steps = maxSteps;
  const [words] = command.args;
  if (options.resume && options.sampleOnly) command.error("error: use either --resume or --sample-only");
  if ((options.resume || options.sampleOnly) && options.output === undefined)
    command.error("error: --resume and --sample-only need the model's file: -o <file>");
  if (words === undefined && !options.sampleOnly)
    command.error('error: give a file of words, or "-" for the standard input (--help explains all options)');
  return { words, options };
}

/** Makes an option for new and resumed trainings. */
function ofTraining(flags: string, description: string): Option {
  return new Option(flags, description).conflicts("sampleOnly");
}

/** Makes an option for new models only; a resumed model keeps its own setting. */
function ofNew(flags: string, description: string): Option {
  return new Option(flags, description).conflicts(["resume", "sampleOnly"]);
}

/** Returns the `model` option of `train`, or undefined for its default. The library checks the sizes. */
export function modelChoice({ type, nLayer, nHead, nEmbd, nEmbd2 }: CommandOptions): ModelChoice | undefined {
  const sizes = { type, layers: nLayer, heads: nHead, embedding: nEmbd, hidden: nEmbd2 };
  const given = Object.entries(sizes).filter(([, value]) => value !== undefined);
  return given.length > 0 ? (Object.fromEntries(given) as ModelChoice) : undefined;
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) throw new InvalidArgumentError("It must be a number.");
  return value;
}

function pattern(text: string): RegExp {
  const [, source = text, flags = ""] = /^\/(.*)\/([a-z]*)$/s.exec(text) ?? [];
  try {
    return new RegExp(source, flags);
  } catch (error) {
    throw new InvalidArgumentError(`${error instanceof Error ? error.message : error}.`);
  }
}

function numberOrText(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text;
}

/**
 * Reads what to avoid: a file with one word per line, or words separated by commas.
 *
 * @throws MakemoreError `INVALID_OPTION` for a missing file, because its name as a word would avoid nothing
 */
export function readAvoided(given: string): string | string[] {
  if (existsSync(given)) return readFileSync(given, "utf8");
  if (/[/\\]|\.\w+$/.test(given))
    throw new MakemoreError("INVALID_OPTION", `--avoid is ${formatValue(given)}; there is no such file.`);
  return given.split(",");
}
