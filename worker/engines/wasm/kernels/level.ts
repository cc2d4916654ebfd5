/**
 * One level of the tree, a block of worker/model/blocks.ts: joins `fold` neighbours, then Linear,
 * BatchNorm1d?, Tanh?.
 *
 * W [fold * channels, fanOut] is stored as `fold` matrices, one per slot (a neighbour's place),
 * because joining neighbours and multiplying by W is the sum of the neighbours' products:
 *
 *     [x0 x1] W = x0 W0 + x1 W1
 *
 * A slot multiplies each distinct row below once, however many rows of this level join it.
 */
import { tanhBackward, tanhForward } from "./activation";
import { BatchNorm } from "./batchNorm";
import { learn, transpose } from "./learn";
import { matmul } from "./matmul";
import { allocate, padRows, padTo8 } from "./memory";
import { allocateParameter, descend } from "./optimizer";
import { addParts, giveBack, Rows, sumParts, take } from "./rows";
import { Sharing } from "./sharing";

export class Level {
  readonly rows: Rows;
  readonly sharing: Sharing;
  /** [slot][fanOut / 8][channels][8], and its copy [slot][channels / 8][fanOut][8]. */
  readonly weight: usize;
  private readonly transposed: usize;
  /** 0 if there is none, just as `norm` is then null. */
  readonly bias: usize;
  norm: BatchNorm | null = null;
  /** The rows that each slot takes from below; then their products with W, and those products' gradients. */
  private readonly taken: usize;
  private readonly contributed: usize;
  /** The gradient of the rows that one slot took. */
  private readonly takenGradient: usize;
  /** Maximum number of rows of a slot. */
  private readonly slotCapacity: i32;

  constructor(
    readonly below: Rows,
    readonly fold: i32,
    fanOut: i32,
    biased: bool,
    readonly tanh: bool,
    batchSize: i32,
  ) {
    const places = below.places / fold,
      width = padTo8(fanOut);
    this.rows = new Rows(places, places, width, allocate(<u64>places * width));
    this.sharing = new Sharing(fold, places, batchSize);
    this.slotCapacity = padRows(min(places, below.capacity));
    const weights = <u64>fold * below.width * width;
    this.weight = allocateParameter(weights);
    this.transposed = allocate(weights);
    this.bias = biased ? allocateParameter(width) : 0;
    this.taken = allocate(<u64>fold * this.slotCapacity * below.width);
    this.contributed = allocate(<u64>fold * this.slotCapacity * width);
    this.takenGradient = allocate(<u64>this.slotCapacity * below.width);
  }

  /** Length of one slot's part of the weight. */
  private get slotWeights(): i32 {
    return this.below.width * this.rows.width;
  }

  refresh(): void {
    for (let slot = 0; slot < this.fold; slot++) {
      const offset = (<usize>(slot * this.slotWeights)) << 2;
      transpose(this.weight + offset, this.transposed + offset, this.below.width, this.rows.width);
    }
  }

  forward(): void {
    const below = this.below,
      rows = this.rows,
      sharing = this.sharing;
    sharing.find(below, rows);
    this.startFromBias();
    for (let slot = 0; slot < this.fold; slot++) {
      const count = sharing.slotCount(slot),
        padded = padRows(count),
        stride = (<usize>padded) << 4;
      const taken = this.slotOf(this.taken, slot, below.width),
        contributed = this.slotOf(this.contributed, slot, rows.width);
      take(taken, stride, below, sharing.takenBy(slot), count);
      matmul(
        contributed,
        taken,
        this.weight + ((<usize>(slot * this.slotWeights)) << 2),
        padded,
        below.width,
        rows.width,
      );
      addParts(rows, sharing.partsOf(slot), contributed, stride);
    }
    const norm = this.norm;
    if (norm) norm.forward(rows, sharing.shares, this.tanh);
    else if (this.tanh) tanhForward(rows);
  }

  /** From the gradient of this level's rows, adds to the gradient of the rows below. */
  backward(): void {
    const below = this.below,
      rows = this.rows,
      sharing = this.sharing;
    const norm = this.norm;
    if (norm) norm.backward(rows, sharing.shares, this.tanh);
    else if (this.tanh) tanhBackward(rows);
    if (this.bias) this.learnBias();
    for (let slot = 0; slot < this.fold; slot++) {
      const count = sharing.slotCount(slot),
        padded = padRows(count),
        stride = (<usize>padded) << 4;
      const taken = this.slotOf(this.taken, slot, below.width),
        contributed = this.slotOf(this.contributed, slot, rows.width);
      const offset = (<usize>(slot * this.slotWeights)) << 2,
        weightBytes = (<usize>(this.fold * this.slotWeights)) << 2;
      sumParts(rows, sharing.partsOf(slot), contributed, stride);
      matmul(this.takenGradient, contributed, this.transposed + offset, padded, rows.width, below.width);
      giveBack(below, sharing.takenBy(slot), count, this.takenGradient, stride);
      learn(
        this.weight + offset,
        weightBytes,
        this.transposed + offset,
        taken,
        contributed,
        padded,
        below.width,
        rows.width,
      );
    }
  }

  private slotOf(buffer: usize, slot: i32, width: i32): usize {
    return buffer + ((<usize>(slot * this.slotCapacity) * <usize>width) << 2);
  }

  private startFromBias(): void {
    const rows = this.rows;
    let to = rows.values;
    for (let c: usize = 0; c < (<usize>rows.width) << 2; c += 16) {
      const start = this.bias ? v128.load(this.bias + c) : f32x4.splat(0);
      for (const end = to + rows.groupStride; to < end; to += 16) v128.store(to, start);
    }
  }

  private learnBias(): void {
    const rows = this.rows,
      bytes = (<usize>rows.width) << 2;
    let from = rows.gradient;
    for (let c: usize = 0; c < bytes; c += 16) {
      let gradient = f32x4.splat(0);
      for (const end = from + rows.groupStride; from < end; from += 16)
        gradient = f32x4.add(gradient, v128.load(from));
      descend(this.bias + c, bytes, gradient);
    }
  }
}
