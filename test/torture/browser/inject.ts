/**
 * Puts the faults of control.ts into a thread: the browser's own functions are wrapped before the package's script
 * runs, so that nothing in the package knows of them. What a thread holds is counted by the same wrappers.
 */
import type { Control, Operation } from "./control";

/** What a thread has that it must give back. */
export interface Held {
  buffers: number;
  tensors: number;
  sessions: number;
  databases: number;
}

/** The wrappers reach the control through this, because a worker gets its own by the first message. */
export interface Injection {
  control: Control | undefined;
  readonly held: () => Held;
  /** Takes the GPU away. */
  readonly lose: () => void;
}

type Method = (this: never, ...args: never[]) => unknown;

/** Replaces methods of an object by ones that call `around` with the original. */
function wrapMethods(
  target: object | undefined,
  names: readonly string[],
  around: (original: (...args: unknown[]) => unknown, self: unknown, args: unknown[]) => unknown,
): void {
  for (const name of names) {
    const original: unknown = target && Reflect.get(target, name);
    if (typeof original !== "function" || !target) continue;
    const wrapped: Method = function (this: unknown, ...args: unknown[]) {
      return around((...given) => Reflect.apply(original, this, given), this, args);
    };
    Object.defineProperty(target, name, { value: wrapped, configurable: true, writable: true });
  }
}

const refused = (name: string) => new DOMException("Refused by the test.", name);

/** Wraps everything that this thread has. */
export function inject(): Injection {
  const injection: { control: Control | undefined } = { control: undefined };
  const hit = <O extends Operation>(operation: O) => injection.control?.hit(operation);

  injectFiles(hit);
  injectMemory(hit);
  injectMessages(hit);
  const databases = injectStorage(hit);
  const { buffers, lose } = injectGPU(hit);
  const sessions = injectRuntime(hit);
  const held = () => {
    // Where tfjs keeps its engine; absent before it is loaded. Its `memory()` throws if no backend is open.
    const tfjs: unknown = Reflect.get(globalThis, "_tfengine");
    const tensors = (tfjs as { state: { numTensors: number } } | undefined)?.state.numTensors ?? 0;
    return { buffers: buffers.size, tensors, sessions: sessions.size, databases: databases.size };
  };
  return Object.assign(injection, { held, lose });
}

type Hit = <O extends Operation>(operation: O) => ReturnType<Control["hit"]> | undefined;

function injectFiles(hit: Hit): void {
  wrapMethods(globalThis, ["fetch"], async (original, _, args) => {
    const manner = hit("fetch");
    if (manner === "refused") throw new TypeError("Failed to fetch");
    if (manner === "missing") return new Response("<!doctype html>", { status: 404 });
    const response = await original(...args);
    if (manner !== "cut" || !(response instanceof Response)) return response;
    const bytes = await response.arrayBuffer();
    return new Response(bytes.slice(0, bytes.byteLength / 2), response);
  });
  wrapMethods(Response.prototype, ["arrayBuffer"], async (original) => {
    if (hit("body")) throw new TypeError("network error");
    return original();
  });
  // The served worker's script calls this in place of `import`.
  Object.assign(globalThis, {
    tortureImport: async (url: string) => {
      if (hit("import")) throw new TypeError(`Failed to fetch dynamically imported module: ${url}`);
      return import(/* @vite-ignore */ url);
    },
  });
}

/** Names of what the kernels export that allocates. */
const ALLOCATES = /^(allocate|begin|add|use|set)/;

function injectMemory(hit: Hit): void {
  const compiling = ["compile", "instantiate", "compileStreaming", "instantiateStreaming"];
  wrapMethods(WebAssembly, compiling, async (original, _, args) => {
    if (hit("compile")) throw new RangeError("WebAssembly: out of memory");
    const made = await original(...args);
    const instance: unknown = typeof made === "object" && made && Reflect.get(made, "instance");
    if (!(instance instanceof WebAssembly.Instance) || !("allocateStream" in instance.exports)) return made;
    const exports = Object.fromEntries(
      Object.entries(instance.exports).map(([name, value]) => {
        if (typeof value !== "function" || !ALLOCATES.test(name)) return [name, value];
        const call = (...given: unknown[]) => {
          if (hit("kernels")) throw new WebAssembly.RuntimeError("unreachable");
          return Reflect.apply(value, undefined, given);
        };
        return [name, call];
      }),
    );
    return { ...(made as object), instance: { exports } };
  });
  const compiles = () => {
    if (hit("compile")) throw new RangeError("WebAssembly: out of memory");
  };
  WebAssembly.Module = beforeConstruction(WebAssembly.Module, compiles);
  WebAssembly.Instance = beforeConstruction(WebAssembly.Instance, compiles);
  const refuse = () => {
    if (hit("memory")) throw new RangeError("WebAssembly.Memory: could not allocate memory");
  };
  WebAssembly.Memory = beforeConstruction(WebAssembly.Memory, refuse);
  wrapMethods(WebAssembly.Memory.prototype, ["grow"], (original, _, args) => {
    refuse();
    return original(...args);
  });
  if (typeof DecompressionStream === "function")
    globalThis.DecompressionStream = beforeConstruction(DecompressionStream, () => {
      if (hit("decompress")) throw new TypeError("DecompressionStream is refused by the test.");
    });
  for (const name of arrays) injectArray(name, hit);
}

/** A class whose construction may be refused. */
function beforeConstruction<C extends new (...args: never[]) => object>(real: C, refuse: () => void): C {
  return new Proxy(real, {
    construct(target, args, newTarget): object {
      refuse();
      return Reflect.construct(target, args, newTarget);
    },
  });
}

const arrays = [
  "ArrayBuffer",
  "Uint8Array",
  "Uint16Array",
  "Uint32Array",
  "Int32Array",
  "Float32Array",
  "Float64Array",
] as const;
/** Bytes below which an allocation is not worth a fault. */
const SMALL = 512;

function injectArray(name: (typeof arrays)[number], hit: Hit): void {
  const real: (new (...args: never[]) => object) & { BYTES_PER_ELEMENT?: number } = globalThis[name];
  const bytesEach = real.BYTES_PER_ELEMENT ?? 1;
  const wrapped: typeof real = new Proxy(real, {
    construct(target, args: unknown[], newTarget): object {
      const [first] = args;
      const length =
        typeof first === "number"
          ? first
          : Array.isArray(first) || ArrayBuffer.isView(first)
            ? Number(Reflect.get(first, "length") ?? 0)
            : 0;
      if (length * bytesEach >= SMALL && hit("allocate"))
        throw new RangeError("Array buffer allocation failed");
      return Reflect.construct(target, args, newTarget === wrapped ? target : newTarget);
    },
  });
  // Libraries look constructors up by `value.constructor`, and `slice` makes its copy with it.
  Object.defineProperty(real.prototype, "constructor", {
    value: wrapped,
    configurable: true,
    writable: true,
  });
  Object.defineProperty(globalThis, name, { value: wrapped, configurable: true, writable: true });
}

function injectMessages(hit: Hit): void {
  const post: Parameters<typeof wrapMethods>[2] = (original, _, args) => {
    // A message of nothing takes no memory; the package sends such ones only to take turns with the event loop.
    if (args[0] !== undefined && hit("post")) throw refused("DataCloneError");
    return original(...args);
  };
  wrapMethods(MessagePort.prototype, ["postMessage"], post);
  if (typeof Worker === "function") wrapMethods(Worker.prototype, ["postMessage"], post);
  if (typeof document === "undefined") wrapMethods(globalThis, ["postMessage"], post);

  const watched = new WeakSet<MessagePort>();
  const watch = (port: unknown) => {
    if (!(port instanceof MessagePort) || watched.has(port)) return;
    watched.add(port);
    addUnreadable(port, hit);
  };
  const { addEventListener } = EventTarget.prototype;
  MessagePort.prototype.addEventListener = function (this: MessagePort, ...args: unknown[]) {
    watch(this);
    Reflect.apply(addEventListener, this, args);
  };
  const handler = Object.getOwnPropertyDescriptor(MessagePort.prototype, "onmessage");
  if (handler)
    Object.defineProperty(MessagePort.prototype, "onmessage", {
      ...handler,
      set(listener) {
        watch(this);
        handler.set?.call(this, listener);
      },
    });
}

/** Turns a message into one that cannot be read, before its listeners see it. */
export function addUnreadable(target: EventTarget, hit: Hit): void {
  const listener = (event: Event) => {
    if (!(event instanceof MessageEvent) || event.data === undefined || !hit("receive")) return;
    event.stopImmediatePropagation();
    target.dispatchEvent(new MessageEvent("messageerror"));
  };
  EventTarget.prototype.addEventListener.call(target, "message", listener);
}

/** @returns the connections that are open */
function injectStorage(hit: Hit): Set<unknown> {
  const open = new Set<unknown>();
  wrapMethods(IDBFactory.prototype, ["open"], (original, _, args) => {
    const manner = hit("database");
    if (manner === "refused") throw refused("SecurityError");
    if (manner === "failed") {
      // A version of a database of the test's own, which is aborted: the request fires an error.
      const request = original("torture", Date.now()) as IDBOpenDBRequest;
      EventTarget.prototype.addEventListener.call(request, "upgradeneeded", (event) => {
        event.stopImmediatePropagation();
        request.transaction?.abort();
      });
      return request;
    }
    const request = original(...args) as IDBOpenDBRequest;
    EventTarget.prototype.addEventListener.call(request, "success", () => open.add(request.result));
    return request;
  });
  wrapMethods(IDBDatabase.prototype, ["close"], (original, self) => {
    open.delete(self);
    return original();
  });
  wrapMethods(IDBDatabase.prototype, ["transaction"], (original, _, args) => {
    if (hit("transaction")) throw refused("InvalidStateError");
    return original(...args);
  });
  wrapMethods(
    IDBObjectStore.prototype,
    ["get", "getAll", "getKey", "put", "delete"],
    (original, self, args) => {
      const manner = hit("record");
      if (manner === "refused") throw refused("DataError");
      const request = original(...args);
      if (manner === "aborted" && self instanceof IDBObjectStore) self.transaction.abort();
      return request;
    },
  );
  if (navigator.locks)
    wrapMethods(LockManager.prototype, ["request"], async (original, _, args) => {
      if (hit("lock")) throw refused("SecurityError");
      return original(...args);
    });
  return open;
}

/** @returns the buffers that are alive, and how to take all devices away */
function injectGPU(hit: Hit): { buffers: Set<GPUBuffer>; lose: () => void } {
  const alive = new Set<GPUBuffer>();
  if (typeof GPUDevice === "undefined") return { buffers: alive, lose: () => {} };
  const known = new Set<GPUDevice>();
  const devices = new WeakMap<object, GPUDevice>();
  /** Devices that the test took away say so as a driver does. */
  const losses = new WeakMap<GPUDevice, Promise<unknown>>();
  const taken = new WeakSet<GPUDevice>();
  const free = (device: GPUDevice) => {
    for (const buffer of alive) if (devices.get(buffer) === device) alive.delete(buffer);
  };
  const lose = (self: unknown) => {
    const device = self instanceof GPUDevice ? self : devices.get(self as object);
    if (!device) return;
    taken.add(device);
    device.destroy();
  };

  wrapMethods(GPU.prototype, ["requestAdapter"], async (original, _, args) => {
    const manner = hit("adapter");
    if (manner === "refused") throw refused("OperationError");
    return manner === "missing" ? null : original(...args);
  });
  wrapMethods(GPUAdapter.prototype, ["requestDevice"], async (original, _, args) => {
    if (hit("device")) throw refused("OperationError");
    const device = (await original(...args)) as GPUDevice;
    devices.set(device.queue, device);
    known.add(device);
    return device;
  });
  const lost = Object.getOwnPropertyDescriptor(GPUDevice.prototype, "lost");
  if (!lost) throw new Error("A GPU device has no promise of its loss.");
  Object.defineProperty(GPUDevice.prototype, "lost", {
    configurable: true,
    get(this: GPUDevice) {
      const told = losses.get(this);
      if (told) return told;
      const real: Promise<GPUDeviceLostInfo> = lost.get?.call(this);
      const news = real.then((info) =>
        taken.has(this) ? { reason: "unknown", message: "taken away by the test" } : info,
      );
      losses.set(this, news);
      return news;
    },
  });
  wrapMethods(GPUDevice.prototype, ["destroy"], (original, self) => {
    if (self instanceof GPUDevice) free(self);
    return original();
  });
  wrapMethods(GPUBuffer.prototype, ["destroy"], (original, self) => {
    if (self instanceof GPUBuffer) alive.delete(self);
    return original();
  });
  wrapMethods(GPUDevice.prototype, ["createBuffer"], (original, self, args) => {
    const manner = hit("buffer");
    if (manner === "refused") throw new RangeError("createBuffer failed, size is too large");
    if (manner === "lost") lose(self);
    const given = args as [GPUBufferDescriptor];
    const size = manner === "invalid" ? 2 ** 48 : given[0].size;
    const buffer = original({ ...given[0], size }) as GPUBuffer;
    if (self instanceof GPUDevice && !taken.has(self)) {
      devices.set(buffer, self);
      alive.add(buffer);
    }
    return buffer;
  });
  const wrapGPU = (operation: Operation, target: object, names: readonly string[]) =>
    wrapMethods(target, names, (original, self, args) => {
      const manner = hit(operation);
      if (manner === "refused") throw refused("OperationError");
      if (manner === "lost") lose(self);
      return original(...args);
    });
  const wrapAsync = (operation: Operation, target: object, names: readonly string[]) =>
    wrapMethods(target, names, async (original, self, args) => {
      const manner = hit(operation);
      if (manner === "refused") throw refused("OperationError");
      if (manner === "lost") lose(self);
      return original(...args);
    });
  wrapGPU("binding", GPUDevice.prototype, ["createBindGroup", "createShaderModule"]);
  wrapAsync("pipeline", GPUDevice.prototype, ["createComputePipelineAsync"]);
  wrapGPU("queue", GPUQueue.prototype, ["submit", "writeBuffer"]);
  wrapAsync("map", GPUBuffer.prototype, ["mapAsync"]);
  wrapGPU("map", GPUBuffer.prototype, ["getMappedRange"]);
  wrapAsync("scope", GPUDevice.prototype, ["popErrorScope"]);
  return { buffers: alive, lose: () => known.forEach(lose) };
}

/** @returns ONNX Runtime's sessions that are open */
function injectRuntime(hit: Hit): Set<unknown> {
  const open = new Set<unknown>();
  let chunks: typeof globalThis.makemoreWebChunks;
  const wrapped = new Set<unknown>();
  Object.defineProperty(globalThis, "makemoreWebChunks", {
    configurable: true,
    get: () => chunks,
    set(given: typeof chunks) {
      chunks = given;
      // One that failed to start is replaced by another copy.
      if (!given?.ort || wrapped.has(given.ort)) return;
      wrapped.add(given.ort);
      const { InferenceSession } = given.ort;
      wrapMethods(InferenceSession, ["create"], async (original, _, args) => {
        if (hit("session")) throw new Error("std::bad_alloc");
        const session = (await original(...args)) as object;
        wrapSession(session);
        open.add(session);
        return session;
      });
    },
  });
  const wrapSession = (session: object) => {
    const prototype = Object.getPrototypeOf(session) as object;
    if (wrapped.has(prototype)) return;
    wrapped.add(prototype);
    wrapMethods(prototype, ["run"], async (original, _, args) => {
      if (hit("run"))
        throw new Error("failed to call OrtRun(). ERROR_CODE: 6, ERROR_MESSAGE: std::bad_alloc");
      return original(...args);
    });
    wrapMethods(prototype, ["release"], async (original, self) => {
      // What the runtime does not take back is not for the package to free.
      open.delete(self);
      if (hit("release")) throw new Error("release failed");
      return original();
    });
  };
  return open;
}
