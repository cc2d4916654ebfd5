/** Numbers as people read them. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** 30294 is "30,294". */
export function count(n: number): string {
  return whole.format(n);
}

/** "1 word", "2 words". */
export function plural(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
}

/** A character to look at: a space is "␣". */
export function visible(character: string): string {
  return character === " " ? "␣" : character;
}

/** Two significant places below 10, none above. */
export function pace(perSecond: number): string {
  return perSecond < 10 ? perSecond.toFixed(1) : count(perSecond);
}

/** Two places, and a real minus sign: "−2.62". */
export function signed(n: number): string {
  return n.toFixed(2).replace("-", "−");
}

/** A loss to three places; a dash if there is none. */
export function loss(nats: number): string {
  return Number.isFinite(nats) ? nats.toFixed(3) : "–";
}

/** Time left, rounded up: "8 s", "3 min 20 s", "1 h 5 min". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "–";
  const s = Math.ceil(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

/** Duration of something that has ended: "4.1 s", and from 10 s on as in `duration`. */
export function took(seconds: number): string {
  return seconds < 10 ? `${seconds.toFixed(1)} s` : duration(seconds);
}
