import { useMakemore } from "makemore-web/react";
import { useState } from "react";

/** Learns a list of words and makes more like them. Unmounting it ends its worker, even while it trains. */
export function Generator({ words }) {
  const { train, sample, stop, status, progress, error } = useMakemore();
  const [made, setMade] = useState([]);

  async function start() {
    const onProgress = ({ samples }) => samples && setMade(samples);
    if (!(await train(words, { sampleEvery: 100, onProgress }))) return;
    const samples = await sample(10, { novel: true });
    if (samples) setMade(samples);
  }

  return (
    <>
      <button type="button" onClick={status === "training" ? stop : start}>
        {status === "training" ? "Stop" : "Train"}
      </button>{" "}
      <progress aria-label="Training" value={progress?.step ?? 0} max={progress?.steps ?? 1} />
      {error && <p role="alert">{error.message}</p>}
      <ul>
        {made.map((word, i) => (
          <li key={i}>{word}</li>
        ))}
      </ul>
    </>
  );
}
