import { Makemore } from "makemore-web";
import { scenario } from "./scenario.js";
import words from "./words.js";

/** A classic script does not know its own address, so it says where the package's folder is. */
class HostedMakemore extends Makemore {
  constructor(options) {
    super({ assetsURL: "/makemore-web/", ...options });
  }
}
scenario(HostedMakemore, words);
