import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { Generator } from "./Generator";
import plants from "./plants.txt?raw";
import towns from "./towns.txt?raw";

const lists = { towns, plants };

function App() {
  const [name, setName] = useState("towns");
  return (
    <>
      <h1>
        More{" "}
        <select aria-label="List" value={name} onChange={(event) => setName(event.target.value)}>
          {Object.keys(lists).map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </h1>
      {/* Another key unmounts the generator, and mounts one for the other list. */}
      <Generator key={name} words={lists[name]} />
    </>
  );
}

createRoot(document.getElementById("app")).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
