import { Makemore } from "makemore-web";
import { scenario } from "./scenario.js";
import words from "./words.js";

/** A classic script does not know its own URL, so it sets the URL of the package's folder. */
class HostedMakemore extends Makemore {
  constructor(options) {
    super({ assetsURL: "/makemore-web/", ...options });
  }
}
scenario(HostedMakemore, words);
