import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError } from "../../errors.js";
import { inTemporaryFolder } from "../../../test/support/temporary.js";
import { PROMPT_FORMATS, readPrompts, readPromptSet, type PromptSetOptions } from "./read.js";

type Read = Awaited<ReturnType<typeof readPromptSet>>;

/** Reads a set out of a file with this content. */
function readContent(content: string | Uint8Array, options?: PromptSetOptions): Promise<Read> {
  return inTemporaryFolder(async (folder) => {
    const path = join(folder, "prompts");
    await writeFile(path, content);
    return readPromptSet(path, options);
  });
}

/** What the reader says of this content, without the file's name. */
async function complaint(content: string | Uint8Array, options?: PromptSetOptions): Promise<string> {
  const error: unknown = await readContent(content, options).catch((reason: unknown) => reason);
  if (!(error instanceof OptionError)) throw new Error(`read, or another error: ${String(error)}`);
  return error.message.replace(/^--prompts \S+prompts: /, "");
}

const jsonLines = (...lines: unknown[]): string => lines.map((line) => JSON.stringify(line)).join("\n");

/** The outline of captions_val2017.json; `info` and the other fields of images are of no concern. */
const COCO = {
  info: { description: "COCO 2017 Dataset" },
  images: [{ id: 397133, file_name: "000000397133.jpg" }, { id: 37777 }],
  annotations: [
    { image_id: 37777, id: 98, caption: "The dining table near the kitchen has a bowl of fruit on it. " },
    { image_id: 397133, id: 370509, caption: "A man is in a kitchen making pizzas." },
    { image_id: 37777, id: 101, caption: "a small kitchen has various appliances and a table" },
    { image_id: 5, id: 102, caption: "Of an image that is not listed." },
  ],
};

/** Two lines of GenEval's evaluation_metadata.jsonl. */
const GENEVAL = [
  '{"tag": "single_object", "include": [{"class": "bench", "count": 1}], "prompt": "a photo of a bench"}',
  '{"tag": "counting", "include": [{"class": "clock", "count": 2}], "exclude": [{"class": "clock", "count": 3}], "prompt": "a photo of two clocks"}',
];

const PARTI = [
  "Prompt\tCategory\tChallenge\tNote",
  "bond\tAbstract\tBasic\tBiology-inspired concepts with multiple meanings",
  '"G I G G L E" painted in thick letters \tWriting & Symbols\tComplex\t',
];

describe("readPromptSet", () => {
  it("takes the first caption of each of COCO's images, numbered as ScaleKV's scripts do", async () => {
    const expected = {
      tasks: [
        { index: 0, prompt: "A man is in a kitchen making pizzas.", seeds: [0], file: "0000.png" },
        { index: 1, prompt: COCO.annotations[0]!.caption, seeds: [1], file: "0001.png" },
      ],
      files: new Map(),
    };
    expect(await readContent(JSON.stringify(COCO))).toEqual(expected);
    expect(await readContent(JSON.stringify(COCO, null, 2))).toEqual(expected);
  });

  it("takes the lines of a text that are not blank", async () => {
    const { tasks } = await readContent("\ufeffa red fox\r\n\r\n  a kite \n[close-up] an eye\n");
    expect(tasks.map(({ prompt, seeds, file }) => [prompt, seeds, file])).toEqual([
      ["a red fox", [0], "0000.png"],
      ["a kite", [1], "0001.png"],
      ["[close-up] an eye", [2], "0002.png"],
    ]);
  });

  it("takes a braced line as text where it is told to", async () => {
    const { tasks } = await readContent("{red|blue} fox\n", { format: "text" });
    expect(tasks.map(({ prompt }) => prompt)).toEqual(["{red|blue} fox"]);
  });

  it("takes seeds and names from JSON lines, and HeatKV's manifest", async () => {
    const { tasks } = await readContent(
      jsonLines(
        { prompt: "a", seed: 7 },
        { prompt: "b", file: "foxes/red.jpg", seed: 4294967295 },
        // As the held-out prompts of the embedded model are written.
        {
          id: "single-00",
          category: "single",
          prompt: "c",
          check: ["names"],
          kind: "one",
          names: ["frog"],
          style: null,
        },
        { prompt: "d", id: 42 },
        { index: 12, seed: 112, prompt: "e" },
        { index: 13, prompt: "f" },
      ),
    );
    expect(tasks.map(({ prompt, seeds, file }) => [prompt, seeds, file])).toEqual([
      ["a", [7], "0000.png"],
      ["b", [4294967295], "foxes/red.jpg"],
      ["c", [2], "single-00.png"],
      ["d", [3], "42.png"],
      ["e", [112], "000012.png"],
      ["f", [13], "000013.png"],
    ]);
  });

  it("lays GenEval out for its evaluator, each sample with a seed of its own", async () => {
    const { tasks, files } = await readContent(`${GENEVAL.join("\n")}\n`);
    expect(tasks.map(({ index, seeds }) => [index, ...seeds])).toEqual([...Array(8).keys()].map((i) => [i, i]));
    expect(tasks[5]).toEqual({
      index: 5,
      prompt: "a photo of two clocks",
      seeds: [5],
      file: "00001/samples/00001.png",
    });
    // As evaluate_images.py finds them: digits, then `samples`, then digits with `.png`.
    for (const { file } of tasks) expect(file).toMatch(/^\d+\/samples\/\d+\.png$/);
    expect([...files]).toEqual([
      ["00000/metadata.jsonl", `${GENEVAL[0]!}\n`],
      ["00001/metadata.jsonl", `${GENEVAL[1]!}\n`],
    ]);
  });

  it("draws one grid of four for each file of DPG-Bench, in the order of their names", () =>
    inTemporaryFolder(async (folder) => {
      await writeFile(join(folder, "drawtext_2.txt"), "a sign\n");
      await writeFile(join(folder, "256.txt"), "\ufeffa lighthouse\nat night\n");
      await writeFile(join(folder, ".hidden.txt"), "none");
      await writeFile(join(folder, "LICENSE"), "none");
      expect((await readPromptSet(folder)).tasks).toEqual([
        { index: 0, prompt: "a lighthouse\nat night", seeds: [0, 1, 2, 3], file: "images/256.png" },
        { index: 1, prompt: "a sign", seeds: [4, 5, 6, 7], file: "images/drawtext_2.png" },
      ]);
    }));

  it("takes PartiPrompts' first column, quotation marks and all", async () => {
    const { tasks } = await readContent(`${PARTI.join("\n")}\n`);
    expect(tasks.map(({ prompt }) => prompt)).toEqual(["bond", '"G I G G L E" painted in thick letters']);
  });

  it("limits prompts, not pictures", async () => {
    expect((await readContent(GENEVAL.join("\n"), { limit: 1 })).tasks).toHaveLength(4);
    expect((await readContent("a\nb\nc", { limit: 2 })).tasks).toHaveLength(2);
    await expect(readContent("a", { limit: 0 })).rejects.toThrow("limit 0: must be a whole number from 1 up");
  });

  it("reads 30,000 captions", async () => {
    const images = Array.from({ length: 30_000 }, (_, id) => ({ id }));
    const annotations = Array.from({ length: 150_000 }, (_, i) => ({ image_id: i % 30_000, caption: `caption ${i}` }));
    const { tasks } = await readContent(JSON.stringify({ images, annotations }));
    expect(tasks).toHaveLength(30_000);
    expect(tasks[29_999]).toEqual({ index: 29_999, prompt: "caption 29999", seeds: [29_999], file: "29999.png" });
  });
});

describe("readPrompts", () => {
  it("gives every prompt once", () =>
    inTemporaryFolder(async (folder) => {
      const path = join(folder, "evaluation_metadata.jsonl");
      await writeFile(path, GENEVAL.join("\n"));
      expect(await readPrompts(path)).toEqual(["a photo of a bench", "a photo of two clocks"]);
    }));
});

describe("readPromptSet refuses, naming the line,", () => {
  it.each<[string, string | Uint8Array, PromptSetOptions["format"], string]>([
    ["an empty file", "", undefined, "holds 0 prompts, at least 1 is needed"],
    ["blank lines", " \n\n", "jsonl", "holds 0 prompts, at least 1 is needed"],
    ["Latin-1", Buffer.from("a fox\na caf\xe9\n", "latin1"), undefined, "line 2: not UTF-8"],
    ["a picture", Buffer.from([0x89, 0x50, 0x4e, 0x47]), "text", "line 1: not UTF-8"],
    ["NUL characters", "a\nb\nc\0", undefined, "line 3: a NUL character, so not text"],
    [
      "a text of one endless line",
      "x".repeat(16_385),
      undefined,
      "line 1: the prompt has 16385 characters, more than 16384",
    ],
    [
      "a cut JSON file",
      '{"images": [{"id"',
      undefined,
      "begins as JSON does but is not; the format text takes its lines as they are",
    ],
    ["megabytes of brackets", "[],".repeat(2 ** 22 + 1), "coco", "more than 8388608 values"],
    ["a JSON list", '[\n"a fox",\n"a kite"]', undefined, "a JSON list; give one object a line"],
    ["a line that is not JSON", '{"prompt": "a"}\n\n{"prompt"', undefined, "line 3: not JSON"],
    [
      "a line without a prompt",
      '{"prompt": "a"}\n{"text": "b"}',
      undefined,
      "line 2: prompt Invalid input: expected string, received undefined",
    ],
    ["a blank prompt", '{"prompt": " "}', undefined, "line 1: the prompt is blank"],
    [
      "a seed out of range",
      '{"prompt": "a", "seed": 4294967296}',
      undefined,
      "line 1: seed Too big: expected number to be <=4294967295",
    ],
    [
      "a name outside",
      '{"prompt": "a", "file": "../a.png"}',
      undefined,
      'line 1: "../a.png" has a dot in a folder\'s name',
    ],
    [
      "a name twice",
      '{"prompt": "a", "id": "Fox"}\n{"prompt": "b", "file": "fox.png"}',
      undefined,
      'line 2: "fox.png" is the picture of --prompts FILE: line 1 already',
    ],
    [
      "other JSON lines as GenEval",
      '{"prompt": "a"}',
      "geneval",
      "line 1: tag Invalid input: expected string, received undefined",
    ],
    [
      "COCO without captions",
      JSON.stringify({ images: [{ id: 1 }], annotations: [{ image_id: 1, bbox: [] }] }),
      undefined,
      "annotations[0]: caption Invalid input: expected string, received undefined",
    ],
    [
      "an image without a caption",
      JSON.stringify({ images: [{ id: 1 }], annotations: [] }),
      undefined,
      "images[0]: image 1 has no caption",
    ],
    [
      "an image listed twice",
      JSON.stringify({ images: [{ id: 5 }, { id: 5 }], annotations: COCO.annotations }),
      undefined,
      "images[1]: image 5 is listed twice",
    ],
    ["text as COCO", "a fox", "coco", "not JSON"],
    ["a row that is cut", `${PARTI[0]!}\na fox\tAnimals`, undefined, "line 2: 2 columns, not 4"],
    ["text as a table", "a fox\na kite", "parti", "the header is not Prompt, Category, Challenge, Note"],
    ["a file as a folder", "a fox", "dpg", "a file; dpg is a folder"],
  ])("%s", async (_, content, format, line) => {
    const said = await complaint(content, { format });
    expect(said.replace(/--prompts \S+prompts:/, "--prompts FILE:")).toBe(line);
    expect(said).not.toContain("\n");
  });

  it("folders that are no DPG-Bench, and what is not there", () =>
    inTemporaryFolder(async (folder) => {
      const read = (name: string, options?: PromptSetOptions): Promise<Read> =>
        readPromptSet(join(folder, name), options);
      await expect(read("none")).rejects.toThrow(/^--prompts .*none: cannot be read \(ENOENT\)$/);
      await mkdir(join(folder, "empty"));
      await expect(read("empty")).rejects.toThrow(/empty: holds 0 prompts, at least 1 is needed$/);
      await expect(read("empty", { format: "text" })).rejects.toThrow(/empty: a folder, which text is not$/);
      await mkdir(join(folder, "dotted"));
      await writeFile(join(folder, "dotted", "a.b.txt"), "a fox");
      await expect(read("dotted")).rejects.toThrow(/dotted: a\.b\.txt: the evaluator cuts names at their first dot$/);
    }));

  it("whatever else there may be in a file", async () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 60 }),
      fc.array(fc.json({ maxDepth: 2 }), { maxLength: 4 }).map((lines) => lines.join("\n")),
      fc
        .array(fc.record({ prompt: fc.string(), file: fc.string(), id: fc.nat(3) }, { requiredKeys: ["prompt"] }))
        .map((rows) => jsonLines(...rows)),
    );
    const format = fc.option(fc.constantFrom(...PROMPT_FORMATS), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(fc.oneof(text, fc.uint8Array({ maxLength: 60 })), format, async (content, named) => {
        const set = await readContent(content, { format: named }).catch((error: unknown) => {
          expect(error).toBeInstanceOf(OptionError);
          return undefined;
        });
        if (!set) return;
        expect(set.tasks.length).toBeGreaterThan(0);
        expect(set.tasks.map(({ index }) => index)).toEqual([...set.tasks.keys()]);
        expect(new Set(set.tasks.map(({ file }) => file.toLowerCase())).size).toBe(set.tasks.length);
      }),
    );
  });
});
