import { describe, expect, it } from "vitest";
import { StatusLine, describeProgress, describeSampling, duration } from "./progress.js";

/** A terminal that remembers what was written. */
function terminal(
  isTTY: boolean,
  columns = 80,
): { isTTY: boolean; columns: number; text: string; write(s: string): void } {
  return {
    isTTY,
    columns,
    text: "",
    write(s: string) {
      this.text += s;
    },
  };
}

describe("StatusLine", () => {
  it("is silent where the stream is no terminal", () => {
    const screen = terminal(false);
    const line = new StatusLine(screen);
    line.update(1, "done");
    line.clear();
    expect(screen.text).toBe("");
  });

  it("writes one line over and over, never wider than the terminal, and removes it", () => {
    const screen = terminal(true, 30);
    const line = new StatusLine(screen, () => 0);
    line.update(0.5, "halfway through a long text");
    expect(screen.text).toBe("\r\u001b[K━━━━━━━━━━──────────  halfway");
    line.clear();
    line.clear();
    expect(screen.text.endsWith("halfway\r\u001b[K")).toBe(true);
  });

  it("takes a terminal that does not know its width for 80 columns wide", () => {
    const screen = terminal(true, 0);
    new StatusLine(screen).update(1, "x".repeat(100));
    expect(screen.text).toHaveLength("\r\u001b[K".length + 79);
  });

  it("skips what comes too soon, but never the end", () => {
    const screen = terminal(true);
    let time = 0;
    const line = new StatusLine(screen, () => time);
    line.update(0.1, "one");
    time = 10;
    line.update(0.2, "two");
    line.update(1, "three");
    time = 100;
    line.update(0.3, "four");
    expect(screen.text.match(/one|two|three|four/g)).toEqual(["one", "three", "four"]);
  });
});

describe("describeProgress", () => {
  it("counts layers within scales", () => {
    const event = { stage: "scale", scale: 3, scales: 4, map: { height: 2, width: 5 }, layer: 1, layers: 2 } as const;
    expect(describeProgress(event)).toEqual([2.5 / 4, "scale 3 of 4 (5x2): layer 1 of 2"]);
  });

  it("ends every stage at 1", () => {
    const map = { height: 1, width: 1 };
    expect(describeProgress({ stage: "load", part: "transformer", done: 2, total: 2 })[0]).toBe(1);
    expect(describeProgress({ stage: "text", layer: 3, layers: 3 })[0]).toBe(1);
    expect(describeProgress({ stage: "scale", scale: 7, scales: 7, map, layer: 4, layers: 4 })[0]).toBe(1);
    expect(describeProgress({ stage: "vae", image: 2, images: 2 })[0]).toBe(1);
  });
});

describe("describeSampling", () => {
  it("tells the rate of what is drawn now, and how long the rest will take at it", () => {
    const event = { stage: "draw", done: 60, total: 100, drawn: 20, seconds: 50 } as const;
    expect(describeSampling(event)).toEqual([0.6, "picture 60 of 100, 0.40/s, 1 min 40 s left"]);
    expect(describeSampling({ stage: "check", done: 3, total: 4 })).toEqual([0.75, "checking: picture 3 of 4"]);
  });

  it("writes times in their two largest units", () => {
    expect([0, 59.4, 59.6, 3599, 3600, 90061].map(duration)).toEqual([
      ...["0 s", "59 s", "1 min 0 s", "59 min 59 s", "1 h 0 min", "25 h 1 min"],
    ]);
  });
});
