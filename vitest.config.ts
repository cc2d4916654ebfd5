import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { chromiumArgs, chromiumPath } from "./scripts/browsers.mjs";

/**
 * Where tests run:
 * - unit: the worker's code that needs no browser, in Node
 * - page: the page's side in happy-dom, with a fake worker
 * - browser: code that needs WebGPU or other browser APIs, inside real Chromium
 * - e2e: the built files in real Chromium, which Node controls
 * - consumers: small apps that install the packed package, in real browsers, which Node controls
 *
 * The projects with browsers run last and one after another (`groupOrder`), because each of them keeps a small
 * machine busy: WebGPU runs in software.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts", "test/fuzz/**/*.test.ts"],
          environment: "node",
          testTimeout: 120_000,
          // tfjs declares its ES modules in the way of bundlers, which Node does not support.
          server: { deps: { inline: [/@tensorflow\//] } },
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          globalSetup: "test/e2e/built.ts",
          environment: "node",
          testTimeout: 180_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: "torture",
          include: ["test/torture/**/*.test.ts"],
          globalSetup: "test/e2e/built.ts",
          environment: "node",
          testTimeout: 180_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 4 },
        },
      },
      {
        test: {
          name: "consumers",
          include: ["test/consumers/*.test.ts"],
          environment: "node",
          globalSetup: "test/consumers/pack.ts",
          testTimeout: 600_000,
          hookTimeout: 300_000,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
      { test: { name: "page", include: ["test/page/**/*.test.ts"], environment: "happy-dom" } },
      {
        optimizeDeps: {
          include: [
            "@tensorflow/tfjs",
            "@tensorflow/tfjs-backend-webgpu",
            "@tensorflow/tfjs-backend-wasm",
            "onnxruntime-web/wasm",
            "@bufbuild/protobuf/wire",
            "comlink",
            "d3-dsv",
            "valibot",
          ],
        },
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({ launchOptions: { executablePath: chromiumPath(), args: chromiumArgs } }),
            instances: [{ browser: "chromium" }],
          },
        },
      },
    ],
  },
});
