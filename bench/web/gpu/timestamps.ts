/** The GPU's own clock, for devices that have the feature `timestamp-query`. */
export class Timestamps {
  readonly #device: GPUDevice;
  readonly #querySet: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #staging: GPUBuffer;

  private constructor(device: GPUDevice) {
    this.#device = device;
    this.#querySet = device.createQuerySet({ type: "timestamp", count: 2 });
    const size = 16;
    this.#resolved = device.createBuffer({
      size,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
    this.#staging = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  }

  /** Returns undefined if the device has no timestamps. */
  static of(device: GPUDevice): Timestamps | undefined {
    return device.features.has("timestamp-query") ? new Timestamps(device) : undefined;
  }

  /** Pass this to the compute pass to time. */
  get writes(): GPUComputePassTimestampWrites {
    return { querySet: this.#querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
  }

  /** Reads the duration of the last timed pass, microseconds. */
  async read(): Promise<number> {
    const encoder = this.#device.createCommandEncoder();
    encoder.resolveQuerySet(this.#querySet, 0, 2, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#staging, 0, 16);
    this.#device.queue.submit([encoder.finish()]);
    await this.#staging.mapAsync(GPUMapMode.READ);
    const [begin = 0n, end = 0n] = new BigUint64Array(this.#staging.getMappedRange());
    const us = Number(end - begin) / 1000;
    this.#staging.unmap();
    return us;
  }
}
