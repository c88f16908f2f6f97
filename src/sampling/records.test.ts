import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inTemporaryFolder } from "../../test/support/temporary.js";
import { FolderStore } from "./folder-store.js";
import { formatRecord, ledgerPath, parseRecords, readRecords, type PictureRecord } from "./records.js";

const hash = fc.string({ unit: fc.nat(15).map((digit) => digit.toString(16)), minLength: 64, maxLength: 64 });
const record: fc.Arbitrary<PictureRecord> = fc.record({
  index: fc.nat(),
  file: fc.string({ unit: "binary" }),
  sha256: hash,
  bytes: fc.nat(),
  seconds: fc.double({ min: 0, max: 1e6, noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
  cacheBytes: fc.nat(),
  peakBytes: fc.nat(),
  finished: fc.integer({ min: 0, max: 4e12 }).map((time) => new Date(time).toISOString()),
});

describe("a ledger", () => {
  it("that was cut off anywhere gives its whole lines, and nothing else", () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 5 }), fc.nat(), (records, place) => {
        const lines = records.map(formatRecord);
        const text = lines.join("");
        const cut = place % (text.length + 1);
        let end = 0;
        const whole = lines.filter((line) => (end += line.length) <= cut).length;
        expect(parseRecords(text.slice(0, cut))).toEqual(records.slice(0, whole));
      }),
    );
  });

  it("passes over lines that are no records, wherever they stand", () => {
    const noise = fc.string().filter((text) => !text.includes("\n"));
    fc.assert(
      fc.property(record, noise, noise, (one, before, after) => {
        expect(parseRecords(`${before}\n${formatRecord(one)}${after}\n`)).toEqual([one]);
      }),
    );
  });

  it("is read together with those of other processes, by task", () =>
    inTemporaryFolder(async (folder) => {
      const store = new FolderStore(folder);
      const [first, second] = fc.sample(record, { numRuns: 2, seed: 1 }) as [PictureRecord, PictureRecord];
      const others = { ...second, index: first.index };
      const paths = [ledgerPath(), ledgerPath()] as const;
      expect(paths[0]).not.toBe(paths[1]);
      await store.append(paths[0], formatRecord(first));
      await store.append(paths[1], formatRecord(others));
      await store.append(paths[1], formatRecord({ ...second, index: first.index + 1 }).slice(0, -1));
      await store.put("records/note.txt", Buffer.from(formatRecord({ ...second, index: 0 })));
      const found = await readRecords(store);
      expect([...found.keys()]).toEqual([first.index]);
      expect(found.get(first.index)).toHaveLength(2);
      expect(found.get(first.index)).toEqual(expect.arrayContaining([first, others]));
    }));
});
