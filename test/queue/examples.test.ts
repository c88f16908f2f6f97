/** The commands in examples/many-machines are ones that the program takes. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { buildProgram } from "../../src/cli/program.js";

/** Commands are written as JSON lists in one line. */
function commandsIn(file: string): string[][] {
  const text = readFileSync(`examples/many-machines/${file}`, "utf8");
  return [...text.matchAll(/^\s*(?:command|args): (\["(?:sample|worker)".*\])$/gm)].map(
    ([, list]) => JSON.parse(list!) as string[],
  );
}

describe.each(["compose.yaml", "kubernetes.yaml"])("examples/many-machines/%s", (file) => {
  it("starts a sampler and workers on one queue", async () => {
    const program = await buildProgram();
    const commands = commandsIn(file);
    expect(commands.map(([name]) => name).sort()).toEqual(["sample", "worker"]);
    for (const [name, ...args] of commands) {
      const options = program.commands.find((command) => command.name() === name)!.options;
      const given = args.filter((arg) => arg.startsWith("--"));
      expect(options.map(({ long }) => long)).toEqual(expect.arrayContaining(given));
      const needed = options.filter(({ mandatory }) => mandatory).map(({ long }) => long);
      expect(given).toEqual(expect.arrayContaining(needed));
      expect(args).toContain("redis://valkey:6379");
    }
  });
});
