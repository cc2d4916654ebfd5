import { readFileSync } from "node:fs";
import { afterEach, expect, test, vi } from "vitest";
import { outcome } from "../../worker/session/calls";
import { startFailure } from "../../worker/startFailure";

afterEach(() => void vi.restoreAllMocks());

const url = "https://site.example/makemore-web/tfjs.wasm";
const file = Uint8Array.from(
  readFileSync("node_modules/@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm"),
);

test("a damaged file, a lack of memory, a policy and a browser without SIMD are told apart, each with its fix", async () => {
  expect(await startFailure(url, file.slice(0, file.length / 2), "CompileError")).toMatchObject({
    code: "LOAD_FAILED",
    message: expect.stringMatching(/tfjs\.wasm arrived damaged.*CompileError.*Serve the package's files/),
  });
  const memory = { code: "WORKER_FAILED", message: expect.stringMatching(/lacks memory; .*smaller model/) };
  expect(await startFailure(url, file)).toMatchObject(memory);
  const compile = vi.spyOn(WebAssembly, "compile").mockRejectedValue(new RangeError("Out of memory"));
  expect(await startFailure(url, file)).toMatchObject(memory);
  const refused = {
    code: "UNSUPPORTED",
    message: expect.stringMatching(/WebAssembly with SIMD.*'wasm-unsafe-eval'/),
  };
  compile.mockRejectedValue(new WebAssembly.CompileError("Refused by the policy"));
  expect(await startFailure(url, file)).toMatchObject(refused);
  compile.mockRestore();
  const { validate } = WebAssembly;
  // The probe is the only module of this test with a body of 10 bytes.
  vi.spyOn(WebAssembly, "validate").mockImplementation((bytes) => bytes.byteLength > 100 && validate(bytes));
  expect(await startFailure(url, file)).toMatchObject(refused);
});

test("a call that fails for lack of memory says so, in Chromium's, Firefox's and Safari's words", async () => {
  for (const error of [
    new RangeError("Array buffer allocation failed"),
    new RangeError("Out of memory"),
    new RangeError("WebAssembly.Memory: could not allocate memory"),
  ]) {
    const failing = () => Promise.reject(error);
    expect(await outcome(failing)).toMatchObject({
      error: { code: "WORKER_FAILED", message: expect.stringMatching(/lacks memory: take a smaller model/) },
    });
  }
  const other = await outcome(() => Promise.reject(new TypeError("x is undefined")));
  expect(other).toEqual({
    error: { code: "WORKER_FAILED", message: "The worker failed: TypeError: x is undefined" },
  });
});
