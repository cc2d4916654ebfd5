import { Makemore } from "makemore-web";
import { scenario } from "./scenario.js";
import words from "./words.js";

/** A classic script has no `import.meta.url`, so it must set the URL of the package's folder. */
class HostedMakemore extends Makemore {
  constructor(options) {
    super({ assetsURL: "/makemore-web/", ...options });
  }
}
scenario(HostedMakemore, words);
