import { Component, provideZonelessChangeDetection } from "@angular/core";
import { bootstrapApplication } from "@angular/platform-browser";
import { Makemore, type MakemoreOptions } from "makemore-web";
import { scenario } from "./scenario.js";
import words from "./words.js";

/** Angular's builder copies the package's folder because angular.json says so. */
class HostedMakemore extends Makemore {
  constructor(options?: MakemoreOptions) {
    super({ assetsURL: "makemore-web", ...options });
  }
}

@Component({ selector: "app-root", template: "Angular" })
class App {
  constructor() {
    scenario(HostedMakemore, words);
  }
}

bootstrapApplication(App, { providers: [provideZonelessChangeDetection()] });
