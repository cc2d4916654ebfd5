/** A file compiled to a classic script, as a string: see tsup.config.ts. */
declare module "*?script" {
  const script: string;
  export default script;
}
