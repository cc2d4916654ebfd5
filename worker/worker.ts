/** The worker file: one session, answered over comlink. */
import { expose } from "comlink";
import { Session } from "./session";

expose(new Session());
