import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { commitAll, tasks } from "../../../test/support/run.js";
import { inTemporaryFolder } from "../../../test/support/temporary.js";
import { FolderStore } from "../folder-store.js";
import { parseRecords, readRecords } from "../records.js";
import { EVENTS, note, readEvents } from "./events.js";

describe("events", () => {
  it("stand among the records of pictures, and neither is taken for the other", () =>
    inTemporaryFolder(async (folder) => {
      const store = new FolderStore(folder);
      await note(store, "records/a.jsonl", [{ event: "reconnected" }]);
      await commitAll(store, tasks(2));
      await note(store, "records/a.jsonl", [
        { event: "retry", index: 1, message: "no luck" },
        { event: "taken over", index: 0 },
      ]);
      const events = await readEvents(store);
      expect(events.map(({ event, index, message }) => [event, index, message])).toEqual([
        ["reconnected", undefined, undefined],
        ["retry", 1, "no luck"],
        ["taken over", 0, undefined],
      ]);
      expect([...(await readRecords(store)).keys()]).toEqual([0, 1]);
    }));

  it("survive a line that was cut off", async () => {
    const event = fc.record({
      event: fc.constantFrom(...EVENTS),
      index: fc.option(fc.nat(), { nil: undefined }),
      message: fc.option(fc.string({ unit: "binary" }), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 5 }), fc.nat(40), (events, lost) =>
        inTemporaryFolder(async (folder) => {
          const store = new FolderStore(folder);
          await note(store, "records/a.jsonl", events);
          const text = Buffer.from((await store.get("records/a.jsonl"))!).toString();
          const kept = text.slice(0, text.length - lost);
          await store.put("records/a.jsonl", Buffer.from(kept));
          const found = await readEvents(store);
          expect(found).toHaveLength(kept.split("\n").length - 1);
          expect(found.map((one) => ({ ...one, when: undefined }))).toEqual(
            (JSON.parse(JSON.stringify(events)) as object[]).slice(0, found.length),
          );
          expect(parseRecords(kept)).toEqual([]);
        }),
      ),
      { numRuns: 50 },
    );
  });
});
